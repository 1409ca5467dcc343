"""Histories: what a cloud answers about a car's sessions, refresh by refresh, and the truth in the end.

Each history is a list of answers. Between two of them an hour passes. All cars share one cloud, so that one
Home Assistant goes through all histories at once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from aiohttp import web

from custom_components.jedlix.api.reading import wire_time

HOUR: Final = timedelta(hours=1)
FIGURES: Final = ("energyKwh", "cost", "savings")

type Shape = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Listed:
    """A session in an answer; times in hours after the beginning, None for a figure that is left out.

    `has_vehicle` says whether the cloud names the car of it.
    """

    id: str
    start: float
    end: float | None = None
    energy: float | None = None
    cost: float | None = None
    savings: float | None = None
    currency: str | None = "EUR"
    has_vehicle: bool = True

    def shape(self, car: str, began: datetime) -> Shape:
        """Return it as the cloud writes it; what is None is left out."""
        shape = {
            "id": f"{car} {self.id}",
            "vehicleId": car if self.has_vehicle else None,
            "isManaged": True,
            "startTime": wire_time(began + self.start * HOUR),
            "endTime": None if self.end is None else wire_time(began + self.end * HOUR),
            "energyKwh": self.energy,
            "cost": self.cost,
            "savings": self.savings,
            "currency": self.currency,
        }
        return {name: value for name, value in shape.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Answer:
    """What the cloud has at one time: the sessions that it lists, the financials, the charge state.

    `has_car` says whether it lists the car.
    """

    listed: Sequence[Listed]
    financials: Sequence[Listed] = ()
    state: str = "stopped"
    has_car: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The answers about one car, and what its sessions had in the end: energy, cost, savings.

    `ends`: how many ends are published.
    `counts_by_session`: whether a helper on the sensor of the session can count right. It cannot where a
    session is corrected after the next one began, say.
    `only_grows`: whether the energy never falls. A helper ignores what falls, unless it counts net.
    `elsewhere`: cost and savings in another currency than that of most sessions.
    `car`: the id of the car, where it is not its user's alone.
    """

    name: str
    answers: Sequence[Answer]
    truth: tuple[float | None, float | None, float | None]
    ends: int
    counts_by_session: bool = True
    only_grows: bool = True
    elsewhere: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    car: str = ""

    @property
    def is_settled(self) -> bool:
        """Return whether all sessions began and ended while they were followed."""
        return all(
            item.start >= 0 and item.end is not None and item.end <= len(self.answers)
            for item in self.answers[-1].listed
        )


def s(
    name: str, start: float, end: float | None = None, *figures: float | None, **more: Any
) -> Listed:
    """Return a listed session."""
    energy, cost, savings = (*figures, None, None, None)[:3]
    return Listed(name, start, end, energy, cost, savings, **more)


def a(*listed: Listed, **more: Any) -> Answer:
    """Return an answer."""
    return Answer(listed, **more)


@dataclass
class Cloud:
    """A cloud with one user and one car for each history; `turn` is the answer that it gives at present.

    While it is down, no car can be read.
    """

    began: datetime
    now: Callable[[], datetime]
    histories: Sequence[History]
    turn: int = 0
    is_down: bool = False
    url: str = ""
    runner: web.AppRunner = field(init=False)

    @property
    def users(self) -> Mapping[str, History]:
        """Return the histories by the ids of the users."""
        return {f"user-{number}": item for number, item in enumerate(self.histories)}

    def car_of(self, user_id: str) -> str:
        """Return the id of a user's car."""
        return self.users[user_id].car or f"car-of-{user_id}"

    def answer(self, user_id: str) -> Answer:
        """Return the present answer about a user; the last one stays."""
        answers = self.users[user_id].answers
        return answers[min(self.turn, len(answers) - 1)]

    async def start(self) -> None:
        """Listen at `url`."""
        app = web.Application()
        app.on_response_prepare.append(self._set_date)
        app.router.add_post("/token", self._token)
        app.router.add_get("/api/v1/users/{user}/vehicles", self._vehicles)
        for version in ("v1", "v2"):
            app.router.add_get(f"/api/{version}/users/{{user}}/sessions", self._sessions)
            app.router.add_get(f"/api/{version}/users/{{user}}/financials", self._financials)
        self.runner = web.AppRunner(app, access_log=None)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self.runner.addresses[0][1]}"

    async def _token(self, _request: web.Request) -> web.Response:
        return web.json_response({"access_token": "t", "expires_in": 1_000_000})

    async def _vehicles(self, request: web.Request) -> web.Response:
        if self.is_down:
            raise web.HTTPServiceUnavailable
        user_id = request.match_info["user"]
        answer = self.answer(user_id)
        state = {"chargeState": answer.state, "updatedAt": wire_time(self.now())}
        car = {"id": self.car_of(user_id), "chargeState": state}
        return web.json_response([car] if answer.has_car else [])

    async def _sessions(self, request: web.Request) -> web.Response:
        user_id = request.match_info["user"]
        return self._list(user_id, self.answer(user_id).listed)

    async def _financials(self, request: web.Request) -> web.Response:
        user_id = request.match_info["user"]
        return self._list(user_id, self.answer(user_id).financials)

    def _list(self, user_id: str, listed: Sequence[Listed]) -> web.Response:
        newest_first = sorted(listed, key=lambda item: item.start, reverse=True)
        return web.json_response(
            [item.shape(self.car_of(user_id), self.began) for item in newest_first]
        )

    async def _set_date(self, _request: web.Request, response: web.StreamResponse) -> None:
        """Have each answer bear the cloud's own time, also that to a call which it does not have."""
        response.headers["Date"] = f"{self.now():%a, %d %b %Y %H:%M:%S} GMT"
