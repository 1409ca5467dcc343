"""The address of the repository: one place counts, the others repeat it, and one script changes them all."""

import json
from pathlib import Path
import re
import shutil
from typing import Final
from urllib.parse import unquote

import pytest

from tests.e2e.scripts import run

ROOT: Final = Path(__file__).parents[1]
MANIFEST: Final = "custom_components/jedlix/manifest.json"
IN_A_LINK: Final = re.compile(r"github\.com/([\w-]+/[\w.-]*\w)")
IN_A_BADGE: Final = re.compile(r"owner=([\w-]+)&repository=([\w.-]*\w)")
# Tools and projects that are not ours.
OTHER_OWNERS: Final = {"hacs", "home-assistant", "RomRider"}
SKIPPED: Final = {"requirements", "dist", "__pycache__"}
HIDDEN_FOLDERS: Final = {".ci", ".devcontainer", ".github"}
PICTURES: Final = {".png"}
# Their addresses are examples.
EXAMPLES: Final = {Path(__file__).name, "address"}


def files(root: Path) -> list[Path]:
    """Return all files of the project that may be text."""
    found: list[Path] = []
    for folder, folders, names in root.walk():
        folders[:] = [
            name
            for name in folders
            if name in HIDDEN_FOLDERS or not (name in SKIPPED or name.startswith("."))
        ]
        found += [
            folder / name
            for name in names
            if not {name, Path(name).suffix} & (PICTURES | EXAMPLES) and (folder / name).is_file()
        ]
    return found


def repositories(root: Path) -> dict[str, set[str]]:
    """Return our repositories at GitHub, each with the files that name it."""
    found: dict[str, set[str]] = {}
    for path in files(root):
        text = unquote(path.read_text(errors="ignore"))
        names = [*IN_A_LINK.findall(text), *("/".join(pair) for pair in IN_A_BADGE.findall(text))]
        for name in names:
            if name.split("/")[0] not in OTHER_OWNERS:
                found.setdefault(name, set()).add(path.relative_to(root).as_posix())
    return found


def address_in(root: Path) -> str:
    """Return the address that counts."""
    return str(json.loads((root / MANIFEST).read_text())["documentation"])


def test_all_places_have_the_same_address() -> None:
    assert list(repositories(ROOT)) == [address_in(ROOT).removeprefix("https://github.com/")]


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """Return a copy of everything that may name the address."""
    for path in files(ROOT):
        target = tmp_path / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    shutil.copy(ROOT / "scripts/address", tmp_path / "scripts")
    return tmp_path


async def test_the_script_changes_every_place(elsewhere: Path) -> None:
    (before,) = repositories(elsewhere).values()
    badge = elsewhere / "docs/badge.md"
    owner, name = address_in(ROOT).split("/")[-2:]
    badge.write_text(
        f"https://my.home-assistant.io/redirect/x/?owner={owner}&repository={name}&y=z"
    )
    code, output = await run(
        elsewhere / "scripts/address", "https://github.com/some-body/ha.jedlix"
    )
    assert code == 0, output
    assert repositories(elsewhere) == {"some-body/ha.jedlix": before | {"docs/badge.md"}}
    manifest = json.loads((elsewhere / MANIFEST).read_text())
    assert manifest["codeowners"] == ["@some-body"]
    authors = [
        re.findall(r"^  author: (.*)$", path.read_text(), re.MULTILINE)
        for path in (elsewhere / "blueprints").rglob("*.yaml")
    ]
    assert authors
    assert all(author == ["some-body"] for author in authors)
    assert manifest["issue_tracker"] == "https://github.com/some-body/ha.jedlix/issues"
    code, output = await run(elsewhere / "scripts/address")
    assert (code, output) == (0, "https://github.com/some-body/ha.jedlix\n")


@pytest.mark.parametrize(
    "address", ["github.com/a/b", "https://github.com/a/b/", "https://x.org/a/b"]
)
async def test_an_invalid_address_changes_nothing(elsewhere: Path, address: str) -> None:
    before = {path: path.read_bytes() for path in files(elsewhere)}
    code, output = await run(elsewhere / "scripts/address", address)
    assert code == 1
    assert "usage" in output
    assert {path: path.read_bytes() for path in files(elsewhere)} == before
