"""Aimed faults: those of the table that are in force, read out of JSON, matched to calls, ended in time."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from simulator.model import Session, Vehicle

from .kinds import KINDS, TOKEN_ADDRESSES, Effect, Kind
from .parameters import ALL, Names

type Undo = Callable[[datetime], None]


@dataclass(slots=True, frozen=True)
class StaleView:
    """A user's cars and sessions as they were before a change, and until when reads show them."""

    until: datetime
    vehicles: Mapping[str, Vehicle]
    sessions: Mapping[str, Session]


@dataclass(slots=True, eq=False, kw_only=True)
class Fault:
    """A fault in force. `endpoints` and `users` are None for all.

    `since` is by Jedlix's clock; `until` is by the real one, so that a wrong clock ends no fault.
    """

    number: int
    kind: Kind
    values: Mapping[str, Any]
    endpoints: frozenset[str] | None
    users: frozenset[str] | None
    times: int | None
    since: datetime
    until: datetime | None
    used: int = 0
    undo: Undo | None = None
    sessions: frozenset[str] = frozenset()
    """The sessions that it concerns beside those that end from now on."""
    stale_views: dict[str, StaleView] = field(default_factory=dict)
    """By user, for stale reads."""

    def __getitem__(self, name: str) -> Any:
        """Return the value of a parameter."""
        return self.values[name]

    def seconds(self, name: str) -> timedelta:
        """Return the value of a parameter that is given in seconds."""
        return timedelta(seconds=self.values[name])

    def concerns(self, endpoint: str) -> bool:
        """Whether it concerns calls of this endpoint, or the token address by its own name."""
        if self.endpoints is not None:
            return endpoint in self.endpoints
        if self.kind.endpoints:
            return endpoint in self.kind.endpoints
        return endpoint not in TOKEN_ADDRESSES

    def concerns_user(self, user_id: str | None) -> bool:
        """Whether it concerns this user; None is a call that names no user."""
        return self.users is None or user_id in self.users

    def is_usable(self, clock: datetime) -> bool:
        """Whether it may still be used."""
        return (self.times is None or self.used < self.times) and (
            self.until is None or clock < self.until
        )

    def is_over(self, clock: datetime, now: datetime) -> bool:
        """Whether it has ended: what it keeps for stale reads is no longer needed either."""
        return not self.is_usable(clock) and all(
            stale.until <= now for stale in self.stale_views.values()
        )

    def as_json(self, clock: datetime) -> dict[str, Any]:
        """Return it as it was set, with how often it was used and how long it still lasts."""
        left = None if self.until is None else (self.until - clock).total_seconds()
        return {
            "number": self.number,
            "kind": self.kind.name,
            "endpoints": sorted(self.endpoints) if self.endpoints else ALL,
            "users": sorted(self.users) if self.users else ALL,
            "times": self.times,
            "used": self.used,
            "seconds_left": left if left is None else round(max(0.0, left), 2),
            "values": dict(self.values),
        }


@dataclass(slots=True, frozen=True, kw_only=True)
class Wish:
    """A fault as somebody asked for it: checked, and not in force yet."""

    kind: Kind
    values: Mapping[str, Any]
    """The kind's own parameters."""
    common: Mapping[str, Any]
    """The common parameters: endpoints, users, times, for_seconds."""


def read(body: object, names: Names) -> Wish:
    """Read a fault out of JSON. Raises ValueError, which begins with the name of the wrong field."""
    if not isinstance(body, dict):
        raise ValueError(f"faults: each must be a JSON object, not {body!r}")  # noqa: TRY004
    kind = KINDS.get(body["kind"]) if isinstance(body.get("kind"), str) else None
    if kind is None:
        raise ValueError(f"kind: must be one of {', '.join(KINDS)}, not {body.get('kind')!r}")
    known = {item.name: item for item in kind.fields}
    for name in body:
        if name != "kind" and name not in known:
            raise ValueError(f"{name}: {kind.name} has no such field. It has {', '.join(known)}")
    read_values = {}
    for name, item in known.items():
        if (given := body.get(name)) is not None:
            read_values[name] = item.read(given, names)
        elif item.required:
            raise ValueError(f"{name}: is missing. It must be {item.wanted}")
        else:
            read_values[name] = None if item.default == ALL else item.default
    endpoints = read_values.get("endpoints")
    if endpoints and kind.endpoints and (foreign := sorted(endpoints - set(kind.endpoints))):
        raise ValueError(
            f"endpoints: {kind.name} does not concern {foreign[0]!r}, only {', '.join(kind.endpoints)}"
        )
    _check_reach(kind, read_values, names)
    if read_values.get("to_user") and read_values["to_user"] == read_values.get("user"):
        raise ValueError("to_user: must be another user")
    own = {item.name for item in kind.parameters}
    return Wish(
        kind=kind,
        values={name: value for name, value in read_values.items() if name in own},
        common={name: value for name, value in read_values.items() if name not in own},
    )


def _check_reach(kind: Kind, values: Mapping[str, Any], names: Names) -> None:
    """Refuse a wrong answer for named users at calls none of which names a user."""
    called = sorted(values.get("endpoints") or kind.endpoints)
    is_for_users = kind.effect is Effect.ANSWER and values["users"] and called
    if is_for_users and names.of_users.isdisjoint(called):
        raise ValueError(
            f"users: no call of {', '.join(called)} names a user. Leave users out, or name other endpoints"
        )


class AimedFaults:
    """The aimed faults in force, in the order in which they were set."""

    def __init__(self) -> None:
        """Begin with none."""
        self._faults: dict[int, Fault] = {}
        self._last_number = 0

    def __iter__(self) -> Iterator[Fault]:
        """Yield the faults."""
        return iter(self._faults.values())

    def add(self, wish: Wish, clock: datetime, now: datetime) -> Fault:
        """Put a fault in force. `clock` is the real time, `now` Jedlix's."""
        self._last_number += 1
        seconds = wish.common.get("for_seconds")
        fault = Fault(
            number=self._last_number,
            kind=wish.kind,
            values=wish.values,
            endpoints=wish.common.get("endpoints"),
            users=wish.common.get("users"),
            times=wish.common.get("times"),
            since=now,
            until=None if seconds is None else clock + timedelta(seconds=seconds),
        )
        if not wish.kind.at_once:
            self._faults[fault.number] = fault
        return fault

    def get(self, number: object) -> Fault:
        """Return a fault. Raises ValueError when there is none of this number."""
        if type(number) is not int or number not in self._faults:
            in_force = ", ".join(map(str, self._faults)) or "none"
            raise ValueError(
                f"remove: there is no fault in force with the number {number!r}. In force: {in_force}"
            )
        return self._faults[number]

    def remove(self, fault: Fault) -> None:
        """Put a fault out of force. Its `undo` is the caller's to call."""
        self._faults.pop(fault.number, None)

    def take_ended(self, clock: datetime, now: datetime) -> list[Fault]:
        """Remove and return the faults that have ended."""
        ended = [fault for fault in self if fault.is_over(clock, now)]
        for fault in ended:
            self.remove(fault)
        return ended

    def take_answer(self, endpoint: str, user_id: str | None, clock: datetime) -> Fault | None:
        """Return the fault that answers this call, if any, and count its use."""
        for fault in self:
            if (
                fault.kind.effect is Effect.ANSWER
                and fault.is_usable(clock)
                and fault.concerns(endpoint)
                and fault.concerns_user(user_id)
            ):
                fault.used += 1
                return fault
        return None

    def lies(self, endpoint: str, clock: datetime) -> list[Fault]:
        """Return the faults that change what this call reports, those with stale views included."""
        return [
            fault
            for fault in self
            if fault.concerns(endpoint)
            and (
                (fault.kind.effect is Effect.LIE and (fault.is_usable(clock) or fault.stale_views))
                or fault.kind.name == "user_moves"
            )
        ]

    def of_kind(self, kind: str) -> list[Fault]:
        """Return the faults of one kind."""
        return [fault for fault in self if fault.kind.name == kind]

    def clock_ahead(self, clock: datetime) -> timedelta:
        """Return how far faults set Jedlix's clock ahead."""
        return sum(
            (
                fault.seconds("ahead_seconds")
                for fault in self
                if fault.kind.name == "clock" and fault.is_usable(clock)
            ),
            timedelta(),
        )
