"""Totals, events and helpers agree with the truth, whatever a cloud answers about sessions.

One Home Assistant goes through all histories at once, one car for each.
"""

from collections import defaultdict
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
import sys
from typing import Any, Final
from zoneinfo import ZoneInfo

from aiohttp import web
from aiohttp.test_utils import TestClient
from homeassistant.components.recorder.statistics import statistics_during_period
from homeassistant.config_entries import ConfigSubentryData
from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.recorder import get_instance
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
    do_adhoc_statistics,
)

from custom_components.jedlix.const import DOMAIN, SUBENTRY_USER
from custom_components.jedlix.publisher import Source
from tests.histories import HOUR, Cloud
from tests.history_table import HISTORIES, ROUNDS
from tests.tools import record_events, set_time, set_up

NAMES: Final = ("energy", "cost", "savings")


AMSTERDAM: Final = ZoneInfo("Europe/Amsterdam")
RUNNING: Final = pytest.param(datetime(2027, 6, 24, 12, 10, tzinfo=UTC), (), id="running")
# The clock goes back while the histories pass: at 1:00 UTC on the last Sunday of October.
RESTARTING: Final = pytest.param(
    datetime(2027, 10, 30, 22, 10, tzinfo=UTC), (2, 4), id="with restarts and a clock change"
)


class Time:
    """The time of Home Assistant and the cloud, which a test moves forward."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Begin now."""
        self._ahead = timedelta(0)
        self._real = dt_util.utcnow
        set_time(monkeypatch, self.now)

    def now(self) -> datetime:
        """Return the time."""
        return self._real() + self._ahead

    def go_to(self, moment: datetime) -> None:
        """Move to a moment."""
        self._ahead += moment - self.now()

    def go_on(self, pause: timedelta) -> None:
        """Move forward."""
        self._ahead += pause


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    """Return the time."""
    return Time(monkeypatch)


@pytest.fixture
async def cloud(
    hass: HomeAssistant,
    home: TestClient[web.Request, web.Application],
    time: Time,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> AsyncIterator[Cloud]:
    """Return the cloud. The histories begin late in a month, so that all sessions are of this month.

    All sensors are enabled, as in an account with fewer users.
    """
    monkeypatch.setattr("custom_components.jedlix.entity.MAX_USERS_WITH_ALL_ENTITIES", sys.maxsize)
    await hass.config.async_set_time_zone(str(AMSTERDAM))
    time.go_to(request.param)
    cloud = Cloud(began=time.now(), now=time.now, histories=HISTORIES)
    await cloud.start()
    yield cloud
    await cloud.runner.cleanup()


def make_entry(cloud: Cloud) -> MockConfigEntry:
    """Return an entry that follows all users of the cloud, without push."""
    return MockConfigEntry(
        domain=DOMAIN,
        title="Jedlix",
        unique_id="histories",
        data={
            "environment": "custom",
            "client_id": "client",
            "client_secret": "secret",
            "base_url": cloud.url,
            "token_url": f"{cloud.url}/token",
            "audience": cloud.url,
            "webhook_id": "a-webhook-id",
            "webhook_key": "a-webhook-key-of-enough-length",
            "callback": "none",
        },
        options={"poll_minutes": 60, "import_energy": False, "event_types": []},
        subentries_data=[
            ConfigSubentryData(
                subentry_type=SUBENTRY_USER,
                data={"user_id": user_id},
                title=user_id,
                unique_id=user_id,
            )
            for user_id in cloud.users
        ],
    )


async def refresh_all(hass: HomeAssistant, entry: MockConfigEntry, cloud: Cloud) -> None:
    """Refresh each user."""
    for user_id in cloud.users:
        refresher = entry.runtime_data.coordinator.refresher
        assert await refresher.refresh(user_id, Source.POLL) is None
    await hass.async_block_till_done()


async def go_on(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    cloud: Cloud,
    time: Time,
    turn: int,
    *,
    restart: bool,
) -> None:
    """Let an hour pass, give the next answer and refresh each user; the entry may be away meanwhile."""
    if restart:
        assert await hass.config_entries.async_unload(entry.entry_id)
    time.go_on(HOUR)
    cloud.turn = turn
    if restart:
        assert await hass.config_entries.async_setup(entry.entry_id)
    await refresh_all(hass, entry, cloud)


def id_of(hass: HomeAssistant, cloud: Cloud, user_id: str, key: str) -> str | None:
    """Return the id of a car's sensor, None where there is none."""
    return er.async_get(hass).async_get_entity_id(
        "sensor", DOMAIN, f"{user_id}_{cloud.car_of(user_id)}_{key}"
    )


def value(hass: HomeAssistant, cloud: Cloud, user_id: str, key: str) -> float | None:
    """Return the state of a car's sensor as a number, None where there is none."""
    entity_id = id_of(hass, cloud, user_id, key)
    state = None if entity_id is None else hass.states.get(entity_id)
    if state is None or state.state in (STATE_UNAVAILABLE, STATE_UNKNOWN):
        return None
    return float(state.state)


def differing(
    what: str, truth: dict[str, float | None], found: dict[str, float | None]
) -> list[str]:
    """Return a line for each history whose value differs from the truth by more than 0.01."""
    return [
        f"{name}: {what} {found.get(name)}, not {wanted}"
        for name, wanted in truth.items()
        if found.get(name) != pytest.approx(wanted, abs=0.01)
    ]


@pytest.mark.parametrize(("cloud", "restarts"), [RUNNING, RESTARTING], indirect=["cloud"])
@pytest.mark.timeout(180)
async def test_sensors_and_events_agree_with_the_truth(
    hass: HomeAssistant, cloud: Cloud, time: Time, restarts: tuple[int, ...]
) -> None:
    entry = make_entry(cloud)
    await set_up(hass, entry)
    await refresh_all(hass, entry, cloud)
    recorded = record_events(hass)
    for turn in range(1, ROUNDS):
        await go_on(hass, entry, cloud, time, turn, restart=turn in restarts)
    wrong: list[str] = []
    for place, name in enumerate(NAMES):
        truth = {item.name: item.truth[place] for item in cloud.histories}
        for span in ("total", "this_month"):
            found = {
                item.name: value(hass, cloud, user_id, f"{name}_{span}")
                for user_id, item in cloud.users.items()
            }
            wrong += differing(f"{name}_{span}", truth, found)
    wrong += differing_events(cloud, recorded.changes, recorded.settled)
    assert not wrong, "\n".join(wrong)


def differing_events(
    cloud: Cloud, changes: list[dict[str, Any]], settled: list[dict[str, Any]]
) -> list[str]:
    """Return what is wrong: each end is published once, and what was settled adds up to the truth.

    What began before the set-up is not settled.
    """
    wrong: list[str] = []
    ends: defaultdict[str, list[str]] = defaultdict(list)
    figures: defaultdict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    for change in settled:
        figures[change["user_id"]][change["session_id"]] = change
    for change in changes:
        if change["type"] == "session_ended":
            ends[change["user_id"]].append(change["session_id"])
    for user_id, history in cloud.users.items():
        if len(set(ends[user_id])) != len(ends[user_id]) or len(ends[user_id]) != history.ends:
            wrong.append(f"{history.name}: ended {ends[user_id]}, not {history.ends} sessions")
        if not history.is_settled:
            continue
        last = figures[user_id].values()
        for key, true in zip(("energy_kwh", "cost", "savings"), history.truth, strict=True):
            known = [
                item[key]
                for item in last
                if key in item
                and (key == "energy_kwh" or item.get("currency") not in history.elsewhere)
            ]
            if (sum(known) if known else None) != pytest.approx(true, abs=0.01):
                wrong.append(f"{history.name}: settled {key} {known}, not {true}")
    return wrong


# -- helpers and statistics --------------------------------------------------------------------------------

METERS: Final[dict[str, dict[str, object]]] = {
    "default": {},
    "not resetting": {"periodically_resetting": False},
}
SENSORS: Final = ("session_energy", "energy_total")


@pytest.mark.parametrize(("cloud", "restarts"), [RESTARTING], indirect=["cloud"])
@pytest.mark.timeout(240)
async def test_utility_meters_and_long_term_statistics_count_what_was_charged(
    recorder_mock: object,
    hass: HomeAssistant,
    cloud: Cloud,
    time: Time,
    restarts: tuple[int, ...],
) -> None:
    """They count from the first state of the sensor on."""
    entry = make_entry(cloud)
    await set_up(hass, entry)
    began = datetime.now(UTC) - timedelta(minutes=10)
    first: dict[tuple[str, str], float] = {}
    meters: dict[tuple[str, str, str], str] = {}
    for turn in range(ROUNDS):
        await go_on(hass, entry, cloud, time, turn, restart=turn in restarts)
        await add_meters(hass, cloud, first, meters)
    wrong: list[str] = []
    statistics = await sums(hass, began)
    for user_id, history in cloud.users.items():
        for sensor in SENSORS:
            if sensor == "session_energy" and not history.counts_by_session:
                continue
            true = (history.truth[0] or 0.0) - first[user_id, sensor]
            entity_id = id_of(hass, cloud, user_id, sensor) or ""
            counted = {"statistics": statistics.get(entity_id)} if history.only_grows else {}
            if sensor == "energy_total":
                counted = {"statistics": statistics.get(entity_id)}
            if history.only_grows:
                for meter in METERS:
                    state = hass.states.get(meters[user_id, sensor, meter])
                    assert state is not None
                    counted[meter] = None if state.state == STATE_UNKNOWN else float(state.state)
            wrong += [
                f"{history.name}: {name} of {sensor} counted {found}, not {true}"
                for name, found in counted.items()
                if (found or 0.0) != pytest.approx(true, abs=0.01)
            ]
    assert not wrong, "\n".join(wrong)


async def add_meters(
    hass: HomeAssistant,
    cloud: Cloud,
    first: dict[tuple[str, str], float],
    meters: dict[tuple[str, str, str], str],
) -> None:
    """Add the meters of each sensor that has come, and note its first state and their ids."""
    for user_id in cloud.users:
        for sensor in SENSORS:
            entity_id = id_of(hass, cloud, user_id, sensor)
            if entity_id is None or (user_id, sensor) in first:
                continue
            first[user_id, sensor] = value(hass, cloud, user_id, sensor) or 0.0
            for meter, options in METERS.items():
                meters[user_id, sensor, meter] = await add_meter(hass, entity_id, **options)


async def add_meter(hass: HomeAssistant, source: str, **options: object) -> str:
    """Add a utility meter, with the default settings besides these options; returns its entity id."""
    helper = MockConfigEntry(
        domain="utility_meter",
        title="Meter",
        options={
            "name": "Meter",
            "source": source,
            "cycle": "none",
            "tariffs": [],
            "delta_values": False,
            "net_consumption": False,
            "offset": 0,
            "periodically_resetting": True,
            "always_available": False,
        }
        | options,
    )
    helper.add_to_hass(hass)
    assert await hass.config_entries.async_setup(helper.entry_id)
    (added,) = er.async_entries_for_config_entry(er.async_get(hass), helper.entry_id)
    return added.entity_id


async def sums(hass: HomeAssistant, began: datetime) -> dict[str, float]:
    """Return what the long-term statistics of each sensor of ours have counted."""
    await async_wait_recording_done(hass)
    start = began.replace(minute=began.minute // 5 * 5, second=0, microsecond=0)
    while start < datetime.now(UTC):
        do_adhoc_statistics(hass, start=start)
        start += timedelta(minutes=5)
    await async_wait_recording_done(hass)
    rows = await get_instance(hass).async_add_executor_job(
        statistics_during_period, hass, began - HOUR, None, None, "5minute", None, {"sum"}
    )
    return {entity_id: found[-1]["sum"] or 0.0 for entity_id, found in rows.items() if found}
