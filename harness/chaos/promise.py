"""Promise: which changes in the simulator's journal have to be published.

State comes from Jedlix's API, so what can be known about an outage is what the API still reports after it:

- *Sessions*: the API lists them with their start and end. `session_started` and `session_ended` of every
  session are promised, always: through dropped deliveries, API trouble, kills and stops. So is
  `session_settled`, with the end, where sessions report figures, which the documented fields do not.
- *States* (plug and charge state, link, smart charging): the API reports only the present one. The change
  to a state is promised when the integration certainly refreshed the user while the state lasted, and also
  while the one before it lasted. A state between two refreshes (charging, paused and charging again within
  one outage) is not promised. The newest state is always seen.
- `session_became_smart`, `session_became_unmanaged`: promised where both sessions were certainly seen one
  after the other, while Home Assistant was up and the API was fine. After an outage nobody knows whether
  the car was unplugged in between.
- *Boosts and smart charging*: the same. What was done through Home Assistant is seen at once. Boosts of
  somebody else are promised where sessions report them, which the documented fields do not.
- `user_created`, `vehicle_ready_to_continue`, `session_impossible`: what a delivery reports by itself, when
  it was accepted, or at the next start where the tenant has a history of deliveries.
- Nothing is promised about a user who is not followed at that time.

A refresh of the user is certain
- `REFRESH` seconds after a delivery about the user was accepted (for smart charging: one about the car, not
  its session),
- `POLL` seconds into a state of a car that is in a session, or just ended one (not for smart charging),
- `COMMAND` seconds after a command through Home Assistant,
- at each start of Home Assistant; where more than `HOUSEHOLD` users are followed and the tenant has a
  history, only after a delivery about the user, or where a session began or ended,
each counted in seconds in which Home Assistant was up and the API was fine (`timeline`). The earliest of them
is also the latest moment at which the change has to be published: `due`.

A missed state changes how the next one is read. A car charges, is unplugged during an outage, and then
waits for its turn, plugged in again: without the unplug that is a pause. Such a reading is allowed where
it follows from the states that may have been seen, and nowhere else.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence, Set as AbstractSet
from dataclasses import dataclass, field
import math
from typing import Any

from .arrivals import Deliveries
from .car_states import (
    BOOST,
    CHARGE,
    LINK,
    SMART,
    Step,
    changes_between,
    steps_of,
    with_unreported_steps,
)
from .recording import Published
from .timeline import Life, Timeline
from .truth import EXACT, Happened, Sent, Truth

REFRESH = 6.0
"""Seconds: a refresh begins a second after the one before and takes three calls, on a busy machine."""
HOUSEHOLD = 5
"""Users of whom each is read at each poll."""
COMMAND = 3.0
"""Seconds: the change is published before the action ends."""
POLL = 80.0
"""Seconds: an interval of a minute, with its jitter and its calls."""
FIRST_REFRESH = 6.0
"""Seconds after a start within which the first refresh is over."""
SET_UP = 0.5
"""Seconds before the end of the set-up in which the first refresh may begin."""

CREATED = 2.0
"""Seconds after which the delivery that reports a change is made."""

SESSIONS = ("session_started", "session_ended", "session_settled")
_SESSIONS_IN = {True: SESSIONS[:2], False: SESSIONS}
"""By whether the tenant has only what is documented."""
SESSION_KINDS = ("session_became_smart", "session_became_unmanaged")

UNREPORTED = frozenset((*SMART, *BOOST, "session_settled", "session_impossible"))
"""What a tenant that has only what is documented never reports."""
REPORTED = {
    "user_created": "userCreated",
    "vehicle_ready_to_continue": "vehicleConnectionReadyToContinue",
    "session_impossible": "sessionImpossible",
}
"""The changes that a delivery reports by itself, and its event type."""
ALL_TYPES = (*CHARGE, *LINK, *SMART, *BOOST, *SESSIONS, *SESSION_KINDS, *REPORTED)
"""The types of changes that a run makes."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A state that is read differently when one before it was missed, and how long it lasted.

    `session_id` is the only session that the change may name; None allows any.
    """

    vehicle_id: str
    types: frozenset[str]
    begin: float
    end: float
    session_id: str | None = None


@dataclass(slots=True)
class Promises:
    """Which lines of the journal are promised, and what else may be published after a missed state."""

    timeline: Timeline
    accepted: Deliveries
    accepted_settings: Deliveries
    sent: Deliveries
    """All of them: the history has also what was not accepted."""
    has_history: bool
    due: dict[int, float] = field(default_factory=dict)
    """The promised lines, and by when each has to be published at the latest; inf where nobody can say."""
    readings: list[Reading] = field(default_factory=list)
    unsure_settings: set[str] = field(default_factory=set)
    """The cars whose last switch of smart charging was not certainly seen."""

    @classmethod
    def of(
        cls, truth: Truth, timeline: Timeline, before: Mapping[str, Mapping[str, Any]]
    ) -> Promises:
        """Return what is promised. `before` are the cars at the beginning by their ids, from /control/truth.

        Where the tenant does not report settings and boosts, nothing about them is promised.
        """
        promises = cls(
            timeline,
            accepted=Deliveries.accepted(truth.sent, timeline),
            accepted_settings=Deliveries.accepted(truth.sent, timeline, naming="vehicleUpdated"),
            sent=Deliveries.of(truth.sent),
            has_history=not truth.is_strict,
        )
        by_car: defaultdict[str, list[Happened]] = defaultdict(list)
        for line in truth.journal:
            if line.type in _SESSIONS_IN[truth.is_strict]:
                promises.due[line.n] = promises._session_seen_at(line.user_id, line.known_at)
            elif line.type in REPORTED:
                promises._add_reported(line, truth.sent)
            if line.vehicle_id in before:
                by_car[line.vehicle_id].append(line)
        for vehicle_id, lines in by_car.items():
            car = before[vehicle_id]
            charge = steps_of(lines, CHARGE, car["charge_state"])
            reports = truth.reports_of.get(vehicle_id, ())
            promises._add_states([*with_unreported_steps(charge, reports)], promises._seen_at)
            link = "linked" if car["is_connected"] else "lost"
            promises._add_states(steps_of(lines, LINK, link), promises._seen_without_poll_at)
            smart = "smart" if car["settings"]["isSmartChargingEnabled"] else "off"
            if truth.is_strict:
                promises.unsure_settings.add(vehicle_id)
            else:
                switches = steps_of(lines, SMART, smart)
                if not promises._add_states(switches, promises._settings_seen_at):
                    promises.unsure_settings.add(vehicle_id)
                promises._add_states(steps_of(lines, BOOST, "plain"), promises._boost_seen_at)
            promises._add_session_kinds(lines)
        for line in truth.journal:
            if timeline.was_absent(line.user_id, line.known_at - REFRESH, line.known_at + REFRESH):
                promises.due.pop(line.n, None)
        return promises

    @property
    def lines(self) -> AbstractSet[int]:
        """The numbers of the promised lines."""
        return self.due.keys()

    def may_be_read(self, change: Published) -> bool:
        """Return whether a change that never happened follows from states that may have been seen."""
        return any(
            reading.vehicle_id == change.vehicle_id
            and change.type in reading.types
            and reading.begin <= change.at <= reading.end + REFRESH
            and reading.session_id in {None, change.session_id}
            for reading in self.readings
        )

    def _session_seen_at(self, user_id: str, begin: float) -> float:
        """Return by when a session that began or ended at `begin` was certainly seen."""
        return min(self._seen_at(user_id, begin), self._first_refresh_since(user_id, begin))

    def _seen_at(self, user_id: str, begin: float) -> float:
        """Return by when a state that began at `begin` was certainly seen."""
        return min(
            self._seen_without_poll_at(user_id, begin),
            self.timeline.settled(begin, POLL, user_id),
        )

    def _seen_without_poll_at(self, user_id: str, begin: float) -> float:
        accepted = self.accepted.first(user_id, begin)
        delivered = self.timeline.settled(accepted, REFRESH, user_id)
        return min(delivered, self._seen_at_start(user_id, begin))

    def _settings_seen_at(self, user_id: str, begin: float) -> float:
        accepted = self.accepted_settings.first(user_id, begin)
        is_calm = self.timeline.was_calm(accepted, accepted + REFRESH, user_id)
        return min(
            self.timeline.settled(accepted, REFRESH if is_calm else POLL, user_id),
            self._seen_at_start(user_id, begin),
            self._commanded_at(user_id, begin),
        )

    def _boost_seen_at(self, user_id: str, begin: float) -> float:
        return min(self._seen_at(user_id, begin), self._commanded_at(user_id, begin))

    def _commanded_at(self, user_id: str, begin: float) -> float:
        """Return by when a command of ours that was done right after `begin` has shown its effect."""
        done = (
            item.at
            for item in self.timeline.commands
            if item.user_id == user_id and not item.has_failed
        )
        first = min((at for at in done if begin <= at <= begin + COMMAND), default=math.inf)
        return first + COMMAND

    def _seen_at_start(self, user_id: str, begin: float) -> float:
        """Return by when a state that began at `begin` was certainly seen in the next life."""
        if self.has_history and len(self.timeline.followed) > HOUSEHOLD:
            begin = self.sent.first(user_id, begin)
        return self._first_refresh_since(user_id, begin)

    def _first_refresh_since(self, user_id: str, begin: float) -> float:
        """Return by when the first refresh of the next life is over."""
        lives = [life for life in self.timeline.lives if begin <= self._reads_from(life)]
        return min((self._first_refresh(life, user_id) for life in lives), default=math.inf)

    def _reads_from(self, life: Life) -> float:
        """Return from when on the set-up of a life may have read: not before Jedlix is back."""
        ends = (
            trouble.end
            for trouble in self.timeline.troubles
            if trouble.user_id is None and trouble.begin <= life.began < trouble.end < life.ready
        )
        return max(ends, default=life.began)

    def _first_refresh(self, life: Life, user_id: str) -> float:
        """Return when the first refresh of a life is over; inf where the life ended before."""
        begin, end = life.ready - SET_UP, life.ready + FIRST_REFRESH
        if self.timeline.is_troubled(begin, end, user_id):
            return self.timeline.settled(life.ready, POLL, user_id)
        over = life.ready + FIRST_REFRESH
        return over if over < life.ended else math.inf

    def _add_reported(self, line: Happened, sent: Sequence[Sent]) -> None:
        """Add a change that a delivery reports by itself."""
        about_it = [
            item
            for item in sent
            if item.event_type == REPORTED[line.type]
            and line.known_at - EXACT <= item.created_at <= line.known_at + CREATED
        ]
        first = Deliveries.accepted(about_it, self.timeline).first(line.user_id, line.known_at)
        due = self.timeline.settled(first, REFRESH)
        if self.has_history:
            due = min(due, self._first_refresh_since(line.user_id, line.known_at))
        if due < math.inf:
            self.due[line.n] = due

    def _add_states(self, steps: Sequence[Step], seen_at: Callable[[str, float], float]) -> bool:
        """Add the lines that do not depend on which step was seen before; return whether the last is seen."""
        candidates = [steps[0].state]
        line = next((step.lines[0] for step in steps if step.lines), None)
        if line is None:
            return True
        for place, step in enumerate(steps[1:], 1):
            end = steps[place + 1].known_at if place + 1 < len(steps) else math.inf
            line = step.lines[0] if step.lines else line
            readings = [changes_between(before, step.state) for before in candidates]
            own = {item.type for item in step.lines}
            if other := frozenset(set.union(*readings) - own):
                self.readings.append(Reading(line.vehicle_id, other, step.known_at, end))
            if (seen := seen_at(line.user_id, step.known_at)) < end:
                certain = set.intersection(*readings)
                self.due |= {item.n: seen for item in step.lines if item.type in certain}
                candidates = [step.state]
            else:
                candidates.append(step.state)
        return len(candidates) == 1

    def _add_session_kinds(self, lines: Sequence[Happened]) -> None:
        """Add the changes between smart and unmanaged where both sessions were certainly seen.

        Where the unplug between two sessions was not certainly seen, they may be read as such a change.
        """
        starts = [line for line in lines if line.type == "session_started"]
        for place, start in enumerate(starts[1:], 1):
            previous = starts[place - 1]
            end = starts[place + 1].known_at if place + 1 < len(starts) else math.inf
            of_session = [item for item in lines if item.session_id == start.session_id]
            became = {item.n for item in of_session if item.type in SESSION_KINDS}
            if not became:
                unplugs = {
                    item.n
                    for item in lines
                    if item.type == "unplugged" and previous.n < item.n < start.n
                }
                if not unplugs & self.lines:
                    # Sessions are listed afterwards too, so it may have ended when it is seen.
                    end = max(end, self._session_seen_at(start.user_id, start.known_at))
                    reading = Reading(
                        start.vehicle_id,
                        frozenset(SESSION_KINDS),
                        start.known_at,
                        end,
                        start.session_id,
                    )
                    self.readings.append(reading)
                continue
            ends = (item.known_at for item in of_session if item.type == "session_ended")
            end = min(end, min(ends, default=math.inf))
            first = self._session_seen_at(start.user_id, previous.known_at)
            life = self.timeline.life_at(start.known_at)
            if life is not None and first < life.began:  # it was seen again in this life
                first = self._first_refresh(life, start.user_id)
            second = self._session_seen_at(start.user_id, start.known_at)
            seen = first < start.known_at and second < end
            if seen and self.timeline.was_calm(first, second, start.user_id):
                self.due |= dict.fromkeys(became, second)
