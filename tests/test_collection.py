"""Every worker of a test run finds the same tests: no case is named by the clock or by chance."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

TESTS: Final = Path(__file__).parent
CHANGING: Final = {"now", "utcnow", "today", "time", "monotonic", "uuid4", "token_hex"}
"""Functions that answer differently in each process that imports a module; `time(22, 0)` does not."""


def changing_calls(source: str) -> Iterator[str]:
    """Yield the calls of a module that run when it is imported and answer differently each time."""
    waiting: list[ast.AST] = [ast.parse(source)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            last = name.rpartition(".")[2]
            if last in CHANGING and not (last == "time" and node.args):
                yield name
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            waiting += [*node.decorator_list, node.args]
        elif not isinstance(node, ast.Lambda):
            waiting += ast.iter_child_nodes(node)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("NOW = datetime.now(UTC)", ["datetime.now"]),
        ("@mark.parametrize('at', [time()])\ndef test(at): ...", ["time"]),
        ("def make(at=uuid4()): ...", ["uuid4"]),
        ("class House:\n    at = dt_util.utcnow()", ["dt_util.utcnow"]),
        ("AT = time(22, 0)", []),
        ("def test(): return datetime.now(UTC)", []),
        ("clock = lambda: monotonic()", []),
        ("NOW = datetime(2026, 7, 1, tzinfo=UTC)", []),
    ],
)
def test_calls_that_run_at_import_are_found(source: str, found: list[str]) -> None:
    assert list(changing_calls(source)) == found


def test_no_module_of_tests_asks_the_clock_when_it_is_imported() -> None:
    """Workers that name a case differently run nothing: "Different tests were collected"."""
    modules = sorted(TESTS.rglob("*.py"))
    found = {
        str(path.relative_to(TESTS)): calls
        for path in modules
        if (calls := list(changing_calls(path.read_text(encoding="utf-8"))))
    }
    assert Path(__file__) in modules
    assert found == {}
