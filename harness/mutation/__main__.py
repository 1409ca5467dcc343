"""Command line of the mutation tests, for `scripts/mutate`."""

import argparse
from pathlib import Path
import sys

from ..command_line import print_progress, whole_number
from ..paths import ROOT
from .run import MODULES, MutationRun


def main() -> int:
    """Read the command line and run; return 1 where a mutant survived or could not be tried, else 0."""
    given = _read_options()
    run = MutationRun(
        root=given.root.resolve(),
        folder=(given.folder or given.root / ".work" / "mutation").resolve(),
        modules=given.modules or MODULES,
        sample=given.sample,
        seed=given.seed,
        only=given.only,
        note=print_progress,
    )
    return 0 if run.run() else 1


def _read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/mutate",
        description=(
            "Makes small changes to a copy of the integration, one at a time, and runs the tests that concern"
            " it. A change that no test notices survives: a test is missing, or the change changes nothing."
            " What was tried before, on the same code, is not tried again, except for the survivors."
        ),
    )
    add = parser.add_argument
    add(
        "modules",
        nargs="*",
        metavar="MODULE",
        help=f"paths below the root, with * (the rules: {', '.join(MODULES)})",
    )
    add(
        "--sample",
        type=whole_number(1, 100_000),
        metavar="N",
        help="of each module at most so many, chosen by the seed (all)",
    )
    add("--seed", type=int, default=1, metavar="N", help="chooses the sample (1)")
    add("--only", default="", metavar="TEXT", help="only mutants whose name has this text")
    add("--root", type=Path, default=ROOT, metavar="FOLDER", help="another project")
    add("--folder", type=Path, metavar="FOLDER", help="for what was tried (.work/mutation)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
