"""Sessions, charge settings, refresh, costs and prices."""

from datetime import datetime, timedelta

from aiohttp import web

from simulator import dates, prices
from simulator.model import JsonObject, Refresh, Session
from simulator.sessions import Filter
from simulator.tariffs import is_dynamic
from simulator.world import Refused

from . import shapes
from .http import Call, Problem

_LONGEST_PERIOD = timedelta(days=14)
_FORECAST = timedelta(days=7)
_LEVEL_SPELLINGS = ("currentSateOfCharge", "currentStateOfCharge")
_FLAGS = (
    ("isSmartChargingEnabled", bool, "true or false"),
    ("useSolarProduction", bool, "true or false"),
    ("isBidirectionalChargingEnabled", bool | None, "true, false or null"),
)
_REQUIRED_SETTINGS = (
    "departureTimes",
    "isSmartChargingEnabled",
    "timeZone",
    "minimumBatteryLevel",
    "desiredBatteryLevel",
)

# --- sessions -------------------------------------------------------------------------------------


def _find(call: Call, user_id: str | None) -> list[Session]:
    """Return the sessions that match the query, newest start first, as this call sees them."""
    vehicle_id = call.request.query.get("vehicleId")
    wanted = Filter(
        user_id=user_id,
        vehicle_id=vehicle_id.lower() if vehicle_id else None,
        start_from=call.moment("startTimeFrom"),
        start_to=call.moment("startTimeTo"),
        end_from=_end_from(call, user_id),
        end_to=call.moment("endTimeTo"),
    )
    log = call.cloud.world.sessions
    if not call.lies.concern_sessions:
        return log.find(wanted)
    seen = (call.lies.session(session) for session in reversed(log.of(user_id)))
    return [session for session in seen if session and wanted.matches(session)]


def _end_from(call: Call, user_id: str | None) -> datetime | None:
    if (moment := call.moment("endTimeFrom")) is None:
        return None
    fate = call.lies.end_filter(user_id)
    if fate == "refused":
        raise Problem(400, "endTimeFrom is not supported (a fault).")
    return None if fate == "ignored" else moment


def _answer(call: Call, sessions: list[Session]) -> web.Response:
    style = call.style
    return call.many(sessions, lambda item: _shape(call, item, style))


def _shape(call: Call, item: Session, style: dates.Style) -> JsonObject:
    noise = call.cloud.noise
    shape = shapes.session(item, style, documented_only=call.cloud.is_strict, noise=noise)
    return call.lies.session_shape(item, shape)


async def all_sessions(call: Call) -> web.Response:
    """List the sessions of all users, newest first (documented)."""
    return _answer(call, _find(call, None))


async def list_sessions(call: Call) -> web.Response:
    """List the sessions of a user (A4)."""
    return _answer(call, _find(call, call.user().id))


def _session(call: Call) -> Session:
    session_id = call.request.match_info["session"].lower()
    session = call.cloud.world.sessions.by_id.get(session_id)
    if session is None or session.user_id != call.user().id:
        raise Problem(404, f"This user has no session {session_id}.")
    return session


async def get_session(call: Call) -> web.Response:
    """Return one session of a user (it exists: documented; its path: A4)."""
    true = _session(call)
    if (seen := call.lies.session(true)) is None:
        raise Problem(404, f"This user has no session {true.id}.")
    return call.one(_shape(call, seen, call.style))


async def update_session(call: Call) -> web.Response:
    """Boost, or set the current battery level. Documented: the bodies; A5: path and method."""
    session, world, kind = _session(call), call.cloud.world, call.body.get("type")
    try:
        if kind == "boostCharging":
            world.set_boost(session, call.now, enabled=call.flag("enabled"))
        elif kind == "currentBatteryLevel":
            spelling = next((name for name in _LEVEL_SPELLINGS if name in call.body), None)
            if spelling is None:
                raise Problem(400, f"{_LEVEL_SPELLINGS[0]} is missing.")
            level = _percent(call.body, spelling, 0)
            world.set_current_level(session, level, call.now)
        else:
            raise Problem(400, "type must be boostCharging or currentBatteryLevel.")
    except Refused as err:
        raise Problem(409, str(err)) from None
    return call.one(call.body)


async def financials(call: Call) -> web.Response:
    """List a user's sessions with costs and savings (A7; the filters are documented)."""
    return _answer(call, _find(call, call.user().id))


# --- charge settings --------------------------------------------------------------------------------


def _percent(values: JsonObject, name: str, lowest: int) -> int:
    value = values[name]
    if type(value) is not int or not lowest <= value <= 100:
        raise Problem(400, f"{name} must be a whole number from {lowest} to 100.")
    return value


def check_settings(settings: JsonObject) -> None:
    """Check what is documented of the charge settings, departure times aside; 400 in words otherwise."""
    for name, kinds, words in _FLAGS:
        if name in settings and not isinstance(settings[name], kinds):
            raise Problem(400, f"{name} must be {words}.")
    for name, lowest in (("desiredBatteryLevel", 50), ("minimumBatteryLevel", 0)):
        if name in settings:
            _percent(settings, name, lowest)
    if settings.get("defaultStartBatteryLevel") is not None:
        _percent(settings, "defaultStartBatteryLevel", 0)
    if not isinstance(settings.get("timeZone", ""), str):
        raise Problem(400, "timeZone must be a text.")
    if (moment := settings.get("enableSmartChargingAt")) is not None:
        try:
            dates.read(moment)
        except ValueError as err:
            raise Problem(400, f"enableSmartChargingAt: {err}.") from None


def _check_written(settings: JsonObject, known: JsonObject) -> None:
    """Check what a client writes. Departure times are an object (documented), or stay of the kind known."""
    check_settings(settings)
    times = known.get("departureTimes", {})
    if not isinstance(settings.get("departureTimes", times), dict | type(times)):
        raise Problem(400, "departureTimes must be an object.")


async def get_settings(call: Call) -> web.Response:
    """Return the charge settings of a vehicle (A3)."""
    return call.one(call.vehicle().settings)


async def create_settings(call: Call) -> web.Response:
    """Store charge settings whole: keys that are not sent are gone (A3; the fields are documented)."""
    vehicle = call.vehicle()
    if missing := [name for name in _REQUIRED_SETTINGS if name not in call.body]:
        raise Problem(400, f"Missing: {', '.join(missing)}.")
    _check_written(call.body, vehicle.settings)
    settings = call.lies.written_settings(vehicle, call.body)
    call.cloud.world.change_settings(vehicle, settings, call.now)
    return call.one(vehicle.settings)


async def update_settings(call: Call) -> web.Response:
    """Change some charge settings (A3; the body with two keys is documented)."""
    vehicle = call.vehicle()
    _check_written(call.body, vehicle.settings)
    settings = call.lies.written_settings(vehicle, vehicle.settings | call.body)
    call.cloud.world.change_settings(vehicle, settings, call.now)
    return call.one(vehicle.settings)


# --- refresh ----------------------------------------------------------------------------------------


def _refresh(call: Call, refresh: Refresh) -> web.Response:
    style, completed = call.style, refresh.completed_at
    return call.one(
        {
            "correlationId": refresh.correlation_id,
            "completedAt": style(completed) if completed else None,
        }
    )


async def request_refresh(call: Call) -> web.Response:
    """Ask the car for its state (documented rules; path and fields A6)."""
    return _refresh(call, call.cloud.world.refresh(call.vehicle(), call.now))


async def refresh_status(call: Call) -> web.Response:
    """Return whether the car has answered; 404 when there is no current request (documented; A6)."""
    refresh = call.cloud.world.refresh_status(call.vehicle(), call.now)
    if refresh is None:
        raise Problem(404, "There is no current charge state refresh request.")
    return _refresh(call, refresh)


# --- prices -----------------------------------------------------------------------------------------


async def tariffs(call: Call) -> web.Response:
    """List hourly prices (A8). Documented: 14 days at most, 7 ahead, dynamic tariffs only."""
    location, start, end = call.location(), call.moment("startTime"), call.moment("endTime")
    if start is None or end is None or end < start:
        raise Problem(400, "startTime and endTime are required, in this order.")
    if end - start > _LONGEST_PERIOD:
        raise Problem(400, "The period is at most 14 days.")
    if not is_dynamic(location.tariff):
        raise Problem(400, "The charging location has no dynamic tariff.")
    moment = start.replace(minute=0, second=0, microsecond=0)
    hours = []
    while moment < min(end, call.now + _FORECAST):
        ahead = (moment - call.now).total_seconds()
        hours.append((moment, prices.price(call.cloud.world.second + ahead)))
        moment += timedelta(hours=1)
    style = call.style
    return call.many(
        hours,
        lambda item: {
            "startTime": style(item[0]),
            "endTime": style(item[0] + timedelta(hours=1)),
            "price": item[1],
            "currency": prices.CURRENCY,
        },
    )
