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
    """A session in an answer; times in hours after the beginning, None for a figure that is left out."""

    id: str
    start: float
    end: float | None = None
    energy: float | None = None
    cost: float | None = None
    savings: float | None = None
    currency: str | None = "EUR"

    def shape(self, car: str, began: datetime) -> Shape:
        """Return it as the cloud writes it; what is None is left out."""
        shape = {
            "id": f"{car} {self.id}",
            "vehicleId": car,
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
    """What the cloud has at one time: the sessions that it lists, the financials, the charge state."""

    listed: Sequence[Listed]
    financials: Sequence[Listed] = ()
    state: str = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The answers about one car, and what its sessions had in the end: energy, cost, savings.

    `session_total` is what a helper on the sensor of the session counts, None where that cannot be right: a
    session that is corrected after the next one began, say.
    """

    name: str
    answers: Sequence[Answer]
    truth: tuple[float | None, float | None, float | None]
    ends: int
    counts_by_session: bool = True
    only_grows: bool = True

    @property
    def is_settled(self) -> bool:
        """Return whether all sessions began and ended while they were followed."""
        listed = self.answers[-1].listed
        return len(listed) == self.ends and all(item.start >= 0 for item in listed)


def s(
    name: str, start: float, end: float | None = None, *figures: float | None, **more: Any
) -> Listed:
    """Return a listed session."""
    energy, cost, savings = (*figures, None, None, None)[:3]
    return Listed(name, start, end, energy, cost, savings, **more)


def a(*listed: Listed, **more: Any) -> Answer:
    """Return an answer."""
    return Answer(listed, **more)


_NIGHT: Final = s("a", 0.5, 3.2, 8.0, 2.0, 1.0)

HISTORIES: Final = (
    History(
        name="one session with figures all along",
        answers=[
            a(s("a", 0.5, None, 1.0, 0.2, 0.1)),
            a(s("a", 0.5, None, 5.0, 1.2, 0.6)),
            a(_NIGHT),
        ],
        truth=(8.0, 2.0, 1.0),
        ends=1,
    ),
    History(
        name="energy at the end only",
        answers=[a(s("a", 0.5)), a(s("a", 0.5)), a(_NIGHT)],
        truth=(8.0, 2.0, 1.0),
        ends=1,
    ),
    History(
        name="energy two refreshes after the end",
        answers=[
            a(s("a", 0.5)),
            a(s("a", 0.5, 1.2)),
            a(s("a", 0.5, 1.2)),
            a(s("a", 0.5, 1.2, 8.0, 2.0, 1.0)),
        ],
        truth=(8.0, 2.0, 1.0),
        ends=1,
    ),
    History(
        name="a hand-over in one refresh",
        answers=[
            a(s("a", 0.5, None, 3.0, 0.6, 0.3)),
            a(s("a", 0.5, 1.7, 5.0, 1.0, 0.5), s("b", 1.7, None, 1.0, 0.2, 0.1)),
            a(s("a", 0.5, 1.7, 5.0, 1.0, 0.5), s("b", 1.7, 2.9, 4.0, 0.8, 0.4)),
        ],
        truth=(9.0, 1.8, 0.9),
        ends=2,
    ),
    History(
        name="two whole sessions in one refresh",
        answers=[
            a(),
            a(),
            a(s("a", 0.5, 1.0, 2.0, 0.5, 0.2), s("b", 1.1, 1.9, 3.0, 0.7, 0.3)),
            a(
                s("a", 0.5, 1.0, 2.0, 0.5, 0.2),
                s("b", 1.1, 1.9, 3.0, 0.7, 0.3),
                s("c", 2.1, 2.9, 4.0, 0.9, 0.4),
            ),
        ],
        truth=(9.0, 2.1, 0.9),
        ends=3,
        counts_by_session=False,  # the sensor begins with the second session
    ),
    History(
        name="three sessions in one refresh after a running one",
        answers=[
            a(s("a", 0.5, None, 1.0, 0.1, 0.1)),
            a(
                s("a", 0.5, 0.9, 2.0, 0.2, 0.2),
                s("b", 1.0, 1.2, 3.0, 0.3, 0.3),
                s("c", 1.3, 1.5, 4.0, 0.4, 0.4),
                s("d", 1.6, None, 0.5, 0.1, 0.1),
            ),
        ],
        truth=(9.5, 1.0, 1.0),
        ends=3,
    ),
    History(
        name="a correction upwards",
        answers=[
            a(s("a", 0.5, None, 3.0, 0.6, 0.3)),
            a(s("a", 0.5, 1.2, 5.0, 1.0, 0.5)),
            a(s("a", 0.5, 1.2, 5.6, 1.1, 0.6)),
        ],
        truth=(5.6, 1.1, 0.6),
        ends=1,
    ),
    History(
        name="a correction downwards",
        answers=[
            a(s("a", 0.5, None, 3.0, 0.6, 0.3)),
            a(s("a", 0.5, 1.2, 5.0, 1.0, 0.5)),
            a(s("a", 0.5, 1.2, 4.4, 0.9, 0.4)),
        ],
        truth=(4.4, 0.9, 0.4),
        ends=1,
        only_grows=False,
    ),
    History(
        name="a correction down and up again",
        answers=[
            a(s("a", 0.5, 0.9, 5.0, 1.0, 0.5)),
            a(s("a", 0.5, 0.9, 0.0, 0.0, 0.0)),
            a(s("a", 0.5, 0.9, 5.0, 1.0, 0.5)),
        ],
        truth=(5.0, 1.0, 0.5),
        ends=1,
        only_grows=False,
    ),
    History(
        name="the old session is corrected after the new one began",
        answers=[
            a(s("a", 0.5, None, 3.0, 0.6, 0.3)),
            a(s("a", 0.5, 1.2, 5.0, 1.0, 0.5), s("b", 1.2, None, 1.0, 0.2, 0.1)),
            a(s("a", 0.5, 1.2, 6.0, 1.2, 0.6), s("b", 1.2, None, 2.0, 0.4, 0.2)),
        ],
        truth=(8.0, 1.6, 0.8),
        ends=1,
        counts_by_session=False,
    ),
    History(
        name="partial answers in between",
        answers=[
            a(s("a", 0.5, None, 3.0, 0.6, 0.3)),
            a(s("a", 0.5, None)),
            a(s("a", 0.5, 2.2, None, 1.0)),
            a(s("a", 0.5, 2.2, 5.0)),
            a(s("a", 0.5, 2.2)),
        ],
        truth=(5.0, 1.0, 0.3),
        ends=1,
    ),
    History(
        name="no cost and no savings",
        answers=[a(s("a", 0.5, None, 3.0)), a(s("a", 0.5, 1.2, 5.0))],
        truth=(5.0, None, None),
        ends=1,
    ),
    History(
        name="financials only",
        answers=[
            a(s("a", 0.5)),
            a(s("a", 0.5, 1.2)),
            a(s("a", 0.5, 1.2), financials=[_NIGHT]),
            a(s("a", 0.5, 1.2), financials=[_NIGHT]),
            a(s("a", 0.5, 1.2), financials=[_NIGHT]),
        ],
        truth=(8.0, 2.0, 1.0),
        ends=1,
    ),
    History(
        name="energy in the list, money in the financials",
        answers=[
            a(s("a", 0.5, None, 2.0)),
            a(s("a", 0.5, 1.2, 5.0), financials=[s("a", 0.5, 1.2, 5.1, 1.0, 0.5)]),
            a(s("a", 0.5, 1.2, 5.0), financials=[s("a", 0.5, 1.2, 5.1, 1.0, 0.5)]),
        ],
        truth=(5.0, 1.0, 0.5),
        ends=1,
    ),
    History(
        name="financials late, for one of two sessions",
        answers=[
            a(s("a", 0.5, 0.9)),
            a(s("a", 0.5, 0.9), s("b", 1.1, 1.9, 2.0, 0.5, 0.1)),
            a(s("a", 0.5, 0.9), s("b", 1.1, 1.9, 2.0, 0.5, 0.1)),
            a(s("a", 0.5, 0.9), s("b", 1.1, 1.9, 2.0, 0.5, 0.1)),
            *[
                a(
                    s("a", 0.5, 0.9),
                    s("b", 1.1, 1.9, 2.0, 0.5, 0.1),
                    financials=[s("a", 0.5, 0.9, 3.0, 0.6, 0.2)],
                )
            ]
            * 3,
        ],
        truth=(5.0, 1.1, 0.3),
        ends=2,
        counts_by_session=False,
    ),
    *(
        History(
            name=f"currency {' and '.join(map(repr, spellings))}",
            answers=[
                a(s("a", 0.5, None, 3.0, 0.6, 0.3, currency=spellings[0])),
                a(s("a", 0.5, 1.2, 5.0, 1.0, 0.5, currency=spellings[-1])),
                a(
                    s("a", 0.5, 1.2, 5.0, 1.0, 0.5, currency=spellings[len(spellings) // 2]),
                    s("b", 1.5, 1.9, 5.0, 1.0, 0.5, currency=spellings[0]),
                ),
            ],
            truth=(10.0, 2.0, 1.0),
            ends=2,
        )
        for spellings in (
            ["eur"],
            [" EUR "],
            ["EUR", "eur"],
            ["eur", " Eur "],
            [None],
            ["EUR", None],
            [None, "EUR"],
            ["EUR", "eur", " Eur "],
        )
    ),
    History(
        name="a deleted session",
        answers=[
            a(s("a", 0.5, 0.9, 5.0, 1.0, 0.5), s("b", 0.92, 0.98, 1.0, 0.2, 0.1)),
            *[a(s("a", 0.5, 0.9, 5.0, 1.0, 0.5))] * 4,
        ],
        truth=(5.0, 1.0, 0.5),
        ends=2,
        counts_by_session=False,
        only_grows=False,
    ),
    History(
        name="a session that one answer leaves out",
        answers=[
            a(s("a", 0.5, 0.9, 5.0, 1.0, 0.5)),
            a(),
            a(s("a", 0.5, 0.9, 5.0, 1.0, 0.5)),
        ],
        truth=(5.0, 1.0, 0.5),
        ends=1,
    ),
    History(
        name="an end that is taken back, and comes again later",
        answers=[
            a(s("a", 0.5, None, 1.0, 0.2, 0.1)),
            a(s("a", 0.5, 1.1, 2.0, 0.4, 0.2)),
            a(s("a", 0.5, None, 3.0, 0.6, 0.3)),
            a(s("a", 0.5, 3.5, 4.0, 0.8, 0.4)),
        ],
        truth=(4.0, 0.8, 0.4),
        ends=1,
    ),
    History(
        name="a session that never ends",
        answers=[a(s("a", 0.5, None, float(hour), 0.1, 0.1)) for hour in range(1, 6)],
        truth=(5.0, 0.1, 0.1),
        ends=0,
    ),
    History(
        name="a stale answer between two newer ones",
        answers=[
            a(s("a", 0.5, None, 4.0, 0.8, 0.4)),
            a(s("a", 0.5, None, 2.0, 0.4, 0.2)),
            a(s("a", 0.5, 2.5, 6.0, 1.2, 0.6)),
        ],
        truth=(6.0, 1.2, 0.6),
        ends=1,
        only_grows=False,
    ),
    History(
        name="sessions of before the set-up",
        answers=[
            a(s("old", -30, -20, 7.0, 1.4, 0.7)),
            a(s("old", -30, -20, 7.0, 1.4, 0.7), s("a", 0.5, 1.5, 5.0, 1.0, 0.5)),
        ],
        truth=(12.0, 2.4, 1.2),
        ends=1,
    ),
    History(
        name="a session of before the set-up is corrected",
        answers=[
            a(s("old", -30, -20, 7.0, 1.4, 0.7)),
            a(s("old", -30, -20, 7.5, 1.5, 0.8)),
        ],
        truth=(7.5, 1.5, 0.8),
        ends=0,
    ),
    History(
        name="a session of 20 days that ends",
        answers=[
            a(s("a", -480, None, 90.0, 18.0, 9.0)),
            a(s("a", -480, None, 95.0, 19.0, 9.5)),
            a(s("a", -480, 1.5, 100.0, 20.0, 10.0)),
        ],
        truth=(100.0, 20.0, 10.0),
        ends=1,
    ),
    History(
        name="savings below zero",
        answers=[a(s("a", 0.5, None, 1.0, 0.2, -0.1)), a(s("a", 0.5, 1.5, 5.0, 1.0, -0.4))],
        truth=(5.0, 1.0, -0.4),
        ends=1,
        only_grows=False,
    ),
    History(
        name="a session without any energy",
        answers=[a(s("a", 0.5, None, 0.0, 0.0, 0.0)), a(s("a", 0.5, 1.5, 0.0, 0.0, 0.0))],
        truth=(0.0, 0.0, 0.0),
        ends=1,
    ),
    History(
        name="energy known while the next session runs",
        answers=[
            a(s("a", 0.5, None, 1.0, 0.1, 0.1)),
            a(s("a", 0.5, 1.5, 2.0, 0.2, 0.2), s("b", 1.6)),
            a(s("a", 0.5, 1.5, 2.0, 0.2, 0.2), s("b", 1.6)),
            a(s("a", 0.5, 1.5, 2.0, 0.2, 0.2), s("b", 1.6, 3.1, 3.0, 0.3, 0.3)),
        ],
        truth=(5.0, 0.5, 0.5),
        ends=2,
    ),
    History(
        name="a zero-length session between two others",
        answers=[
            a(s("a", 0.5, None, 1.0, 0.1, 0.1)),
            a(
                s("a", 0.5, 1.5, 2.0, 0.2, 0.2),
                s("b", 1.5, 1.5, 0.0, 0.0, 0.0),
                s("c", 1.5, None, 0.5, 0.1, 0.1),
            ),
            a(
                s("a", 0.5, 1.5, 2.0, 0.2, 0.2),
                s("b", 1.5, 1.5, 0.0, 0.0, 0.0),
                s("c", 1.5, 2.5, 4.0, 0.4, 0.4),
            ),
        ],
        truth=(6.0, 0.6, 0.6),
        ends=3,
    ),
    History(
        name="two sessions that begin at one moment",
        answers=[
            a(s("a", 0.5, None, 1.0, 0.1, 0.1)),
            a(s("b", 0.5, None, 0.5, 0.1, 0.1), s("a", 0.5, 1.5, 2.0, 0.2, 0.2)),
            a(s("b", 0.5, 2.5, 4.0, 0.4, 0.4), s("a", 0.5, 1.5, 2.0, 0.2, 0.2)),
        ],
        truth=(6.0, 0.6, 0.6),
        ends=2,
        counts_by_session=False,  # in statistics a new session has another start
    ),
)
ROUNDS: Final = max(len(history.answers) for history in HISTORIES) + 1


@dataclass
class Cloud:
    """A cloud with one user and one car for each history; `turn` is the answer that it gives at present."""

    began: datetime
    now: Callable[[], datetime]
    histories: Sequence[History] = HISTORIES
    turn: int = 0
    url: str = ""
    runner: web.AppRunner = field(init=False)

    @property
    def users(self) -> Mapping[str, History]:
        """Return the histories by the ids of the users."""
        return {f"user-{number}": item for number, item in enumerate(self.histories)}

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
        user_id = request.match_info["user"]
        state = {"chargeState": self.answer(user_id).state, "updatedAt": wire_time(self.now())}
        return web.json_response([{"id": f"car-of-{user_id}", "chargeState": state}])

    async def _sessions(self, request: web.Request) -> web.Response:
        user_id = request.match_info["user"]
        return self._list(user_id, self.answer(user_id).listed)

    async def _financials(self, request: web.Request) -> web.Response:
        user_id = request.match_info["user"]
        return self._list(user_id, self.answer(user_id).financials)

    def _list(self, user_id: str, listed: Sequence[Listed]) -> web.Response:
        newest_first = sorted(listed, key=lambda item: item.start, reverse=True)
        return web.json_response(
            [item.shape(f"car-of-{user_id}", self.began) for item in newest_first]
        )

    async def _set_date(self, _request: web.Request, response: web.StreamResponse) -> None:
        """Have each answer bear the cloud's own time, also that to a call which it does not have."""
        response.headers["Date"] = f"{self.now():%a, %d %b %Y %H:%M:%S} GMT"
