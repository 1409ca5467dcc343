"""Library: the API client as a Python package of its own, made from the integration's folder `api/`.

Its sources, its tests and the simulator are copied into one folder, where the client is called `jedlix_api`.
uv makes the wheel and the source distribution of it. Nothing is uploaded.
"""

import argparse
from collections.abc import Iterator
import json
import os
from pathlib import Path
import re
import shutil
import subprocess
import sys
import tarfile
from tempfile import TemporaryDirectory
from zipfile import ZipFile

from .paths import INTEGRATION, ROOT

SOURCE = INTEGRATION / "api"
FOLDERS = {
    SOURCE: "src/jedlix_api",
    ROOT / "simulator": "simulator",
    ROOT / "tests" / "api": "tests/api",
}
"""What is copied, and to where."""
FILES = {
    ROOT / "library" / "pyproject.toml": "pyproject.toml",
    ROOT / "library" / "README.md": "README.md",
    ROOT / "library" / "conftest.py": "tests/conftest.py",
    ROOT / "tests" / "simulators.py": "tests/simulators.py",
    ROOT / "LICENSE": "LICENSE",
}
OLD_NAME, NEW_NAME = "custom_components.jedlix.api", "jedlix_api"
FOREIGN = re.compile(r"custom_components|\bhomeassistant\b")
"""What no file of the library may name."""


class LibraryFailed(Exception):
    """The library cannot be made, or does not work; the message is for a person."""


def gather(target: Path) -> None:
    """Copy all files of the library; raises `LibraryFailed` where one needs Home Assistant."""
    for path, name in _files():
        copy = target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text(encoding="utf-8").replace(OLD_NAME, NEW_NAME)
        if foreign := FOREIGN.search(text):
            raise LibraryFailed(f"{name} names {foreign[0]}")
        copy.write_text(text, encoding="utf-8")
    manifest = json.loads((INTEGRATION / "manifest.json").read_text(encoding="utf-8"))
    pyproject = target / "pyproject.toml"
    text = pyproject.read_text(encoding="utf-8")
    pyproject.write_text(
        re.sub(r'(?m)^version = "0".*$', f'version = "{manifest["version"]}"', text),
        encoding="utf-8",
    )


def _files() -> Iterator[tuple[Path, str]]:
    yield from FILES.items()
    for folder, target in FOLDERS.items():
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder)
            if path.is_file() and "__pycache__" not in name.parts:
                yield path, f"{target}/{name.as_posix()}"


def build(target: Path) -> tuple[Path, Path]:
    """Make the wheel and the source distribution in a folder; return their paths, the wheel first."""
    with TemporaryDirectory() as name:
        gather(Path(name))
        _uv("build", "--quiet", "--python", sys.executable, "--out-dir", str(target), name)
    (wheel,), (source,) = target.glob("*.whl"), target.glob("*.tar.gz")
    return wheel, source


def check(wheel: Path, source: Path) -> None:
    """Read both back; raises `LibraryFailed` where one does not hold what it should."""
    expected = {path.name: path.read_bytes() for path in SOURCE.iterdir() if path.is_file()}
    with ZipFile(wheel) as archive:
        packed = {
            name.removeprefix(f"{NEW_NAME}/"): archive.read(name)
            for name in archive.namelist()
            if name.startswith(f"{NEW_NAME}/") and not name.endswith("/")
        }
    if packed != expected:
        raise LibraryFailed(f"{wheel.name} does not hold what {SOURCE} holds")
    with tarfile.open(source) as tar:
        names = {name.partition("/")[2] for name in tar.getnames()}
    if missing := {name for _, name in _files()} - names:
        raise LibraryFailed(f"{source.name} has no {min(missing)}")


def run_tests(wheel: Path, source: Path, files: list[str]) -> int:
    """Run the library's tests, or some of their files, in an empty environment that has only the wheel.

    Returns pytest's exit code.
    """
    with TemporaryDirectory() as name:
        with tarfile.open(source) as tar:
            tar.extractall(name, filter="data")
        (folder,) = Path(name).iterdir()
        shutil.rmtree(folder / "src")  # The tests run with what is installed.
        python = folder / ".venv" / "bin" / "python"
        _uv("venv", "--quiet", "--python", sys.executable, str(folder / ".venv"))
        _uv(
            *("pip", "install", "--quiet", "--python", str(python), str(wheel)),
            *("--group", f"{folder / 'pyproject.toml'}:test"),
            *("--constraints", str(ROOT / "requirements" / "test.txt")),
        )
        return subprocess.run(
            [python, "-m", "pytest", "-p", "no:cacheprovider", *files], cwd=folder, check=False
        ).returncode


def _uv(*arguments: str) -> None:
    """Run the uv of this environment; raises `LibraryFailed` when it fails, after its own message."""
    uv = Path(sys.executable).with_name("uv")
    done = subprocess.run([uv, *arguments], env=os.environ | {"UV_SYSTEM_CERTS": "1"}, check=False)
    if done.returncode:
        raise LibraryFailed(f"uv {arguments[0]} failed")


def main() -> int:
    """Make the library, check it, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="scripts/library",
        description="Makes the API client as a package of its own, in dist/library. Uploads nothing.",
    )
    parser.add_argument(
        "--test",
        nargs="*",
        metavar="FILE",
        help="run its tests, or these, in an empty environment, without Home Assistant",
    )
    given = parser.parse_args()
    target = ROOT / "dist" / "library"
    shutil.rmtree(target, ignore_errors=True)
    try:
        wheel, source = build(target)
        check(wheel, source)
        for path in (wheel, source):
            print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1024:.0f} KiB", flush=True)
        return 0 if given.test is None else run_tests(wheel, source, given.test)
    except LibraryFailed as failure:
        print(f"No library: {failure}.", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
