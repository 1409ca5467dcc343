"""Prices: the sensors of charging locations, their devices and names, and what reading tariffs costs."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
import json
from pathlib import Path
import re
from typing import Any, Final

from homeassistant.components.energy.validate import ENERGY_PRICE_UNITS
from homeassistant.components.recorder.db_schema import StateAttributes
from homeassistant.const import ATTR_UNIT_OF_MEASUREMENT, STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import Event, EventOrigin, HomeAssistant, State
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.entity_component import async_update_entity
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)

from custom_components.jedlix.api import ChargingLocation as Location
from custom_components.jedlix.const import DOMAIN
from custom_components.jedlix.known_users import TARIFFS_COUNT_FOR
from custom_components.jedlix.prices import tariff_of
from simulator.app import Simulator
from simulator.model import ChargingLocation
from simulator.tariffs import TARIFFS
from tests.commanding import car_state, device_of, fails, mark, poll, troubles
from tests.push.tools import poll_after
from tests.simulators import StartSimulator
from tests.tools import Clock, make_entry, set_time, set_up

pytestmark = pytest.mark.usefixtures("home", "no_second_try", "amsterdam")

KEYS: Final = ("price", "tariff_type", "next_price_change")
DAY: Final = timedelta(days=1)
POLL: Final = timedelta(minutes=5)


@pytest.fixture
async def amsterdam(hass: HomeAssistant) -> None:
    """Set a time zone with summer time."""
    await hass.config.async_set_time_zone("Europe/Amsterdam")


def home_of(sim: Simulator, number: int = 0) -> ChargingLocation:
    """Return the home of one of the simulator's users."""
    return sim.world.users[sim.user_ids[number]].locations[0]


def entity_id_of(hass: HomeAssistant, sim: Simulator, key: str, number: int = 0) -> str | None:
    """Return the id of a sensor of a user's home, None where there is none."""
    unique_id = f"{sim.user_ids[number]}_{home_of(sim, number).id}_{key}"
    return er.async_get(hass).async_get_entity_id("sensor", DOMAIN, unique_id)


def states_of(hass: HomeAssistant, sim: Simulator, number: int = 0) -> list[State]:
    """Return the states of the three sensors of a user's home, which must be there."""
    entity_ids = [entity_id_of(hass, sim, key, number) for key in KEYS]
    states = [hass.states.get(entity_id or "") for entity_id in entity_ids]
    return [state for state in states if state is not None]


def shown(hass: HomeAssistant, sim: Simulator, number: int = 0) -> list[str]:
    """Return price, type and next change of a user's home; the change in local time."""
    values = [state.state for state in states_of(hass, sim, number)]
    return [
        f"{dt_util.as_local(datetime.fromisoformat(value)):%a %H:%M}" if "T" in value else value
        for value in values
    ]


def devices_of(hass: HomeAssistant, entry: MockConfigEntry) -> set[str | None]:
    """Return the names of the devices of charging locations."""
    devices = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    return {
        device.name
        for device in devices
        if any(
            item.translation_key == "price"
            for item in er.async_entries_for_device(er.async_get(hass), device.id)
        )
    }


async def read_again(hass: HomeAssistant, sim: Simulator, number: int = 0) -> None:
    """Ask Home Assistant to update the price, as a person may."""
    entity_id = entity_id_of(hass, sim, "price", number)
    assert entity_id is not None
    await async_update_entity(hass, entity_id)
    await hass.async_block_till_done()


def reads(calls: list[str]) -> int:
    """Return how many of the calls read charging locations."""
    return sum("/charging-locations" in call for call in calls)


# -- what they show ----------------------------------------------------------------------------------------


async def test_the_price_follows_the_clock_and_nothing_is_polled(
    hass: HomeAssistant, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over the night in which the clocks are put back, without a call to Jedlix."""
    sim = await start_simulator(tariff="weekend")
    zone = dt_util.get_default_time_zone()
    now = datetime(2026, 10, 23, 22, 30, tzinfo=zone).astimezone(UTC)  # a Friday
    set_time(monkeypatch, lambda: now)
    sim.clock = lambda: now
    await set_up(hass, make_entry(sim, None))
    price, *_ = states_of(hass, sim)
    assert price.entity_id == "sensor.jedlix_rotterdam_price"
    assert price.attributes[ATTR_UNIT_OF_MEASUREMENT] == "EUR/kWh"
    assert price.attributes["state_class"] == "measurement"
    assert "EUR/kWh".endswith(ENERGY_PRICE_UNITS)  # what the Energy dashboard takes
    assert "device_class" not in price.attributes
    calls = mark(sim)
    seen = [shown(hass, sim)]
    monday = datetime(2026, 10, 26, 8, 0, tzinfo=zone).astimezone(UTC)
    while now < monday:
        now += timedelta(minutes=15)
        async_fire_time_changed(hass, now)
        await hass.async_block_till_done(wait_background_tasks=False)
        if (values := shown(hass, sim)) != seen[-1]:
            assert f"{now.astimezone(zone):%a %H:%M}" == seen[-1][2]  # to the minute
            seen.append(values)
    assert seen == [
        ["0.4123", "peak", "Fri 23:00"],
        ["0.3242", "off_peak", "Mon 07:00"],
        ["0.4123", "peak", "Mon 23:00"],
    ]
    assert reads(calls()) <= 3  # one a day, with the polls


async def test_each_kind_of_tariff_is_shown_and_what_is_not_clear_is_unknown(
    hass: HomeAssistant, sim: Simulator, clock: Clock
) -> None:
    clock.go_on(datetime(2027, 1, 5, 11, 0, tzinfo=UTC) - clock.now())  # a Tuesday
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    found = {}
    for kind in TARIFFS:
        if kind != "none":
            sim.set_tariff(home_of(sim).id, TARIFFS[kind])
            await read_again(hass, sim)
            found[kind] = shown(hass, sim)
    assert found == {
        "single": ["0.3012", "standard", STATE_UNKNOWN],
        "high_low": ["0.4123", "peak", "Tue 23:00"],
        "weekend": ["0.4123", "peak", "Tue 23:00"],
        "three_rates": ["0.3242", "off_peak", "Tue 16:30"],
        "dynamic": [STATE_UNKNOWN, "dynamic", STATE_UNKNOWN],
        "no_intervals": ["0.3012", "standard", STATE_UNKNOWN],
        "missing_day": [STATE_UNKNOWN] * 3,
        "overlap": [STATE_UNKNOWN] * 3,
        "twice": [STATE_UNKNOWN] * 3,
    }


# -- devices and names -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "without"),
    [
        ("en", "Charging location"),
        ("nl", "Laadlocatie"),
        ("de", "Ladeort"),
        ("fr", "Lieu de charge"),
    ],
)
async def test_a_location_is_named_without_its_address(
    hass: HomeAssistant, start_simulator: StartSimulator, language: str, without: str
) -> None:
    """After the zone in which it lies, else after its city."""
    hass.config.language = language
    sim = await start_simulator(users=3, tariff="single")
    homes = [home_of(sim, number) for number in range(3)]
    hass.config.latitude, hass.config.longitude = homes[0].latitude, homes[0].longitude
    assert await async_setup_component(hass, "zone", {})
    sim.world.users[sim.user_ids[2]].locations[0] = replace(homes[2], city="", latitude=None)  # type: ignore[arg-type]
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    zone = hass.states.get("zone.home")
    assert zone is not None
    assert devices_of(hass, entry) == {f"Jedlix {zone.name}", f"Jedlix {homes[1].city}", without}
    for number, place in enumerate(homes):
        for state in states_of(hass, sim, number):
            event: Any = Event(
                "state_changed", {"new_state": state}, EventOrigin.local, time_fired_timestamp=0
            )
            recorded = StateAttributes.shared_attrs_bytes_from_event(event, None).decode()
            assert "friendly_name" in recorded
            for secret in (place.street, place.postal_code, str(place.latitude)):
                assert secret not in recorded + state.entity_id


async def test_where_the_sessions_were_is_named(
    hass: HomeAssistant, sim: Simulator, clock: Clock
) -> None:
    """A running one and the last one; an unknown place has no name (documented)."""
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    car = sim.vehicle_ids[0]
    assert car_state(hass, sim, "sensor.session").attributes["location_name"] is None
    for place, name in (("home", "Rotterdam"), ("unknown", None)):
        sim.plug(car, place)
        await poll(hass, entry)
        assert car_state(hass, sim, "sensor.session").attributes["location_name"] == name
        sim.unplug(car)
        clock.go_on(POLL)
        await poll(hass, entry)
        last = car_state(hass, sim, "sensor.last_session").attributes
        assert last["location_name"] == name
        assert (last["location"] is None) is (name is None)
    answer: Any = await hass.services.async_call(
        DOMAIN,
        "get_sessions",
        {"device_id": device_of(hass, entry, sim).id, "period": "today"},
        blocking=True,
        return_response=True,
    )
    (sessions,) = answer.values()
    assert [item["charging_location"] for item in sessions["sessions"]][-2:] == ["Rotterdam", None]
    # a currency that Jedlix leaves out is that of the account's sessions
    nameless = {"tariffs": [{"type": "standard", "price": 0.25, "currency": ""}]}
    sim.set_tariff(home_of(sim).id, nameless)
    await read_again(hass, sim)
    price, *_ = states_of(hass, sim)
    assert (price.state, price.attributes[ATTR_UNIT_OF_MEASUREMENT]) == ("0.25", "EUR/kWh")


# -- when they come and go ---------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["entities.md", "prices.md"])
def test_the_pages_say_how_long_a_tariff_counts(page: str) -> None:
    text = " ".join((Path(__file__).parents[1] / "docs" / page).read_text().split())
    days = {3: "three"}[TARIFFS_COUNT_FOR.days]
    assert re.search(rf"up to {days} days after (its|the) tariffs were read last", text)


def test_a_location_without_tariffs_has_no_tariff() -> None:
    assert tariff_of(Location(id="home")) is None


@pytest.mark.parametrize("has_call", [True, False])
async def test_a_tenant_without_tariffs_has_nothing_of_it(
    hass: HomeAssistant, start_simulator: StartSimulator, has_call: bool
) -> None:
    sim = await start_simulator(tariff="none")
    if not has_call:
        sim.strike({"kind": "status", "status": 404, "endpoints": ["user_locations"]})
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    assert devices_of(hass, entry) == set()
    assert not [
        state for state in hass.states.async_all() if state.entity_id.endswith(("price", "_type"))
    ]


@pytest.mark.parametrize(("times", "calls_made", "price"), [(1, 2, "0.3012"), (None, 3, None)])
async def test_one_refusal_is_asked_again_and_three_mean_that_it_is_not_offered(
    hass: HomeAssistant,
    sim: Simulator,
    clock: Clock,
    times: int | None,
    calls_made: int,
    price: str | None,
) -> None:
    sim.set_tariff(home_of(sim).id, TARIFFS["single"])
    fault = {"kind": "status", "status": 404, "endpoints": ["user_locations"]}
    sim.strike(fault | ({} if times is None else {"times": times}))
    entry = make_entry(sim, None)
    calls = mark(sim)
    await set_up(hass, entry)
    assert _present(hass) == []
    await poll_after(hass, clock, entry, *[timedelta(minutes=6)] * 5)
    assert reads(calls()) == calls_made
    assert _present(hass) == ([] if price is None else [price])


@pytest.mark.parametrize("what", ["tariffs", "location"])
async def test_what_is_gone_is_removed_by_evidence_and_comes_back(
    hass: HomeAssistant, sim: Simulator, clock: Clock, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    sim.set_tariff(home_of(sim).id, TARIFFS["single"])
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    user, before = sim.world.users[sim.user_ids[0]], home_of(sim)
    assert devices_of(hass, entry) == {"Jedlix Rotterdam"}

    def vanish() -> None:
        if what == "location":
            user.locations.clear()
        else:
            sim.set_tariff(before.id, None)

    # one slip, which a day has: it is seen, and the next poll corrects it
    vanish()
    await async_update_entity(hass, "sensor.jedlix_rotterdam_price")
    assert _present(hass) == ["0.3012"]
    user.locations[:] = [before]
    calls = mark(sim)
    await poll_after(hass, clock, entry, POLL)
    assert reads(calls()) == 1
    await poll_after(hass, clock, entry, POLL)
    assert reads(calls()) == 1

    vanish()
    await async_update_entity(hass, "sensor.jedlix_rotterdam_price")
    await poll_after(hass, clock, entry, POLL, POLL)
    assert _present(hass) == ["0.3012"]
    assert devices_of(hass, entry) == {"Jedlix Rotterdam"}
    await poll_after(hass, clock, entry, POLL, POLL)
    assert devices_of(hass, entry) == set()
    user.locations[:] = [before]
    clock.go_on(DAY)
    await poll(hass, entry)
    assert devices_of(hass, entry) == {"Jedlix Rotterdam"}
    assert _present(hass) == ["0.3012"]
    assert troubles(caplog) == []


def _present(hass: HomeAssistant) -> list[str]:
    return [
        state.state
        for state in hass.states.async_all("sensor")
        if state.entity_id == "sensor.jedlix_rotterdam_price"
    ]


async def test_a_price_holds_while_jedlix_is_away_but_not_for_ever(
    hass_storage: dict[str, Any], hass: HomeAssistant, sim: Simulator, clock: Clock
) -> None:
    """Tariffs hold for months. Also over a restart, from a file without the address."""
    sim.set_tariff(home_of(sim).id, TARIFFS["single"])
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    sim.strike({"outage_seconds": 600.0})
    await poll_after(hass, clock, entry, timedelta(minutes=30))
    assert car_state(hass, sim, "sensor.charge_state").state == STATE_UNAVAILABLE
    assert shown(hass, sim)[0] == "0.3012"
    sim.clear_faults()
    sim.strike({"kind": "status", "status": 503, "endpoints": ["user_locations"]})
    await hass.config_entries.async_unload(entry.entry_id)
    stored = json.dumps(hass_storage[f"{DOMAIN}.{entry.entry_id}"], separators=(",", ":"))
    place = home_of(sim)
    assert place.id in stored
    assert place.city in stored
    for secret in (place.street, place.house_number, str(place.latitude)):
        assert f'"{secret}"' not in stored
        assert f":{secret}" not in stored
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert shown(hass, sim)[0] == "0.3012"
    await poll_after(hass, clock, entry, TARIFFS_COUNT_FOR)
    assert shown(hass, sim)[0] == STATE_UNAVAILABLE
    sim.clear_faults()
    await poll(hass, entry)
    assert shown(hass, sim)[0] == "0.3012"


async def test_a_tariff_that_changes_is_read_once_a_day_and_twice_where_it_is_new(
    hass: HomeAssistant, sim: Simulator, clock: Clock
) -> None:
    """One answer may be a slip; the next poll says so."""
    sim.set_tariff(home_of(sim).id, TARIFFS["single"])
    entry = make_entry(sim, None)
    calls = mark(sim)
    await set_up(hass, entry)
    await poll_after(hass, clock, entry, *[POLL] * 3)
    assert reads(calls()) == 1
    sim.set_tariff(home_of(sim).id, TARIFFS["overlap"])
    await poll_after(hass, clock, entry, DAY)
    assert reads(calls()) == 2
    assert shown(hass, sim)[0] == STATE_UNKNOWN
    sim.set_tariff(home_of(sim).id, TARIFFS["single"])
    await poll_after(hass, clock, entry, POLL)
    assert shown(hass, sim)[0] == "0.3012"
    await poll_after(hass, clock, entry, *[POLL] * 3)
    assert reads(calls()) == 4  # and once more, since that was new as well
    sim.strike({"kind": "status", "status": 503, "endpoints": ["user_locations"], "times": 1})
    await poll_after(hass, clock, entry, DAY, POLL)
    assert reads(calls()) == 6  # the failed one, and the next


# -- the action --------------------------------------------------------------------------------------------


async def get_prices(hass: HomeAssistant, **data: Any) -> dict[str, Any]:
    """Call the action, and return its answer."""
    answer: Any = await hass.services.async_call(
        DOMAIN, "get_prices", data, blocking=True, return_response=True
    )
    return dict(answer)


async def test_the_prices_of_a_period_are_returned_for_each_location_of_the_target(
    hass: HomeAssistant, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At home, and of the other users a dynamic and a single tariff. On the day when clocks are put back."""
    sim = await start_simulator(users=3)
    sim.set_tariff(home_of(sim).id, TARIFFS["weekend"])
    zone = dt_util.get_default_time_zone()
    now = datetime(2026, 10, 25, 12, 0, tzinfo=zone)  # a Sunday
    set_time(monkeypatch, lambda: now.astimezone(UTC))
    sim.clock = lambda: now.astimezone(UTC)
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    registry = er.async_get(hass)
    entity_ids = [entity_id_of(hass, sim, "price", number) or "" for number in range(3)]
    first, dynamic, single = (registry.entities[item].device_id or "" for item in entity_ids)

    answer = await get_prices(hass, entity_id=entity_ids[0], period="today_and_tomorrow")
    assert answer == {
        first: {
            "currency": "EUR",
            "unit": "EUR/kWh",
            "prices": [
                {
                    "start": f"2026-10-{start}",
                    "end": f"2026-10-{end}",
                    "price": price,
                    "tariff_type": kind,
                }
                for start, end, price, kind in (
                    ("25T00:00:00+02:00", "26T07:00:00+01:00", 0.3242, "off_peak"),
                    ("26T07:00:00+01:00", "26T23:00:00+01:00", 0.4123, "peak"),
                    ("26T23:00:00+01:00", "27T00:00:00+01:00", 0.3242, "off_peak"),
                )
            ],
        }
    }

    async def bounds(device_id: str, **data: Any) -> tuple[str, str]:
        prices = (await get_prices(hass, device_id=device_id, **data))[first]["prices"]
        return prices[0]["start"], prices[-1]["end"]

    # a car or a charger stands for the locations of its user; no period is the next two days
    car = device_of(hass, entry, sim)
    charger = dr.async_get(hass).async_get_device_by_identifier(
        (DOMAIN, f"{sim.user_ids[0]}_{sim.world.users[sim.user_ids[0]].chargers[0].id}"),
        entry.entry_id,
    )
    assert charger is not None
    in_two_days = ("2026-10-25T12:00:00+01:00", "2026-10-27T12:00:00+01:00")
    assert await bounds(car.id) == await bounds(charger.id) == in_two_days
    assert await bounds(first, end="2026-10-25 14:30") == (
        "2026-10-25T12:00:00+01:00",
        "2026-10-25T14:30:00+01:00",
    )
    assert await bounds(first, start="2026-10-25 02:30", duration={"hours": 2}) == (
        "2026-10-25T02:30:00+02:00",  # the first of two
        "2026-10-25T03:30:00+01:00",
    )
    assert await bounds(first, duration={"days": 1}, end="2026-10-26") == (
        "2026-10-25T01:00:00+02:00",  # a day has 24 hours
        "2026-10-26T00:00:00+01:00",
    )

    several = await get_prices(hass, entity_id=entity_ids, period="today")
    assert {key: len(item["prices"]) for key, item in several.items()} == {
        first: 1,
        dynamic: 0,
        single: 1,
    }
    assert several[dynamic]["unit"] == "EUR/kWh"
    await fails(
        hass, get_prices(hass, entity_id=entity_ids[1]), "no_prices", ServiceValidationError
    )
    account = registry.entities["sensor.jedlix_push_state"].device_id
    await fails(hass, get_prices(hass, device_id=account), "no_location", ServiceValidationError)
