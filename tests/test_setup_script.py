"""Set-up script: what it takes from the machine, what it says while one waits, and what it leaves alone.

It runs as it is, with stubs for uv and python3, which note how they were called.
"""

from collections.abc import Iterator
import fcntl
import os
from pathlib import Path
import shutil
import subprocess
import sys
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]
TOOLS: Final = (
    *("bash", "cat", "chmod", "cksum", "cp", "cut", "dirname", "flock", "head", "ln", "mkdir"),
    *("readlink", "sed", "sleep", "sort", "touch"),
)
"""All that it finds of the system, beside the stubs."""
LOCKED: Final = next(
    line.split()[0].removeprefix("uv==")
    for line in (ROOT / "requirements/bootstrap.txt").read_text().splitlines()
    if line.startswith("uv==")
)

UV: Final = r"""#!/usr/bin/env bash
python="$UV_PYTHON_INSTALL_DIR $UV_PYTHON_INSTALL_BIN"
echo "uv $VERSION: $*; index ${UV_DEFAULT_INDEX-}; python $python; tmp ${TMPDIR-}" >>"$LOG"
for last; do :; done
case "$1 $2" in
"--version ") echo "uv $VERSION (somewhere)" ;;
"python find") echo "$REAL_PYTHON" ;;
"venv --quiet") mkdir -p "$last/bin" && ln -sf "$REAL_PYTHON" "$last/bin/python" ;;
"pip install") [[ -z ${NOTHING_CACHED-} || $* != *--offline* ]] ;;
esac
"""
PYTHON3: Final = r"""#!/usr/bin/env bash
echo "python3: $*" >>"$LOG"
for last; do :; done
case "$2 $3" in
"venv --clear") mkdir -p "$last/bin" && cp "$0" "$last/bin/python" ;;
"pip install") sed "s/\$VERSION/$LOCKED/" "$STUBS/locked-uv" >"${0%/*}/uv" && chmod +x "${0%/*}/uv" ;;
*) exit 1 ;;
esac
"""


class Machine:
    """A machine with a checkout, and a home and a PATH of its own."""

    def __init__(self, folder: Path) -> None:
        """Make it: with a compiler and python3, without uv."""
        self.folder = folder
        self.checkout = folder / "check out"
        self.stubs = folder / "stubs"
        self.log = folder / "log"
        for path in (self.checkout / "scripts", self.stubs, folder / "home"):
            path.mkdir(parents=True)
        shutil.copy(ROOT / "scripts/setup", self.checkout / "scripts")
        shutil.copytree(ROOT / "requirements", self.checkout / "requirements")
        for name in TOOLS:
            (self.stubs / name).symlink_to(shutil.which(name) or name)
        (self.stubs / "env").symlink_to("/usr/bin/env")
        (self.stubs / "locked-uv").write_text(UV)
        self.add("python3", PYTHON3)
        self.add("g++", "")

    def add(self, name: str, script: str) -> None:
        """Put a program on the PATH."""
        (self.stubs / name).write_text(script)
        (self.stubs / name).chmod(0o755)

    def add_uv(self, version: str) -> None:
        """Put a uv of this version on the PATH."""
        self.add("uv", UV.replace("$VERSION", version))

    def start(self, **variables: str) -> subprocess.Popen[str]:
        """Start the set-up."""
        self.log.write_text("")
        home = {"HOME": str(self.folder / "home"), "PATH": str(self.stubs)}
        stubs = {"LOG": str(self.log), "STUBS": str(self.stubs), "LOCKED": LOCKED}
        return subprocess.Popen(
            [self.checkout / "scripts/setup"],
            env=home | stubs | {"REAL_PYTHON": sys.executable} | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def set_up(self, **variables: str) -> tuple[int, str]:
        """Run the set-up; return its exit code and what it says."""
        with self.start(**variables) as process:
            output, _ = process.communicate()
        return process.returncode, output

    @property
    def calls(self) -> list[str]:
        """Return how uv and python3 were called."""
        return self.log.read_text().splitlines()

    @property
    def installs(self) -> list[str]:
        """Return the calls that install the packages."""
        return [call for call in self.calls if call.startswith("uv") and ": pip install" in call]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Return a machine."""
    return Machine(tmp_path)


def test_nothing_lies_outside_the_checkout_and_the_cache(machine: Machine) -> None:
    code, output = machine.set_up()
    assert code == 0, output
    assert output.endswith("setup: done: .venv/bin/python\n")
    home = machine.folder / "home"
    assert [path.name for path in home.iterdir()] == [".cache"]
    assert [path.name for path in (home / ".cache").iterdir()] == ["jedlix-home-assistant"]
    cache = home / ".cache/jedlix-home-assistant"
    folders = f"python {cache}/python 0; tmp {cache}/tmp"
    assert all(call.endswith(folders) for call in machine.calls if call.startswith("uv"))
    assert machine.set_up() == (0, "")
    assert machine.calls == []


@pytest.mark.parametrize(("version", "used"), [("0.4.30", LOCKED), ("99.0.0", "99.0.0")])
def test_an_old_uv_does_not_win(machine: Machine, version: str, used: str) -> None:
    machine.add_uv(version)
    code, output = machine.set_up()
    assert code == 0, output
    assert [call.split(":")[0] for call in machine.installs] == [f"uv {used}"]
    assert ("taking uv" in output) == (used == LOCKED)


@pytest.mark.parametrize(
    ("cached", "code", "says"),
    [
        ("all", 0, "setup: done: .venv/bin/python\n"),
        ("something", 1, "and there is no C++ compiler. On Debian: apt-get install g++\n"),
    ],
)
def test_without_a_compiler_what_was_compiled_before_is_installed(
    machine: Machine, cached: str, code: int, says: str
) -> None:
    (machine.stubs / "g++").unlink()
    (machine.folder / "home/.cache/uv").mkdir(parents=True)
    found, output = machine.set_up(**({} if cached == "all" else {"NOTHING_CACHED": "1"}))
    assert (found, output.endswith(says)) == (code, True), output
    assert machine.installs
    assert all("--offline" in call for call in machine.installs)


def test_a_compiler_is_looked_for_before_anything_is_fetched(machine: Machine) -> None:
    (machine.stubs / "g++").unlink()
    code, output = machine.set_up()
    assert code == 1
    assert output.endswith("there is no C++ compiler. On Debian: apt-get install g++\n")
    assert machine.calls == []


def test_another_failure_does_not_hint_at_the_compiler(machine: Machine) -> None:
    machine.add(
        "uv", UV.replace("$VERSION", LOCKED).replace('"pip install")', '"pip install") exit 2;')
    )
    code, output = machine.set_up()
    assert code == 1
    assert "the reason stands above" in output
    assert "compile" not in output


@pytest.mark.parametrize(
    ("variables", "index"),
    [
        ({"PIP_INDEX_URL": "https://mirror.example/simple"}, "https://mirror.example/simple"),
        (
            {"PIP_INDEX_URL": "https://a.example", "UV_DEFAULT_INDEX": "https://b.example"},
            "https://b.example",
        ),
        ({}, ""),
    ],
)
def test_packages_come_from_the_index_of_pip(
    machine: Machine, variables: dict[str, str], index: str
) -> None:
    code, output = machine.set_up(**variables)
    assert code == 0, output
    assert [call.split("; ")[1] for call in machine.installs] == [f"index {index}"]


@pytest.mark.parametrize("name", ["", "tmp", "lock"])
def test_a_cache_that_cannot_be_written_is_not_needed(machine: Machine, name: str) -> None:
    """A link to nowhere stands for a file of another user, which root could write."""
    cache = machine.folder / "home/.cache/jedlix-home-assistant"
    path = cache / name
    path.parent.mkdir(parents=True)
    path.symlink_to("/nowhere/at all")
    code, output = machine.set_up()
    assert code == 0, output
    assert f"{path} cannot be written" in output
    assert "or name a folder for all caches with XDG_CACHE_HOME" in output
    assert (machine.checkout / ".cache/tmp").is_dir()
    assert all(f"tmp {machine.checkout}/.cache/tmp" in call for call in machine.installs)


@pytest.fixture
def lock(machine: Machine) -> Iterator[int]:
    """Hold the lock of another set-up."""
    path = machine.folder / "home/.cache/jedlix-home-assistant/lock"
    path.parent.mkdir(parents=True)
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    yield descriptor
    os.close(descriptor)


def test_a_second_set_up_says_that_it_waits(machine: Machine, lock: int) -> None:
    with machine.start() as process:
        assert process.stdout is not None
        assert (
            process.stdout.readline()
            == "setup: another set-up is running: waiting until it is done\n"
        )
        assert machine.calls == []
        fcntl.flock(lock, fcntl.LOCK_UN)
        output, _ = process.communicate()
    assert process.returncode == 0, output
