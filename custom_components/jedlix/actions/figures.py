"""Figures: the actions that answer with sessions, costs and prices, or import what is past."""

from homeassistant.core import ServiceCall, ServiceResponse
from homeassistant.util import dt as dt_util
from homeassistant.util.json import JsonObjectType

from ..api import JedlixError, Session
from ..api.gate import wanted_by_person
from ..data import JedlixConfigEntry
from ..devices import DeviceKey
from ..errors import failure_of, refuse
from ..periods import Period
from ..prices import prices_as_json
from ..session_history import TooManySessions
from ..statistics import Imported
from .answers import costs_as_json, session_as_json
from .fields import START, moment_of, period_of, price_period_of
from .targets import cars_of, locations_of


async def get_sessions(call: ServiceCall) -> ServiceResponse:
    """Answer the sessions of a period, by device id of the car."""
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


async def get_costs(call: ServiceCall) -> ServiceResponse:
    """Answer energy, cost and savings of a period, by device id of the car."""
    answer: JsonObjectType = {}
    for device_id, (entry, key), period in _cars_and_periods(call):
        history = entry.runtime_data.session_history
        sessions = [
            (session, history.flow(key, session))
            for session in await _between((entry, key), period)
        ]
        answer[device_id] = {"costs": [*costs_as_json(sessions, period)]}
    return answer


async def get_prices(call: ServiceCall) -> ServiceResponse:
    """Answer the prices of a period, by device id of the charging location."""
    period = price_period_of(call)
    answer = {
        device_id: prices_as_json(location, entry.runtime_data.coordinator.fleet, period)
        for device_id, (entry, location) in locations_of(call).items()
    }
    if not any(of_location["prices"] for of_location in answer.values()):
        refuse("no_prices")
    return {**answer}


async def import_history(call: ServiceCall) -> ServiceResponse:
    """Import past sessions into the statistics; answers how many, by device id of the car."""
    since, cars = moment_of(call, START) or dt_util.utcnow(), cars_of(call)
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


def _cars_and_periods(
    call: ServiceCall,
) -> list[tuple[str, tuple[JedlixConfigEntry, DeviceKey], Period]]:
    """Return the cars of the target, with the period that the call means by the clock of their account."""
    return [
        (device_id, car, period_of(call, car[0].runtime_data.coordinator.now()))
        for device_id, car in cars_of(call).items()
    ]
