"""Imports of the simulator: they go one way, those of types and inside functions included."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "simulator"


def modules(package: Path) -> dict[str, Path]:
    """Return the modules of a package by their full names."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(name: str, path: Path) -> Iterator[str]:
    """Yield all that a module names in import statements, wherever they stand, by full name."""
    package = name.split(".") if path.stem == "__init__" else name.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def graph(package: Path) -> dict[str, set[str]]:
    """Return which module imports which. A package counts only where its own names are imported."""
    known = modules(package)
    found = {}
    for name, path in known.items():
        wanted = {other for other in imported(name, path) if other in known and other != name}
        found[name] = {
            other for other in wanted if not any(inner.startswith(f"{other}.") for inner in wanted)
        }
    return found


def test_no_circle() -> None:
    arrows = graph(PACKAGE)
    assert "simulator.cloud" in arrows["simulator.api.http"]
    assert "simulator.world" in arrows["simulator.cloud"]
    try:
        tuple(TopologicalSorter(arrows).static_order())
    except CycleError as err:
        pytest.fail(f"imports in a circle: {' <- '.join(err.args[1])}")


def test_nothing_is_imported_for_types_only() -> None:
    for path in PACKAGE.rglob("*.py"):
        assert "TYPE_CHECKING" not in path.read_text(encoding="utf-8"), path


def test_the_api_is_below_control_and_app() -> None:
    upper = {f"simulator.{name}" for name in ("app", "control", "pages", "__main__")}
    for name, others in graph(PACKAGE).items():
        assert name in upper or not others & upper, name


def test_a_circle_of_types_is_seen(tmp_path: Path) -> None:
    package = tmp_path / "simulator"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "low.py").write_text("if TYPE_CHECKING:\n    from .high import High\n")
    (package / "high.py").write_text("def build():\n    from simulator import low\n")
    with pytest.raises(CycleError):
        tuple(TopologicalSorter(graph(package)).static_order())
