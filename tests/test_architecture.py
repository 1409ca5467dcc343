"""Architecture: imports go one way, one table knows the paths, and the page names every module."""

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
import re
from typing import Final

import pytest

from custom_components.jedlix import PLATFORMS
from custom_components.jedlix.api.endpoints import ENDPOINTS

ROOT: Final = Path(__file__).parents[1]
INTEGRATION: Final = ROOT / "custom_components/jedlix"
FILES: Final = sorted(INTEGRATION.rglob("*.py"))
PAGE: Final = (ROOT / "docs/architecture.md").read_text()

# From the bottom up. A module may import what stands in a lower line; a package also what lies in it.
LAYERS: Final = (
    {"const", "periods", "slices"},
    {"api"},
    {"state"},
    {"push"},
    {
        *("store", "token_file", "devices", "listeners", "errors", "target", "users", "issues"),
        *("dashboard", "weekdays", "zones", "voice"),
    },
    {"fleet", "publisher", "known_users", "entity_ids"},
    {"refresher", "link_issues", "replacements", "deliveries", "tenant_sessions"},
    {"poll", "quick_poll"},
    {"coordinator"},
    {"webhook", "commands", "session_history", "prices"},
    {"recorded_hours"},
    {"statistics"},
    {"data"},
    {"subentries", "actions", "entity"},
    {"flows", "services", "totals", "ready_by", "price_sensors"},
    {
        *map(str, PLATFORMS),
        *("config_flow", "repairs", "diagnostics", "system_health"),
        *("trigger", "condition", "logbook"),
    },
    {"__init__"},
)
LEVEL_OF: Final = {name: level for level, layer in enumerate(LAYERS) for name in layer}
PACKAGES: Final = ("api", "state", "push", "actions", "flows")


def module_of(path: Path) -> str:
    """Return a file's module within the integration, such as `push.inbox`; a package is its `__init__`."""
    return ".".join(path.relative_to(INTEGRATION).with_suffix("").parts)


MODULES: Final = {module_of(path): path for path in FILES}


@cache
def tree_of(path: Path) -> ast.Module:
    """Return a file's syntax tree."""
    return ast.parse(path.read_text(), str(path))


def imports_of(module: str, tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield package and name of all that a module imports; a relative package begins with a dot."""
    package = module.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package[: len(package) - node.level + 1]
                base = "." + ".".join([*above, *filter(None, [base])])
            yield from ((base, alias.name) for alias in node.names)


@cache
def ours_of(module: str) -> frozenset[str]:
    """Return the modules of the integration that a module imports, those for types included."""
    found = set()
    for base, name in imports_of(module, tree_of(MODULES[module])):
        if not base.startswith("."):
            continue
        inner = base.removeprefix(".")
        candidates = (f"{inner}.{name}".lstrip("."), inner, f"{inner}.__init__".lstrip("."))
        found.add(next(item for item in candidates if item in MODULES))
    return frozenset(found)


def test_imports_are_read_right() -> None:
    source = "import a.b\nfrom . import c\nfrom .d import e\nfrom ..f import g\nfrom h import i"
    assert list(imports_of("push.inbox", ast.parse(source))) == [
        ("a.b", ""),
        (".push", "c"),
        (".push.d", "e"),
        (".f", "g"),
        ("h", "i"),
    ]


def test_every_module_has_its_layer() -> None:
    rooms = {module.partition(".")[0] for module in MODULES}
    assert rooms == LEVEL_OF.keys()


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_what_lies_below_it(module: str) -> None:
    room = module.partition(".")[0]
    for imported in ours_of(module):
        below = imported.partition(".")[0]
        is_inside = room == below and room in PACKAGES
        assert LEVEL_OF[below] < LEVEL_OF[room] or is_inside, f"{module} imports {imported}"


def test_no_circle_not_even_for_types() -> None:
    try:
        TopologicalSorter({module: ours_of(module) for module in MODULES}).prepare()
    except CycleError as err:
        pytest.fail(f"a circle of imports: {err.args[1]}")


@pytest.mark.parametrize("module", MODULES)
def test_no_import_is_hidden_from_the_running_program(module: str) -> None:
    """What is imported for types only hides a circle."""
    assert "TYPE_CHECKING" not in MODULES[module].read_text()


@pytest.mark.parametrize(
    "module",
    [
        "const",
        *(name for name in MODULES if name.startswith(("api.", "state."))),
        *("push.inbox", "push.health", "push.event_types", "push.record", "push.subscriptions"),
        *("users", "periods"),
    ],
)
def test_pure_modules_know_no_home_assistant(module: str) -> None:
    imported = {base for base, _ in imports_of(module, tree_of(MODULES[module]))}
    assert not {base for base in imported if base.partition(".")[0] == "homeassistant"}


def test_the_api_could_be_published_by_itself() -> None:
    for module in MODULES:
        if module.startswith("api."):
            assert all(imported.startswith("api.") for imported in ours_of(module)), module


def test_the_simulator_shares_nothing_with_the_integration() -> None:
    """Two readings of the API that lean on each other would prove nothing."""
    for path in (ROOT / "simulator").rglob("*.py"):
        assert "custom_components" not in path.read_text(), path


# -- what the reader finds ---------------------------------------------------------------------------------


@pytest.mark.parametrize("module", MODULES)
def test_a_module_says_first_what_it_holds(module: str) -> None:
    first_line = (ast.get_docstring(tree_of(MODULES[module])) or "").partition("\n")[0]
    assert first_line
    assert not re.match(r"(What|Whose|Who|Which|How|Where|When|Everything) ", first_line)


@pytest.mark.parametrize(
    "module", [module for module in MODULES if not module.endswith("__init__")]
)
def test_the_page_on_the_architecture_names_every_module(module: str) -> None:
    assert f"{module.replace('.', '/')}.py" in PAGE


# -- who knows a path --------------------------------------------------------------------------------------

A_PATH: Final = re.compile(r"/api/v\d+/\w")


def strings_of(path: Path) -> Iterator[str]:
    """Yield all strings in the code of a file, docstrings left aside."""
    tree = tree_of(path)
    documentation = {
        node.body[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and node not in documentation
        ):
            yield node.value


def test_only_the_table_of_endpoints_knows_a_path() -> None:
    knowing = {
        module for module, path in MODULES.items() if any(map(A_PATH.search, strings_of(path)))
    }
    assert knowing == {"api.endpoints"}
    assert all(A_PATH.match(endpoint.path) for endpoint in ENDPOINTS.values())


def test_every_endpoint_is_used_by_its_name() -> None:
    assert set(ENDPOINTS) <= set(strings_of(MODULES["api.client"]))
