"""The command line of chaos; `scripts/chaos` is the way in."""

import argparse
from pathlib import Path
import sys

from ..command_line import run
from ..demo.run import FAILURES
from ..paths import INTEGRATION
from .run import Chaos, Wish


def main() -> int:
    """Read the command line, run, and return 0 where nothing was lost, 1 where something was."""
    wish = _read_wish()
    return run(lambda: _run(wish))


async def _run(wish: Wish) -> int:
    try:
        verdict = await Chaos(wish, _say).run()
    except FAILURES as failure:
        print(f"The run could not go on:\n{failure}", file=sys.stderr)
        return 1
    for line in verdict.lines():
        print(line)
    return 0 if verdict.is_good else 1


def _say(words: str) -> None:
    print(f"  {words}", flush=True)


def _read_wish() -> Wish:
    parser = argparse.ArgumentParser(
        prog="scripts/chaos",
        description=(
            "Runs a real Home Assistant against a Jedlix that drops, repeats and reorders its deliveries and"
            " whose API fails in bursts, kills it at random moments, and compares change by change what it"
            " announced with what happened. What counts as promised: docs/reliability.md."
        ),
    )
    add = parser.add_argument
    add("--json", type=Path, metavar="FILE", help="write the count as JSON")
    add("--events", type=_count, default=2000, metavar="N", help="deliveries to be made (2000)")
    add("--seed", type=int, default=1, metavar="N", help="what goes wrong, and when (1)")
    add("--kills", type=_count, default=3, metavar="N", help="kill -9s, beside one clean stop (3)")
    add("--cars", type=_count, default=36, metavar="N", help="users with a car each (36)")
    add(
        "--calm",
        type=float,
        default=70.0,
        metavar="N",
        help="seconds of calm before the count, at least (70: longer than the interval of the poll)",
    )
    add("--strict", action="store_true", help="a Jedlix with documented calls only: no history")
    add("--keep", action="store_true", help="keep the logs though all went well")
    add(
        "--integration",
        type=Path,
        default=INTEGRATION,
        metavar="FOLDER",
        help="another version of the integration",
    )
    given = parser.parse_args()
    if given.json is not None and not given.json.resolve().parent.is_dir():
        parser.error(f"--json: there is no folder {given.json.resolve().parent}")
    return Wish(**vars(given))


def _count(text: str) -> int:
    if not 0 <= (value := int(text)) <= 1_000_000:
        raise argparse.ArgumentTypeError("must be from 0 to 1000000")
    return value


if __name__ == "__main__":
    sys.exit(main())
