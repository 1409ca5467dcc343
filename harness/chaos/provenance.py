"""Provenance of a published change: its source, whether it is late, when it came, and in which order.

The evidence for a source is what the simulator saw: deliveries that it sent, polls and the reading of the
history among the calls, commands that the run made.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
import math

from yarl import URL

from .comparison import Match
from .promise import REPORTED, SESSIONS
from .timeline import Timeline
from .truth import EXACT, Happened, Truth, moment

EVIDENCE = 8.0
"""Seconds between a delivery, a poll or a command and what follows from it, where the API is fine."""
COMMANDED = 1.0
"""Seconds after a command within which what it did is published as a command's."""
POLL_CALL = "/sessions"
"""The tenant's own list: only a poll reads it where a user's own list is offered."""
HISTORY_CALL = "/webhooks/events"
OLD = 15 * 60.0
"""Seconds: only what happened longer ago is late."""

_UNTIMED = ("vehicle_link_", "smart_charging_", "boost_")
_FAMILIES = {
    "plug and charge": ("plugged_in", "unplugged", "charging_"),
    "session": SESSIONS,
    "link": ("vehicle_link_",),
    "settings": ("smart_charging_",),
    "boost": ("boost_",),
}
_ONE_REFRESH = 0.15
"""Seconds within which the changes of one refresh are published."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Checks how and when changes were published.

    `named` are when deliveries of the history were passed on, by user.
    """

    truth: Truth
    timeline: Timeline
    due: Mapping[int, float]
    named: Mapping[str, Sequence[float]] = field(default_factory=dict)

    def wrong_source(self, match: Match) -> str:
        """Return in words why the source cannot be right; empty where it can."""
        change, line = match.change, match.line
        source, at = change.data.get("source"), change.at
        begin = at - EVIDENCE
        for trouble in self.timeline.troubles:
            if trouble.recovered > begin:
                begin = min(begin, trouble.begin - EVIDENCE)
        commands = [
            item
            for item in self.timeline.commands
            if item.user_id == line.user_id and item.at <= at + EVIDENCE
        ]
        match source:
            case "webhook":
                is_possible = self.truth.was_sent(line.user_id, begin, at)
            case "poll":
                is_possible = self.truth.is_strict or self._polled(begin, at)
            case "history":
                is_possible = self._read_history(begin, at)
            case "command":
                is_possible = any(begin <= item.at for item in commands)
            case _:
                is_possible = False
        if source == "poll" and self._is_named_by_history(match):
            return "source: poll, but the history has named the user"
        if not is_possible:
            return f"source: {source}, but nothing of the kind was there"
        is_ours = any(
            item.changes and line.type.startswith(item.changes) and abs(item.at - at) < COMMANDED
            for item in commands
        )
        if is_ours and abs(line.known_at - at) < COMMANDED and source != "command":
            return f"source: {source}, not command"
        return ""

    def _polled(self, begin: float, at: float) -> bool:
        """Return whether the tenant's list was read, or all users at a start."""
        return any(
            begin <= call.at <= at + EXACT and is_poll(call.path) for call in self.truth.calls
        ) or self._is_first_refresh(at)

    def _is_first_refresh(self, at: float) -> bool:
        life = self.timeline.life_at(at)
        return life is not None and at < life.ready + EVIDENCE

    def _read_history(self, begin: float, at: float) -> bool:
        return self.truth.was_called(HISTORY_CALL, begin, at + EXACT)

    def _is_named_by_history(self, match: Match) -> bool:
        """Return whether the first refresh after a stop was made because the history names the user.

        Settings may be read later, when it is their turn. Trouble that begins between the history and the
        refresh has it made by a later poll.
        """
        line, at = match.line, match.change.at
        life = self.timeline.life_at(at)
        if life is None or not self._is_first_refresh(at) or line.known_at >= life.began:
            return False
        is_named = any(life.began <= when <= at for when in self.named.get(line.user_id, ()))
        is_troubled = any(life.began < item.begin <= at for item in self.timeline.troubles)
        return is_named and not is_troubled and not line.type.startswith("smart_charging_")

    def must_be_late(self, match: Match) -> bool:
        """Return whether the contract calls a change late (rule 8).

        It was missed since the last stop, and it happened more than 15 minutes before it was published or has
        no time of its own. What a delivery reports is late where the delivery is from the history.
        """
        change, line = match.change, match.line
        if line.type in REPORTED:
            return change.data.get("source") == "history"
        life = self.timeline.life_at(change.at)
        is_missed = life is not None and line.known_at < life.began and not life.is_reload
        if not is_missed:
            return False
        is_untimed = line.type.startswith(_UNTIMED) and not self._ended_with_session(match)
        return is_untimed or change.at - self._occurred(match) > OLD

    def may_be_late(self, match: Match) -> bool:
        """Return whether a change may be called late, or not.

        After a short stop, a user of a fleet is read when something is heard of them, and their settings
        within a day. When it happened is not known then, where it has no time of its own.
        """
        line, at = match.line, match.change.at
        life = self.timeline.life_at(at)
        if life is None or life.is_reload:
            return False
        if line.type.startswith("smart_charging_"):
            return match.change.data.get("source") != "command"
        cars = f"/users/{line.user_id}/vehicles"
        was_read = self.truth.was_called(cars, life.began, at - EVIDENCE)
        return line.type.startswith(_UNTIMED) and not was_read

    def _ended_with_session(self, match: Match) -> bool:
        """Return whether a boost ended with its session, so that it has a time of its own."""
        session = self.truth.sessions.get(match.line.session_id or "")
        is_end = session is not None and abs(self._occurred(match) - session.end) < EXACT
        return match.line.type == "boost_ended" and is_end

    @staticmethod
    def _occurred(match: Match) -> float:
        at = moment(match.change.data.get("occurred_at"))
        return match.line.occurred_at if math.isnan(at) else at

    def is_too_slow(self, match: Match) -> bool:
        """Return whether a promised change was published after the moment at which it was due."""
        return match.change.at > self.due.get(match.line.n, float("inf"))


def is_poll(path: str) -> bool:
    """Return whether a call read the tenant's list: a path of two parts, no user's own list."""
    return path.partition("?")[0].endswith(POLL_CALL) and "/users/" not in path


def is_first_page(path: str, call: str = POLL_CALL) -> bool:
    """Return whether a call read the first page of a list of the tenant, by default that of sessions."""
    is_list = path.partition("?")[0].endswith(call) and "/users/" not in path
    return is_list and URL(path).query.get("pageIndex", "1") == "1"


def out_of_order(matches: Sequence[Match]) -> Iterator[str]:
    """Yield each change that was published before one of the same car that happened earlier.

    Changes of one kind (of the plug, of sessions, of the link) come in their order, whatever was missed
    between them. Changes of one refresh come in the order of their time, and at one moment in the journal's.
    """
    last: dict[tuple[str, str], Match] = {}
    of_car: defaultdict[str, list[Match]] = defaultdict(list)
    for match in matches:
        line = match.line
        if (family := _family(line)) is not None:
            key = (line.vehicle_id, family)
            before = last.get(key)
            if before is not None and before.line.n > line.n:
                yield f"{line.type} of {line.vehicle_id} after {before.line.type}, which was later"
            last[key] = match
        if before_it := of_car[line.vehicle_id]:
            yield from _wrong_in_refresh(before_it[-1], match)
        before_it.append(match)


def _wrong_in_refresh(before: Match, match: Match) -> Iterator[str]:
    if match.change.at - before.change.at > _ONE_REFRESH:
        return
    types = before.line.type, match.line.type
    if any(name.startswith(_UNTIMED) or name in REPORTED for name in types):
        return  # these have no time of their own, or came with a delivery and no refresh
    if (
        types[0].startswith("charging_")
        and types[1] == "session_started"
        and not before.change.session_id
    ):
        return  # the session was not listed yet: another refresh found it
    first, second = before.change.data.get("occurred_at"), match.change.data.get("occurred_at")
    is_same_moment = first == second and before.line.known_at == match.line.known_at
    if str(first) > str(second) or (is_same_moment and before.line.n > match.line.n):
        yield f"{match.line.type} of {match.line.vehicle_id} after {before.line.type}"


def _family(line: Happened) -> str | None:
    for family, starts in _FAMILIES.items():
        if line.type.startswith(starts) and line.vehicle_id:
            return family
    return None
