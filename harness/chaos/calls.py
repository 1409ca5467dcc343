"""Calls that Jedlix should not get: too many tokens, subscriptions and rare reads, and calls in a pause.

A poll reads the history of deliveries where some may have been missed, then the tenant's list of sessions.
"""

from collections import Counter
from collections.abc import Iterator
import math

from .comparison import BEFORE_A_KILL
from .faults import PAUSE
from .provenance import HISTORY_CALL, is_first_page
from .timeline import Timeline
from .truth import Call, Truth

TOO_MANY, IN_PAUSE = "calls_too_many", "calls_in_pause"
TOKEN_CALL = "/oauth/token"
LOCATIONS_CALL = "/charging-locations"
LIMITED = 429
_USERS = "/users/"
TOKENS_PER_LIFE = 2
TOKENS_PER_TROUBLE = 3
"""Each trouble may end a token, and fail the call for the next one."""
LOCATIONS_PER_LIFE = 2
"""Reads of a user's charging locations: they are read daily, and at a start by those who have none."""
ONE_POLL = 20.0
"""Seconds that a poll may take."""
NEXT_POLL = 100.0
"""Seconds within which the next poll comes: after a longer time, deliveries may have been missed."""
UNDER_WAY = 0.5
"""Seconds within which calls are still answered that were made before Jedlix asked to wait."""
EARLY = 0.1
"""Seconds between Jedlix's answer and its arrival."""
COMMANDED = 20.0
"""Seconds that a command and its refresh may take: a person waits, so nothing else makes them wait."""


def check(truth: Truth, timeline: Timeline) -> dict[str, list[str]]:
    """Return what was wrong, by figure."""
    return {
        TOO_MANY: [
            *_tokens(truth, timeline),
            *_subscriptions(truth, timeline),
            *_locations(truth, timeline),
            *_histories(truth, timeline),
            *_writes(truth, timeline),
        ],
        IN_PAUSE: list(_in_pauses(truth, timeline)),
    }


def _tokens(truth: Truth, timeline: Timeline) -> Iterator[str]:
    """Yield how many tokens were asked for, where that are more than starts and troubles explain."""
    began = timeline.lives[0].ready
    asked = sum(item.at > began and item.path == TOKEN_CALL for item in truth.calls)
    allowed = TOKENS_PER_LIFE * len(timeline.lives) + TOKENS_PER_TROUBLE * len(timeline.troubles)
    if asked > allowed:
        yield f"{asked} tokens, {allowed} are allowed"


def _subscriptions(truth: Truth, timeline: Timeline) -> Iterator[str]:
    """Yield the event types that were subscribed more than once: Jedlix tests each when it is subscribed.

    What was subscribed in the seconds before a kill is not remembered.
    """
    ready = timeline.lives[0].ready
    allowed = 2 if any(kill - BEFORE_A_KILL <= ready for kill in timeline.kills) else 1
    tested = Counter(item["event_type"] for item in truth.deliveries if item["is_test"])
    for event_type, count in tested.items():
        if count > allowed:
            yield f"{event_type} was subscribed {count} times"


def _locations(truth: Truth, timeline: Timeline) -> Iterator[str]:
    """Yield how often the charging locations were read, where that is more than daily and at starts."""
    began = timeline.lives[0].ready
    read = sum(
        item.at > began and item.status < 400 and item.path.endswith(LOCATIONS_CALL)
        for item in truth.calls
    )
    allowed = LOCATIONS_PER_LIFE * len(timeline.lives) * len(timeline.followed)
    if read > allowed:
        yield f"{read} reads of charging locations, {allowed} are allowed"


def _histories(truth: Truth, timeline: Timeline) -> Iterator[str]:
    """Yield the reads of the history where the poll before, not the first of its life, was good."""
    good = [item for item in truth.calls if item.status < 400]
    polls = [
        item.at for item in good if is_first_page(item.path) and not _is_of_dialog(item, timeline)
    ]
    for read in good:
        life = timeline.life_at(read.at)
        if life is None or not is_first_page(read.path, HISTORY_CALL):
            continue
        before = max((at for at in polls if at < read.at), default=-math.inf)
        was_good = life.ready + ONE_POLL < before and timeline.was_fine(before, before + ONE_POLL)
        if was_good and read.at - before < NEXT_POLL:
            yield f"the history was read {read.at - before:.0f} s after a good poll"


def _writes(truth: Truth, timeline: Timeline) -> Iterator[str]:
    """Yield the users of whom more was written than commands were given, where all was well."""
    given = Counter(command.user_id for command in timeline.commands)
    written = Counter[str]()
    for call in truth.calls:
        user_id = call.path.partition(_USERS)[2].partition("/")[0]
        is_write = call.method != "GET" and call.status < 400 and user_id
        if is_write and timeline.was_fine(call.at, call.at, user_id):
            written[user_id] += 1
    for user_id, count in written.items():
        if count > given[user_id]:
            yield f"{count} writes for {given[user_id]} commands to {user_id}"


def _in_pauses(truth: Truth, timeline: Timeline) -> Iterator[str]:
    """Yield the calls in a pause for which Jedlix asked."""
    pauses = [item.at for item in truth.calls if item.status == LIMITED]
    for call in truth.calls:
        asked = next((at for at in pauses if at + UNDER_WAY < call.at < at + PAUSE - EARLY), None)
        if asked is None or _is_after_start(asked, call, timeline) or _is_of_person(call, timeline):
            continue
        yield f"{call.path} {call.at - asked:.2f} s after Jedlix asked to wait for {PAUSE} s"


def _is_after_start(asked: float, call: Call, timeline: Timeline) -> bool:
    """Return whether a set-up was under way or came in between: it knows nothing of the pause."""
    return any(
        asked - UNDER_WAY <= min(life.ready, life.ended) and life.began <= call.at
        for life in timeline.lives
    )


def _is_of_person(call: Call, timeline: Timeline) -> bool:
    """Return whether a call belongs to a command, or to the dialog in which a user is added."""
    is_command = any(
        command.user_id in call.path and call.at - UNDER_WAY < command.at < call.at + COMMANDED
        for command in timeline.commands
    )
    return is_command or _is_of_dialog(call, timeline)


def _is_of_dialog(call: Call, timeline: Timeline) -> bool:
    """Return whether the dialog was open in which a user is added: it lists the users of the tenant."""
    return any(item.begin <= call.at <= item.end for item in timeline.absences)
