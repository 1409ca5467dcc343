"""Commands of the docs and of the scripts' own help: each is run as it is written there, and works.

They run in a copy of the project that is already set up, with their own home and PATH. A command that takes
minutes gets one more option that it does not know, and must refuse that option alone. `TO_THE_END` names the
test that runs it to its end.
"""

import ast
from collections.abc import Iterator
import os
from pathlib import Path
import re
import shlex
import shutil
import signal
import subprocess
import sys
from typing import Final, NamedTuple

import pytest

from harness.bench.figures import LIMITS
from harness.browser.chromium import find_chromium
from harness.chaos.verdict import MUST_BE_0
from tests.test_docs import rows_of

ROOT: Final = Path(__file__).parents[1]
SCRIPTS: Final = {
    path.name: path.read_text() for path in (ROOT / "scripts").iterdir() if path.suffix != ".py"
}
PAGES: Final = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for pattern in ("*.md", "docs/**/*.md", ".github/ISSUE_TEMPLATE/*")
    for path in sorted(ROOT.glob(pattern))
}

# -- the commands ------------------------------------------------------------------------------------------

NO_COMMANDS: Final = {"json", "python", "text", "yaml", "yml"}
"""Languages of code blocks; every other block holds commands."""
BLOCK_OR_SPAN: Final = re.compile(
    r"^ *```([^`\n]*)\n(.*?)^ *```|`([^`\n]+)`", re.MULTILINE | re.DOTALL
)
REMARK: Final = re.compile(r"\s+#|\s{2,}")
"""Separates a command from the remark on its line."""
USAGE: Final = re.compile(r"^#   (scripts/.*)$", re.MULTILINE)
"""A line of usage at the head of a bash script."""


def commands_of(page: str) -> Iterator[str]:
    """Yield the commands of a page; an option alone belongs to the script that was named last."""
    script = ""
    for language, block, span in BLOCK_OR_SPAN.findall(page):
        lines: list[str] = []
        if span.startswith("--"):
            lines = [f"{script} {span}"]
        elif re.match(r"(\w+=\S+ )*scripts/", span):
            lines = [span]
        elif language not in NO_COMMANDS:
            lines = [REMARK.split(line.strip())[0] for line in block.splitlines() if line]
        yield from lines
        script = next((word for line in lines for word in line.split() if "/" in word), script)


COMMANDS: Final = sorted(
    {command for page in PAGES.values() for command in commands_of(page)}
    | {REMARK.split(line)[0] for text in SCRIPTS.values() for line in USAGE.findall(text)}
)


def test_every_script_is_documented() -> None:
    assert {command.split()[0] for command in COMMANDS} >= {f"scripts/{name}" for name in SCRIPTS}


# -- where they run ----------------------------------------------------------------------------------------

EXAMPLES: Final = {
    "FILE": "figures.json",
    "VERSION": "2026.8.3",
    "PYTEST-ARGS": "tests/test_story.py",
    "[PYTEST-ARGS]": "tests/test_story.py",
}
"""Values for the reader's placeholders."""
TOOLS: Final = (
    *("bash", "cat", "cksum", "cp", "dirname", "env", "grep"),
    *("mkdir", "mktemp", "rm", "sed", "sh", "xargs"),
)
"""All that a script finds of the system: no python3, no apt-get, no Chromium."""
PYTHON: Final = shlex.quote(sys.executable)
UV: Final = shlex.quote(str(Path(sys.executable).with_name("uv")))
STUBS: Final = {
    "ruff": ":",
    "mypy": ":",
    "python": f"""case "$1 $2" in
"-m pytest" | "-m tests.any_home_assistant") echo "pytest $*" ;;
*) exec {PYTHON} "$@" ;;
esac""",
    "uv": f"""{UV} "$@" --help >/dev/null || exit
for last; do :; done
if [ "$1" = venv ]; then mkdir -p "$last/bin"; cp .venv/bin/python "$last/bin"; fi""",
}
"""Stubs for tools that would run all tests again or fetch packages: pytest and uv check their options."""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the project that is already set up."""
    folder = tmp_path_factory.mktemp("home") / "checkout"
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(".*", "dist", "__pycache__"))
    (folder / ".tools").mkdir()
    for name in TOOLS:
        (folder / ".tools" / name).symlink_to(shutil.which(name) or name)
    for venv, locked in (
        (".venv", "requirements/test.txt"),
        (f".venv-ha-{EXAMPLES['VERSION']}", "requirements/tools.in scripts/hass_requirements.py"),
    ):
        (folder / venv / "bin").mkdir(parents=True)
        for name, does in STUBS.items():
            stub = folder / venv / "bin" / name
            stub.write_text(f"#!/bin/sh\n{does}\n")
            stub.chmod(0o755)
        ready = f'{{ cat {locked} | cksum; echo "$PWD"; }} >{venv}/.ready'
        subprocess.run(["bash", "-c", ready], cwd=folder, check=True)
    return folder


def run(checkout: Path, command: str, path: str = "") -> tuple[int, str]:
    """Run a command, with Ctrl-C once it says that this stops it; return its exit code and its output."""
    words = [EXAMPLES.get(word, word) for word in shlex.split(command)]
    with subprocess.Popen(
        ["env", *words],
        cwd=checkout,
        env={"HOME": str(checkout.parent), "PATH": path or str(checkout / ".tools")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        output = ""
        try:
            for line in process.stdout:
                output += line
                if line.startswith("Ctrl-C stops it"):
                    process.send_signal(signal.SIGINT)
        except BaseException:
            process.terminate()
            raise
    return process.returncode, output


# -- how they end ------------------------------------------------------------------------------------------


class End(NamedTuple):
    """The exit code and the last line of a command, after this was added to it."""

    code: int
    says: str
    added: str = ""


HELP: Final = End(0, ".*")
REFUSED: Final = End(2, ".*: error: unrecognized arguments: --nobody-knows", "--nobody-knows")
ENDS: Final = {
    "address": End(0, r".*https://github\.com/\S+"),
    "bench": REFUSED,
    "brand": End(1, "There is no Chromium; .*"),
    "chaos": REFUSED,
    "demo": REFUSED,
    "library": REFUSED,
    "lock": End(0, ""),
    "mutate": REFUSED,
    "package": End(0, r"dist/jedlix\.zip: version .*"),
    "python-from-debian": End(1, "No apt-get and dpkg here: .*"),
    "screenshots": End(1, "There is no Chromium; .*"),
    "setup": End(0, ""),
    "simulator": End(0, "Stopped.", "--port 0"),
    "soak": REFUSED,
    "test": End(0, r"pytest -m (pytest|tests\.any_home_assistant).*"),
}
TO_THE_END: Final = {
    "scripts/bench --quick --json": "e2e/test_bench.py::test_nothing_has_become_much_dearer",
    "scripts/chaos --json": "e2e/test_chaos.py::test_nothing_is_lost_in_a_small_storm",
    "scripts/library --test": "test_library.py::test_the_library_works_without_home_assistant",
    "scripts/demo --once --json": "e2e/test_demo.py::test_a_charging_day_is_told_by_real_webhooks",
}
"""The tests of those that are refused here. `scripts/soak` has none: it takes half an hour."""


def script_of(command: str) -> str:
    """Return the name of the script that a command runs; variables may come before it."""
    found = re.match(r"(?:\w+=\S+ )*scripts/(\S+)", command)
    assert found is not None, f"unknown command {command!r}"
    assert found[1] in ENDS, f"unknown script scripts/{found[1]}"
    return found[1]


def check(checkout: Path, command: str) -> str:
    """Run a command, check how it ends, and return its output."""
    end = HELP if "--help" in command else ENDS[script_of(command)]
    code, output = run(checkout, f"{command} {end.added}")
    assert code == end.code, output
    assert re.fullmatch(end.says, "".join(output.splitlines()[-1:])), output
    return output


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_works(checkout: Path, command: str) -> None:
    source = SCRIPTS[script_of(command)]
    if " " in command.partition("scripts/")[2]:
        assert re.search(r"\$[@1]", source), "it takes no arguments"
    check(checkout, command)


@pytest.mark.parametrize("command", [one for one in COMMANDS if "scripts/test" in one.split()])
def test_pytest_understands_its_arguments(
    checkout: Path, command: str, pytestconfig: pytest.Config
) -> None:
    arguments = shlex.split(check(checkout, command).splitlines()[-1])[3:]
    known, unknown = pytestconfig._parser.parse_known_and_unknown_args(arguments)
    assert not unknown
    files = [ROOT / file for file in known.file_or_dir]
    assert all(file.exists() for file in files)
    for variable in re.findall(r"(\w+)=", command):
        assert any(f'"{variable}"' in file.read_text() for file in files), variable


@pytest.mark.parametrize("name", [name for name, text in SCRIPTS.items() if "--help" in text])
def test_the_commands_of_a_help_work(checkout: Path, name: str) -> None:
    output = check(checkout, f"scripts/{name} --help")
    assert output.startswith(f"usage: scripts/{name}")
    for command in re.findall(r"^  (scripts/.*)$", output, re.MULTILINE):
        check(checkout, command)


@pytest.mark.parametrize("command", TO_THE_END)
def test_the_named_test_runs_the_command(command: str) -> None:
    path, _, name = TO_THE_END[command].partition("::")
    (test,) = (
        node
        for node in ast.parse((ROOT / "tests" / path).read_text()).body
        if isinstance(node, ast.AsyncFunctionDef) and node.name == name
    )
    assert "skip" not in "".join(map(ast.unparse, test.decorator_list))
    calls = [ast.unparse(node) for node in ast.walk(test) if isinstance(node, ast.Call)]
    words = command.replace("/", " ").split()
    assert any(all(f"'{word}'" in call for word in words) for call in calls)


def test_every_command_that_is_refused_here_has_another_test() -> None:
    elsewhere = {script_of(command) for command in TO_THE_END}
    assert elsewhere | {"mutate", "soak"} == {name for name, end in ENDS.items() if end is REFUSED}


@pytest.mark.browser
@pytest.mark.skipif(find_chromium() is None, reason="there is no Chromium")
def test_the_brand_is_drawn(checkout: Path) -> None:
    def sizes(folder: Path) -> dict[str, bytes]:
        pictures = (folder / "custom_components/jedlix/brand").iterdir()
        return {path.name: path.read_bytes()[16:24] for path in pictures}

    shutil.rmtree(checkout / "custom_components/jedlix/brand")
    assert run(checkout, "scripts/brand", os.environ["PATH"]) == (0, "")
    assert sizes(checkout) == sizes(ROOT)


# -- their figures in the docs -----------------------------------------------------------------------------


def test_the_limits_of_the_bench_are_those_of_the_page() -> None:
    listed = re.findall(r"^\| `(\w+)` \| ([\d.]+) \|", PAGES["docs/performance.md"], re.MULTILINE)
    assert {name: float(limit) for name, limit in listed} == {
        name: limit.must for name, limit in LIMITS.items()
    }


def test_the_figures_of_chaos_are_those_of_the_page() -> None:
    rows = rows_of("docs/reliability.md", "### `scripts/chaos`")
    listed = {name for row in rows for name in re.findall(r"`(\w+)`", row[0])}
    assert listed == MUST_BE_0.keys()
