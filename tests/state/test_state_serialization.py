"""Serialization: a snapshot comes out of the store as it went in, and what is damaged is refused."""

from dataclasses import replace
from datetime import UTC, datetime
import json
from typing import Final

from hypothesis import given, strategies as st
import pytest

from custom_components.jedlix.api import (
    BadAnswer,
    Charger,
    ChargeSettings,
    ChargeState,
    ChargeStatus,
    Session,
    Vehicle,
)
from custom_components.jedlix.state.figures import Figures
from custom_components.jedlix.state.gone import Absence
from custom_components.jedlix.state.hours import Interval
from custom_components.jedlix.state.ledger import Ledger, SealedMonth
from custom_components.jedlix.state.link import Link, LinkReport
from custom_components.jedlix.state.serialization import snapshot_as_json, snapshot_from_json
from custom_components.jedlix.state.user_snapshot import UserSnapshot
from custom_components.jedlix.state.vehicle_snapshot import VehicleSnapshot

NOON: Final = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)

TIMES: Final = st.datetimes(
    datetime(2000, 1, 1),  # noqa: DTZ001
    datetime(9998, 12, 31),  # noqa: DTZ001
    timezones=st.just(UTC),
)
IDS: Final = st.text(st.characters(codec="utf-8", categories=("L", "N", "P")), min_size=1)
TEXTS: Final = st.none() | IDS
BOOLEANS: Final = st.none() | st.booleans()
LEVELS: Final = st.integers(0, 100)
AMOUNTS: Final = st.none() | st.floats(-1e6, 1e6)
SESSIONS: Final = st.builds(
    Session,
    id=IDS,
    user_id=TEXTS,
    vehicle_id=TEXTS,
    is_managed=BOOLEANS,
    charging_location_id=TEXTS,
    started_at=st.none() | TIMES,
    ended_at=st.none() | TIMES,
    energy_kwh=AMOUNTS,
    cost=AMOUNTS,
    savings=AMOUNTS,
    currency=st.sampled_from([None, "EUR", "SEK"]),
)
SETTINGS: Final = st.fixed_dictionaries(
    {"isSmartChargingEnabled": st.booleans()},
    optional={
        "enableSmartChargingAt": st.none() | TIMES.map(datetime.isoformat),
        "desiredBatteryLevel": st.integers(50, 100),
        "minimumBatteryLevel": LEVELS,
        "departureTimes": st.dictionaries(IDS, st.lists(st.none() | IDS, max_size=2), max_size=2),
    },
).map(ChargeSettings.from_json)
INTERVALS: Final = st.lists(st.builds(Interval, TIMES, TIMES), max_size=2).map(tuple)
LEDGERS: Final = st.builds(
    Ledger,
    listed=st.dictionaries(IDS, SESSIONS, max_size=2),
    financials=st.dictionaries(IDS, SESSIONS, max_size=2),
    financials_read_at=st.none() | TIMES,
    charging=INTERVALS,
    unseen=INTERVALS,
    sealed_months=st.lists(
        st.builds(
            SealedMonth,
            month=IDS,
            currency=TEXTS,
            figures=st.builds(
                Figures, energy_kwh=st.floats(-1e6, 1e6), cost=AMOUNTS, savings=AMOUNTS
            ),
        ),
        max_size=2,
    ).map(tuple),
    sealed_until=st.none() | TIMES,
    sealed_sessions=st.dictionaries(IDS, TIMES, max_size=2),
)
LINKS: Final = st.builds(
    Link,
    is_connected=st.booleans(),
    reason=st.none() | st.sampled_from(LinkReport),
    lost_at=st.none() | TIMES,
)
CARS: Final = st.builds(
    VehicleSnapshot,
    link=LINKS,
    vehicle=st.builds(
        Vehicle,
        id=IDS,
        user_id=st.just("user"),
        brand=TEXTS,
        model=TEXTS,
        version=TEXTS,
        is_connected=BOOLEANS,
        is_connectable=BOOLEANS,
        connection_status=TEXTS,
        capabilities=st.frozensets(IDS, max_size=3),
        charge_state=st.builds(
            ChargeState,
            status=st.sampled_from(ChargeStatus),
            battery_level=st.none() | LEVELS,
            range_km=st.none() | st.integers(0, 2000),
            updated_at=st.none() | TIMES,
        ),
    ),
    known_since=TIMES,
    status=st.sampled_from(ChargeStatus),
    settings=st.none() | SETTINGS,
    open_sessions=st.dictionaries(IDS, SESSIONS, max_size=2),
    ended_sessions=st.dictionaries(IDS, TIMES, max_size=2),
    estimated_ends=st.dictionaries(IDS, TIMES, max_size=2),
    latest_session=st.none() | SESSIONS,
    plug_session=st.none() | SESSIONS,
    boost_session_id=TEXTS,
    entered_levels=st.dictionaries(IDS, LEVELS, max_size=2),
    ledger=LEDGERS,
    fetched=st.lists(SESSIONS, max_size=1).map(tuple),
)
CHARGERS: Final = st.builds(
    Charger,
    id=IDS,
    user_id=st.just("user"),
    charging_location_id=TEXTS,
    brand=TEXTS,
    model=TEXTS,
    status=st.sampled_from(ChargeStatus),
    power_kw=AMOUNTS,
    updated_at=st.none() | TIMES,
)
USERS: Final = st.builds(
    UserSnapshot,
    user_id=IDS,
    chargers=st.none() | st.dictionaries(IDS, CHARGERS, max_size=2),
    vehicles=st.dictionaries(IDS, CARS, max_size=2),
    first_refresh=st.none() | TIMES,
    refreshed_at=st.none() | TIMES,
    failing_since=st.none() | TIMES,
    absences=st.dictionaries(
        IDS,
        st.builds(Absence, since=TIMES, last_seen=TIMES, answers=st.integers(1, 1000)),
        max_size=2,
    ),
    former_ledgers=st.dictionaries(IDS, LEDGERS, max_size=2),
    former_estimates=st.dictionaries(IDS, st.dictionaries(IDS, TIMES, min_size=1), max_size=2),
)


@given(USERS)
def test_a_user_comes_out_of_the_store_as_stored(user: UserSnapshot) -> None:
    user = replace(
        user,
        vehicles={
            key: replace(item, vehicle=replace(item.vehicle, user_id=user.user_id))
            for key, item in user.vehicles.items()
        },
        chargers=user.chargers
        and {key: replace(item, user_id=user.user_id) for key, item in user.chargers.items()},
    )
    assert snapshot_from_json(json.loads(json.dumps(snapshot_as_json(user)))) == user


def test_the_file_has_the_names_of_the_first_version_and_no_empty_field() -> None:
    """Files of earlier versions are read by these names."""
    session = Session(id="s", ended_at=NOON)
    car = VehicleSnapshot(
        vehicle=Vehicle(id="car", user_id="user"),
        known_since=NOON,
        ended_sessions={"s": NOON},
        entered_levels={"s": 40},
        fetched=(session,),  # for the comparison alone
    )
    user = UserSnapshot(user_id="user", vehicles={"car": car}, chargers={}, first_refresh=NOON)
    noon = NOON.isoformat()
    written = json.loads(json.dumps(snapshot_as_json(user)))
    written["vehicles"]["car"].pop("vehicle")
    assert written == {
        "user_id": "user",
        "chargers": {},  # known to have none
        "first_look": noon,
        "vehicles": {
            "car": {
                "watched_since": noon,
                "status": "unknown",
                "ended_sessions": {"s": noon},
                "told_levels": {"s": 40},
            }
        },
    }
    assert "first_look" not in snapshot_as_json(replace(user, first_refresh=None))


@pytest.mark.parametrize(
    "damaged",
    [
        None,
        [],
        {},
        {"user_id": ""},
        {"user_id": "user", "vehicles": {"car": None}},
        {"user_id": "user", "vehicles": {"car": {}}},
        {"user_id": "user", "vehicles": {"car": {"vehicle": {"id": "car"}}}},
        {"user_id": "user", "vehicles": {"car": {"watched_since": "2026-11-24T12:00:00Z"}}},
    ],
)
def test_what_is_no_user_is_refused(damaged: object) -> None:
    with pytest.raises(BadAnswer):
        snapshot_from_json(damaged)


@pytest.mark.parametrize("odd", [None, [], "text", 5])
def test_a_field_of_a_wrong_shape_is_left_out(odd: object) -> None:
    user = snapshot_from_json(
        {
            "user_id": "user",
            "refreshed_at": odd,
            "failing_since": odd,
            "absences": {"vehicle car": odd, "vehicle b": {"since": odd}} if odd else odd,
            "former_ledgers": {"gone": odd} if odd else odd,
            "former_estimates": {"gone": {"session": odd}} if odd else odd,
            "vehicles": {
                "car": {
                    "vehicle": {"id": "car"},
                    "watched_since": "2026-11-24T12:00:00Z",
                    "settings": odd,
                    "open_sessions": odd,
                    "ended_sessions": {"s": odd} if odd else odd,
                    "estimated_ends": {"s": odd} if odd else odd,
                }
            },
        }
    )
    assert (user.refreshed_at, user.failing_since, user.absences) == (None, None, {})
    assert user.vehicles["car"].ended_sessions == {}
    assert user.vehicles["car"].estimated_ends == {}
    assert user.vehicles["car"].open_sessions == {}
    assert user.vehicles["car"].settings is None


@pytest.mark.parametrize(
    "damaged",
    [
        [],
        {"listed": {"s": {}}},
        {"financials": {"s": None}},
        {"charging": [["2026-11-24T12:00:00Z"]]},
        {"unseen": [["2026-11-24T12:00:00Z", None]]},
        {"unseen": ["2026-11-24T12:00:00Z"]},
        {"charging": [["2026-11-24T12:00:00Z", "soon"]]},
        {"sealed_months": [{"month": "2026-11"}]},
        {"sealed_months": [{"figures": {"energy_kwh": 5}}]},
    ],
)
def test_a_damaged_ledger_costs_that_car_alone(
    damaged: object, caplog: pytest.LogCaptureFixture
) -> None:
    session = {"id": "s", "energy_kwh": 5}
    cars = {
        name: {"vehicle": {"id": name}, "watched_since": "2026-11-24T12:00:00Z", "ledger": ledger}
        for name, ledger in (("damaged", damaged), ("whole", {"listed": {"s": session}}))
    }
    user = snapshot_from_json({"user_id": "user", "vehicles": cars})
    assert user.vehicles["damaged"].ledger == Ledger()
    assert user.vehicles["whole"].ledger.listed == {"s": Session(id="s", energy_kwh=5)}
    assert "The figures of the Jedlix car damaged cannot be read" in caplog.text
