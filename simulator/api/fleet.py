"""Fleet: users, vehicles, charging locations, chargers, connect sessions."""

from aiohttp import web

from simulator import dates
from simulator.model import Charger, ChargingLocation, ConnectSession, User
from simulator.world import Refused

from . import shapes
from .http import Call, Problem


async def create_user(call: Call) -> web.Response:
    """Create a user without a car. Documented: the body, and the webhook that follows."""
    country = call.text("defaultCountry")
    user = call.cloud.world.add_user(call.now, country, car=False)
    user.locale = call.text("locale", "EN")
    return call.one(shapes.user(user), 201)


async def get_user(call: Call) -> web.Response:
    """Return a user (A1)."""
    return call.one(shapes.user(call.user()))


async def list_vehicles(call: Call) -> web.Response:
    """List the vehicles of a user: one at most (documented)."""
    user, style, noise = call.user(), call.style, call.cloud.noise
    reading_style = call.lies.reading_style(user.id, style)
    return call.many(
        call.lies.listed(user.id, user.vehicles),
        lambda item: shapes.vehicle(item, style, call.now, noise, reading_style=reading_style),
    )


async def get_vehicle(call: Call) -> web.Response:
    """Return a vehicle (SDK)."""
    vehicle, style = call.vehicle(), call.style
    reading_style = call.lies.reading_style(vehicle.user_id, style)
    return call.one(
        shapes.vehicle(vehicle, style, call.now, call.cloud.noise, reading_style=reading_style)
    )


async def delete_vehicle(call: Call) -> web.Response:
    """Remove a vehicle: 204 (SDK)."""
    call.cloud.world.remove_vehicle(call.vehicle(), call.now)
    return web.Response(status=204)


async def all_locations(call: Call) -> web.Response:
    """List the charging locations of all users, newest first (documented)."""
    users = [user for user in call.cloud.world.users.values() if not call.lies.hides_user(user.id)]
    locations = [item for user in users for item in user.locations]
    locations.sort(key=lambda item: item.created_at, reverse=True)
    style = call.style
    return call.many(locations, lambda item: shapes.location(item, style))


def _detailed(call: Call, item: ChargingLocation, owner: User, style: dates.Style) -> object:
    if call.version == "v2":
        return shapes.location(item, style)
    seconds = call.lies.reading_style(owner.id, dates.v1_seconds)
    return shapes.location_with_details(item, owner, style, seconds)


async def list_locations(call: Call) -> web.Response:
    """List the charging locations of a user (SDK)."""
    user, style = call.user(), call.style
    return call.many(user.locations, lambda item: _detailed(call, item, user, style))


async def get_location(call: Call) -> web.Response:
    """Return a charging location (SDK)."""
    return call.one(_detailed(call, call.location(), call.user(), call.style))


def _seconds(call: Call) -> dates.Style:
    is_plain = call.version == "v1" and not call.cloud.noise
    style = dates.v1_seconds if is_plain else call.style
    return call.lies.reading_style(call.user().id, style)


async def list_chargers(call: Call) -> web.Response:
    """List the chargers of a user, or those at one of the locations (SDK)."""
    user, seconds = call.user(), _seconds(call)
    chargers = user.chargers
    if "location" in call.request.match_info:
        here = call.location().id
        chargers = [item for item in chargers if item.charging_location_id == here]
    return call.many(chargers, lambda item: shapes.charger(item, user, seconds))


def _charger(call: Call) -> Charger:
    charger_id, here = call.request.match_info["charger"].lower(), call.location().id
    for charger in call.user().chargers:
        if charger.id == charger_id and charger.charging_location_id == here:
            return charger
    raise Problem(404, f"There is no charger {charger_id} at this location.")


async def get_charger(call: Call) -> web.Response:
    """Return a charger (SDK)."""
    return call.one(shapes.charger(_charger(call), call.user(), _seconds(call)))


async def get_charger_state(call: Call) -> web.Response:
    """Return the state of a charger (SDK)."""
    return call.one(shapes.charger_state(_charger(call), call.user(), _seconds(call)))


async def delete_charger(call: Call) -> web.Response:
    """Remove a charger: 204 (SDK)."""
    call.user().chargers.remove(_charger(call))
    return web.Response(status=204)


async def connect_vehicle(call: Call) -> web.Response:
    """Begin to link a vehicle (documented). A second one: 409, its reason is inferred."""
    again = call.vehicle() if "vehicle" in call.request.match_info else None
    try:
        connect = call.cloud.linking.start(call.user(), again)
    except Refused as err:
        raise Problem(409, str(err)) from None
    return call.one(shapes.connect_session(connect, call.cloud.url))


def _connect_sessions(call: Call) -> list[ConnectSession]:
    user = call.user()
    return [item for item in call.cloud.linking.sessions.values() if item.user_id == user.id]


async def list_connect_sessions(call: Call) -> web.Response:
    """List the unfinished connect sessions of a user (SDK); chargers are not linked here."""
    kind = call.request.query.get("type", "vehicle")
    if kind not in {"vehicle", "charger"}:
        raise Problem(400, "type is vehicle or charger.")
    found = [item for item in _connect_sessions(call) if not item.is_finished]
    wanted = found if kind == "vehicle" else []
    return call.many(wanted, lambda item: shapes.connect_session(item, call.cloud.url))


async def get_connect_session(call: Call) -> web.Response:
    """Return a connect session (documented)."""
    wanted = call.request.match_info["connect"].lower()
    for connect in _connect_sessions(call):
        if connect.id == wanted:
            return call.one(shapes.connect_session(connect, call.cloud.url))
    raise Problem(404, f"There is no connect session {wanted}.")
