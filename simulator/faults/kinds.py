"""Kinds of faults that can be aimed at calls and users: THE table behind validation, page and help.

None of it says anything about Jedlix: these are faults that a client must survive, whether or not Jedlix ever
shows them. Where something is known of the real API, the sentence says so.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .parameters import (
    DAY,
    YEAR,
    Choice,
    Endpoints,
    Flag,
    Number,
    Parameter,
    Session,
    Text,
    User,
    Users,
    Vehicle,
)

TOKEN = "token"
"""Name under which faults know the token address; it is no endpoint of the API's table."""
USER_TOKEN = "user_token"
"""The same for the token address of the drivers' identity provider."""
TOKEN_ADDRESSES = frozenset({TOKEN, USER_TOKEN})

_WEEK = 7 * DAY


class Effect(StrEnum):
    """How a fault works."""

    ANSWER = "answer"
    """The call gets a wrong answer, or none."""
    LIE = "lie"
    """The call is answered, and what it reports is not true."""
    EVENT = "event"
    """Something happens to the world or the clock."""


ENDPOINTS = Endpoints(
    name="endpoints",
    sentence="The calls that it concerns, by the names in the table of endpoints. 'all' is all of these; "
    f"the token addresses of the tenant and of drivers are named by themselves: '{TOKEN}', '{USER_TOKEN}'.",
)
USERS = Users(
    name="users",
    sentence="The users that it concerns, by id or number (1 is the first). With named users, calls that "
    "name no user get no wrong answer; lies concern what such calls report of these users.",
)
TIMES = Number(
    name="times",
    unit="answers",
    sentence="It ends after so many answers (1: once). Empty: no such limit.",
    low=1,
    high=1_000_000,
    whole=True,
)
FOR_SECONDS = Number(
    name="for_seconds",
    unit="s",
    sentence="It ends after so long. Empty: it stays until it is removed.",
    low=0.01,
    high=YEAR,
)

COMMON = {
    Effect.ANSWER: (ENDPOINTS, USERS, TIMES, FOR_SECONDS),
    Effect.LIE: (ENDPOINTS, USERS, TIMES, FOR_SECONDS),
    Effect.EVENT: (FOR_SECONDS,),
}
"""The parameters that all faults of an effect have."""

_SESSION_CALLS = ("sessions", "user_sessions", "session", "financials")
_LISTS = (
    *("vehicles", "locations", "user_locations", "chargers", "location_chargers"),
    *("sessions", "user_sessions", "financials", "connect_sessions", "tariffs"),
    *("subscriptions", "webhook_history"),
)
_CHARGER_CALLS = (
    *("user_locations", "location", "chargers", "location_chargers", "charger", "charger_state"),
)


@dataclass(slots=True, frozen=True, kw_only=True)
class Kind:
    """A row of the table. `endpoints`: the only calls that it can concern; empty: any."""

    name: str
    effect: Effect
    sentence: str
    parameters: tuple[Parameter, ...] = ()
    endpoints: tuple[str, ...] = ()
    at_once: bool = False
    """It happens once and stays as it is: it cannot end."""

    @property
    def fields(self) -> tuple[Parameter, ...]:
        """Return its own parameters and the common ones."""
        return self.parameters if self.at_once else (*self.parameters, *COMMON[self.effect])

    def describe(self) -> dict[str, Any]:
        """Return it as JSON, for the page."""
        return {
            "name": self.name,
            "effect": self.effect,
            "sentence": self.sentence,
            "endpoints": self.endpoints,
            "parameters": [item.describe() for item in self.fields],
        }


def _delay(sentence: str, default: float, unit: str = "s") -> Number:
    return Number(
        name="delay_seconds", unit=unit, sentence=sentence, low=0, high=_WEEK, value=default
    )


_PERFORMED = Flag(
    name="performed",
    sentence="true: the call takes effect all the same, and only its answer is lost.",
)
_ONE_SESSION = Session(
    name="session",
    sentence="The session. Empty: the newest ended one of each car, and each that ends from now on.",
)

_ANSWERS = (
    Kind(
        name="status",
        effect=Effect.ANSWER,
        sentence="The call gets this status. Statuses 401, 403 and 504 are documented, 400, 404 and 409 are "
        "in the SDK, and so is the shape of the problem JSON; the rest is invented.",
        parameters=(
            Number(
                name="status",
                unit="HTTP status",
                sentence="The status.",
                low=200,
                high=599,
                whole=True,
                required=True,
            ),
            Flag(
                name="problem",
                sentence="true: with Jedlix's problem JSON; false: with `text`.",
                value=True,
            ),
            Text(
                name="text",
                sentence="The detail of the problem JSON, or the whole plain-text body.",
            ),
            _PERFORMED,
        ),
    ),
    Kind(
        name="html",
        effect=Effect.ANSWER,
        sentence="The call gets a page of HTML, as a proxy or a log-in page in between would send.",
        parameters=(
            Number(
                name="status",
                unit="HTTP status",
                sentence="The status.",
                low=200,
                high=599,
                value=200,
                whole=True,
            ),
            _PERFORMED,
        ),
    ),
    Kind(
        name="empty_list",
        effect=Effect.ANSWER,
        sentence="The call takes effect and gets an empty list; where it answers in pages, an empty page. "
        "A call that is refused gets its refusal.",
    ),
    Kind(
        name="empty_object", effect=Effect.ANSWER, sentence="The call has no effect and gets `{}`."
    ),
    Kind(
        name="hang",
        effect=Effect.ANSWER,
        sentence="The call never gets an answer. The connection stays open until the caller closes it.",
        parameters=(_PERFORMED,),
    ),
    Kind(
        name="slow",
        effect=Effect.ANSWER,
        sentence="The call gets its true answer, late.",
        parameters=(_delay("How late.", 3),),
    ),
    Kind(
        name="truncated",
        effect=Effect.ANSWER,
        sentence="The call takes effect, and its answer is cut off.",
        parameters=(
            Number(
                name="percent",
                unit="%",
                sentence="How much of the body arrives.",
                low=0,
                high=99,
                value=50,
            ),
            Flag(
                name="closes_connection",
                sentence="true: the connection ends before the promised length; false: HTTP is in order, and "
                "only the JSON is cut.",
                value=True,
            ),
        ),
    ),
    Kind(
        name="redirect",
        effect=Effect.ANSWER,
        sentence="The call is sent elsewhere.",
        parameters=(
            Choice(
                name="status",
                unit="HTTP status",
                sentence="The status.",
                options=(302, 301, 303, 307, 308),
            ),
            Text(
                name="location",
                sentence="The address in the Location header.",
                value="https://login.example.invalid/",
            ),
        ),
    ),
    Kind(
        name="retry_after",
        effect=Effect.ANSWER,
        sentence="The call is refused with a Retry-After header. Rate limits of Jedlix are unknown.",
        parameters=(
            Choice(name="status", unit="HTTP status", sentence="The status.", options=(429, 503)),
            Choice(
                name="form",
                sentence="How the header says it; epoch is the Unix time in seconds, not a standard form; "
                "absurd is `text` as it stands.",
                options=("seconds", "date", "epoch", "absurd"),
            ),
            Number(
                name="wait_seconds",
                unit="s",
                sentence="How long the caller is asked to wait.",
                low=-YEAR,
                high=YEAR,
                value=5,
            ),
            Text(
                name="text", sentence="The header where the form is absurd.", value="99999999999999"
            ),
        ),
    ),
    Kind(
        name="unauthorized",
        effect=Effect.ANSWER,
        sentence="The call gets 401, whatever token it carries: a new token does not help.",
    ),
    Kind(
        name="token_refused",
        effect=Effect.ANSWER,
        sentence="The token address refuses to give a token. The shape of the error is Auth0's habit.",
        endpoints=(TOKEN, USER_TOKEN),
        parameters=(
            Choice(
                name="status",
                unit="HTTP status",
                sentence="The status.",
                options=(401, 400, 403),
            ),
            Flag(
                name="names_client",
                sentence="true: with an Auth0 error that names the client; false: with `{}`.",
                value=True,
            ),
        ),
    ),
)

_LIES = (
    Kind(
        name="list_without_vehicle",
        effect=Effect.LIE,
        sentence="The list of vehicles lacks one. Calls for the car itself are answered.",
        endpoints=("vehicles",),
        parameters=(Vehicle(name="vehicle", sentence="The car. Empty: the first of the list."),),
    ),
    Kind(
        name="future_readings",
        effect=Effect.LIE,
        sentence="The times of readings of cars and chargers are ahead.",
        endpoints=("vehicles", "vehicle", *_CHARGER_CALLS),
        parameters=(
            Number(
                name="ahead_seconds",
                unit="s",
                sentence="How far ahead; behind where negative.",
                low=-YEAR,
                high=YEAR,
                value=3600,
            ),
        ),
    ),
    Kind(
        name="local_times",
        effect=Effect.LIE,
        sentence="The times of readings of cars and chargers are local and have no zone.",
        endpoints=("vehicles", "vehicle", *_CHARGER_CALLS),
        parameters=(
            Number(
                name="utc_offset_hours",
                unit="h",
                sentence="How far local time is ahead of UTC.",
                low=-12,
                high=14,
                value=2,
            ),
        ),
    ),
    Kind(
        name="late_start",
        effect=Effect.LIE,
        sentence="Sessions that start from now on are listed late.",
        endpoints=_SESSION_CALLS,
        parameters=(_delay("How long after its start a session is listed.", 7200),),
    ),
    Kind(
        name="late_end",
        effect=Effect.LIE,
        sentence="Sessions that end from now on look open for a while longer.",
        endpoints=_SESSION_CALLS,
        parameters=(_delay("How long after Jedlix learns of the end it is shown.", 7200),),
    ),
    Kind(
        name="session_gone",
        effect=Effect.LIE,
        sentence="A session is not listed any more, and a call for it gets 404.",
        endpoints=_SESSION_CALLS,
        parameters=(
            Session(
                name="session",
                sentence="The session. Empty: those that are open now or begin from now on.",
            ),
        ),
    ),
    Kind(
        name="end_taken_back",
        effect=Effect.LIE,
        sentence="A session that was shown as ended is open again.",
        endpoints=_SESSION_CALLS,
        parameters=(_ONE_SESSION, _delay("How long its end is shown before that.", 0)),
    ),
    Kind(
        name="end_corrected",
        effect=Effect.LIE,
        sentence="The end of a session is corrected.",
        endpoints=_SESSION_CALLS,
        parameters=(
            _ONE_SESSION,
            Number(
                name="shift_seconds",
                unit="s",
                sentence="How much later the corrected end is. Negative: earlier, never before the start.",
                low=-_WEEK,
                high=_WEEK,
                value=-600,
            ),
            _delay("How long the first end is shown before that.", 0),
        ),
    ),
    Kind(
        name="late_figures",
        effect=Effect.LIE,
        sentence="Energy and money of sessions that end from now on, or are open, come later than the end. "
        "The names of these fields are assumed (A12).",
        endpoints=_SESSION_CALLS,
        parameters=(
            _delay("How long after Jedlix learns of the end they are shown.", 3600),
            Choice(
                name="until_then",
                sentence="How they are absent: as null, or as keys that are missing.",
                options=("null", "missing"),
            ),
        ),
    ),
    Kind(
        name="figures_only_in_financials",
        effect=Effect.LIE,
        sentence="Sessions have no energy and money; the financials have them.",
        endpoints=("sessions", "user_sessions", "session"),
    ),
    Kind(
        name="corrected_figures",
        effect=Effect.LIE,
        sentence="Energy and money of an ended session are corrected.",
        endpoints=_SESSION_CALLS,
        parameters=(
            _ONE_SESSION,
            Number(
                name="factor",
                unit="times the true value",
                sentence="The corrected figures as a multiple of the true ones.",
                low=0,
                high=100,
                value=0.9,
            ),
            _delay("How long the true figures are shown before that.", 0),
        ),
    ),
    Kind(
        name="no_vehicle_id",
        effect=Effect.LIE,
        sentence="Sessions do not say which car they are of.",
        endpoints=_SESSION_CALLS,
        parameters=(
            Choice(
                name="how",
                sentence="As null, or as a key that is missing.",
                options=("null", "missing"),
            ),
        ),
    ),
    Kind(
        name="stale_reads",
        effect=Effect.LIE,
        sentence="After each call that changes something of a user, reads show the user's cars, settings and "
        "sessions as they were before it. `times` counts such changes.",
        parameters=(
            Number(
                name="stale_seconds",
                unit="s",
                sentence="How long after the change.",
                low=0.01,
                high=_WEEK,
                value=5,
            ),
        ),
    ),
    Kind(
        name="settings_not_as_written",
        effect=Effect.LIE,
        sentence="A write of charge settings succeeds, but the settings are then not as they were written.",
        endpoints=("create_charge_settings", "update_charge_settings"),
        parameters=(
            Choice(
                name="how",
                sentence="ignored: they stay as they were; times_moved: each departure time is an hour later "
                "than written; something_else: what was written counts, and the desired level changes, too.",
                options=("ignored", "times_moved", "something_else"),
            ),
        ),
    ),
    Kind(
        name="unstable_pages",
        effect=Effect.LIE,
        sentence="A list is in another order at each call, so that its pages overlap and leave things out. "
        "With named users, it concerns their own lists only.",
        endpoints=_LISTS,
        parameters=(
            Number(
                name="page_size",
                unit="items",
                sentence="The largest page, however many items were asked for; plain lists are not cut.",
                low=1,
                high=100,
                value=100,
                whole=True,
            ),
        ),
    ),
    Kind(
        name="end_filter",
        effect=Effect.LIE,
        sentence="The filter endTimeFrom does not work. That it exists on all these calls is inferred. "
        "With named users, it concerns their own lists only.",
        endpoints=("sessions", "user_sessions", "financials"),
        parameters=(
            Choice(
                name="how",
                sentence="It is ignored, or the call is refused with 400.",
                options=("ignored", "refused"),
            ),
        ),
    ),
    Kind(
        name="vehicle_vanishes",
        effect=Effect.LIE,
        sentence="A car is not listed and calls for it get 404, until the fault ends: then it is back. Its "
        "sessions stay listed; what Jedlix does with them is unknown.",
        parameters=(
            Vehicle(name="vehicle", sentence="The car. Empty: all cars of the chosen users."),
        ),
    ),
    Kind(
        name="user_vanishes",
        effect=Effect.LIE,
        sentence="Calls for the user get 404, and lists of the tenant leave out what is the user's, until "
        "the fault ends: then the user is back.",
    ),
)

_EVENTS = (
    Kind(
        name="clock",
        effect=Effect.EVENT,
        sentence="Jedlix's clock is wrong: in all that it reports, and in the Date header.",
        parameters=(
            Number(
                name="ahead_seconds",
                unit="s",
                sentence="How far it is ahead; behind where negative.",
                low=-YEAR,
                high=YEAR,
                required=True,
            ),
        ),
    ),
    Kind(
        name="second_vehicle",
        effect=Effect.EVENT,
        sentence="The user gets another car, until the fault ends. One car per user is documented.",
        parameters=(User(name="user", sentence="The user.", required=True),),
    ),
    Kind(
        name="vehicle_moves",
        effect=Effect.EVENT,
        sentence="A car moves to another user and keeps its id; its session ends. When the fault ends, it "
        "moves back. Whether Jedlix does so is unknown.",
        parameters=(
            Vehicle(name="vehicle", sentence="The car.", required=True),
            User(name="to_user", sentence="The user to whom it moves.", required=True),
        ),
    ),
    Kind(
        name="vehicle_replaced",
        effect=Effect.EVENT,
        sentence="A car is removed, and the user gets another one of the same model with a new id. "
        "This happens at once and is not undone.",
        parameters=(Vehicle(name="vehicle", sentence="The car.", required=True),),
        at_once=True,
    ),
    Kind(
        name="user_moves",
        effect=Effect.EVENT,
        sentence="All that a user has moves to another user; calls for the first user get 404, and its past "
        "sessions are not listed. When the fault ends, all moves back.",
        parameters=(
            User(name="user", sentence="The user.", required=True),
            User(name="to_user", sentence="The other user. Empty: a new one."),
        ),
    ),
)

KINDS = {kind.name: kind for kind in (*_ANSWERS, *_LIES, *_EVENTS)}
