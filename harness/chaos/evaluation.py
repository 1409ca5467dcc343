"""Evaluation: what was published, passed on and set off, against the simulator's truth."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
import statistics
from typing import Any

from ..process import ProcessFailed
from . import calls, reactions
from .comparison import Comparison, Match, compare, published_before_kills
from .contents import Contents, starts_of
from .deliveries import accepted_while_shut, compare_deliveries
from .known_gaps import SHUT, known_gaps
from .promise import ALL_TYPES, REPORTED, SESSIONS, UNREPORTED, Promises
from .provenance import Provenance, is_first_page, out_of_order
from .recording import Published, Recording
from .timeline import Timeline
from .truth import Happened, Truth
from .verdict import Verdict

POLLS_ALLOWED = {False: 3, True: 6}
"""Reads of the tenant's list, each minute (the interval) and at each start: a review, and a second try.

Where a user's own list is not offered (the strict form), refreshes read it as well.
"""
READS_PER_POLL = 2
READS_PER_COMMAND = 2
"""Reads of a user's cars, second tries included; and one for each delivery about the user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What the run has set up: `before` has the cars at the beginning, `devices` Home Assistant's ids."""

    entry_id: str
    devices: Mapping[str, str]
    before: Mapping[str, Mapping[str, Any]]
    first_car: str
    one_type: str
    is_full: bool


def evaluate(
    verdict: Verdict, folder: Path, timeline: Timeline, truth: Truth, setting: Setting
) -> Promises:
    """Fill in the verdict from the recording in `folder`; returns what was promised."""
    recording = Recording.read(folder)
    if late := recording.late_starts:
        raise ProcessFailed(f"the recorder came after the integration in {late} starts")
    promises = Promises.of(truth, timeline, setting.before)
    found = compare(truth.journal, recording.changes, promises, timeline)
    _Evaluation(verdict, recording, truth, timeline, setting, promises).fill_in(found)
    return promises


@dataclass(slots=True)
class _Evaluation:
    """Fills in the verdict, one kind of figures after the other."""

    verdict: Verdict
    recording: Recording
    truth: Truth
    timeline: Timeline
    setting: Setting
    promises: Promises
    gaps: Counter[str] = field(default_factory=Counter)
    """How often each known gap was met."""

    def fill_in(self, found: Comparison) -> None:
        """Fill in all figures."""
        verdict, timeline = self.verdict, self.timeline
        self._count_changes(found)
        self._check_fields(found)
        self._count_deliveries()
        self._count_reactions()
        verdict.by_source = dict(Counter(_source(change) for change in self.recording.changes))
        verdict.kills = len(timeline.kills)
        verdict.blocked_ms = verdict.loop_blocked_ms = self.recording.longest_block(timeline)
        self._measure_process()
        self._count_polls()
        verdict.note(calls.check(self.truth, timeline))
        verdict.known_gaps = known_gaps(self.gaps)
        verdict.details |= {
            "lives": [[life.began, life.ready, life.ended] for life in timeline.lives],
            "troubles": [[item.begin, item.end, item.user_id] for item in timeline.troubles],
        }

    def _count_changes(self, found: Comparison) -> None:
        """Count the changes that were promised, published, lost and invented."""
        nobody_reports = UNREPORTED if self.truth.is_strict else frozenset()
        followed = [
            line
            for line in self.truth.journal
            if line.type not in nobody_reports and _is_of_followed(line, self.setting)
        ]
        lost = [line for line in followed if line.n in self.promises.lines - found.published]
        lost = [line for line in lost if not self._is_excused(line)]
        unseeable = [
            line for line in followed if line.n not in self.promises.lines | found.published
        ]
        numbers = {line.n for line in followed}
        unpromised = (found.published & numbers) - self.promises.lines
        self.verdict.truth = len(self.promises.lines)
        promised = Counter(line.type for line in followed if line.n in self.promises.lines)
        self.verdict.by_type = {name: promised[name] for name in ALL_TYPES}
        self.verdict.announced = len(self.promises.lines & found.published)
        self.verdict.unpromised = len(unpromised)
        self.verdict.unseeable = dict(Counter(line.type for line in unseeable))
        part = (len(unpromised) + len(unseeable)) / max(1, len(followed))
        self.verdict.unpromised_percent = round(100 * part, 1)
        self.verdict.repeated_allowed = published_before_kills(
            [match.change.at for match in found.matches] + [item.at for item in found.repeated],
            self.timeline,
        )
        self.verdict.note(
            {
                "lost": [_line(line, self.promises) for line in lost],
                "repeated": [_change(change) for change in found.repeated],
                "invented": [_change(change) for change in found.invented],
                "read_otherwise": [_change(change) for change in found.read_otherwise],
            }
        )
        self.verdict.details["unpromised"] = [
            _line(line, self.promises) for line in followed if line.n in unpromised
        ]
        self.verdict.details["unseeable"] = [_line(line, self.promises) for line in unseeable]

    def _check_fields(self, found: Comparison) -> None:
        """Check each field of each change, its time and its place in the order."""
        contents = Contents(
            self.truth,
            self.timeline,
            self.setting.entry_id,
            self.setting.devices,
            started=starts_of(found.matches),
        )
        named: defaultdict[str, list[float]] = defaultdict(list)
        for webhook in self.recording.webhooks:
            if webhook.data.get("source") == "history":
                named[str(webhook.data.get("user_id"))].append(webhook.at)
        provenance = Provenance(self.truth, self.timeline, self.promises.due, named)
        wrong: dict[str, list[Any]] = {
            "wrong_details": [],
            "wrong_source": [],
            "late_wrong": [],
            "too_slow": [],
        }
        self.verdict.late = 0
        matches = [match for match in found.matches if not self._is_excused(match.line)]
        for match in matches:
            if words := contents.wrong(match):
                wrong["wrong_details"].append({"wrong": words, **_change(match.change)})
            if reason := provenance.wrong_source(match):
                wrong["wrong_source"].append({"wrong": reason, **_change(match.change)})
            if provenance.is_too_slow(match):
                wrong["too_slow"].append(_line(match.line, self.promises) | {"at": match.change.at})
            must_be = provenance.must_be_late(match)
            self.verdict.late += must_be and match.line.type not in REPORTED
            if match.change.data.get("late") is must_be:
                continue
            if not (match.change.is_late and provenance.may_be_late(match)):
                wrong["late_wrong"].append(_change(match.change))
        self.verdict.note(wrong | {"wrong_order": list(out_of_order(matches))})
        self.verdict.push_delay_ms = _push_delays(matches, self.truth, self.timeline)
        self.verdict.answer_ms = _answer_ms(self.truth, self.timeline)

    def _is_excused(self, line: Happened) -> bool:
        """Return whether a session began before anything was read: nobody can say what is known of it."""
        return _is_from_before(line, self.timeline)

    def _count_deliveries(self) -> None:
        """Count what became of the deliveries."""
        found = compare_deliveries(
            self.truth, self.recording.webhooks, self.timeline, entry_id=self.setting.entry_id
        )
        found["too_slow"] += self.verdict.found["too_slow"]
        self.verdict.note(found)
        self.verdict.webhooks = len(self.recording.webhooks)
        self.verdict.webhooks_repeated_allowed = published_before_kills(
            [line.at for line in self.recording.webhooks], self.timeline
        )
        self.gaps[SHUT] = accepted_while_shut(self.truth, self.timeline)

    def _count_reactions(self) -> None:
        """Count what automations and event entities did."""
        users = {car_id: car["user_id"] for car_id, car in self.setting.before.items()}
        found = reactions.check(
            self.recording, self.timeline, users, self.setting.first_car, self.setting.one_type
        )
        self.verdict.note(found)
        self.verdict.triggers = len(self.recording.runs)

    def _measure_process(self) -> None:
        """Measure the last life: how much memory it gained, and how many tasks it has at the end."""
        pulses = [pulse for pulse in self.recording.pulses if self.timeline.is_up(pulse.at - 3.0)]
        lives = [life for life in self.timeline.lives if not life.is_reload]
        longest = max(lives, key=lambda life: min(life.ended, _last(pulses)) - life.began)
        memory = [
            item.data["memory_mb"] for item in pulses if longest.began <= item.at < longest.ended
        ]
        if len(memory) > 4:
            self.verdict.memory_growth_mb = round(memory[-1] - memory[0], 1)
        last = [item.data for item in pulses[-5:]]
        self.verdict.tasks = min((item["tasks"] for item in last), default=0)
        self.verdict.our_tasks = min((len(item["ours"]) for item in last), default=0)

    def _count_polls(self) -> None:
        """Count the reads of the tenant's list, by their first pages, and of cars, after the set-up."""
        began = self.timeline.lives[0].ready
        calls = [item for item in self.truth.calls if item.at > began]
        polls = [item.at for item in calls if is_first_page(item.path)]
        minutes = (max(polls, default=began) - began) / 60.0
        self.verdict.polls = len(polls)
        starts = len(self.timeline.lives)
        polls_allowed = POLLS_ALLOWED[self.truth.is_strict] * (minutes + starts)
        self.verdict.polls_allowed = round(polls_allowed)
        users = len(self.timeline.followed)
        self.verdict.reads = sum(_is_of_cars(item.path) for item in calls)
        self.verdict.reads_allowed = (
            sum(item.status == 200 for item in self.truth.sent)
            + READS_PER_COMMAND * len(self.timeline.commands)
            + round(READS_PER_POLL * users * (minutes + starts))
        )


def _push_delays(matches: Sequence[Match], truth: Truth, timeline: Timeline) -> dict[str, float]:
    """Return how long it took from the accepted delivery to the change, where all was well."""
    delays = []
    for match in matches:
        at, line = match.change.at, match.line
        if not timeline.was_calm(line.known_at - 1, at, line.user_id):
            continue
        accepted = (
            item.at
            for item in truth.sent
            if item.user_id == line.user_id
            and item.status == 200
            and line.known_at <= item.at <= at
        )
        if (first := next(accepted, None)) is not None:
            delays.append((at - first) * 1000)
    if len(delays) < 2:
        return {}
    cuts = statistics.quantiles(delays, n=20, method="inclusive")
    return {"p50": round(statistics.median(delays), 1), "p95": round(cuts[18], 1)}


def _answer_ms(truth: Truth, timeline: Timeline) -> float:
    """Return how long an accepted delivery waits for its answer, in the middle of all."""
    waits = [item.ms for item in truth.sent if item.status == 200 and timeline.is_up(item.at)]
    return round(statistics.median(waits), 1) if waits else 0.0


def _last(pulses: Sequence[Any]) -> float:
    return pulses[-1].at if pulses else 0.0


def _is_of_followed(line: Happened, setting: Setting) -> bool:
    return line.vehicle_id in setting.before or line.type == "user_created"


def _is_from_before(line: Happened, timeline: Timeline) -> bool:
    """Return whether a session began before anything was read of its car, and was listed later."""
    is_before = line.occurred_at < timeline.lives[0].ready < line.known_at
    return line.type in SESSIONS and is_before and not timeline.was_behind(line.known_at)


def _is_of_cars(path: str) -> bool:
    """Return whether a call read the cars of a user."""
    return path.partition("?")[0].endswith("/vehicles")


def _source(change: Published) -> str:
    return f"{change.data.get('source')}{' late' if change.is_late else ''}"


def _line(line: Happened, promises: Promises) -> dict[str, Any]:
    names = ("n", "type", "vehicle_id", "session_id", "known_at")
    return {name: getattr(line, name) for name in names} | {"due": promises.due.get(line.n)}


def _change(change: Published) -> dict[str, Any]:
    return {"told_at": change.at, **change.data}
