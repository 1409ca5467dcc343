"""Mutation tests: the tool finds the mutants of a module, and says which of them no test notices."""

import json
import os
from pathlib import Path
import subprocess
import sys
from typing import Final

import pytest

from harness.mutation.concern import tests_of as concerning
from harness.mutation.mutants import mutants_of
from harness.paths import ROOT
from tests.any_home_assistant import LOST_NAMES

imports_plugin = pytest.mark.skipif(
    LOST_NAMES in os.environ, reason="the tests' plugin cannot be imported by itself"
)

MODULE: Final = "custom_components/any/rules.py"
SOURCE: Final = '''"""Rules."""

# É: bytes are no characters
LIMIT: int = 10


def is_large(x: int) -> bool:
    """Return whether 7 < x."""
    return x > LIMIT


def limited(x: int) -> int:
    return x if x < LIMIT else LIMIT
'''
TESTS: Final = """from custom_components.any.rules import is_large, limited


def test_large() -> None:
    assert is_large(11)
    assert not is_large(9)


def test_limited() -> None:
    assert [limited(x) for x in (9, 11)] == [9, 10]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project with one module and its tests, which forget the limit itself."""
    module = tmp_path / MODULE
    module.parent.mkdir(parents=True)
    module.write_text(SOURCE, encoding="utf-8")
    tests = tmp_path / "tests" / "test_rules.py"
    tests.parent.mkdir()
    tests.write_text(TESTS, encoding="utf-8")
    settings = '[tool.pytest]\npythonpath = ["."]\nasyncio_mode = "auto"\n'
    (tmp_path / "pyproject.toml").write_text(settings, encoding="utf-8")
    return tmp_path


def run(project: Path, *options: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "harness.mutation", "--root", str(project), *options, MODULE],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@imports_plugin
def test_what_no_test_notices_is_listed_and_tried_again(project: Path) -> None:
    """`x < LIMIT` as `x <= LIMIT` changes nothing; `x > LIMIT` as `x >= LIMIT` lacks a test."""
    code, output = run(project)
    assert code == 1
    survived = {line for line in output.splitlines() if line.startswith("survived: ")}
    assert survived == {
        f"survived: {MODULE}:9 is_large: x > LIMIT -> (x >= LIMIT)",
        f"survived: {MODULE}:13 limited: x < LIMIT -> (x <= LIMIT)",
    }
    assert "killed" in output
    assert (project / MODULE).read_text(encoding="utf-8") == SOURCE

    results = project / ".work" / "mutation" / "results.jsonl"
    before = len(results.read_text(encoding="utf-8").splitlines())
    tests = project / "tests" / "test_rules.py"
    tests.write_text(TESTS.replace("is_large(9)", "is_large(10)"), encoding="utf-8")
    code, output = run(project)
    assert [line for line in output.splitlines() if line.startswith("survived: ")] == [
        f"survived: {MODULE}:13 limited: x < LIMIT -> (x <= LIMIT)"
    ]
    tried = results.read_text(encoding="utf-8").splitlines()[before:]
    assert len(tried) == len(survived)  # what was killed is not tried again
    assert [json.loads(line)["outcome"] for line in tried].count("killed") == 1


@imports_plugin
def test_tests_that_fail_anyway_prove_nothing(project: Path) -> None:
    (project / "tests" / "test_rules.py").write_text("def test_it():\n    assert False\n")
    code, output = run(project)
    assert code == 1
    assert f"{MODULE} was not tried: tests/test_rules.py: killed without any mutant" in output
    assert "0 mutants, none tried" in output


def test_each_kind_of_code_has_its_mutants() -> None:
    source = (
        "def work(a, b=True):\n"
        "    if a and not b:\n"
        "        a.kept = max(1, 2.5)\n"
        "        a.forget()\n"
        "    while any(x for x in a if x):\n"
        "        a += 1\n"
        "        continue\n"
        "    if a is None or a in b:\n"
        '        raise ValueError(f"{a == 1}")\n'
        "    _LOGGER.info(1)\n"
        "    return b if a else a - b\n"
    )
    news = [(mutant.old, mutant.new) for mutant in mutants_of("m.py", source)]
    assert news == [
        ("True", "False"),
        ("a and not b", "(not b)"),
        ("a and not b", "(a)"),
        ("not b", "(b)"),
        ("a.kept = max(1, 2.5)", "pass"),
        ("max", "min"),
        ("1", "2"),
        ("2.5", "3.5"),
        ("a.forget()", "pass"),
        ("any(x for x in a if x)", "not (any(x for x in a if x))"),
        ("any", "all"),
        ("x", "not (x)"),
        ("a += 1", "pass"),
        ("1", "2"),
        ("continue", "break"),
        ("a is None or a in b", "(a in b)"),
        ("a is None or a in b", "(a is None)"),
        ("a is None", "(a is not None)"),
        ("a in b", "(a not in b)"),
        ('raise ValueError(f"{a == 1}")', "pass"),
        ("return b if a else a - b", "return None"),
        ("a", "not (a)"),
        ("a - b", "(a + b)"),
    ]


def test_every_module_of_the_rules_has_tests() -> None:
    without = [
        path.name
        for path in (ROOT / "custom_components/jedlix").rglob("*.py")
        if path.parent.name in {"state", "push"} and path.name != "__init__.py"
        if not concerning(path.relative_to(ROOT).as_posix(), ROOT)
    ]
    assert without == []
