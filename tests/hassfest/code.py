"""The code: what is imported is named as a dependency, and what Home Assistant looks for is there."""

import ast
from collections.abc import Iterator
from pathlib import Path

from homeassistant.const import Platform

from .house import DOMAIN, house, read_json, trees

# What every instance has, or needs no set-up.
_FREE = {
    *("alert", "automation", "conversation", "default_config", "device_automation", "frontend"),
    *("group", "homeassistant", "input_boolean", "input_button", "input_datetime", "input_number"),
    *("input_select", "input_text", "labs", "media_source", "mjpeg", "onboarding", "panel_custom"),
    *("persistent_notification", "person", "script", "shopping_list", "stream", "sun"),
    *("system_health", "system_log", "timer", "webhook", "websocket_api", "zone"),
}


def what_is_imported_is_a_dependency(root: Path) -> Iterator[str]:
    """Want every component that is imported at run time in the manifest, but for the free ones."""
    manifest = read_json(house(root) / "manifest.json")
    named = {*manifest.get("dependencies", ()), *manifest.get("after_dependencies", ())}
    rooms = {path.stem for path in house(root).iterdir()}
    for name, tree in trees(root):
        for component in set(_components(tree)) - named - _FREE - rooms - {DOMAIN, *Platform}:
            yield f"{name} imports {component}"


def _components(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return
    names: list[str] = []
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and not node.level:
        names = [f"{node.module}.{alias.name}" for alias in node.names]
    for name in names:
        match name.split("."):
            case ["homeassistant", "components", component, *_]:
                yield component
    for child in ast.iter_child_nodes(node):
        yield from _components(child)


def no_dependency_is_named_for_nothing(root: Path) -> Iterator[str]:
    """Want a dependency only where something is imported from it."""
    manifest = read_json(house(root) / "manifest.json")
    imported = {component for _, tree in trees(root) for component in _components(tree)}
    for key in ("dependencies", "after_dependencies"):
        yield from (f"{key}: {name}" for name in {*manifest.get(key, ())} - imported - {"http"})


def the_flow_lies_in_the_root(root: Path) -> Iterator[str]:
    """Want config_flow.py where Home Assistant looks for it."""
    if not (house(root) / "config_flow.py").is_file():
        yield "there is no config_flow.py"


def yaml_is_refused(root: Path) -> Iterator[str]:
    """Want a schema beside `async_setup`, so that a block in configuration.yaml is told to be useless."""
    for name, tree in trees(root):
        defined = {node.name for node in tree.body if isinstance(node, ast.AsyncFunctionDef)}
        assigned = {
            target.id
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        if name == "__init__.py" and "async_setup" in defined and "CONFIG_SCHEMA" not in assigned:
            yield f"{name} has no CONFIG_SCHEMA"


def texts_are_no_references(root: Path) -> Iterator[str]:
    """Want no strings.json: it is core's, and translators would change the wrong file."""
    if (house(root) / "strings.json").exists():
        yield "there is a strings.json"


RULES = (
    what_is_imported_is_a_dependency,
    no_dependency_is_named_for_nothing,
    the_flow_lies_in_the_root,
    yaml_is_refused,
    texts_are_no_references,
)
