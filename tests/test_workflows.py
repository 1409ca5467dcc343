"""Workflows: pinned actions, few permissions, and the versions and commands of the project itself."""

from collections.abc import Iterator
import json
from pathlib import Path
import re
import shutil
import subprocess
import sys
from typing import Any, Final

from homeassistant.util.yaml import parse_yaml
import pytest

ROOT: Final = Path(__file__).parents[1]
GITHUB: Final = ROOT / ".github"
WORKFLOWS: Final = sorted((GITHUB / "workflows").glob("*.yml"))
ZIZMOR: Final = Path(sys.executable).with_name("zizmor")
PINNED: Final = re.compile(
    r"uses: ([\w./-]+@[0-9a-f]{40} # \S+|\./\.github/workflows/\w+\.yml #.*)$"
)
"""Somebody else's action at one commit, or a workflow of ours."""


def read(path: Path) -> Any:
    """Return a YAML file; `on` is a word at its top, not true."""
    content = parse_yaml(path.read_text())
    assert isinstance(content, dict)
    return {"on" if key is True else key: value for key, value in content.items()}


def jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield all jobs of all workflows."""
    for path in WORKFLOWS:
        yield from ((f"{path.stem}.{name}", job) for name, job in read(path)["jobs"].items())


@pytest.mark.skipif(not ZIZMOR.exists(), reason="only beside the pinned Home Assistant")
def test_zizmor_finds_nothing() -> None:
    done = subprocess.run(
        [ZIZMOR, "--offline", "--persona=pedantic", "--no-progress", GITHUB],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.skipif(not ZIZMOR.exists(), reason="only beside the pinned Home Assistant")
def test_zizmor_finds_an_injected_input(tmp_path: Path) -> None:
    broken = tmp_path / "release.yml"
    text = (GITHUB / "workflows/release.yml").read_text()
    broken.write_text(text.replace('"$VERSION"', '"${{ inputs.version }}"'))
    done = subprocess.run([ZIZMOR, "--offline", broken], capture_output=True, check=False)
    assert done.returncode != 0
    assert b"template-injection" in done.stdout


@pytest.mark.skipif(shutil.which("actionlint") is None, reason="there is no actionlint")
def test_actionlint_finds_nothing() -> None:
    done = subprocess.run(["actionlint", *WORKFLOWS], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_action_is_pinned_and_no_permission_is_general(path: Path) -> None:
    uses = [line.strip(" -") for line in path.read_text().splitlines() if "uses:" in line]
    assert uses
    assert not [line for line in uses if not PINNED.match(line)]
    assert read(path)["permissions"] == {}


def test_only_the_release_may_write() -> None:
    writers = {name for name, job in jobs() if "write" in job["permissions"].values()}
    assert writers == {"release.release"}


def test_a_release_waits_for_the_tests_hassfest_and_hacs() -> None:
    release = read(GITHUB / "workflows/release.yml")["jobs"]
    assert release["release"]["needs"] == ["test", "validate"]
    validate = read(GITHUB / "workflows" / Path(release["validate"]["uses"]).name)
    assert "workflow_call" in validate["on"]
    assert {"hassfest", "hacs"} <= validate["jobs"].keys()


def test_the_oldest_home_assistant_is_the_one_that_hacs_asks_for() -> None:
    oldest = json.loads((ROOT / "hacs.json").read_text())["homeassistant"]
    job = dict(jobs())["test.demo"]
    assert job["strategy"]["matrix"]["home-assistant"][0] == oldest
    assert f"**Home Assistant** {oldest} or newer" in (ROOT / "docs/set-up.md").read_text()


def test_every_script_that_is_run_exists_and_is_executable() -> None:
    run = {
        script
        for path in (*WORKFLOWS, ROOT / ".devcontainer/devcontainer.json")
        for script in re.findall(r"(?:scripts/|\.ci/)\w+", path.read_text())
    }
    scripts = ("test", "demo", "package", "library", "setup")
    assert {".ci/run", *(f"scripts/{name}" for name in scripts)} == run
    for script in run:
        assert (ROOT / script).stat().st_mode & 0o111, script


def test_the_notes_of_a_release_are_its_part_of_the_changelog() -> None:
    (step,) = (
        step
        for step in dict(jobs())["release.release"]["steps"]
        if "changelog" in step.get("name", "")
    )
    version = json.loads((ROOT / "custom_components/jedlix/manifest.json").read_text())["version"]
    script = step["run"].replace("$RUNNER_TEMP/notes.md", "/dev/stdout")
    notes = _awk(script, version)
    assert notes.strip().startswith("The first version.")
    assert not re.search("^## ", notes, re.MULTILINE)
    assert _awk(script, "99.0.0") == ""


def _awk(script: str, version: str) -> str:
    first_line = script.splitlines()[0]
    done = subprocess.run(
        ["bash", "-c", first_line],
        cwd=ROOT,
        env={"VERSION": version, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize(
    "path",
    [*sorted((GITHUB / "ISSUE_TEMPLATE").glob("[!c]*.yml"))],
    ids=lambda path: path.stem,
)
def test_an_issue_form_requires_an_answer_and_asks_each_question_once(path: Path) -> None:
    form = read(path)
    assert form.keys() >= {"name", "description", "body"}
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    ids = [field["id"] for field in fields]
    assert len(ids) == len(set(ids))
    assert any(field.get("validations", {}).get("required") for field in fields)
    assert all(field["attributes"]["label"] for field in fields)
