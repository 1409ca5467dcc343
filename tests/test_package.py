"""The package: the same bytes for the same folder, no other files in it, and it runs."""

from pathlib import Path
import shutil
import sys
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from harness import package
from harness.package import PackageFailed
from harness.paths import INTEGRATION, ROOT
from tests.e2e.scripts import run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a copy of the integration."""
    return shutil.copytree(INTEGRATION, tmp_path / "jedlix")


def test_the_same_folder_makes_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    package.pack(INTEGRATION, tmp_path / "one.zip")
    for path in folder.rglob("*"):
        path.touch()  # copied and touched: other dates, another order on the disk
    (folder / "__pycache__").mkdir(exist_ok=True)
    (folder / "__pycache__/left_over.pyc").write_bytes(b"of an earlier run")
    package.pack(folder, tmp_path / "two.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    with ZipFile(tmp_path / "one.zip") as archive:
        names = archive.namelist()
    assert {"manifest.json", "__init__.py", "api/py.typed", "translations/de.json"} <= set(names)
    assert not [name for name in names if "__pycache__" in name]


@pytest.mark.parametrize("stray", ["sensor.py.orig", ".env", "push/notes.txt", ".idea/x.json"])
def test_a_file_that_does_not_belong_is_refused(folder: Path, tmp_path: Path, stray: str) -> None:
    (folder / stray).parent.mkdir(exist_ok=True)
    (folder / stray).write_text("a secret")
    with pytest.raises(PackageFailed, match=Path(stray).name):
        package.pack(folder, tmp_path / "jedlix.zip")


def test_a_package_that_differs_from_the_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    packed = tmp_path / "jedlix.zip"
    package.pack(folder, packed)
    assert package.check(folder, packed)
    (folder / "const.py").write_text("# changed since")
    with pytest.raises(PackageFailed, match="does not hold"):
        package.check(folder, packed)
    package.pack(folder, packed)
    with ZipFile(packed, "a", ZIP_DEFLATED) as archive:
        archive.writestr("one_more.py", "")
    with pytest.raises(PackageFailed, match="does not hold"):
        package.check(folder, packed)


def test_a_version_is_written_into_the_manifest_and_nothing_else_changes(
    folder: Path, tmp_path: Path
) -> None:
    before = (folder / "manifest.json").read_text()
    version = package.check(folder, _packed(folder, tmp_path))
    package.set_version(folder, "12.3.4-beta.1")
    assert (folder / "manifest.json").read_text() == before.replace(version, "12.3.4-beta.1")
    assert package.check(folder, _packed(folder, tmp_path)) == "12.3.4-beta.1"


def _packed(folder: Path, tmp_path: Path) -> Path:
    package.pack(folder, tmp_path / "jedlix.zip")
    return tmp_path / "jedlix.zip"


@pytest.mark.e2e
@pytest.mark.timeout(400)
async def test_the_demo_runs_with_the_files_of_the_package_alone(tmp_path: Path) -> None:
    """The demo's day, in a checkout that has the package unpacked instead of the sources."""
    code, output = await run(ROOT / "scripts/package")
    assert code == 0, output
    for folder in ("harness", "simulator"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    with ZipFile(ROOT / "dist/jedlix.zip") as archive:
        archive.extractall(tmp_path / "custom_components/jedlix")
    code, output = await run(
        *("env", f"PYTHONPATH={tmp_path}"),
        *(sys.executable, "-P", "-m", "harness.demo", "--once", "--port", "0"),
    )
    assert code == 0, output
    assert "The day went right" in output
