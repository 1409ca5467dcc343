"""Verdict: the figures of a run, as JSON for programs and as lines for a person."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
import json
from pathlib import Path
from typing import Any

MAX_UNPROMISED = {
    (False, False): 0.15,
    (False, True): 0.3,
    (True, False): 0.5,
    (True, True): 0.7,
}
"""The part of all changes about which nothing may be promised, by whether a run is strict and short.

In the short form, much of the time lies within seconds of an interruption. In the strict form no webhook
reports charging, and what lasts less than a minute, only a webhook could report.
"""
MAX_BLOCKED_MS = 250.0
MAX_PUSH_DELAY_MS = 1500.0
"""Milliseconds between an accepted delivery and what it brings, in the middle of all."""
MAX_ANSWER_MS = 250.0
MAX_GROWTH_MB = 60.0
MAX_TASKS = 25
MAX_OUR_TASKS = 4
"""At the end, when nothing happens any more: of the whole process, and of the integration."""
SHOWN = 3
"""How many of what was found for a figure are printed; the JSON has all."""

MUST_BE_0 = {
    "lost": "promised changes that were not published",
    "invented": "published, although nothing of the kind happened, or twice",
    "too_slow": "promised changes that came after the latest moment",
    "wrong_details": "changes with a wrong field",
    "wrong_source": "changes that cannot have come by the way that they name",
    "late_wrong": "changes that are late and do not say so, or the other way round",
    "wrong_order": "changes that came before what happened earlier",
    "wrong_state": "entities that show something wrong at the end",
    "available_wrong": "entities that a long outage of their user left available, or of another did not",
    "states_behind": "entities that did not show yet what was published",
    "triggers_missed": "automations that did not run",
    "triggers_wrong": "automations that ran without reason",
    "event_entities_missed": "changes that no event entity wrote",
    "event_entities_wrong": "event entities that wrote what was not published",
    "webhooks_lost": "deliveries that were accepted, or are in the history, and not passed on",
    "webhooks_told_twice": "deliveries that were passed on twice without a kill",
    "webhooks_invented": "deliveries that Jedlix never sent",
    "webhooks_wrong": "deliveries that were passed on with other content",
    "webhooks_refused": "deliveries with the right key that were not accepted",
    "strangers_accepted": "deliveries with a wrong key, or broken ones, that were not refused, or published",
    "commands_failed": "commands that failed or did nothing",
    "interruptions_failed": "restarts, reloads and changes of users that failed, and what lacked after them",
    "calendar_wrong": "calendars with wrong sessions",
    "statistics_wrong": "statistics with wrong sums",
    "logbook_wrong": "cars whose logbook lacks a change, or has another",
    "answers_wrong": "wrong answers of actions and conditions, and wrong diagnostics",
    "first_look_wrong": "entities that are enabled, disabled or hidden otherwise than at first",
    "calls_too_many": "kinds of calls of which Jedlix got more than there are reasons for",
    "calls_in_pause": "calls that came although Jedlix had asked to wait",
    "repairs_left": "repairs that are shown although all is well",
    "secrets_found": "secrets and addresses in places where they must not be",
    "errors_logged": "errors in the log that the run did not cause",
    "warnings_logged": "warnings in the log that the run did not cause",
}
"""The figures that fail a run, each with its meaning."""
_ALSO_COUNTED = ("repeated", "webhooks_repeated", "read_otherwise")


@dataclass(frozen=True, slots=True)
class KnownGap:
    """A promise that is not kept yet: why, and how often this run met it."""

    reason: str
    seen: int


@dataclass(slots=True, kw_only=True)
class Verdict:
    """The figures of a run. Their names are the keys of the JSON, which others rely on.

    `found` has what was found for each figure that counts it: those of `MUST_BE_0`, and some more. `truth`
    counts the changes that are promised (`promise` says which), `announced` those of them that were
    published. `unpromised` were published without being promised, `unseeable` were neither;
    `read_otherwise` follow from states of which one could not be seen. `webhooks` are the deliveries that
    were passed on. `outages_logged` are the lines with which Home Assistant's own coordinator says that
    the API is away: these are no errors of the integration. `known_gaps` are promises that are not kept yet.
    """

    truth: int = 0
    announced: int = 0
    repeated_allowed: int = 0
    kills: int = 0
    unpromised: int = 0
    unpromised_percent: float = 0.0
    unseeable: dict[str, int] = field(default_factory=dict)
    late: int = 0
    """Changes that the contract calls late: a run without any proves nothing about them."""
    webhooks: int = 0
    webhooks_repeated_allowed: int = 0
    strangers: int = 0
    commands: int = 0
    triggers: int = 0
    push_delay_ms: dict[str, float] = field(default_factory=dict)
    loop_blocked_ms: float = 0.0
    blocked_ms: float = 0.0
    memory_growth_mb: float = 0.0
    tasks: int = 0
    our_tasks: int = 0
    polls: int = 0
    polls_allowed: int = 0
    """Reads of the tenant's own list."""
    reads: int = 0
    reads_allowed: int = 0
    """Reads of the cars of users."""
    answer_ms: float = 0.0
    """How long Jedlix waited for the answer to an accepted delivery, in the middle of all."""
    outages_logged: int = 0
    deliveries: int = 0
    bursts: int = 0
    interruptions: dict[str, int] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    """What this machine, or this form of the run, could not do."""
    cars: int = 0
    seed: int = 0
    seconds: int = 0
    is_full: bool = False
    is_short: bool = False
    is_strict: bool = False
    by_source: dict[str, int] = field(default_factory=dict)
    by_type: dict[str, int] = field(default_factory=dict)
    """How many of the promised changes have each type."""
    known_gaps: dict[str, KnownGap] = field(default_factory=dict)
    found: dict[str, list[Any]] = field(default_factory=dict)
    details: dict[str, list[Any]] = field(default_factory=dict)
    """What else a person wants to read who looks for the reason."""

    @property
    def _max_unpromised_percent(self) -> float:
        return 100 * MAX_UNPROMISED[self.is_strict, self.is_short]

    @property
    def failures(self) -> dict[str, str]:
        """The figures that fail the run, each in words."""
        found = {
            name: f"{self.count(name)} {meaning}"
            for name, meaning in MUST_BE_0.items()
            if self.count(name)
        }
        for name in ("repeated", "webhooks_repeated"):
            count, allowed = self.count(name), getattr(self, f"{name}_allowed")
            if count > allowed:
                found[name] = f"{count} repeated after kills, {allowed} are allowed"
        middle = self.push_delay_ms.get("p50", 0.0)
        for name, value, most, words in (
            ("polls", self.polls, self.polls_allowed, "the tenant's list was read {:g} times"),
            ("reads", self.reads, self.reads_allowed, "the cars of users were read {:g} times"),
            (
                "unpromised_percent",
                self.unpromised_percent,
                self._max_unpromised_percent,
                "nothing was promised about {:g} % of all changes",
            ),
            (
                "loop_blocked_ms",
                self.loop_blocked_ms,
                MAX_BLOCKED_MS,
                "the event loop was blocked for {:g} ms",
            ),
            (
                "push_delay_ms",
                middle,
                MAX_PUSH_DELAY_MS,
                "a delivery took {:g} ms until its change was published",
            ),
            (
                "answer_ms",
                self.answer_ms,
                MAX_ANSWER_MS,
                "Jedlix waited {:g} ms for the answer to a delivery",
            ),
            (
                "memory_growth_mb",
                self.memory_growth_mb,
                MAX_GROWTH_MB,
                "the process grew by {:g} MB",
            ),
        ):
            if value > most:
                found[name] = words.format(value)
        if self.tasks > MAX_TASKS or self.our_tasks > MAX_OUR_TASKS:
            found["tasks"] = f"{self.tasks} tasks were running, {self.our_tasks} of them ours"
        return found | self._proved_nothing()

    def _proved_nothing(self) -> dict[str, str]:
        """Return what was not put to the proof although it is promised."""
        needed = {"truth": 1, "webhooks": 1, "strangers": 1, "triggers": 1}
        if "stop" in self.interruptions:
            needed["late"] = 1
        if "commands" in self.interruptions:
            needed["commands"] = 3
        found = {
            name: f"the run proves nothing: {name} is {getattr(self, name)}"
            for name, least in needed.items()
            if getattr(self, name) < least
        }
        if self._unproved and not (self.is_short or self.is_strict):
            found["by_type"] = f"no change was promised of {', '.join(self._unproved)}"
        return found

    @property
    def _unproved(self) -> list[str]:
        return [name for name, count in self.by_type.items() if not count]

    @property
    def is_good(self) -> bool:
        """Return whether all that is promised was kept."""
        return not self.failures

    def note(self, found: Mapping[str, Sequence[Any]]) -> None:
        """Note what was found, by figure; what was noted before for the same figure is forgotten."""
        self.found |= {name: list(items) for name, items in found.items()}

    def count(self, name: str) -> int:
        """Return how much was found for a figure."""
        return len(self.found.get(name, ()))

    def write(self, path: Path) -> None:
        """Write the JSON."""
        figures = asdict(self)
        figures["details"] |= figures.pop("found")
        counts = {name: self.count(name) for name in (*MUST_BE_0, *_ALSO_COUNTED)}
        content = json.dumps(
            {**counts, **figures, "failures": self.failures}, indent=2, ensure_ascii=False
        )
        path.write_text(content + "\n", encoding="utf-8")

    def _wrong(self, name: str, words: str) -> Sequence[str]:
        """Return the lines about a figure that fails the run: what it means, and the first that was found."""
        items = self.found.get(name, ())[:SHOWN]
        return (f"WRONG, {name}: {words}", *(f"  {item}" for item in items))

    def lines(self) -> Sequence[str]:
        """Return the figures as lines for a person."""
        unseeable = sum(self.unseeable.values())
        made = f"{self.deliveries} deliveries about {self.cars} cars in {self.seconds} s"
        suffered = f"{self.bursts} bursts of API trouble, {self.kills} kills, seed {self.seed}"
        ways = ", ".join(f"{count} x {kind}" for kind, count in self.interruptions.items())
        changes = (
            f"{self.truth} promised changes, {self.announced} published, {self.count('lost')} lost"
        )
        repeated = (
            f"{self.count('repeated')} repeated after a kill ({self.repeated_allowed} allowed)"
        )
        rest = f"{self.unpromised} more published, {unseeable} that nobody could see"
        passed_on = f"{self.webhooks} deliveries passed on, {self.strangers} with a wrong key"
        reactions = f"{self.triggers} runs of automations, {self.commands} commands"
        speed = f"push {self.push_delay_ms.get('p50', 0):g} ms, loop {self.loop_blocked_ms:g} ms"
        return (
            f"{made}, {suffered}",
            f"interrupted: {ways}",
            f"{changes}, {self.late} late, {repeated}",
            f"{rest}: {self.unpromised_percent:g} % without a promise",
            f"{passed_on}; {reactions}; {speed}",
            *(f"left out: {what}" for what in (*self.left_out, *self._unproved)),
            *(
                f"not kept yet, {name} (met {gap.seen} times): {gap.reason}"
                for name, gap in self.known_gaps.items()
            ),
            *(line for name, words in self.failures.items() for line in self._wrong(name, words)),
            "good" if self.is_good else "not good",
        )
