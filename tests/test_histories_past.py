"""Statistics, calendar and actions agree with the truth, whatever a cloud answers about sessions.

The same histories as for the sensors, with a real recorder.
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
import logging
from typing import Any, Final

from homeassistant.components.recorder.statistics import statistics_during_period
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.recorder import get_instance
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
)

from custom_components.jedlix.const import CONF_IMPORT_ENERGY, DOMAIN
from tests.histories import HOUR, Cloud
from tests.history_table import ROUNDS
from tests.test_histories import (
    NAMES,
    RESTARTING,
    Time,
    cloud,
    differing,
    go_on,
    make_entry,
    time,
)
from tests.tools import set_up, until

__all__ = ["cloud", "time"]

DAY: Final = timedelta(days=1)
type Found = defaultdict[str, dict[str, float | None]]
"""Figures by their name, with the currency where it is not the usual one, then by the history's name."""

USUAL: Final = "EUR"


def kind(name: str, currency: str | None) -> str:
    """Return the name of a figure in a currency."""
    is_usual = name == "energy" or currency in (None, USUAL)
    return name if is_usual else f"{name} in {currency}"


@pytest.fixture(autouse=True)
def quiet_database(caplog: pytest.LogCaptureFixture) -> None:
    for name in ("sqlalchemy.engine", "homeassistant.components.recorder"):
        caplog.set_level(logging.WARNING, name)


@pytest.mark.parametrize(("cloud", "restarts"), [RESTARTING], indirect=["cloud"])
@pytest.mark.timeout(300)
async def test_statistics_calendar_and_actions_agree_with_the_truth(
    recorder_mock: object,
    hass: HomeAssistant,
    cloud: Cloud,
    time: Time,
    restarts: tuple[int, ...],
) -> None:
    entry = make_entry(cloud)
    await set_up(hass, entry)
    hass.config_entries.async_update_entry(
        entry, options={**entry.options, CONF_IMPORT_ENERGY: True}
    )
    await hass.async_block_till_done()
    for turn in range(1, ROUNDS):
        await go_on(hass, entry, cloud, time, turn, restart=turn in restarts)
    await until(hass, lambda: not is_importing(hass), seconds=120)
    await async_wait_recording_done(hass)
    period = {"start": (time.now() - 30 * DAY).isoformat(), "end": (time.now() + HOUR).isoformat()}
    wrong = list(differing_all(cloud, "statistics", await statistics(hass, cloud)))
    wrong += differing_all(cloud, "get_costs", await costs(hass, entry, cloud, period))
    wrong += differing_all(cloud, "get_sessions", await sessions(hass, entry, cloud, period))
    wrong += differing_all(cloud, "calendar", await calendars(hass, cloud, period))
    assert not wrong, "\n".join(wrong)


def is_importing(hass: HomeAssistant) -> bool:
    return any(
        getattr(task, "get_name", str)() == "jedlix energy import"
        for task in hass._background_tasks
    )


def differing_all(cloud: Cloud, what: str, found: Found) -> Iterator[str]:
    """Yield what differs from the truth. A running session is in no statistic and has no amounts yet."""
    for place, name in enumerate(NAMES):
        truth = {
            item.name: item.truth[place]
            for item in cloud.histories
            if all(session.end is not None for session in item.answers[-1].listed)
        }
        yield from differing(f"{what} {name}", truth, found[name])
    for history in cloud.histories:
        for currency, amounts in history.elsewhere.items():
            for name, amount in zip(("cost", "savings"), amounts, strict=True):
                key = kind(name, currency)
                yield from differing(f"{what} {key}", {history.name: amount}, found[key])


async def statistics(hass: HomeAssistant, cloud: Cloud) -> Found:
    """Return the last sums of the external statistics, and check that none falls for energy."""
    rows = await get_instance(hass).async_add_executor_job(
        lambda: statistics_during_period(
            hass, dt_util.utcnow() - 60 * DAY, None, None, "hour", None, {"state", "sum"}
        )
    )
    found: Found = defaultdict(dict)
    for user_id, history in cloud.users.items():
        prefix = f"{DOMAIN}:{user_id}_{cloud.car_of(user_id)}_session_".replace("-", "_")
        for statistic_id, hours in rows.items():
            if not statistic_id.startswith(prefix):
                continue
            figure, _, currency = statistic_id.removeprefix(prefix).partition("_in_")
            name = kind(figure, currency.upper() or None)
            assert history.name not in found[name], "two statistics"
            sums = [row["sum"] or 0.0 for row in hours]
            assert name != "energy" or sums == sorted(sums)
            assert sums[-1] == pytest.approx(sum(row["state"] or 0.0 for row in hours))
            found[name][history.name] = sums[-1]
    return found


def device_ids(hass: HomeAssistant, entry: MockConfigEntry, cloud: Cloud) -> dict[str, str]:
    """Return the device of each history, by the name of the history."""
    devices = dr.async_get(hass)
    found = {}
    for user_id, history in cloud.users.items():
        device = devices.async_get_device_by_identifier(
            (DOMAIN, f"{user_id}_{cloud.car_of(user_id)}"), entry.entry_id
        )
        assert device is not None
        found[history.name] = device.id
    return found


async def ask(hass: HomeAssistant, action: str, **data: Any) -> Any:
    domain, _, name = action.partition(".")
    return await hass.services.async_call(domain, name, data, blocking=True, return_response=True)


async def costs(
    hass: HomeAssistant, entry: MockConfigEntry, cloud: Cloud, period: dict[str, str]
) -> Found:
    devices = device_ids(hass, entry, cloud)
    answer = await ask(hass, "jedlix.get_costs", device_id=list(devices.values()), **period)
    found: Found = defaultdict(dict)
    for history, device_id in devices.items():
        for line in answer[device_id]["costs"]:
            for figure, key in zip(NAMES, ("energy_kwh", "cost", "savings"), strict=True):
                add(found[kind(figure, line["currency"])], history, line[key])
    return found


async def sessions(
    hass: HomeAssistant, entry: MockConfigEntry, cloud: Cloud, period: dict[str, str]
) -> Found:
    devices = device_ids(hass, entry, cloud)
    answer = await ask(hass, "jedlix.get_sessions", device_id=list(devices.values()), **period)
    found: Found = defaultdict(dict)
    for history, device_id in devices.items():
        for item in answer[device_id]["sessions"]:
            for figure, key in zip(NAMES, ("energy_kwh", "cost", "savings"), strict=True):
                add(found[kind(figure, item["currency"])], history, item[key])
    return found


def add(found: dict[str, float | None], history: str, amount: float | None) -> None:
    """Add an amount to that of a history; one that is None is not known."""
    if amount is not None:
        found[history] = (found.get(history) or 0.0) + amount


async def calendars(hass: HomeAssistant, cloud: Cloud, period: dict[str, str]) -> Found:
    """Return the sums of what the events say: energy with one digit, money with two."""
    found: Found = defaultdict(dict)
    for user_id, history in cloud.users.items():
        entity_id = er.async_get(hass).async_get_entity_id(
            "calendar", DOMAIN, f"{user_id}_{cloud.car_of(user_id)}_sessions"
        )
        assert entity_id is not None
        answer = await ask(
            hass,
            "calendar.get_events",
            entity_id=entity_id,
            start_date_time=period["start"],
            end_date_time=period["end"],
        )
        for event in answer[entity_id]["events"]:
            for line in event.get("description", "").splitlines():
                figure, _, text = line.partition(": ")
                amount, currency = text.split()
                add(found[kind(figure.lower(), currency)], history.name, float(amount))
    return found
