"""Command line of the demo, for `scripts/demo`."""

import argparse
import sys

from ..command_line import output_file, run
from ..process import free_port, is_free
from .run import Demo, Options
from .screen import Screen

DEFAULT_PORT = 8123


def main() -> int:
    """Read the command line, run the demo, and return the exit code."""
    options = _read_options(Screen())
    return run(lambda: _run(options))


async def _run(options: Options) -> int:
    return 0 if await Demo(options, Screen()).run() else 1


def _read_options(screen: Screen) -> Options:
    parser = argparse.ArgumentParser(
        prog="scripts/demo",
        description=(
            "Shows a charging day with real webhooks in a real Home Assistant,"
            " against a simulator of the Jedlix cloud. Needs no credentials."
        ),
    )
    parser.add_argument(
        "--once", action="store_true", help="end after the day: 0 if it went right, 1 if not"
    )
    parser.add_argument(
        "--json", type=output_file, metavar="FILE", help="write what happened as JSON"
    )
    parser.add_argument(
        "--port",
        type=port_number,
        metavar="N",
        help=f"Home Assistant's port (default {DEFAULT_PORT} or, if taken, a free one; 0: a free one)",
    )
    parser.add_argument(
        "--ha", metavar="VERSION", help="another Home Assistant, in an environment of its own"
    )
    parser.add_argument(
        "--minutes", type=minutes, metavar="N", help="stay open that long (default: until Ctrl-C)"
    )
    parser.add_argument(
        "--mode",
        choices=("default", "noisy"),
        help="noisy: a Jedlix with surprises. One whose webhooks report less needs more than a minute",
    )
    parser.add_argument(
        "--simulator", metavar="URL", help="a simulator that runs already (on this machine)"
    )
    given = parser.parse_args()
    if given.simulator and given.mode:
        parser.error("--mode is for the demo's own simulator, not for the one at --simulator")
    if given.once and given.minutes is not None:
        parser.error("--once ends after the day; --minutes is for a demo that stays open")
    return Options(
        once=given.once,
        json=given.json,
        port=_choose_port(given.port, parser, screen),
        minutes=given.minutes,
        mode=given.mode or "default",
        simulator=given.simulator,
    )


def _choose_port(wanted: int | None, parser: argparse.ArgumentParser, screen: Screen) -> int:
    if wanted == 0:
        return free_port()
    if is_free(wanted or DEFAULT_PORT):
        return wanted or DEFAULT_PORT
    if wanted is not None:
        parser.error(f"port {wanted} is taken by another program; --port 0 chooses a free one")
    port = free_port()
    screen.note(f"Port {DEFAULT_PORT} is taken (by your own Home Assistant?): using {port}.")
    return port


def port_number(text: str) -> int:
    """Read a port; argparse's message about a bad one has the name of this function."""
    number = int(text)
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"{number} is not a port number")
    return number


def minutes(text: str) -> float:
    """Read a duration; argparse's message about a bad one has the name of this function."""
    number = float(text)
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number of minutes")
    return number


if __name__ == "__main__":
    sys.exit(main())
