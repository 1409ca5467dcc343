"""Control API: JSON below /control/. No part of Jedlix, and no authentication."""

from bisect import bisect_right
from collections.abc import Awaitable, Callable, Collection
from itertools import islice
import sys
import time
from typing import Any

from aiohttp import web
import orjson

from . import dates, truth
from .api import user_token
from .api.charging import check_settings
from .api.http import Problem, json_response
from .api.table import TABLE
from .cloud import Cloud
from .departures import DEPARTURES
from .event_types import DOCUMENTED_EVENTS
from .faults import general
from .faults.kinds import KINDS, TOKEN_ADDRESSES
from .linking import MAX_PAGES
from .model import ChargeState, JsonObject, Vehicle
from .prices import CHEAP_BELOW, PRICES
from .tariffs import TARIFFS
from .world import Refused

type _Act = Callable[[web.Request, JsonObject], Any]

_MAX_USERS = 1_000_000
_MAX_EVENTS = 100_000


class Control:
    """The handlers. Each takes the request and its JSON body, and returns JSON or None."""

    def __init__(self, cloud: Cloud) -> None:
        """Control this cloud."""
        self._cloud = cloud

    # --- reading ------------------------------------------------------------------------------------

    def info(self, _request: web.Request, _body: JsonObject) -> JsonObject:
        """Return addresses, credentials and what is assumed; for the page and the start message."""
        cloud = self._cloud
        return {
            "base_url": cloud.url,
            "token_url": f"{cloud.url}/oauth/token",
            "user_authorize_url": f"{cloud.url}{user_token.AUTHORIZE_PATH}",
            "user_token_url": f"{cloud.url}{user_token.TOKEN_PATH}",
            "audience": cloud.settings.audience or cloud.url,
            "client_id": "any",
            "client_secret": cloud.settings.client_secret,
            "api_key": cloud.settings.api_key,
            "mode": cloud.settings.mode,
            "documented_event_types": list(DOCUMENTED_EVENTS.values()),
            "reported_event_types": list(cloud.settings.reported_events.values()),
            "tariffs": list(TARIFFS),
            "departure_times": DEPARTURES,
            "prices": list(PRICES),
            "cheap_below": CHEAP_BELOW,
        }

    def endpoints(self, _request: web.Request, _body: JsonObject) -> JsonObject:
        """Return the endpoint table with its evidence, and whether this mode offers each row."""
        rows = [
            {
                "name": row.name,
                "method": row.method,
                "path": row.path,
                "evidence": row.evidence,
                "note": row.note,
                "offered": self._cloud.offers(row.name, is_assumed=row.is_assumed),
            }
            for row in TABLE
        ]
        return {"endpoints": rows}

    def truth(self, request: web.Request, _body: JsonObject) -> JsonObject:
        """Return the true state of `limit` users, and the journal after change number `after`."""
        cloud, after, limit = self._cloud, _after(request), _count(request, "limit", _MAX_USERS)
        now = cloud.catch_up()
        cloud.settle()
        changes = cloud.world.changes
        first = bisect_right(changes, after, key=lambda item: item.n)
        return {
            "now": dates.v2(now),
            "clock": {"hour": round(cloud.world.hour, 4), "speed": cloud.speed},
            "mode": cloud.settings.mode,
            "users": [truth.user(user) for user in islice(cloud.world.users.values(), limit)],
            "user_count": len(cloud.world.users),
            "changes": [
                truth.change(each)
                for each in (changes[place] for place in range(first, len(changes)))
            ],
        }

    def ledger(self, request: web.Request, _body: JsonObject) -> JsonObject:
        """Return all sessions, oldest start first, all reports of cars, and the tokens that were given.

        With `limit`, the newest ones of each.
        """
        cloud, limit = self._cloud, _count(request, "limit", sys.maxsize)
        cloud.catch_up()
        cloud.settle()
        return {
            "sessions": [truth.session(it) for it in _last(cloud.world.sessions.of(None), limit)],
            "reports": [truth.report(it) for it in _last(cloud.world.ledger.reports, limit)],
            "tokens": _last(cloud.tokens.given, limit),
        }

    def deliveries(self, request: web.Request, _body: JsonObject) -> JsonObject:
        """Return the deliveries after number `after`, oldest first, test messages included."""
        deliveries = self._cloud.webhooks.deliveries
        first = bisect_right(deliveries, _after(request), key=lambda item: item.n)
        found = [deliveries[place] for place in range(first, len(deliveries))]
        return {"deliveries": [truth.delivery(item) for item in found]}

    def requests(self, request: web.Request, _body: JsonObject) -> JsonObject:
        """Return the API calls answered after number `after`, oldest first."""
        cloud, after = self._cloud, _after(request)
        first_n = cloud.requests_answered - len(cloud.requests) + 1
        rows = [
            {"n": n, **item._asdict(), "time": item.time.timestamp()}
            for n, item in enumerate(cloud.requests, first_n)
            if n > after
        ]
        return {"requests": rows}

    def get_faults(self, _request: web.Request, _body: JsonObject) -> JsonObject:
        """Return the general faults, the aimed ones in force, and how long the outage still lasts."""
        cloud = self._cloud
        cloud.catch_up()
        cloud.settle()
        left = max(0.0, cloud.outage_until - time.monotonic())
        return cloud.faults.as_json() | {
            "outage_seconds_left": round(left, 2),
            "faults": [fault.as_json(cloud.clock()) for fault in cloud.aimed],
        }

    def fault_kinds(self, _request: web.Request, _body: JsonObject) -> JsonObject:
        """Return the tables of faults: units, sentences, limits and defaults."""
        return {
            "general": [item.describe() for item in general.PARAMETERS.values()],
            "actions": general.ACTIONS,
            "kinds": [kind.describe() for kind in KINDS.values()],
            "token_addresses": sorted(TOKEN_ADDRESSES),
        }

    # --- changing -----------------------------------------------------------------------------------

    def set_faults(self, request: web.Request, body: JsonObject) -> JsonObject:
        """Set some faults, or end some aimed ones, and leave the others."""
        added = self._cloud.strike(body)
        return self.get_faults(request, body) | {"added": added}

    def clear_faults(self, request: web.Request, body: JsonObject) -> JsonObject:
        """Switch all faults off."""
        self._cloud.clear_faults()
        return self.get_faults(request, body)

    def clock(self, _request: web.Request, body: JsonObject) -> JsonObject:
        """Set the speed, turn the price day to an hour, let hours go by."""
        cloud = self._cloud
        _known(body, "speed", "hour", "advance_hours")
        speed, hour = _number(body, "speed", 0, 1e6), _number(body, "hour", 0, 24)
        hours = _number(body, "advance_hours", 0, 24 * 366)
        if speed is not None:
            cloud.catch_up()
            cloud.settle()
            cloud.speed = speed
        if hour is not None:
            cloud.set_hour(hour % 24)
        if hours is not None:
            cloud.advance(hours)
        return {"hour": round(cloud.world.hour, 4), "speed": cloud.speed}

    def add_user(self, _request: web.Request, body: JsonObject) -> JsonObject:
        """Create a user with a car and a home."""
        _known(body, "country")
        country = body.get("country")
        if country is not None and not isinstance(country, str):
            raise ValueError("country must be a text such as NL")
        user = self._cloud.add_user(country)
        return {
            "user_id": user.id,
            "vehicle_id": user.vehicle and user.vehicle.id,
            "charging_location_id": user.locations[0].id,
        }

    def plug(self, request: web.Request, body: JsonObject) -> JsonObject:
        """Plug a car in: `location` is home or unknown."""
        _known(body, "location")
        location = body.get("location", "home")
        if location not in {"home", "unknown"}:
            raise ValueError("location is home or unknown")
        vehicle = self._vehicle(request)
        self._cloud.plug(vehicle.id, location)
        return truth.vehicle(vehicle)

    def unplug(self, request: web.Request, _body: JsonObject) -> JsonObject:
        """Unplug a car."""
        vehicle = self._vehicle(request)
        self._cloud.unplug(vehicle.id)
        return truth.vehicle(vehicle)

    def telemetry(self, request: web.Request, body: JsonObject) -> JsonObject:
        """Let a car report something now."""
        _known(body, "battery_level", "charge_state", "range")
        states = [state.value for state in ChargeState]
        if body.get("charge_state", "unknown") not in states:
            raise ValueError(f"charge_state is one of {', '.join(states)}")
        level, distance = _number(body, "battery_level", 0, 100), _number(body, "range", 0, 5000)
        vehicle = self._vehicle(request)
        self._cloud.telemetry(
            vehicle.id,
            battery_level=None if level is None else int(level),
            charge_state=body.get("charge_state"),
            range=None if distance is None else int(distance),
        )
        return truth.vehicle(vehicle)

    def ready(self, request: web.Request, _body: JsonObject) -> JsonObject:
        """Send vehicleConnectionReadyToContinue."""
        vehicle = self._vehicle(request)
        self._cloud.ready(vehicle.id)
        return truth.vehicle(vehicle)

    def link(self, request: web.Request, body: JsonObject) -> JsonObject:
        """Lose or restore the link to the maker; the `reason` is disconnected or credentials.

        `connectable` is whether a connect session can make it again (true).
        """
        _known(body, "connected", "reason", "connectable")
        reason = body.get("reason", "disconnected")
        if reason not in {"disconnected", "credentials"}:
            raise ValueError("reason is disconnected or credentials")
        vehicle = self._vehicle(request)
        self._cloud.link(
            vehicle.id,
            connected=_flag(body, "connected"),
            reason=reason,
            connectable=_flag({"connectable": True} | body, "connectable"),
        )
        return truth.vehicle(vehicle)

    def waiting(self, request: web.Request, _body: JsonObject) -> JsonObject:
        """Let the maker take hours to activate a car."""
        vehicle = self._vehicle(request)
        self._cloud.wait_for_maker(vehicle.id)
        return truth.vehicle(vehicle)

    def linking(self, _request: web.Request, body: JsonObject) -> JsonObject:
        """Return the connect sessions, and say how those that begin from now on go."""
        linking = self._cloud.linking
        _known(body, "pages", "needs_app")
        pages = _number(body, "pages", 1, MAX_PAGES)
        needs_app = _flag({"needs_app": linking.needs_app} | body, "needs_app")
        linking.pages, linking.needs_app = int(pages or linking.pages), needs_app
        return {
            "pages": linking.pages,
            "needs_app": linking.needs_app,
            "connect_sessions": [truth.connect_session(it) for it in linking.sessions.values()],
        }

    def forget_connect_session(self, request: web.Request, _body: JsonObject) -> JsonObject:
        """Let Jedlix forget a connect session."""
        connect_id = request.match_info["connect"].lower()
        if (connect := self._cloud.linking.sessions.get(connect_id)) is None:
            raise web.HTTPNotFound(text=f"There is no connect session {connect_id}.")
        self._cloud.linking.forget(connect)
        return {"removed": connect_id}

    def impossible(self, request: web.Request, _body: JsonObject) -> JsonObject:
        """Let Jedlix find that the session cannot reach the desired level."""
        vehicle = self._vehicle(request)
        self._cloud.impossible(vehicle.id)
        return truth.vehicle(vehicle)

    def remove_user(self, request: web.Request, _body: JsonObject) -> JsonObject:
        """Remove a user with all cars."""
        user_id = request.match_info["user"].lower()
        if user_id not in self._cloud.world.users:
            raise web.HTTPNotFound(text=f"There is no user {user_id}.")
        self._cloud.remove_user(user_id)
        return {"removed": user_id}

    def boost(self, request: web.Request, body: JsonObject) -> JsonObject:
        """Boost the running smart session or stop boosting."""
        vehicle = self._vehicle(request)
        self._cloud.boost(vehicle.id, enabled=_flag(body, "enabled"))
        return truth.vehicle(vehicle)

    def settings(self, request: web.Request, body: JsonObject) -> JsonObject:
        """Change charge settings by their wire names."""
        vehicle = self._vehicle(request)
        check_settings(body)
        self._cloud.change_settings(vehicle.id, **body)
        return truth.vehicle(vehicle)

    def remove(self, request: web.Request, _body: JsonObject) -> JsonObject:
        """Remove a car from its user."""
        vehicle = self._vehicle(request)
        self._cloud.remove(vehicle.id)
        return {"removed": vehicle.id}

    def tariffs(self, request: web.Request, body: JsonObject) -> JsonObject:
        """Set the tariffs of a charging location: a `tariff` by its name, or any `details` as they come."""
        _known(body, "tariff", "details")
        name, details = body.get("tariff"), body.get("details")
        if len(body) != 1 or (name is not None and name not in TARIFFS):
            raise ValueError(f"either details, or a tariff of {', '.join(TARIFFS)}")
        if details is not None and not isinstance(details, dict):
            raise ValueError("details must be an object or null")
        location_id = request.match_info["location"].lower()
        try:
            self._cloud.set_tariff(location_id, details if name is None else TARIFFS[name])
        except KeyError:
            raise web.HTTPNotFound(text=f"There is no location {location_id}.") from None
        return {"location_id": location_id}

    def deliver(self, _request: web.Request, body: JsonObject) -> JsonObject:
        """Send hand-made events; `payload` is laid over the envelope, `force` reaches all subscribers."""
        cloud = self._cloud
        _known(body, "event_type", "user_id", "payload", "count", "force")
        event_type, user_id, payload = (
            body.get("event_type"),
            body.get("user_id"),
            body.get("payload", {}),
        )
        if not event_type or not isinstance(event_type, str):
            raise ValueError("event_type must be a text that is not empty")
        if not isinstance(payload, dict) or not isinstance(user_id, str | None):
            raise ValueError("payload must be an object and user_id a text")  # noqa: TRY004
        count = int(_number(body, "count", 1, _MAX_EVENTS) or 1)
        to_all = "force" in body and _flag(body, "force")
        ids = []
        for _ in range(count):
            event = cloud.webhooks.publish(event_type, user_id, cloud.now(), payload, to_all=to_all)
            ids.append(event.message["id"])
        return {"id": ids[-1], "ids": ids}

    def _vehicle(self, request: web.Request) -> Vehicle:
        vehicle_id = request.match_info["vehicle"].lower()
        if (vehicle := self._cloud.world.vehicles.get(vehicle_id)) is None:
            raise web.HTTPNotFound(text=f"There is no vehicle {vehicle_id}.")
        return vehicle


def add_routes(router: web.UrlDispatcher, cloud: Cloud) -> None:
    """Add the control API."""
    control = Control(cloud)
    car = "/control/vehicles/{vehicle}"
    table: tuple[tuple[str, str, _Act], ...] = (
        ("GET", "/control/info", control.info),
        ("GET", "/control/endpoints", control.endpoints),
        ("GET", "/control/truth", control.truth),
        ("GET", "/control/ledger", control.ledger),
        ("GET", "/control/deliveries", control.deliveries),
        ("GET", "/control/requests", control.requests),
        ("GET", "/control/faults", control.get_faults),
        ("GET", "/control/faults/kinds", control.fault_kinds),
        ("POST", "/control/faults", control.set_faults),
        ("DELETE", "/control/faults", control.clear_faults),
        ("POST", "/control/clock", control.clock),
        ("GET", "/control/linking", control.linking),
        ("POST", "/control/linking", control.linking),
        ("DELETE", "/control/linking/{connect}", control.forget_connect_session),
        ("POST", "/control/users", control.add_user),
        ("DELETE", "/control/users/{user}", control.remove_user),
        ("POST", "/control/locations/{location}/tariffs", control.tariffs),
        ("POST", "/control/deliver", control.deliver),
        ("DELETE", car, control.remove),
        ("POST", car + "/plug", control.plug),
        ("POST", car + "/unplug", control.unplug),
        ("POST", car + "/telemetry", control.telemetry),
        ("POST", car + "/ready", control.ready),
        ("POST", car + "/link", control.link),
        ("POST", car + "/waiting", control.waiting),
        ("POST", car + "/impossible", control.impossible),
        ("POST", car + "/boost", control.boost),
        ("POST", car + "/settings", control.settings),
    )
    for method, path, act in table:
        router.add_route(method, path, _handler(act))


def _handler(act: _Act) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Read the body, and answer errors in words."""

    async def serve(request: web.Request) -> web.Response:
        try:
            raw = await request.read()
            return json_response(act(request, _body(raw)))
        except web.HTTPNotFound as err:
            return json_response({"error": err.text}, 404)
        except Refused as err:
            return json_response({"error": str(err)}, 409)
        except Problem as err:
            return json_response({"error": err.detail}, err.status)
        except ValueError as err:
            return json_response({"error": str(err)}, 400)

    return serve


def _body(raw: bytes) -> JsonObject:
    try:
        body = orjson.loads(raw) if raw.strip() else {}
    except orjson.JSONDecodeError as err:
        raise ValueError(f"the body is not JSON: {err}") from None
    if not isinstance(body, dict):
        raise ValueError("the body must be a JSON object")  # noqa: TRY004
    return body


def _after(request: web.Request) -> int:
    return _count(request, "after", 0)


def _count(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name, str(default))
    if not text.isascii() or not text.isdigit():
        raise ValueError(f"{name} must be a whole number")
    return int(text)


def _last[T](items: Collection[T], limit: int) -> list[T]:
    return list(islice(items, max(0, len(items) - limit), None))


def _known(body: JsonObject, *names: str) -> None:
    if unknown := body.keys() - names:
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(names)}")


def _number(body: JsonObject, name: str, low: float, high: float) -> float | None:
    value = body.get(name)
    if value is not None and (type(value) not in {int, float} or not low <= value <= high):
        raise ValueError(f"{name} must be a number from {low} to {high}")
    return value


def _flag(body: JsonObject, name: str) -> bool:
    value = body.get(name)
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false")  # noqa: TRY004
    return value
