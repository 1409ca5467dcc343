"""Command line: `python -m simulator`."""

import argparse
import asyncio
from collections.abc import Iterable, Sequence
import errno
import json
from pathlib import Path
import signal
import sys
from textwrap import fill

from .api import user_token
from .app import Settings, Simulator
from .cloud import ABSENT_IN_PARTIAL
from .departures import DEPARTURES
from .event_types import DOCUMENTED_EVENTS, NEVER_SENT, PARTIAL_LIMIT, REPORTED_EVENTS
from .faults import manual
from .tariffs import TARIFFS
from .webhooks import RETRIES

_ABOUT = (
    "A stand-in for the Jedlix Smart Charging cloud: its API, its webhooks, and cars to play with."
)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/simulator",
        description=_ABOUT,
        epilog=_epilog(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--port", type=_port, default=8099, help="port of API and page (8099; 0: any free one)")
    add("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    add(
        "--mode",
        choices=("default", "strict", "partial", "noisy"),
        default="default",
        help="see below",
    )
    add(
        "--speed",
        type=_positive,
        default=60.0,
        metavar="N",
        help="simulated seconds per second (60: an hour of charging takes a minute)",
    )
    add(
        "--hour",
        type=_hour,
        default=17.0,
        metavar="H",
        help="hour of the price day at the start (17)",
    )
    add("--users", type=_count, default=2, metavar="N", help="users, each with a car (2)")
    add("--seed", type=int, default=1, metavar="N", help="the same seed makes the same world (1)")
    add("--auto", action="store_true", help="cars drive and plug in by themselves")
    add(
        "--history-days", type=_count, default=30, metavar="N", help="past sessions for N days (30)"
    )
    add(
        "--departure-times",
        choices=tuple(DEPARTURES),
        default="one",
        help="the shape of the departure times of all cars, each one a guess: Jedlix's is unknown (one)",
    )
    add(
        "--tariff",
        choices=TARIFFS,
        help="the tariffs of all homes (by default some of high_low, dynamic and single); the last three of "
        "the list break a rule each",
    )
    add("--client-secret", default="secret", metavar="TEXT", help="the client secret (secret)")
    add("--api-key", default="key", metavar="TEXT", help="the ApiKey header (key)")
    add(
        "--api-key-check",
        choices=("sent", "required", "off"),
        default="sent",
        help="check the ApiKey where it is sent (default), require it, or ignore it",
    )
    add("--audience", metavar="URL", help="accept this audience beside the simulator's address")
    add("--expires-in", type=_count, default=86400, metavar="S", help="life of a token (86400)")
    add(
        "--event-types",
        type=_event_types,
        metavar="LIST",
        help="event types beside the documented ones, instead of those of the mode: 'all', 'none', some of "
        "the reported ones by name, or kind=name to call them differently; "
        f"kinds: {', '.join(REPORTED_EVENTS)}",
    )
    add(
        "--history-shape",
        choices=("records", "events"),
        default="records",
        help="the history as flat records of deliveries (reported), or as events with their deliveries",
    )
    add(
        "--retries",
        type=_seconds_list,
        default=RETRIES,
        metavar="LIST",
        help="seconds until each retry of a failed delivery, or 'none' (5,30,120,600; Jedlix's are unknown)",
    )
    add(
        "--retention-days",
        type=_positive,
        default=7.0,
        metavar="N",
        help="days for which events are kept (7, as documented)",
    )
    add(
        "--faults",
        type=_faults,
        default={},
        metavar="JSON",
        help="faults from the start: JSON, or the name of a file of it; see below",
    )
    return parser


def _epilog() -> str:
    return f"""\
What is Jedlix's and what is ours
  Documented event types: {", ".join(DOCUMENTED_EVENTS.values())}.
{_listed(_REPORTED, REPORTED_EVENTS)}
{_listed("Of these, the simulator never sends", NEVER_SENT)}
  Endpoints are documented, seen in an official SDK, or assumed by us (A1 to A12); the page and
  GET /control/endpoints say which is which. In strict mode, the assumed ones are not there.

Modes
  default   documented and SDK shapes exactly, assumed endpoints beside them
  strict    only what is documented or in an SDK: assumed endpoints are 404, reported event types 400,
            energy and money are not reported
{_partial()}
  noisy     unknown keys, values and events, nulls, mixed dates and lists, duplicated and late deliveries

Faults
  --faults takes JSON, or a file of it. The page and POST /control/faults take the same:
    {{"drop": 0.1, "faults": [{{"kind": "status", "status": 503, "endpoints": ["vehicles"], "times": 3}}]}}
  or one aimed fault alone: {{"kind": "hang", "endpoints": ["token"], "for_seconds": 60}}.
  GET /control/faults shows those in force with their numbers; POST {{"remove": [1]}} ends one, DELETE all.
  None of them says anything about Jedlix: they are what a client must survive.

General faults, for the whole cloud
{manual.general_faults()}

Aimed faults, at calls and users; each kind has its own fields, and those that its heading names
{manual.aimed_faults()}
"""


_REPORTED = (
    "Reported event types: seen in public code that copies Jedlix's webhook model, not confirmed"
)


def _listed(heading: str, kinds: Iterable[str]) -> str:
    """Return the event types of these kinds under a heading."""
    names = (name for kind, name in REPORTED_EVENTS.items() if kind in kinds)
    return fill(
        f"{heading}: {', '.join(names)}.", 110, initial_indent="  ", subsequent_indent="    "
    )


def _partial() -> str:
    """Return what the partial mode has and lacks."""
    names = ", ".join(Settings(mode="partial").reported_events.values())
    return fill(
        f"partial   some reported event types ({names}), the others are 400; at most {PARTIAL_LIMIT} "
        "subscriptions, one more is 409; the assumed endpoints but "
        f"{', '.join(sorted(ABSENT_IN_PARTIAL))}",
        110,
        initial_indent="  ",
        subsequent_indent=" " * 12,
        break_on_hyphens=False,
    )


def _positive(text: str) -> float:
    if not 0 < (value := float(text)) <= 1e6:
        raise argparse.ArgumentTypeError("must be more than 0 and at most 1000000")
    return value


def _port(text: str) -> int:
    if not 0 <= (value := int(text)) <= 65535:
        raise argparse.ArgumentTypeError("must be from 0 to 65535")
    return value


def _hour(text: str) -> float:
    if not 0 <= (value := float(text)) < 24:
        raise argparse.ArgumentTypeError("must be from 0 to below 24")
    return value


def _count(text: str) -> int:
    if not 0 <= (value := int(text)) <= 1_000_000:
        raise argparse.ArgumentTypeError("must be from 0 to 1000000")
    return value


def _event_types(text: str) -> dict[str, str]:
    """Read which kinds of events are offered, and under which names."""
    if text == "all":
        return dict(REPORTED_EVENTS)
    chosen: dict[str, str] = {}
    kinds = {name: kind for kind, name in REPORTED_EVENTS.items()}
    for part in filter(None, () if text == "none" else text.split(",")):
        kind, equals, name = part.strip().partition("=")
        if not equals:
            kind = kinds.get(kind, kind)
            name = REPORTED_EVENTS.get(kind, "")
        if kind not in REPORTED_EVENTS or not name:
            raise argparse.ArgumentTypeError(
                f"{part!r}: known are {', '.join(REPORTED_EVENTS.values())}"
            )
        chosen[kind] = name
    return chosen


def _seconds_list(text: str) -> tuple[float, ...]:
    return () if text == "none" else tuple(float(part) for part in text.split(","))


def _faults(text: str) -> dict[str, object]:
    """Read faults out of JSON, or out of a file of JSON."""
    try:
        if not text.lstrip().startswith(("{", "[")):
            text = Path(text).read_text(encoding="utf-8")
        value = json.loads(text)
    except (OSError, UnicodeDecodeError) as err:
        reason = err.strerror if isinstance(err, OSError) else err
        raise argparse.ArgumentTypeError(f"{text}: {reason}") from None
    except json.JSONDecodeError as err:
        raise argparse.ArgumentTypeError(f"not JSON: {err}") from None
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError("must be a JSON object")
    return value


def _welcome(simulator: Simulator) -> str:
    """Say where everything is."""
    settings = simulator.settings
    reported = ", ".join(settings.reported_events.values()) or "none"
    users = f"{len(simulator.world.users)} users"
    return f"""\
A simulator of Jedlix, not Jedlix. Mode {settings.mode}, {users}, speed {simulator.speed:g}.

  page           {simulator.url}/
  base URL       {simulator.url}
  token URL      {simulator.url}/oauth/token
  audience       {settings.audience or simulator.url}
  client id      any
  client secret  {settings.client_secret}
  API key        {settings.api_key}

  driver         authorization URL {simulator.url}{user_token.AUTHORIZE_PATH}
                 token URL {simulator.url}{user_token.TOKEN_PATH}
                 client id and audience as above; no secret, or the one above

  event types    documented: {", ".join(DOCUMENTED_EVENTS.values())}
                 reported: {reported}

Ctrl-C stops it."""


def _reason(err: OSError) -> str:
    return "the port is taken" if err.errno == errno.EADDRINUSE else err.strerror or str(err)


async def _run(settings: Settings, port: int) -> int:
    simulator = Simulator(settings)
    try:
        await simulator.start(port)
    except OSError as err:
        print(
            f"Cannot listen on {settings.host}:{port}: {_reason(err)}.\n"
            "Is another simulator running? Choose another port with --port N.",
            file=sys.stderr,
        )
        return 1
    except ValueError as err:
        print(f"--faults: {err}", file=sys.stderr)
        return 2
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(sign, stop.set)
    print(_welcome(simulator), flush=True)
    await stop.wait()
    await simulator.stop()
    print("\nStopped.", flush=True)
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until Ctrl-C; return the exit code."""
    options = vars(_parser().parse_args(arguments))
    port = options.pop("port")
    return asyncio.run(_run(Settings(**options, ticking=True), port))


if __name__ == "__main__":
    sys.exit(main())
