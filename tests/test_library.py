"""The API client as a package of its own: whole, without Home Assistant, and as its README shows it."""

from pathlib import Path
import re
import shutil
from typing import Any

import pytest

from harness import library
from harness.library import LibraryFailed
from harness.paths import ROOT
from simulator.app import Simulator
from tests.e2e.scripts import run

README = ROOT / "library" / "README.md"


def test_wheel_and_source_distribution_are_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel, source = library.build(tmp_path)
    library.check(wheel, source)
    monkeypatch.setattr(library, "SOURCE", shutil.copytree(library.SOURCE, tmp_path / "api"))
    (tmp_path / "api/gate.py").write_text("# changed since")
    with pytest.raises(LibraryFailed, match="does not hold"):
        library.check(wheel, source)


@pytest.mark.parametrize("module", ["homeassistant.core", "custom_components.jedlix.const"])
def test_a_file_that_needs_home_assistant_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    stray = tmp_path / "stray.py"
    stray.write_text(f"import {module}")
    monkeypatch.setattr(library, "FILES", {stray: "tests/stray.py"})
    with pytest.raises(LibraryFailed, match=f"tests/stray.py names {module.partition('.')[0]}"):
        library.gather(tmp_path / "gathered")


async def test_the_example_of_the_readme_works(
    sim: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    for pattern, here in (
        (library.NEW_NAME, library.OLD_NAME),
        (r"https://[\w.-]*auth0\.com", sim.url),
        (r"https://smartcharging\.jedlix\.com", sim.url),
    ):
        example, found = re.subn(pattern, here, example)
        assert found
    names: dict[str, object] = {}
    exec(example, names)
    show_cars: Any = names["show_cars"]
    await show_cars("client", "secret", "key", sim.user_ids[0])
    car = sim.vehicle(sim.vehicle_ids[0])
    assert re.fullmatch(rf"{car.brand} {car.model} \d+\n", capsys.readouterr().out)


@pytest.mark.e2e
async def test_the_library_works_without_home_assistant() -> None:
    """With a part of its tests; continuous integration runs all of them beside these."""
    code, output = await run(
        *(ROOT / "scripts" / "library", "--test", "tests/api/test_api_token.py")
    )
    assert code == 0, output
    assert " passed" in output
