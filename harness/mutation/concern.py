"""Tests that concern a module: files that are named after it, and files that import it."""

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

_PACKAGES = frozenset({"actions", "api", "flows", "push", "state"})
_STORIES: Mapping[str, tuple[str, ...]] = {
    "accounts": ("actions", "test_flows_driver"),
    "answers": ("actions",),
    "cars": ("actions",),
    "commands": ("test_button", "test_controls", "test_number", "test_switch"),
    "connection_test": ("test_push_one_per_type", "test_flows_push"),
    "coordinator": ("coordinator", "slips", "test_repairs", "test_subentries"),
    "copies": ("slips",),
    "deliveries": (
        "coordinator",
        "test_details",
        "test_push_history",
        "test_reports",
        "test_webhook",
    ),
    "details": ("coordinator",),
    "devices": ("test_init", "test_entities", "actions"),
    "fields": ("actions",),
    "figures": ("actions", "test_histories", "test_prices", "test_statistics"),
    "fleet": ("test_coordinator_cars", "test_entities", "test_large_fleet", "test_reports"),
    "handover": ("test_state_changes", "slips"),
    "known_users": ("coordinator", "slips"),
    "poll": ("coordinator", "slips", "test_actions_accounts", "test_known_users"),
    "price_sensors": ("test_prices",),
    "publisher": ("test_triggers", "test_logbook"),
    "quick_poll": ("coordinator",),
    "recorded_hours": ("test_statistics",),
    "refresher": ("coordinator", "slips", "test_reports", "test_store", "test_subentries"),
    "replacements": ("test_entities",),
    "subscriber": ("push",),
    "target": ("test_services",),
    "targets": ("actions", "test_prices"),
    "tenant_sessions": ("coordinator",),
    "totals": ("test_histories", "test_entities"),
    "webhook": ("test_push_handler", "test_push_registration", "test_repairs"),
}
"""Folders, and files, of tests that drive a module without naming it."""


def tests_of(path: str, root: Path) -> list[list[str]]:
    """Return the files of tests for a module in groups: those that are named after it, then the others."""
    module = Path(path)
    files = sorted(file for file in (root / "tests").rglob("test_*.py") if "e2e" not in file.parts)
    prefix = f"{module.parent.name}_" if module.parent.name in _PACKAGES else ""
    name = f"test_{prefix}{module.stem}"
    named = [file for file in files if f"{file.stem}_".startswith(f"{name}_")]
    dotted = ".".join(module.with_suffix("").parts)
    importing = [file for file in files if dotted in _imports(file)]
    stories_of = set(_STORIES.get(module.stem, ()))
    stories = [file for file in files if {file.parent.name, file.stem} & stories_of]
    others = [file for file in dict.fromkeys(importing + stories) if file not in named]
    groups = ([file.relative_to(root).as_posix() for file in group] for group in (named, others))
    return [group for group in groups if group]


def _imports(file: Path) -> frozenset[str]:
    return _imports_of(file.read_text(encoding="utf-8"))


@cache
def _imports_of(source: str) -> frozenset[str]:
    return frozenset(_names(ast.parse(source)))


def _names(tree: ast.AST) -> Iterator[str]:
    """Yield all modules that are imported, and all names from them: they may be modules."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module), names=names):
                yield module
                yield from (f"{module}.{alias.name}" for alias in names)
