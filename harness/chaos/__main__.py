"""Command line of chaos, for `scripts/chaos`."""

import argparse
from dataclasses import fields
from pathlib import Path
import sys

from ..command_line import output_file, print_progress, run, whole_number
from ..paths import INTEGRATION
from .falsifications import FALSIFICATIONS
from .falsify import AnchorGone
from .options import Options
from .run import Chaos
from .self_test import SelfTest

_SIZE, _STRICT_SIZE = (2000, 36), (300, 16)
"""How much happens, and to how many cars."""
_FEWEST_CARS = 8
"""So many are moved at the same time, and two are not followed from the beginning to the end."""


def main() -> int:
    """Read the command line, run, and return 0 where every promise was kept, 1 where one was not."""
    given = _read_options()
    if given.self_test:
        return run(lambda: _test_itself(given))
    names = {field.name for field in fields(Options)}
    options = Options(**{name: value for name, value in vars(given).items() if name in names})
    return run(lambda: _run(options))


async def _run(options: Options) -> int:
    verdict = await Chaos(options, print_progress).run()
    for line in verdict.lines():
        print(line)
    return 0 if verdict.is_good else 1


async def _test_itself(given: argparse.Namespace) -> int:
    test = SelfTest(
        integration=given.integration,
        seed=given.seed,
        jobs=given.jobs,
        is_short=given.short,
        only=given.only or (),
        file=given.json,
    )
    try:
        is_good = await test.run(print_progress)
    except AnchorGone as err:
        print(f"The table has to follow the code. {err}", file=sys.stderr)
        return 1
    print("The run sees what is wrong." if is_good else "The run is blind.")
    return 0 if is_good else 1


def _name(text: str) -> str:
    """Read the name of a falsification."""
    names = [item.name for item in FALSIFICATIONS]
    if text not in names:
        raise argparse.ArgumentTypeError("must be one of: " + "; ".join(names))
    return text


def _read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/chaos",
        description=(
            "Runs a real Home Assistant against a Jedlix that drops, repeats and reorders its deliveries and"
            " whose API fails in bursts, kills it at random moments, and compares change by change what it"
            " published with what happened. What is promised: docs/reliability.md."
        ),
    )
    add = parser.add_argument
    count = whole_number(0, 1_000_000)
    add("--json", type=output_file, metavar="FILE", help="write the figures as JSON")
    add(
        "--events",
        type=count,
        metavar="N",
        help="deliveries to be made (2000), with --strict changes (300)",
    )
    add("--seed", type=int, default=1, metavar="N", help="decides what fails, and when (1)")
    add(
        "--kills",
        type=count,
        default=3,
        metavar="N",
        help="kill -9s, beside the other interruptions (3)",
    )
    add(
        "--cars",
        type=whole_number(_FEWEST_CARS, 1000),
        metavar="N",
        help="users with a car each (36, with --strict 16: so many are read each minute)",
    )
    add(
        "--calm",
        type=float,
        default=70.0,
        metavar="N",
        help="seconds without faults before the count, at least (70: longer than the poll interval)",
    )
    add(
        "--patience",
        type=float,
        default=420.0,
        metavar="N",
        help="seconds until what is still missing is lost (420: an idle fleet is polled in turns)",
    )
    add(
        "--short",
        action="store_true",
        help="fewer kinds of interruptions, or falsifications in groups",
    )
    add("--no-poll", action="store_true", help="do not wait for what only a poll can find")
    add(
        "--full",
        action="store_true",
        help="fail for the known gaps as well, and make the slips that meet them",
    )
    add("--strict", action="store_true", help="a Jedlix with documented calls only: no history")
    add("--keep", action="store_true", help="keep the logs of a good run as well")
    add(
        "--integration",
        type=Path,
        default=INTEGRATION,
        metavar="FOLDER",
        help="another version of the integration",
    )
    add(
        "--self-test", action="store_true", help="falsify the integration and see each run turn red"
    )
    add(
        "--only",
        action="append",
        type=_name,
        metavar="NAME",
        help="of the self-test: one of its table",
    )
    add(
        "--jobs",
        type=whole_number(1, 64),
        default=2,
        metavar="N",
        help="of the self-test: at a time (2)",
    )
    given = parser.parse_args()
    events, cars = _STRICT_SIZE if given.strict else _SIZE
    given.events = events if given.events is None else given.events
    given.cars = cars if given.cars is None else given.cars
    return given


if __name__ == "__main__":
    sys.exit(main())
