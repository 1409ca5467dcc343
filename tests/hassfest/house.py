"""Where the files of a checkout are, and how they are read."""

import ast
from collections.abc import Iterator, Mapping
from functools import cache
import json
from pathlib import Path
from typing import Any, Final

from homeassistant.util.yaml import parse_yaml
import voluptuous as vol

DOMAIN: Final = "jedlix"


def house(root: Path) -> Path:
    """Return the integration's folder."""
    return root / "custom_components" / DOMAIN


def read_json(path: Path) -> dict[str, Any]:
    """Return a JSON file; empty where it is none, which is a rule of its own."""
    try:
        content: dict[str, Any] = json.loads(path.read_text())
    except OSError, ValueError:
        return {}
    return content


def english(root: Path) -> dict[str, Any]:
    """Return the English texts."""
    return read_json(house(root) / "translations/en.json")


def read_form(root: Path, name: str) -> dict[str, Any]:
    """Return what services.yaml, triggers.yaml or conditions.yaml describes, anchors left aside."""
    path = house(root) / f"{name}.yaml"
    content = parse_yaml(path.read_text()) if path.exists() else {}
    assert isinstance(content, dict)
    return {key: value or {} for key, value in content.items() if not key.startswith(".")}


def trees(root: Path) -> Iterator[tuple[str, ast.Module]]:
    """Yield the syntax trees of all modules, with their names below the integration's folder."""
    for path in sorted(house(root).rglob("*.py")):
        yield path.relative_to(house(root)).as_posix(), _parse(path.read_text())


@cache
def _parse(source: str) -> ast.Module:
    return ast.parse(source)


def complaints(schema: vol.Schema, content: object, where: str) -> Iterator[str]:
    """Yield what a schema finds wrong."""
    try:
        schema(content)
    except vol.MultipleInvalid as err:
        for error in err.errors:
            yield f"{where}: {error}"
    except vol.Invalid as err:
        yield f"{where}: {err}"


def leaves(tree: Mapping[str, Any], *above: str) -> Iterator[tuple[tuple[str, ...], object]]:
    """Yield all that is no mapping, with the path to it."""
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from leaves(value, *above, key)
        else:
            yield (*above, key), value
