"""API report: what a tenant's API is like, call by call, without a value of anybody's data.

It is for a person with a real account to send. It is kept in memory only: each set-up of the entry begins a
new one.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from .endpoints import ENDPOINTS, Endpoint, Endpoints
from .http import Answer
from .models import WebhookMessage
from .offered import OfferedCalls
from .reading import Json
from .shapes import ANY_NAME, Shape, event_type_name

# After its first answers, the content of a call is looked at once in a while only: it costs time.
FIRST_LOOKS: Final = 5
LOOK_INTERVAL: Final = timedelta(minutes=10)
MAX_EVENT_TYPES: Final = 60
NO_ANSWER: Final = "no answer"


@dataclass(slots=True)
class _Answers:
    """The answers of one call with one status: how many, when, and what kind of body they had."""

    first: datetime
    last: datetime
    bodies: Counter[str] = field(default_factory=Counter)

    def as_json(self) -> dict[str, Json]:
        return {
            "count": self.bodies.total(),
            "first": self.first.isoformat(),
            "last": self.last.isoformat(),
            "bodies": dict(self.bodies),
        }


@dataclass(slots=True)
class _Look:
    """The shape of what a call or an event type brought, and when it was looked at."""

    shape: Shape = field(default_factory=Shape)
    count: int = 0
    looks: int = 0
    last: datetime | None = None

    def note(self, data: object, now: datetime) -> None:
        self.count += 1
        if self.looks < FIRST_LOOKS or self.last is None or now - self.last >= LOOK_INTERVAL:
            self.looks += 1
            self.last = now
            self.shape.note(data)


class ApiReport:
    """The report of one client. Times are Jedlix's."""

    def __init__(self, now: Callable[[], datetime], endpoints: Endpoints = ENDPOINTS) -> None:
        """Start with nothing seen; `now` is Jedlix's time."""
        self._now = now
        self._endpoints = endpoints
        self._since = now()
        self._answers: dict[str, dict[str, _Answers]] = {}
        self._contents: dict[str, _Look] = {}
        self._deliveries: dict[str, _Look] = {}

    def note_answer(self, name: str, answer: Answer) -> None:
        """Note the status of an answer, and the kind of its body."""
        self._note(name, str(answer.status), answer.kind)

    def note_no_answer(self, name: str) -> None:
        """Note that a call got no answer."""
        self._note(name, NO_ANSWER, NO_ANSWER)

    def note_content(self, name: str, data: object) -> None:
        """Fold in the shape of what a good answer holds."""
        self._contents.setdefault(name, _Look()).note(data, self._now())

    def note_delivery(self, message: WebhookMessage) -> None:
        """Fold in the shape of a delivery."""
        name = event_type_name(message.event_type)
        if name not in self._deliveries and len(self._deliveries) >= MAX_EVENT_TYPES:
            name = ANY_NAME
        if (look := self._deliveries.get(name)) is None:
            look = self._deliveries[name] = _Look()
        look.note(message.payload, self._now())

    def as_json(self, offered: OfferedCalls) -> dict[str, Json]:
        """Return the report: every call of the endpoint table, and every event type that was delivered.

        `offered` has the names of the calls by what is known of each; `calls` says the rest.
        """
        calls = {
            name: self._call(name, endpoint, offered) for name, endpoint in self._endpoints.items()
        }
        by_verdict: dict[str, Json] = {
            str(verdict): [name for name, call in calls.items() if call["offered"] == verdict]
            for verdict in dict.fromkeys(call["offered"] for call in calls.values())
        }
        return {
            "since": self._since.isoformat(),
            "offered": by_verdict,
            "calls": dict[str, Json](calls),
            "deliveries": {
                name: {"count": look.count, **_shape_of(self._deliveries, name)}
                for name, look in sorted(self._deliveries.items())
            },
        }

    def _call(self, name: str, endpoint: Endpoint, offered: OfferedCalls) -> dict[str, Json]:
        """Return what is known of one call. A documented one is offered once it has answered with content."""
        answers = self._answers.get(name, {})
        known = offered.describe(name)
        good = [item for status, item in answers.items() if status.startswith("2")]
        if known["offered"] == "documented" and good and name in self._contents:
            known |= {
                "offered": "yes",
                "since": min(item.first for item in good).isoformat(),
                "last_answer": max(item.last for item in good).isoformat(),
            }
        return {
            "method": endpoint.method,
            "path": endpoint.path,
            "evidence": endpoint.evidence.value,
            **known,
            "answers": {status: item.as_json() for status, item in sorted(answers.items())},
            **_shape_of(self._contents, name),
        }

    def _note(self, name: str, status: str, body: str) -> None:
        now = self._now()
        answers = self._answers.setdefault(name, {}).setdefault(status, _Answers(now, now))
        answers.last = now
        answers.bodies[body] += 1


def _shape_of(looks: Mapping[str, _Look], name: str) -> dict[str, Json]:
    if (look := looks.get(name)) is None:
        return {}
    return {"shape_of": look.looks, "shape": dict(look.shape.as_json())}
