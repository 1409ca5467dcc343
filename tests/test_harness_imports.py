"""The imports of the harness: no circle, and only downward."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Final

import pytest

HARNESS: Final = Path(__file__).parents[1] / "harness"
FILES: Final = {
    ".".join(("harness", *path.relative_to(HARNESS).with_suffix("").parts)): path
    for path in sorted(HARNESS.rglob("*.py"))
}
"""All files by the names of their modules; a package is named `....__init__`."""
PACKAGES: Final = {path.parent.name for path in HARNESS.glob("*/__init__.py")}
MAY_USE: Final = {"screenshots": {"browser", "demo"}}
"""The packages that use other packages: the pictures show the demo's dashboard in a browser."""
COMPONENTS: Final = {"immediate_repairs", "chaos_recorder", "bench_probe"}
"""They run inside Home Assistant."""


def imports_of(module: str, source: str) -> Iterator[str]:
    """Yield the full name of everything that a module imports, wherever in it."""
    package = module.split(".")[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def module_of(name: str) -> str | None:
    """Return the module of the harness that has this name or holds it."""
    while name:
        for module in (name, f"{name}.__init__"):
            if module in FILES:
                return module
        name = name.rpartition(".")[0]
    return None


def package_of(name: str) -> str:
    """Return the package at the top of the harness that a name is in; empty if it is in none."""
    above, _, rest = name.partition(".")
    top = rest.partition(".")[0]
    return top if above == "harness" and top in PACKAGES else ""


IMPORTS: Final = {
    module: set(imports_of(module, path.read_text(encoding="utf-8")))
    for module, path in FILES.items()
}


def test_imports_are_read_right() -> None:
    source = "import a.b\ndef f():\n    from . import c\nfrom .d import e\nfrom ..f import g"
    names = ["a.b", "harness.demo.d.e", "harness.f.g", "harness.demo.c"]
    assert list(imports_of("harness.demo.run", source)) == names
    assert module_of("harness.home.Home") == "harness.home"
    assert module_of("harness.demo") == module_of("harness.demo.a") == "harness.demo.__init__"
    assert module_of("asyncio") is None


def test_there_is_no_import_circle() -> None:
    graph = {module: set(map(module_of, names)) - {None} for module, names in IMPORTS.items()}
    assert sum(map(len, graph.values())) > len(graph)
    TopologicalSorter(graph).prepare()  # it raises for a circle


def test_no_import_is_for_annotations_only() -> None:
    assert not [name for name, path in FILES.items() if "TYPE_CHECKING" in path.read_text()]


@pytest.mark.parametrize("package", ["", *sorted(PACKAGES)])
def test_a_package_imports_only_what_is_below_it(package: str) -> None:
    may_use = {package} | MAY_USE.get(package, set())
    modules = [name for name in FILES if package_of(name) == package]
    assert modules
    used = {package_of(name) for module in modules for name in IMPORTS[module]}
    assert used - {""} <= may_use


def test_only_components_import_home_assistant_and_the_integration() -> None:
    importing = {
        FILES[module].parent.name
        for module, names in IMPORTS.items()
        if {name.split(".")[0] for name in names} & {"homeassistant", "custom_components"}
    }
    assert importing == COMPONENTS
