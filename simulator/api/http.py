"""HTTP of an API call: its parameters, pages, errors and the row of its endpoint."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from http.client import responses
from typing import Any

from aiohttp import web
import orjson

from simulator import dates
from simulator.cloud import Cloud
from simulator.faults.lies import Lies
from simulator.model import ChargingLocation, JsonObject, User, Vehicle

LARGEST_PAGE = 100
"""Documented: the largest `pageSize` of v2."""


class Evidence(StrEnum):
    """How we know that an endpoint exists in this form."""

    DOCUMENTED = "documented"
    SDK = "sdk"
    REPORTED = "reported"
    ASSUMED = "assumed"


class Problem(Exception):
    """An error answer in the shape of RFC 7807 (SDK)."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        """Make an answer with this status, which says why in words."""
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, headers

    def response(self, path: str) -> web.Response:
        """Return the answer. The content type is assumed; the SDK reads application/json."""
        body = {
            "type": f"https://httpstatuses.io/{self.status}",
            "title": responses.get(self.status, ""),
            "status": self.status,
            "detail": self.detail,
            "instance": path,
        }
        return web.Response(
            body=orjson.dumps(body),
            status=self.status,
            content_type="application/problem+json",
            headers=self.headers,
        )


def user_in(request: web.Request) -> str | None:
    """Return the user's id in the path of a call, if the call names one."""
    user_id = request.match_info.get("user")
    return user_id and user_id.lower()


def json_response(value: Any, status: int = 200) -> web.Response:
    """Return a JSON answer."""
    return web.Response(body=orjson.dumps(value), status=status, content_type="application/json")


@dataclass(slots=True, kw_only=True)
class Call:
    """One API call that has passed the gate."""

    cloud: Cloud
    request: web.Request
    version: str
    now: datetime
    body: JsonObject
    lies: Lies

    @property
    def style(self) -> dates.Style:
        """How this answer writes times."""
        if self.cloud.noise:
            return self.cloud.noise.style()
        return dates.v1 if self.version == "v1" else dates.v2

    # --- what is asked for --------------------------------------------------------------------------

    def user(self) -> User:
        """Return the user of the path; 404 when there is none."""
        user_id = self.request.match_info["user"].lower()
        user = self.cloud.world.users.get(user_id)
        if user is None or self.lies.hides_user(user_id):
            raise Problem(404, f"There is no user {user_id}.")
        return self.lies.user(user) if self.request.method == "GET" else user

    @property
    def user_id(self) -> str | None:
        """The id in the path, whether or not there is such a user."""
        return user_in(self.request)

    def vehicle(self) -> Vehicle:
        """Return the vehicle of the path; 404 when this user has no such vehicle."""
        vehicle_id = self.request.match_info["vehicle"].lower()
        for vehicle in self.user().vehicles:
            if vehicle.id == vehicle_id and not self.lies.hides_vehicle(vehicle):
                return vehicle
        raise Problem(404, f"This user has no vehicle {vehicle_id}.")

    def location(self) -> ChargingLocation:
        """Return the charging location of the path."""
        location_id = self.request.match_info["location"].lower()
        for location in self.user().locations:
            if location.id == location_id:
                return location
        raise Problem(404, f"This user has no charging location {location_id}.")

    def moment(self, name: str) -> datetime | None:
        """Return a time of the query; 400 when it is none."""
        if not (text := self.request.query.get(name)):
            return None
        try:
            # A plus that was not encoded arrives as a blank.
            return dates.read(text.replace(" ", "+"))
        except ValueError as err:
            raise Problem(400, f"{name}: {err}.") from None

    def text(self, name: str, default: str | None = None) -> str:
        """Return a text of the body; 400 when it is missing or something else."""
        value = self.body.get(name, default)
        if not isinstance(value, str) or not value:
            raise Problem(400, f"{name} must be a text that is not empty.")
        return value

    def flag(self, name: str, *, default: bool | None = None) -> bool:
        """Return a boolean of the body; 400 when it is missing or something else."""
        value = self.body.get(name, default)
        if not isinstance(value, bool):
            raise Problem(400, f"{name} must be true or false.")
        return value

    # --- answers ------------------------------------------------------------------------------------

    def one(self, item: Any, status: int = 200) -> web.Response:
        """Answer with one object."""
        return json_response(self.cloud.noise.answer(item) if self.cloud.noise else item, status)

    def many[T](
        self, items: Sequence[T], render: Callable[[T], Any], *, always_page: bool = False
    ) -> web.Response:
        """Answer with a list: an array in v1 (SDK), a page in v2 (documented)."""
        index, size = self._number("pageIndex", 1), self._number("pageSize", LARGEST_PAGE)
        if size > LARGEST_PAGE:
            raise Problem(400, f"pageSize is at most {LARGEST_PAGE}.")
        items, size = self.lies.page(self.user_id, items, size)
        is_page, noise = always_page or self.version == "v2", self.cloud.noise
        if noise:
            is_page = noise.as_page(is_page=is_page, fits=len(items) <= size and index == 1)
        if not is_page:
            return self.one([render(item) for item in items])
        part = [render(item) for item in items[(index - 1) * size : index * size]]
        page: JsonObject = {
            "pageIndex": index,
            "pageSize": size,
            "totalPages": -(-len(items) // size),
            "totalCount": len(items),
            "items": part,
        }
        return self.one(page)

    def _number(self, name: str, default: int) -> int:
        text = self.request.query.get(name, str(default))
        if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) < 1:
            raise Problem(400, f"{name} must be a whole number from 1.")
        return int(text)


type Handler = Callable[[Call], Awaitable[web.Response]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A row of the table: a path below /api/v1 and /api/v2, and how we know of it."""

    name: str
    method: str
    path: str
    evidence: Evidence
    note: str
    handler: Handler

    @property
    def is_assumed(self) -> bool:
        """Whether strict mode leaves it out."""
        return self.evidence is Evidence.ASSUMED
