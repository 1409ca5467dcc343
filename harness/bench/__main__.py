"""The command line of the bench; `scripts/bench` is the way in."""

import argparse
from pathlib import Path
import sys

from ..command_line import run
from ..demo.run import FAILURES
from .run import Bench, Wish
from .stage import BenchFailed


def main() -> int:
    """Read the command line, run, and return 0 where every figure is what it must be, 1 where one is not."""
    wish = _read_wish()
    return run(lambda: _run(wish))


async def _run(wish: Wish) -> int:
    bench = Bench(wish, _say)
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


def _say(words: str) -> None:
    print(f"  {words}", flush=True)


def _read_wish() -> Wish:
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description=(
            "Measures what the integration costs a real Home Assistant, beside its peers in the same process."
            " What is measured, and why it is fair: docs/performance.md."
        ),
    )
    add = parser.add_argument
    add("--json", type=Path, metavar="FILE", help="write the figures as JSON")
    add("--quick", action="store_true", help="fewer rounds, a smaller fleet, no set-ups: a minute")
    add("--rounds", type=_count, metavar="N", help="rounds of each measurement (9, quick: 5)")
    add("--cars", type=_count, metavar="N", help="cars of the fleet (1000, quick: 50)")
    add("--keep", action="store_true", help="keep the logs though all went well")
    given = parser.parse_args()
    if given.json is not None and not given.json.resolve().parent.is_dir():
        parser.error(f"--json: there is no folder {given.json.resolve().parent}")
    return Wish(
        json=given.json,
        quick=given.quick,
        rounds=given.rounds or (5 if given.quick else 9),
        cars=given.cars or (50 if given.quick else 1000),
        keep=given.keep,
    )


def _count(text: str) -> int:
    if not 1 <= (value := int(text)) <= 10_000:
        raise argparse.ArgumentTypeError("must be from 1 to 10000")
    return value


if __name__ == "__main__":
    sys.exit(main())
