"""Actions of cars and of accounts, and what they answer."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import ATTR_DEVICE_ID, ENTITY_MATCH_NONE
from homeassistant.core import (
    HomeAssistant,
    ServiceCall,
    ServiceResponse,
    SupportsResponse,
    callback,
)
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import config_validation as cv, device_registry as dr
from homeassistant.util import dt as dt_util
from homeassistant.util.json import JsonObjectType, JsonValueType
import voluptuous as vol

from .answers import costs_as_json, session_as_json
from .api import ChargingLocation, JedlixError, Session
from .api.gate import wanted_by_person
from .const import DOMAIN
from .data import JedlixConfigEntry
from .devices import DeviceKey, identifier_of
from .errors import failure_of, refuse
from .periods import PERIODS, PRICE_PERIODS, Period, named_period, price_period
from .prices import prices_as_json
from .push.history import HISTORY_KEPT
from .session_history import TooManySessions
from .state.days import WEEKDAYS
from .statistics import Imported
from .target import devices_of, excluded_devices_of

_ENABLED: Final = "enabled"
_UNTIL: Final = "until"
_LEVEL: Final = "level"
_START: Final = "start"
_END: Final = "end"
_TIME: Final = "time"
_DAYS: Final = "days"
_PERIOD: Final = "period"
_DURATION: Final = "duration"
_SINCE: Final = "since"

_TARGET: Final = cv.TARGET_SERVICE_FIELDS
_TARGET_KEYS: Final = frozenset(str(key) for key in _TARGET)
# Nobody plans for longer, and the answer stays small.
_LONGEST_PRICES: Final = timedelta(days=366)
_PERIOD_FIELDS: Final = {
    vol.Optional(_PERIOD): vol.In(PERIODS),
    vol.Optional(_START): cv.datetime,
    vol.Optional(_DURATION): cv.time_period,
    vol.Optional(_END): cv.datetime,
}


@callback
def async_setup_services(hass: HomeAssistant) -> None:
    """Register all actions; they are there whether or not an account is loaded."""
    answers = SupportsResponse.ONLY
    for name, handler, fields, response in (
        ("boost", _boost, {vol.Optional(_ENABLED, default=True): cv.boolean}, None),
        (
            "pause_smart_charging",
            _pause,
            {vol.Optional(_UNTIL): cv.datetime, vol.Optional(_DURATION): cv.time_period},
            None,
        ),
        ("resume_smart_charging", _resume, {}, None),
        (
            "set_current_battery_level",
            _set_current_battery_level,
            {vol.Required(_LEVEL): vol.Coerce(int)},
            None,
        ),
        (
            "set_ready_by",
            _set_ready_by,
            {
                vol.Required(_TIME): cv.time,
                vol.Optional(_DAYS): vol.All(cv.ensure_list, [vol.In(WEEKDAYS)]),
            },
            None,
        ),
        ("get_sessions", _get_sessions, _PERIOD_FIELDS, answers),
        ("get_costs", _get_costs, _PERIOD_FIELDS, answers),
        (
            "get_prices",
            _get_prices,
            {**_PERIOD_FIELDS, vol.Optional(_PERIOD): vol.In(PRICE_PERIODS)},
            answers,
        ),
        (
            "import_history",
            _import_history,
            {vol.Required(_START): cv.datetime},
            SupportsResponse.OPTIONAL,
        ),
        (
            "catch_up",
            _catch_up,
            {vol.Optional(_SINCE): cv.datetime},
            SupportsResponse.OPTIONAL,
        ),
        ("resubscribe", _resubscribe, {}, SupportsResponse.OPTIONAL),
        ("get_api_report", _get_api_report, {}, answers),
    ):
        hass.services.async_register(
            DOMAIN,
            name,
            handler,
            schema=vol.Schema({**_TARGET, **fields}),
            supports_response=response or SupportsResponse.NONE,
        )


# -- cars --------------------------------------------------------------------------------------------------


async def _boost(call: ServiceCall) -> None:
    await _command(
        call,
        lambda entry, key: entry.runtime_data.commands.boost(key, enabled=call.data[_ENABLED]),
    )


async def _pause(call: ServiceCall) -> None:
    until, duration = _moment(call, _UNTIL), call.data.get(_DURATION)
    if until is not None and duration is not None:
        refuse("one_end")

    async def pause(entry: JedlixConfigEntry, key: DeviceKey) -> None:
        now = entry.runtime_data.coordinator.now()
        end = until if duration is None else now + duration
        await entry.runtime_data.commands.set_smart_charging(key, enabled=False, until=end)

    await _command(call, pause)


async def _resume(call: ServiceCall) -> None:
    await _command(
        call,
        lambda entry, key: entry.runtime_data.commands.set_smart_charging(key, enabled=True),
    )


async def _set_current_battery_level(call: ServiceCall) -> None:
    level: int = call.data[_LEVEL]
    if not 0 <= level <= 100:  # noqa: PLR2004  percent
        refuse("level_out_of_range", level=str(level))
    await _command(
        call, lambda entry, key: entry.runtime_data.commands.set_current_battery_level(key, level)
    )


async def _set_ready_by(call: ServiceCall) -> None:
    days = [WEEKDAYS.index(day) for day in call.data.get(_DAYS, ())]
    await _command(
        call,
        lambda entry, key: entry.runtime_data.commands.set_ready_by(
            key, call.data[_TIME], days or None
        ),
    )


async def _command(
    call: ServiceCall, do: Callable[[JedlixConfigEntry, DeviceKey], Awaitable[None]]
) -> None:
    """Run a command for all cars of the target side by side; raises the first error after all were tried."""
    cars = _cars(call)
    results = await asyncio.gather(
        *(do(entry, key) for entry, key in cars.values()), return_exceptions=True
    )
    for result in results:
        if isinstance(result, BaseException):
            raise result


async def _get_sessions(call: ServiceCall) -> ServiceResponse:
    return {
        device_id: {
            "sessions": [
                session_as_json(
                    session,
                    entry.runtime_data.coordinator.fleet.location(
                        key[0], session.charging_location_id
                    ),
                )
                for session in await _between((entry, key), period)
            ]
        }
        for device_id, (entry, key), period in _cars_and_periods(call)
    }


async def _get_costs(call: ServiceCall) -> ServiceResponse:
    answer: JsonObjectType = {}
    for device_id, (entry, key), period in _cars_and_periods(call):
        history = entry.runtime_data.session_history
        sessions = [
            (session, history.flow(key, session))
            for session in await _between((entry, key), period)
        ]
        answer[device_id] = {"costs": [*costs_as_json(sessions, period)]}
    return answer


async def _get_prices(call: ServiceCall) -> ServiceResponse:
    period = _price_period(call)
    answer = {
        device_id: prices_as_json(location, entry.runtime_data.coordinator.fleet, period)
        for device_id, (entry, location) in _locations(call).items()
    }
    if not any(of_location["prices"] for of_location in answer.values()):
        refuse("no_prices")
    return {**answer}


async def _import_history(call: ServiceCall) -> ServiceResponse:
    since, cars = _moment(call, _START) or dt_util.utcnow(), _cars(call)
    found: dict[str, Imported] = {}
    for device_id, (entry, key) in cars.items():
        data = entry.runtime_data
        if not data.statistics.has_recorder:
            refuse("no_recorder")
        if since > data.coordinator.now():
            refuse("time_in_the_future")
        try:
            with wanted_by_person():
                found[device_id] = await data.statistics.import_since(key, since)
        except TooManySessions:
            refuse("too_many_sessions")
        except JedlixError as err:
            raise failure_of(err) from err
    if not any(imported.sessions for imported in found.values()):
        refuse("nothing_to_import")
    return {device_id: imported._asdict() for device_id, imported in found.items()}


async def _between(car: tuple[JedlixConfigEntry, DeviceKey], period: Period) -> list[Session]:
    entry, key = car
    try:
        return await entry.runtime_data.session_history.between(key, *period)
    except TooManySessions:
        refuse("too_many_sessions")
    except JedlixError as err:
        raise failure_of(err) from err


# -- accounts ----------------------------------------------------------------------------------------------


async def _catch_up(call: ServiceCall) -> ServiceResponse:
    now = dt_util.utcnow()
    since = _moment(call, _SINCE) or now - HISTORY_KEPT
    if since > now:
        refuse("time_in_the_future")
    if now - since > HISTORY_KEPT:
        refuse("too_long_ago")
    found: dict[str, JsonValueType] = {}
    failure: JedlixError | None = None
    for entry in _accounts(call):
        coordinator = entry.runtime_data.coordinator
        before = coordinator.publisher.published.copy()
        try:
            with wanted_by_person():
                await coordinator.catch_up(since)
        except JedlixError as err:
            failure = failure or err
        published = coordinator.publisher.published - before
        found[entry.entry_id] = {
            "account": entry.title,
            "changes": published["changes"],
            "deliveries": published["deliveries"],
        }
    if failure is not None:
        raise failure_of(failure) from failure
    return found


async def _resubscribe(call: ServiceCall) -> ServiceResponse:
    accounts = [(entry, entry.runtime_data.push) for entry in _accounts(call)]
    found: dict[str, JsonValueType] = {}
    failure: HomeAssistantError | None = None
    if not any(push for _, push in accounts):
        refuse("no_push")
    for entry, push in accounts:
        if push is not None:
            try:
                await push.resubscribe_now()
            except HomeAssistantError as err:
                failure = failure or err
            found[entry.entry_id] = {
                "account": entry.title,
                "push_state": push.state.value,
                "accepted": [*push.registration.accepted],
                "refused": [*push.registration.refused],
            }
    if failure is not None:
        raise failure
    return found


async def _get_api_report(call: ServiceCall) -> ServiceResponse:
    return {entry.entry_id: entry.runtime_data.api_report() for entry in _accounts(call)}


# -- data and target of a call -------------------------------------------------------------------------------


def _moment(call: ServiceCall, name: str) -> datetime | None:
    """Return a time of the call in UTC. Without a zone it is local."""
    moment: datetime | None = call.data.get(name)
    return None if moment is None else dt_util.as_utc(moment)


def _cars_and_periods(
    call: ServiceCall,
) -> list[tuple[str, tuple[JedlixConfigEntry, DeviceKey], Period]]:
    """Return the cars of the target, with the period that the call means by the clock of their account."""
    return [
        (device_id, car, _period(call, car[0].runtime_data.coordinator.now()))
        for device_id, car in _cars(call).items()
    ]


def _period(call: ServiceCall, now: datetime) -> Period:
    """Return the period of a call. It is named, or it has a start or a duration, and perhaps an end."""
    name: str | None = call.data.get(_PERIOD)
    duration: timedelta | None = call.data.get(_DURATION)
    start, end = _moment(call, _START), _moment(call, _END)
    if [name, start, duration].count(None) != 2 or (name is not None and end is not None):  # noqa: PLR2004
        refuse("one_period")
    if name is not None:
        return Period(*map(dt_util.as_utc, named_period(name, dt_util.as_local(now))))
    end = end or now
    start = start or (end - (duration or timedelta(0)))
    if end <= start:
        refuse("end_before_start")
    return Period(start, end)


def _price_period(call: ServiceCall) -> Period:
    """Return the period of prices that a call means, by the clock of Home Assistant."""
    period = price_period(
        dt_util.now(),
        name=call.data.get(_PERIOD),
        start=_moment(call, _START),
        duration=call.data.get(_DURATION),
        end=_moment(call, _END),
    )
    if period is None:
        refuse("one_price_period")
    period = Period(*map(dt_util.as_utc, period))
    if period.end <= period.start:
        refuse("end_before_start")
    if period.end - period.start > _LONGEST_PRICES:
        refuse("period_too_long", days=str(_LONGEST_PRICES.days))
    return period


def _named_ids(call: ServiceCall) -> list[str]:
    """Return the ids of the devices that the target names and does not exclude. It may also say "none"."""
    named: list[str] | str = call.data.get(ATTR_DEVICE_ID, ENTITY_MATCH_NONE)
    excluded = excluded_devices_of(call.hass, call.data)
    return [it for it in named if it not in excluded] if isinstance(named, list) else []


def _named(call: ServiceCall) -> dict[str, tuple[JedlixConfigEntry, dr.AnyDeviceEntry]]:
    """Return our devices that the target means.

    A device that is named must exist and be ours. An area or label may hold other devices.
    """
    devices = dr.async_get(call.hass)
    target = {key: value for key, value in call.data.items() if key in _TARGET_KEYS}
    named = _named_ids(call)
    found: dict[str, tuple[JedlixConfigEntry, dr.AnyDeviceEntry]] = {}
    for device_id in {**dict.fromkeys(named), **dict.fromkeys(devices_of(call.hass, target))}:
        device = devices.async_get(device_id)
        entry = None if device is None else _entry_of(call.hass, device)
        if device is not None and entry is not None:
            if entry.state is not ConfigEntryState.LOADED:
                refuse("not_loaded", account=entry.title)
            found[device_id] = (entry, device)
        elif device_id in named:
            if device is None:
                refuse("unknown_device", device=device_id)
            refuse("foreign_device", device=_name_of(device))
    return found


def _name_of(device: dr.AnyDeviceEntry) -> str:
    return device.name_by_user or device.name or device.id


def _entry_of(hass: HomeAssistant, device: dr.AnyDeviceEntry) -> JedlixConfigEntry | None:
    entry = hass.config_entries.async_get_entry(device.config_entry_id)
    return entry if entry is not None and entry.domain == DOMAIN else None


def _cars(call: ServiceCall) -> Mapping[str, tuple[JedlixConfigEntry, DeviceKey]]:
    """Return the cars of the target by device id; without one it is an error."""
    cars: dict[str, tuple[JedlixConfigEntry, DeviceKey]] = {}
    targeted, named = _named(call), _named_ids(call)
    keys = {
        (entry.entry_id, identifier_of(key)): key
        for entry in {entry.entry_id: entry for entry, _ in targeted.values()}.values()
        for key in entry.runtime_data.coordinator.fleet.vehicles
    }
    for device_id, (entry, device) in targeted.items():
        for domain, identifier in device.identifiers:
            if domain == DOMAIN and (key := keys.get((entry.entry_id, identifier))) is not None:
                cars[device_id] = (entry, key)
        if device_id not in cars and device_id in named:
            refuse("not_a_vehicle", device=_name_of(device))
    if not cars:
        refuse("no_vehicle")
    return cars


def _locations(call: ServiceCall) -> dict[str, tuple[JedlixConfigEntry, ChargingLocation]]:
    """Return the charging locations with tariffs of the target by device id; without one it is an error.

    A car or charger stands for all locations of its user.
    """
    registry, excluded = dr.async_get(call.hass), excluded_devices_of(call.hass, call.data)
    locations: dict[str, tuple[JedlixConfigEntry, ChargingLocation]] = {}
    targeted = _named(call)
    for entry in {entry.entry_id: entry for entry, _ in targeted.values()}.values():
        fleet = entry.runtime_data.coordinator.fleet
        keys = {(DOMAIN, identifier_of(key)): key for key in fleet.members}
        meant = {
            keys[identifier]
            for owner, device in targeted.values()
            if owner is entry
            for identifier in device.identifiers & keys.keys()
        }
        priced = fleet.priced_locations
        users = {user_id for user_id, _ in meant - priced.keys()}
        for key, location in priced.items():
            if key in meant or key[0] in users:
                device = registry.async_get_device_by_identifier(
                    (DOMAIN, identifier_of(key)), entry.entry_id
                )
                if device is not None and device.id not in excluded:
                    locations[device.id] = (entry, location)
    if not locations:
        refuse("no_location")
    return locations


def _accounts(call: ServiceCall) -> list[JedlixConfigEntry]:
    """Return the accounts whose devices the target means, all loaded ones where there is no target."""
    if any(call.data.get(key) for key in _TARGET_KEYS):
        accounts = {entry.entry_id: entry for entry, _ in _named(call).values()}
    else:
        accounts = {
            entry.entry_id: entry for entry in call.hass.config_entries.async_loaded_entries(DOMAIN)
        }
    if not accounts:
        refuse("no_account")
    return list(accounts.values())
