"""Offered calls: which calls of the endpoint table this tenant offers.

Documented calls are always offered. An assumed call, or one that the SDKs have, is not offered after several
refusals at different times, without an answer for long. It is tried again daily. One refusal decides nothing.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
import logging
from typing import Final, Self

from .agreement import Agreement
from .endpoints import ENDPOINTS, Endpoints, Evidence
from .errors import JedlixError
from .reading import Fields, Json, integer, moment

_LOGGER = logging.getLogger(__name__)

NOT_OFFERED_AFTER: Final = Agreement(3, timedelta(minutes=10))
ANSWER_COUNTS_FOR: Final = timedelta(days=30)
RETRY_INTERVAL: Final = timedelta(days=1)
# An assumed path that lies under another assumed path cannot be right where that one is wrong.
_LIES_UNDER: Final = {"session_settings": "user_sessions"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Experience:
    """What a tenant did with one call: its last answer, and its refusals since."""

    answered_since: datetime | None = None
    answered_at: datetime | None = None
    refusals: int = 0
    refused_since: datetime | None = None
    refused_at: datetime | None = None

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Read one from the store; raises BadAnswer when it is not one."""
        fields = Fields(data)
        return cls(
            answered_since=moment(fields.get("answeredsince")),
            answered_at=moment(fields.get("answeredat")),
            refusals=integer(fields.get("refusals")) or 0,
            refused_since=moment(fields.get("refusedsince")),
            refused_at=moment(fields.get("refusedat")),
        )

    def as_json(self) -> dict[str, Json]:
        """Return one for the store."""
        return {
            "answered_since": _text(self.answered_since),
            "answered_at": _text(self.answered_at),
            "refusals": self.refusals,
            "refused_since": _text(self.refused_since),
            "refused_at": _text(self.refused_at),
        }

    def after_answer(self, now: datetime) -> Self:
        """Return the experience after one more answer: the refusals are forgotten."""
        since = None if self.is_refused_for_good else self.answered_since or self.answered_at
        return type(self)(answered_since=since or now, answered_at=now)

    def without_refusals(self) -> Self:
        """Return the experience after an answer that proves nothing."""
        return type(self)(answered_since=self.answered_since, answered_at=self.answered_at)

    def after_refusal(self, now: datetime) -> Self:
        """Return the experience after one more refusal."""
        return replace(
            self,
            refusals=self.refusals + 1,
            refused_since=self.refused_since or now,
            refused_at=now,
        )

    def is_old(self, now: datetime, age: timedelta) -> bool:
        """Return whether the last refusal is so old; one that lies in the future is not believed."""
        return self.refused_at is None or not timedelta(0) <= now - self.refused_at < age

    @property
    def is_refused_for_good(self) -> bool:
        """Return whether enough refusals over enough time agree, long after the last answer."""
        answered_at, refused_at = self.answered_at, self.refused_at
        return NOT_OFFERED_AFTER.is_reached(self.refusals, self.refused_since, refused_at) and (
            answered_at is None
            or refused_at is None
            or refused_at - answered_at > ANSWER_COUNTS_FOR
        )


class OfferedCalls:
    """The calls of one tenant, by their names in the endpoint table."""

    def __init__(
        self,
        experiences: dict[str, Experience],
        now: Callable[[], datetime],
        endpoints: Endpoints = ENDPOINTS,
        decided: Callable[[], object] = lambda: None,
        *,
        of_one_user: bool = False,
    ) -> None:
        """Start with what was learned before, and keep that up to date; `now` is Jedlix's time.

        `decided` is called when `not_offered` has changed. `of_one_user` says that the token is a user's: the
        calls of the whole tenant are then never offered (documented: they want a management token).
        """
        self._experiences = experiences
        self._now = now
        self._endpoints = endpoints
        self._decided = decided
        self._of_one_user = of_one_user

    @property
    def not_offered(self) -> frozenset[str]:
        """Return the calls that count as not offered."""
        return frozenset(
            name
            for name, experience in self._experiences.items()
            if experience.is_refused_for_good and not self._is_documented(name)
        )

    def is_offered(self, name: str) -> bool:
        """Return whether to make a call: it is offered as far as is known, or to be tried again.

        A call whose path lies under that of another is offered once that one has answered.
        """
        under = _LIES_UNDER.get(name)
        return (
            self._is_in_reach(name)
            and self._is_tried(name)
            and (under is None or self.has_answered(under))
        )

    def has_answered(self, name: str) -> bool:
        """Return whether the tenant has ever answered a call."""
        experience = self._experiences.get(name)
        return experience is not None and experience.answered_at is not None

    def note_answer(self, name: str) -> None:
        """Note that the tenant answered a call with what was asked for."""
        before = self._experiences.get(name, Experience())
        self._experiences[name] = before.after_answer(self._now())
        if before.is_refused_for_good:
            self._decided()

    def note_list(self, name: str, items: Collection[object]) -> None:
        """Note that the tenant answered a call with a list of what was asked for.

        An empty one is no refusal, but it proves nothing: a wrong address may answer with it.
        """
        before = self._experiences.get(name, Experience())
        if items or self._is_documented(name):
            self.note_answer(name)
        elif not before.is_refused_for_good:
            self._experiences[name] = before.without_refusals()

    def note_refusal(self, name: str, err: JedlixError) -> None:
        """Note that the tenant refused a call, or answered with something else."""
        before = self.not_offered
        known = self._experiences.get(name, Experience())
        self._experiences[name] = known.after_refusal(self._now())
        if name in self.not_offered - before:
            _LOGGER.info("This Jedlix tenant does not offer %s: %s", name, err)
            self._decided()

    def describe(self, name: str) -> dict[str, Json]:
        """Return what is known of a call, for a person: whether it is offered, since when, how sure."""
        experience = self._experiences.get(name, Experience())
        if experience.is_refused_for_good or not self._is_in_reach(name):
            offered, since = "no", experience.refused_since
        elif experience.answered_at is not None:
            offered, since = "yes", experience.answered_since or experience.answered_at
        else:
            is_documented = self._is_documented(name)
            offered, since = "documented" if is_documented else "not known", None
        return {
            "offered": offered,
            "since": _text(since),
            "last_answer": _text(experience.answered_at),
            "refusals_since": experience.refusals,
            "last_refusal": _text(experience.refused_at),
        }

    def _is_in_reach(self, name: str) -> bool:
        """Return whether the token is good for a call."""
        endpoint = self._endpoints.get(name)
        return not self._of_one_user or (endpoint is not None and endpoint.is_of_user)

    def _is_documented(self, name: str) -> bool:
        endpoint = self._endpoints.get(name)
        return endpoint is not None and endpoint.evidence is Evidence.DOCUMENTED

    def _is_tried(self, name: str) -> bool:
        if (experience := self._experiences.get(name)) is None:
            return True
        if self._is_documented(name):
            return True
        now = self._now()
        if experience.is_refused_for_good:
            return experience.is_old(now, RETRY_INTERVAL)
        # Until it is decided, a thousand users need not be refused one by one.
        is_doubtful = (
            experience.answered_at is None and experience.refusals >= NOT_OFFERED_AFTER.answers
        )
        return not is_doubtful or experience.is_old(now, NOT_OFFERED_AFTER.time)


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
