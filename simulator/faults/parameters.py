"""Parameters of faults: each has a name, a unit and a sentence, and reads its value out of JSON."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
import math
from typing import Any, override

ALL = "all"
DAY = 86400
YEAR = 366 * DAY


@dataclass(slots=True, frozen=True, kw_only=True)
class Names:
    """What a fault may name: endpoints, users, cars and sessions of the cloud as it is now.

    The functions return the id for an id or a number, or None where there is no such thing.
    """

    endpoints: frozenset[str]
    of_users: frozenset[str]
    """The endpoints whose calls name a user."""
    token_addresses: frozenset[str]
    event_types: frozenset[str]
    user: Callable[[object], str | None]
    vehicle: Callable[[object], str | None]
    session: Callable[[object], str | None]


@dataclass(slots=True, frozen=True, kw_only=True)
class Parameter:
    """A parameter. `required` ones have no default; None is the default of the others that can be absent."""

    name: str
    sentence: str
    unit: str = ""
    required: bool = False

    @property
    def default(self) -> Any:
        """Return the value where none is given."""
        return None

    @property
    def wanted(self) -> str:
        """Say what the value must be."""
        raise NotImplementedError

    def read(self, value: object, names: Names) -> Any:
        """Return the checked value. Raises ValueError, which begins with the parameter's name."""
        raise NotImplementedError

    def describe(self) -> dict[str, Any]:
        """Return it as JSON, for the page."""
        return {
            "name": self.name,
            "type": type(self).__name__.lower(),
            "unit": self.unit,
            "sentence": self.sentence,
            "required": self.required,
            "default": self.default,
        }

    def _found(self, found: str | None, kind: str, value: object) -> str:
        if found is None:
            raise ValueError(f"{self.name}: there is no {kind} {value!r}. It must be {self.wanted}")
        return found

    def _known(self, item: object, known: Collection[str], kind: str) -> None:
        if not isinstance(item, str) or item not in known:
            raise ValueError(
                f"{self.name}: there is no {kind} {item!r} here. Known: {', '.join(sorted(known))}"
            )

    def _wrong(self, value: object) -> ValueError:
        return ValueError(f"{self.name}: must be {self.wanted}, not {value!r}")


@dataclass(slots=True, frozen=True, kw_only=True)
class Number(Parameter):
    """A number in a range."""

    low: float
    high: float
    value: float | None = None
    whole: bool = False

    @property
    @override
    def default(self) -> Any:
        return self.value

    @property
    @override
    def wanted(self) -> str:
        kind = "a whole number" if self.whole else "a number"
        return f"{kind} from {self.low:.12g} to {self.high:.12g}"

    @override
    def read(self, value: object, names: Names) -> Any:
        allowed = (int,) if self.whole else (int, float)
        if type(value) not in allowed or not self._fits(value):
            raise self._wrong(value)
        return value

    def _fits(self, value: Any) -> bool:
        return math.isfinite(value) and self.low <= value <= self.high

    @override
    def describe(self) -> dict[str, Any]:
        return super(Number, self).describe() | {
            "low": self.low,
            "high": self.high,
            "whole": self.whole,
        }


@dataclass(slots=True, frozen=True, kw_only=True)
class Flag(Parameter):
    """True or false."""

    value: bool = False

    @property
    @override
    def default(self) -> Any:
        return self.value

    @property
    @override
    def wanted(self) -> str:
        return "true or false"

    @override
    def read(self, value: object, names: Names) -> Any:
        if not isinstance(value, bool):
            raise self._wrong(value)
        return value


@dataclass(slots=True, frozen=True, kw_only=True)
class Choice(Parameter):
    """One of a few texts or numbers; the first is the default."""

    options: tuple[Any, ...]

    @property
    @override
    def default(self) -> Any:
        return self.options[0]

    @property
    @override
    def wanted(self) -> str:
        return f"one of {', '.join(map(str, self.options))}"

    @override
    def read(self, value: object, names: Names) -> Any:
        if type(value) not in {int, str} or value not in self.options:
            raise self._wrong(value)
        return value

    @override
    def describe(self) -> dict[str, Any]:
        return super(Choice, self).describe() | {"options": self.options}


@dataclass(slots=True, frozen=True, kw_only=True)
class Text(Parameter):
    """A text."""

    value: str = ""

    @property
    @override
    def default(self) -> Any:
        return self.value

    @property
    @override
    def wanted(self) -> str:
        return "a text in one line"

    @override
    def read(self, value: object, names: Names) -> Any:
        if not isinstance(value, str) or not value.isprintable():
            raise self._wrong(value)
        return value


@dataclass(slots=True, frozen=True, kw_only=True)
class User(Parameter):
    """A user, by id or by number: the first one is 1."""

    @property
    @override
    def wanted(self) -> str:
        return "a user's id or number (1 is the first); GET /control/truth has the ids"

    @override
    def read(self, value: object, names: Names) -> Any:
        return self._found(names.user(value), "user", value)


@dataclass(slots=True, frozen=True, kw_only=True)
class Vehicle(Parameter):
    """A car, by id or by number: the first one is 1."""

    @property
    @override
    def wanted(self) -> str:
        return "a car's id or number (1 is the first); GET /control/truth has the ids"

    @override
    def read(self, value: object, names: Names) -> Any:
        return self._found(names.vehicle(value), "vehicle", value)


@dataclass(slots=True, frozen=True, kw_only=True)
class Session(Parameter):
    """A charge session, by id."""

    @property
    @override
    def wanted(self) -> str:
        return "a session's id; GET /control/ledger has them"

    @override
    def read(self, value: object, names: Names) -> Any:
        return self._found(names.session(value), "session", value)


@dataclass(slots=True, frozen=True, kw_only=True)
class Users(Parameter):
    """A list of users, or `all`."""

    @property
    @override
    def default(self) -> Any:
        return ALL

    @property
    @override
    def wanted(self) -> str:
        return (
            f"{ALL!r} or a list of user ids or numbers, as in [1]; GET /control/truth has the ids"
        )

    @override
    def read(self, value: object, names: Names) -> Any:
        if value == ALL:
            return None
        if not isinstance(value, list) or not value:
            raise self._wrong(value)
        return frozenset(self._found(names.user(item), "user", item) for item in value)


@dataclass(slots=True, frozen=True, kw_only=True)
class Endpoints(Parameter):
    """A list of names of endpoints, or `all`."""

    @property
    @override
    def default(self) -> Any:
        return ALL

    @property
    @override
    def wanted(self) -> str:
        return f'{ALL!r} or a list of names of endpoints, as in ["vehicles"]'

    @override
    def read(self, value: object, names: Names) -> Any:
        if value == ALL:
            return None
        if not isinstance(value, list) or not value:
            raise self._wrong(value)
        for item in value:
            self._known(item, names.endpoints | names.token_addresses, "endpoint")
        return frozenset(value)


@dataclass(slots=True, frozen=True, kw_only=True)
class NameList(Parameter):
    """A list of names of endpoints or event types, which may be empty. `kind` says of which."""

    kind: str

    @property
    @override
    def default(self) -> Any:
        return []

    @property
    @override
    def wanted(self) -> str:
        return f"a list of names of {self.kind}s, [] for none"

    @override
    def read(self, value: object, names: Names) -> Any:
        if not isinstance(value, list):
            raise self._wrong(value)
        known = names.endpoints if self.kind == "endpoint" else names.event_types
        for item in value:
            self._known(item, known, self.kind)
        return value
