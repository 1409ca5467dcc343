"""The chaos run's judgement of what is shown at the end: what is right, and each way of being wrong."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from harness.chaos.answers import cut, wrong_costs, wrong_sessions
from harness.chaos.expected_states import Shown, Until, expected_of_car
from harness.chaos.final_states import (
    Account,
    differing,
    expected_devices,
    wrong_device,
    wrong_of_account,
    wrong_titles,
)
from harness.chaos.first_look import CATEGORIES, wrong_first_look
from harness.chaos.history import HOUR, wrong_events, wrong_rows
from harness.chaos.logs import REFUSALS_APART, REFUSALS_PER_START, REFUSED, too_many_refusals
from harness.chaos.recording import Published
from harness.chaos.shown import (
    not_there,
    of_event_entities,
    texts_of_this_checkout,
    wrong_event_rows,
    wrong_lines,
)
from harness.chaos.tariffs import wrong_slots
from harness.chaos.truth import Session, Truth
from harness.chaos.zone import TIME_ZONE, ZONE
from harness.entities import Device, Entity
from simulator.tariffs import TARIFFS
from tests.chaos_world import EMPTY

USER, CAR, PLACE = "u", "c", "place"
TEXTS: Final = texts_of_this_checkout()
NOW: Final = datetime(2026, 7, 1, 12, tzinfo=UTC)


def text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def session(number: int, *, is_over: bool = True, **facts: Any) -> Session:
    """Return a session of a minute, which began so many minutes ago."""
    start = NOW - timedelta(minutes=number)
    return Session.read(
        {
            "id": f"s{number}",
            "user_id": USER,
            "vehicle_id": CAR,
            "charging_location_id": PLACE,
            "is_managed": True,
            "started_at": text(start),
            "ended_at": text(start + timedelta(minutes=1)) if is_over else None,
            "end_known_at": None,
            "energy_kwh": 1.5,
            "cost": 0.4,
            "savings": -0.1,
            "currency": "EUR",
            **facts,
        }
    )


SESSIONS = (session(9), session(5, is_managed=False, charging_location_id=None))


def truth(*sessions: Session, mode: str = "default", **car: Any) -> Truth:
    """Return a world with one car, plugged in but not charging."""
    found = {
        "id": CAR,
        "user_id": USER,
        "brand": "Kia",
        "model": "EV6",
        "version": "RWD",
        "charge_state": "stopped",
        "battery_level": 55,
        "range": 210,
        "plugged_in": True,
        "session": None,
        "boost": False,
        "reads_battery": True,
        "is_connected": True,
        "updated_at": text(NOW),
        "settings": {
            "isSmartChargingEnabled": True,
            "desiredBatteryLevel": 80,
            "minimumBatteryLevel": 20,
            "useSolarProduction": False,
            "isBidirectionalChargingEnabled": False,
            "timeZone": "Europe/Amsterdam",
            "departureTimes": {"assumedByTheSimulator": {"time": "07:00"}},
        },
        **car,
    }
    places = [{"id": PLACE, "city": "Utrecht"}]
    user = {"id": USER, "vehicles": [found], "chargers": [], "locations": places}
    return replace(
        EMPTY,
        mode=mode,
        users=[user],
        cars={CAR: found},
        sessions={item.id: item for item in sessions},
        sessions_of={CAR: sessions},
    )


# -- answers -------------------------------------------------------------------------------------------------


def local(moment: str) -> str:
    """Return a time as Home Assistant's clock shows it."""
    return datetime.fromisoformat(moment).astimezone(TIME_ZONE).isoformat()


def sessions_answer(item: Session, **data: Any) -> dict[str, Any]:
    facts = dict(item.facts)
    for name in ("started_at", "ended_at"):
        facts[name] = facts[name] and local(facts[name])
    facts["session_id"] = facts.pop("id")
    facts["charging_location"] = "Utrecht" if facts["charging_location_id"] else None
    return {"sessions": [facts | data]}


@pytest.mark.parametrize(
    ("data", "word"),
    [
        ({}, None),
        ({"session_id": "x"}, "s9"),
        ({"vehicle_id": "x"}, "vehicle_id"),
        ({"is_managed": False}, "is_managed"),
        ({"charging_location_id": None}, "charging_location_id"),
        ({"charging_location": "Street 1"}, "charging_location"),
        ({"energy_kwh": 1.4}, "energy_kwh"),
        ({"currency": "USD"}, "currency"),
        ({"started_at": local(text(NOW))}, "started_at"),
        ({"started_at": SESSIONS[0].facts["started_at"]}, "local time"),
        ({"ended_at": None}, "ended_at"),
        ({"ended_at": str(SESSIONS[0].facts["ended_at"]).removesuffix("Z")}, "ended_at"),
    ],
)
def test_each_wrong_field_of_get_sessions_is_seen(data: dict[str, Any], word: str | None) -> None:
    world = truth(*SESSIONS[:1])
    found = list(wrong_sessions(sessions_answer(SESSIONS[0], **data), SESSIONS[:1], world))
    assert (word in found[0]) if word else not found


def test_a_session_of_another_period_is_seen() -> None:
    assert list(wrong_sessions(sessions_answer(SESSIONS[0]), (), truth()))
    assert list(wrong_sessions({"sessions": []}, SESSIONS[:1], truth()))


def test_sessions_come_oldest_first() -> None:
    oldest, newest = (sessions_answer(item)["sessions"] for item in SESSIONS)
    world = truth(*SESSIONS)
    assert not list(wrong_sessions({"sessions": oldest + newest}, SESSIONS, world))
    (found,) = wrong_sessions({"sessions": newest + oldest}, SESSIONS, world)
    assert "oldest" in found


def test_the_end_of_a_running_session_is_not_known() -> None:
    running = session(3, is_over=False)
    answer = sessions_answer(running, energy_kwh=99)  # it grows
    assert not list(wrong_sessions(answer, [running], truth(running)))
    answer = sessions_answer(running, ended_at=local(text(NOW)))
    assert list(wrong_sessions(answer, [running], truth(running)))


@pytest.mark.parametrize(
    ("data", "word"),
    [
        ({}, None),
        ({"currency": "USD"}, "currencies"),
        ({"sessions": 3}, "sessions"),
        ({"smart_sessions": 2}, "smart_sessions"),
        ({"unmanaged_sessions": 0}, "unmanaged_sessions"),
        ({"energy_kwh": 3.1}, "energy_kwh"),
        ({"cost": 0.4}, "cost"),
        ({"savings": None}, "savings"),
    ],
)
def test_each_wrong_sum_of_get_costs_is_seen(data: dict[str, Any], word: str | None) -> None:
    right = {
        "currency": "EUR",
        "sessions": 2,
        "smart_sessions": 1,
        "unmanaged_sessions": 1,
        "energy_kwh": 3.0,
        "cost": 0.8,
        "savings": -0.2,
    }
    found = list(wrong_costs({"costs": [right | data]}, SESSIONS, truth()))
    assert (word in found[0]) if word else not found
    assert not list(wrong_costs({"costs": []}, [session(1, is_over=False)], truth()))


def test_a_period_is_cut_in_the_middle_of_a_session() -> None:
    begin, running = NOW - timedelta(days=1), session(3, is_over=False)
    for sessions, end in ((SESSIONS, NOW), ((*SESSIONS, running), NOW - timedelta(minutes=3))):
        first, second = cut(begin, sessions, SESSIONS[1], NOW)
        middle = NOW - timedelta(minutes=4, seconds=30)
        assert first == {"start": begin.isoformat(), "end": middle.isoformat()}
        assert second == {"start": middle.isoformat(), "end": end.isoformat()}


@pytest.mark.freeze_time(NOW)
def test_a_running_session_has_not_ended_in_the_calendar() -> None:
    running = session(9, is_over=False)
    for minutes, is_right in ((-5, False), (5, True)):
        event = {
            "uid": running.id,
            "start": {"dateTime": running.facts["started_at"]},
            "end": {"dateTime": text(NOW + timedelta(minutes=minutes))},
            "summary": "Smart charging",
            "location": "Street 1",
        }
        found = list(wrong_events([event], [running], {PLACE: "Street"}, truth()))
        assert bool(found) is not is_right


BEGIN: Final = datetime(2026, 10, 24, 19, 0, tzinfo=UTC)  # 22:00; the clocks go back that night


def slots(*bounds: Any, begin: datetime = BEGIN) -> list[dict[str, Any]]:
    """Return prices with the hours after the beginning at which they end."""
    found = []
    for price, hours in zip(bounds[::2], bounds[1::2], strict=True):
        end = BEGIN + timedelta(hours=hours)
        kind = {0.4123: "peak", 0.3242: "off_peak", 0: "dynamic"}.get(price, "standard")
        times = {"start": local(begin.isoformat()), "end": local(end.isoformat())}
        found.append({**times, "price": price, "tariff_type": kind})
        begin = end
    return found


@pytest.mark.parametrize(
    ("tariff", "shown", "is_right"),
    [
        ("high_low", slots(0.4123, 1, 0.3242, 10), True),
        ("high_low", slots(0.4123, 1, 0.3242, 9), False),  # too short
        ("high_low", slots(0.4123, 2, 0.3242, 10), False),  # an hour late
        ("high_low", slots(0.3242, 10), False),
        ("high_low", slots(0.4123, 1, 0.3242, 5, 0.3242, 5, 0.3242, 10), False),  # one of no time
        ("high_low", slots(0.3242, 10, begin=BEGIN + timedelta(hours=1)), False),  # begins late
        ("high_low", [], False),
        ("single", slots(0.3012, 10), True),
        ("single", slots(0.3, 10), False),
        ("dynamic", [], True),
        ("dynamic", slots(0, 10), False),
    ],
)
def test_each_wrong_price_of_a_period_is_seen(
    tariff: str, shown: list[dict[str, Any]], *, is_right: bool
) -> None:
    known = TARIFFS[tariff]
    assert known is not None
    found = list(wrong_slots(shown, known, BEGIN, BEGIN + timedelta(hours=10)))
    assert bool(found) is not is_right
    of_another_type = [item | {"tariff_type": "super_off_peak"} for item in shown]
    assert not shown or list(
        wrong_slots(of_another_type, known, BEGIN, BEGIN + timedelta(hours=10))
    )
    in_utc = [
        item | {"end": datetime.fromisoformat(item["end"]).astimezone(UTC).isoformat()}
        for item in shown
    ]
    assert not in_utc or list(wrong_slots(in_utc, known, BEGIN, BEGIN + timedelta(hours=10)))


# -- the logbook ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "is_late", "is_right"),
    [
        ({}, False, True),
        ({"message": f"{TEXTS['change_unplugged']} (reported late)"}, True, True),
        ({"message": f"{TEXTS['change_unplugged']} (reported late)"}, False, False),
        ({}, True, False),
        ({"message": TEXTS["change_plugged_in"]}, False, False),
        ({"name": "Jedlix"}, False, False),
        ({"name": None}, False, False),
        ({"when": 102.0}, False, False),
    ],
)
def test_each_wrong_line_of_the_logbook_is_seen(
    line: dict[str, Any], *, is_late: bool, is_right: bool
) -> None:
    shown = {"name": "Kia EV6", "message": TEXTS["change_unplugged"], "when": 100.0, **line}
    change = Published(100.1, {"type": "unplugged", "late": is_late})
    assert bool(list(wrong_lines([shown], [change], "Kia EV6", TEXTS))) is not is_right
    assert list(wrong_lines([], [change], "Kia EV6", TEXTS))
    assert list(wrong_lines([shown, shown], [change], "Kia EV6", TEXTS))


@pytest.mark.parametrize(
    ("row", "is_right"),
    [
        ({}, True),
        ({"attributes": {"event_type": "plugged_in"}}, False),
        ({"attributes": {}}, False),
        ({"when": NOW.timestamp() + 60}, False),
    ],
)
def test_the_line_of_an_event_entity_is_the_line_of_its_change(
    row: dict[str, Any], is_right: bool
) -> None:
    at = NOW.timestamp()
    unplugged = Published(at, {"type": "unplugged", "late": False})
    late = Published(at, {"type": "unplugged", "late": True})
    added = Published(at, {"type": "vehicle_added", "late": False})
    assert of_event_entities([unplugged, late, added]) == ([unplugged], [late, added])
    line = {
        "entity_id": "event.kia_ev6_charging",
        "state": text(NOW),
        "when": at,
        "attributes": {"event_type": "unplugged"},
    }
    shown = {**line, **row}
    restored = {**shown, "when": shown["when"] + 0.5}
    second = {**line, "state": text(NOW + timedelta(seconds=1)), "when": at + 1}
    assert bool(list(wrong_event_rows([shown, restored], [unplugged]))) is not is_right
    assert list(wrong_event_rows([], [unplugged]))
    assert list(wrong_event_rows([line, second], [unplugged]))


def test_lines_after_a_clock_that_was_ahead_are_counted_with_or_without_a_restored_one() -> None:
    later = NOW + timedelta(hours=3)
    rows: list[dict[str, Any]] = [
        {
            "entity_id": "event.charging",
            "state": text(later + timedelta(seconds=second)),
            "when": NOW.timestamp() + second,
            "attributes": {"event_type": "unplugged"},
        }
        for second in (0, 1, 2)
    ]
    unplugged = Published(rows[1]["when"], {"type": "unplugged"})
    restored = rows[0] | {"when": NOW.timestamp() + 9}
    for count, is_right in ((0, False), (1, False), (2, True), (3, True), (4, False)):
        assert bool(list(wrong_event_rows([*rows, restored], [unplugged] * count))) is not is_right


# -- the calendar and the statistics -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "word"),
    [
        ({}, None),
        ({"start": {"dateTime": text(NOW)}}, "start"),
        ({"end": {"dateTime": text(NOW)}}, "end"),
        ({"summary": "1.5 kWh, Unmanaged charging"}, "summary"),
        ({"summary": "Smart charging"}, "summary"),
        ({"description": "1.5 kWh\nCost: 0.40 EUR"}, "description"),
        ({"description": "1.5 kWh\nCost: -0.10 EUR\nSavings: 0.40 EUR"}, "description"),
        ({"description": None}, "description"),
        ({"location": "Utrecht"}, "location"),
        ({"uid": CAR}, CAR),
    ],
)
def test_each_wrong_event_of_a_calendar_is_seen(data: dict[str, Any], word: str | None) -> None:
    facts = SESSIONS[0].facts
    event = {
        "uid": SESSIONS[0].id,
        "start": {"dateTime": facts["started_at"]},
        "end": {"dateTime": facts["ended_at"]},
        "summary": "1.5 kWh, Smart charging",
        "description": "1.5 kWh\nCost: 0.40 EUR\nSavings: -0.10 EUR",
        "location": "Street 1, Utrecht",
        **data,
    }
    found = list(wrong_events([event], SESSIONS[:1], {PLACE: "Street"}, truth()))
    assert (word in found[0]) if word else not found
    assert list(wrong_events([event, event], SESSIONS[:1], {PLACE: "Street"}, truth()))


def row(hour: int, state: float, total: float) -> dict[str, Any]:
    return {"start": hour * HOUR * 1000, "state": state, "sum": total}


@pytest.mark.parametrize(
    ("rows", "is_right"),
    [
        ([row(0, 1.0, 1.0), row(1, 0.5, 1.5)], True),
        ([row(0, 0.0, 0.0), row(1, 1.5, 1.5)], True),  # when it flowed is not judged
        ([row(0, 1.5, 1.5)], True),
        ([row(0, 1.0, 1.0)], False),
        ([row(0, 1.0, 1.0), row(1, 0.4, 1.5)], False),  # the sum is none
        ([row(0, 2.0, 2.0)], False),
        ([row(0, 0.0, 0.0), row(1, 0.0, 0.0), row(2, 1.5, 1.5)], False),  # too late
        ([], False),
    ],
)
def test_each_wrong_sum_of_the_statistics_is_seen(
    rows: list[dict[str, Any]], *, is_right: bool
) -> None:
    """The session goes on from the first hour into the second."""
    item = replace(session(1), start=0.5 * HOUR, end=1.5 * HOUR)
    assert bool(list(wrong_rows(rows, [item], "energy_kwh"))) is not is_right


@pytest.mark.parametrize(
    ("rows", "is_right"),
    [
        ([row(0, 0.75, 0.75), row(1, 0.75, 1.5)], True),
        ([row(0, 0.0, 0.0), row(1, 1.5, 1.5)], False),
        ([row(1, 1.5, 1.5)], False),  # nothing is said of the first hour
        ([row(0, 1.5, 1.5)], False),
    ],
)
def test_energy_from_before_the_account_was_added_belongs_evenly_to_its_hours(
    rows: list[dict[str, Any]], *, is_right: bool
) -> None:
    """Half of the session is in the first hour. Nobody saw the car charge then."""
    item = replace(session(1), start=0.5 * HOUR, end=1.5 * HOUR)
    added_at = 2 * HOUR
    assert bool(list(wrong_rows(rows, [item], "energy_kwh", added_at))) is not is_right


# -- the states ----------------------------------------------------------------------------------------------

type States = dict[tuple[str, str], dict[str, Any]]


def right_states(world: Truth) -> States:
    """Return the states of a car's entities as they must be."""
    expected = expected_of_car(world.cars[CAR], world, NOW)
    shown: States = {
        key: {
            "state": "2026-01-01T00:00:00Z" if key == ("button", "refresh") else str(want.state),
            "attributes": dict(want.attributes),
        }
        for key, want in expected.items()
    }
    for key in (("event", "charging"), ("event", "session")):
        shown[key] = {"state": "unknown", "attributes": {}}
    return shown


def wrong_states_of(world: Truth, shown: Mapping[tuple[str, str], dict[str, Any]]) -> list[str]:
    expected = expected_of_car(world.cars[CAR], world, NOW)
    entities = [Entity(f"{domain}.{key}", key, "d", True, None) for domain, key in shown]  # noqa: FBT003
    states = {f"{domain}.{key}": state for (domain, key), state in shown.items()}
    return list(differing(entities, expected, states, world))


RUNNING = session(3, is_over=False)
WORLD = truth(*SESSIONS, RUNNING, session=dict(RUNNING.facts))


def test_what_is_shown_right_is_not_called_wrong() -> None:
    assert not wrong_states_of(WORLD, right_states(WORLD))
    for world in (truth(), truth(*SESSIONS, reads_battery=False), replace(WORLD, mode="strict")):
        assert not wrong_states_of(world, right_states(world))


@pytest.mark.parametrize(
    "key",
    [
        key
        for key, state in sorted(right_states(WORLD).items())
        # That it is unavailable says as little as that it is unknown.
        if state["state"] != "unknown" or key[0] == "event"
    ],
    ids=" ".join,
)
def test_each_entity_that_is_gone_or_unavailable_is_seen(key: tuple[str, str]) -> None:
    shown = right_states(WORLD)
    gone = {name: state for name, state in shown.items() if name != key}
    assert key == ("switch", "boost") or wrong_states_of(WORLD, gone)
    shown[key] = {"state": "unavailable", "attributes": {}}
    assert wrong_states_of(WORLD, shown)


@pytest.mark.parametrize(
    ("key", "attribute"),
    [
        (key, attribute)
        for key, state in sorted(right_states(WORLD).items())
        for attribute in state["attributes"]
    ],
)
def test_each_wrong_attribute_is_seen(key: tuple[str, str], attribute: str) -> None:
    shown = right_states(WORLD)
    shown[key]["attributes"][attribute] = "something else"
    assert wrong_states_of(WORLD, shown)


def test_a_level_can_be_entered_in_a_session_only() -> None:
    key = ("number", "current_battery_level")
    for is_running, right, wrong in (
        (True, "unknown", "unavailable"),
        (False, "unavailable", "unknown"),
    ):
        facts = dict(RUNNING.facts) if is_running else None
        world = truth(RUNNING, reads_battery=False, session=facts)
        shown = right_states(world)
        assert shown[key]["state"] == right
        shown[key]["state"] = wrong
        assert wrong_states_of(world, shown)


def test_a_charger_says_when_it_was_read() -> None:
    entity = Entity("sensor.state_updated", "state_updated", "d", True, None)  # noqa: FBT003
    expected = {("sensor", "state_updated"): Shown(Until(text(NOW)))}
    for state, is_right in (
        (text(NOW), True),
        (text(NOW - timedelta(minutes=5)), True),  # it is read when it is its user's turn
        (text(NOW + timedelta(minutes=1)), False),
        ("unknown", False),
        ("unavailable", False),
    ):
        states = {entity.entity_id: {"state": state, "attributes": {}}}
        assert bool(list(differing([entity], expected, states, WORLD))) is not is_right


def test_an_entity_that_nobody_knows_is_named() -> None:
    shown = right_states(WORLD) | {("sensor", "new"): {"state": "1", "attributes": {}}}
    assert ["nobody knows" in line for line in wrong_states_of(WORLD, shown)] == [True]


def test_totals_are_those_of_the_sessions() -> None:
    shown = right_states(WORLD)
    assert [
        float(shown["sensor", f"{name}_total"]["state"]) for name in ("energy", "cost", "savings")
    ] == pytest.approx([4.5, 1.2, -0.3])


def test_a_device_is_named_after_what_it_is_and_belongs_to_its_user() -> None:
    world = truth()
    world.users[0]["chargers"].append({"id": "p", "brand": "Alfen", "model": "Eve"})
    expected = expected_devices(world)
    assert expected["u_c"] == ("Kia EV6", "Kia", "EV6", "RWD")
    assert expected["u_p"] == ("Alfen Eve", "Alfen", "Eve", None)
    assert expected["u_place"] == ("Jedlix Utrecht", "Jedlix", None, None)
    in_zone = expected_devices(replace(world, place_in_zone=PLACE))
    assert in_zone["u_place"] == (f"Jedlix {ZONE}", "Jedlix", None, None)
    right = Device("d", "Kia EV6", ("u_c",), "Kia", "EV6", "RWD", "subentry")
    owners = {"subentry": USER, "other": "v"}
    assert not list(wrong_device(right, expected["u_c"], owners, "u_c"))
    for other in (
        {"name": "Car"},
        {"manufacturer": "Jedlix"},
        {"model": None},
        {"version": "EV6"},
        {"subentry_id": "other"},
        {"subentry_id": None},
    ):
        assert list(wrong_device(replace(right, **other), expected["u_c"], owners, "u_c"))


def test_the_title_of_a_user_names_the_cars() -> None:
    world = truth()
    assert not list(wrong_titles({USER: "Kia EV6 · Utrecht · 0f8fad5b"}, world))
    assert not list(wrong_titles({}, world))  # not followed
    assert list(wrong_titles({USER: "0f8fad5b"}, world))


def test_what_is_enabled_and_visible_at_first_is_seen() -> None:
    def entity(name: str, *, enabled: bool = True, hidden: bool = False) -> Entity:
        domain, key = name.split()
        return Entity(f"{domain}.x", key, "d", enabled, CATEGORIES.get(name), hidden)

    right = [
        entity("sensor range"),
        entity("sensor session", hidden=True),
        entity("sensor session_started", enabled=False),
        entity("binary_sensor vehicle_link"),
        entity("sensor cost_this_year", enabled=False, hidden=True),
    ]
    assert not list(wrong_first_look(right))
    for item in right:
        assert len(list(wrong_first_look([replace(item, enabled=not item.enabled)]))) == 1
        assert len(list(wrong_first_look([replace(item, hidden=not item.hidden)]))) == 1
        assert len(list(wrong_first_look([replace(item, category="config")]))) == 1
    # In a large fleet, only what is essential is enabled; the account is as it is.
    essential = entity("sensor battery_level")
    of_fleet = [replace(item, enabled=False) for item in right]
    of_account = replace(entity("sensor push_state"), device_id="account")
    assert not list(wrong_first_look([*of_fleet, essential, of_account], {"d"}))
    assert list(wrong_first_look(right, {"d"})) == [
        f"{right[0].entity_id}: not disabled",
        f"{right[1].entity_id}: not disabled",
        f"{right[3].entity_id}: not disabled",
    ]
    assert len(list(wrong_first_look([replace(essential, enabled=False)], {"d"}))) == 1


@pytest.mark.parametrize(
    ("key", "state"),
    [
        ("", ""),
        ("push", "off"),
        ("push_state", "limited"),
        ("callback", "cloud"),
        ("missed_by_push", "1"),
        ("not_offered", "1"),
        ("webhooks_received", "4"),
        ("webhooks_rejected", "unknown"),
        ("last_webhook", text(NOW - timedelta(seconds=5))),
        ("delivery_delay", "3.0"),
        ("resubscribe", "unavailable"),
        ("new", "1"),
    ],
)
def test_each_wrong_entity_of_the_account_is_seen(key: str, state: str) -> None:
    shown = {
        "push": "on",
        "push_state": "healthy",
        "callback": "custom",
        "missed_by_push": "0",
        "not_offered": "0",
        "webhooks_received": "6",
        "webhooks_rejected": "2",
        "last_webhook": text(NOW),
        "delivery_delay": "0.4",
        "resubscribe": "unknown",
    }
    if key:
        shown[key] = state
    entities = [Entity(f"sensor.{name}", name, "a", True, None) for name in shown]  # noqa: FBT003
    states = {f"sensor.{name}": {"state": value} for name, value in shown.items()}
    account = Account((5, 7), (2, 2), NOW.timestamp(), [0.5])
    found = list(wrong_of_account(entities, states, account, is_strict=False))
    assert len(found) == bool(key), found


def test_an_entity_that_a_start_did_not_bring_back_is_restored() -> None:
    """Home Assistant shows each entity that it remembers until the integration adds it."""
    attributes = {"added": {}, "left out": {"restored": True}}
    states = {f"sensor.{name}": {"attributes": shown} for name, shown in attributes.items()}
    names = [*attributes, "disabled"]
    entities = [Entity(f"sensor.{name}", name, "d", True, None) for name in names]  # noqa: FBT003
    assert not_there(entities, states) == ["sensor.left out"]


def test_refused_deliveries_have_a_line_now_and_then(tmp_path: Path) -> None:
    line = f"2026-01-01 00:00:00.000 WARNING (MainThread) [push] {REFUSED} (wrong_key)"
    (tmp_path / "home-assistant.001.log").write_text(f"{line}\n{line}\n", encoding="utf-8")
    last = [line] * (2 * REFUSALS_PER_START - 2)
    (tmp_path / "home-assistant.log").write_text("\n".join([*last, ""]), encoding="utf-8")
    assert not too_many_refusals(tmp_path, 2, 10.0)
    (tmp_path / "home-assistant.log").write_text("\n".join([*last, line]), encoding="utf-8")
    assert len(too_many_refusals(tmp_path, 2, 10.0)) == 2 * REFUSALS_PER_START + 1
    assert not too_many_refusals(tmp_path, 2, REFUSALS_APART)
