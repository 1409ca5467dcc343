"""Timeline of a run: when Home Assistant was up, when Jedlix's API was fine, and who was not followed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
import math

RECOVERY = 8.0
"""Seconds after API trouble within which refreshes that wait for their next try are made."""
LONGEST_RECOVERY = 60.0
"""The same after a long one."""

NOTED = 0.5
"""Seconds: what happens in the moment of a wrong clock may bear a time shortly before."""


@dataclass(slots=True)
class Life:
    """One load of our entry, in Unix seconds: a start of Home Assistant, or a reload.

    `began` is when the process, or the reload, began.
    """

    began: float
    ready: float = math.inf
    ended: float = math.inf
    was_killed: bool = False
    is_reload: bool = False


@dataclass(frozen=True, slots=True)
class Trouble:
    """A time in which calls fail: those of one user, or for None all."""

    begin: float
    end: float
    user_id: str | None = None

    @property
    def recovered(self) -> float:
        """When the refreshes that wait for their next try were made.

        The longer they have failed, the longer they wait, up to a minute.
        """
        return self.end + max(RECOVERY, min(self.end - self.begin, LONGEST_RECOVERY))


@dataclass(frozen=True, slots=True)
class Command:
    """A command through Home Assistant: when it ended, whom it was about, and what it changed.

    One that failed may have been carried out all the same.
    """

    at: float
    user_id: str
    changes: str
    """The beginning of the types of changes that it makes; empty for none, and where it failed."""
    has_failed: bool = False


@dataclass(slots=True)
class Timeline:
    """The lives of our entry, the API's troubles, and the times in which a user was not followed."""

    lives: list[Life] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    absences: list[Trouble] = field(default_factory=list)
    followed: frozenset[str] = frozenset()
    """The users who are followed, those with absences included."""
    skews: list[tuple[float, float, float]] = field(default_factory=list)
    """From when to when Jedlix's clock was wrong, and by how many seconds it was behind."""
    commands: list[Command] = field(default_factory=list)
    moved_in: list[tuple[float, str]] = field(default_factory=list)
    """When a car took the place of the one in the area, and which."""

    @property
    def kills(self) -> Sequence[float]:
        """The moments of the kills."""
        return [life.ended for life in self.lives if life.was_killed]

    @property
    def is_starting(self) -> bool:
        """Whether our entry is being set up now."""
        return self.lives[-1].ready == math.inf and self.lives[-1].ended == math.inf

    def is_up(self, at: float) -> bool:
        """Return whether Home Assistant was up and our entry set up at a moment."""
        return any(life.ready <= at < life.ended for life in self.lives)

    def life_at(self, at: float) -> Life | None:
        """Return the life that was going on at a moment, its start included."""
        return next((life for life in self.lives if life.began <= at < life.ended), None)

    def was_fine(self, begin: float, end: float, user_id: str = "") -> bool:
        """Return whether the API was fine all the time from `begin` to `end`, and for a while before."""
        return not any(
            trouble.begin < end and begin < trouble.recovered for trouble in self._of(user_id)
        )

    def is_troubled(self, begin: float, end: float, user_id: str) -> bool:
        """Return whether calls of a user failed at any time from `begin` to `end`."""
        return any(item.begin < end and begin < item.end for item in self._of(user_id))

    def was_calm(self, begin: float, end: float, user_id: str = "") -> bool:
        """Return whether the API was fine, and Home Assistant up, all the time from `begin` to `end`."""
        is_one_life = any(life.ready <= begin and end < life.ended for life in self.lives)
        return is_one_life and self.was_fine(begin, end, user_id)

    def was_absent(self, user_id: str, begin: float, end: float) -> bool:
        """Return whether a user was not followed at any time from `begin` to `end`."""
        return any(
            absence.user_id == user_id and absence.begin <= end and begin <= absence.end
            for absence in self.absences
        )

    def was_behind(self, at: float) -> bool:
        """Return whether Jedlix's clock was behind at a moment, so that what happened then seems older."""
        return any(begin - NOTED <= at <= end for begin, end, _ in self.skews)

    def real(self, at: float) -> float:
        """Return the real moment of a time that Jedlix noted, whose clock may have been wrong."""
        for begin, end, behind in self.skews:
            if begin - NOTED <= at + behind <= end:
                return at + behind
        return at

    def settled(self, at: float, need: float, user_id: str = "") -> float:
        """Return when `need` seconds of calm in one life are over, counted from `at`; inf if never.

        Trouble starts the count again; the end of that life ends it.
        """
        life = next((life for life in self.lives if life.ready <= at < life.ended), None)
        if life is None:
            return math.inf
        for trouble in sorted(self._of(user_id), key=lambda item: item.begin):
            if trouble.begin < at + need and at < trouble.recovered:
                at = trouble.recovered
        return at + need if at + need < life.ended else math.inf

    def _of(self, user_id: str) -> Sequence[Trouble]:
        return [item for item in self.troubles if item.user_id in (None, user_id)]
