"""Command line of the bench, for `scripts/bench`."""

import argparse
import sys

from ..command_line import FAILURES, output_file, print_progress, run, whole_number
from .run import FLEET, Bench, Options
from .testbed import BenchFailed


def main() -> int:
    """Read the command line, run, and return 0 where every figure is what it must be, 1 where one is not."""
    options = _read_options()
    return run(lambda: _run(options))


async def _run(options: Options) -> int:
    bench = Bench(options, print_progress)
    failed = False
    try:
        await bench.run()
    except (*FAILURES, BenchFailed) as failure:
        print(f"The run could not go on:\n{failure}", file=sys.stderr)
        failed = True
    print()
    for line in bench.figures.lines():
        print(line)
    return 1 if failed or bench.figures.over() else 0


def _read_options() -> Options:
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description=(
            "Measures what the integration costs a real Home Assistant, and its peers in the same process."
            " What is measured, and why it is fair: docs/performance.md."
        ),
    )
    add = parser.add_argument
    count = whole_number(1, 10_000)
    add("--json", type=output_file, metavar="FILE", help="write the figures as JSON")
    add("--quick", action="store_true", help="fewer rounds, a smaller fleet, no set-ups: a minute")
    add("--rounds", type=count, metavar="N", help="rounds of each measurement (9, quick: 5)")
    add("--cars", type=count, metavar="N", help="cars of the fleet (1000, quick: 50)")
    add("--keep", action="store_true", help="keep the logs of a good run as well")
    given = parser.parse_args()
    return Options(
        json=given.json,
        quick=given.quick,
        rounds=given.rounds or (5 if given.quick else 9),
        cars=given.cars or (50 if given.quick else FLEET),
        keep=given.keep,
    )


if __name__ == "__main__":
    sys.exit(main())
