"""services.yaml, triggers.yaml and conditions.yaml: the forms that the editor shows."""

import ast
from collections.abc import Iterator
from pathlib import Path

from homeassistant.helpers.selector import TargetSelector, validate_selector
import voluptuous as vol

from .house import complaints, english, house, read_form, trees

_SLUG = vol.All(str, vol.Match(r"^_?(?!.*__)[a-z0-9]([a-z0-9_]*[a-z0-9])?$"))
_FIELD = {"required": bool, "default": object, "selector": validate_selector}
_EXAMPLE = {"example": vol.Any(str, int, float, bool, list, dict)}


def _target(value: object) -> object:
    """Take what Home Assistant takes, but no filter for devices: not allowed any longer in services."""
    if isinstance(value, dict) and "device" in value:
        raise vol.Invalid("a target cannot be filtered by device")
    return TargetSelector.CONFIG_SCHEMA(value)


_SERVICES = vol.Schema(
    {
        _SLUG: {
            "target": _target,
            "fields": {
                _SLUG: vol.Any(
                    {**_FIELD, **_EXAMPLE, "advanced": bool},
                    {vol.Required("fields"): {_SLUG: {**_FIELD, **_EXAMPLE}}, "collapsed": bool},
                )
            },
        }
    }
)
_OTHERS = vol.Schema({_SLUG: {"target": _target, "fields": {_SLUG: {**_FIELD, **_EXAMPLE}}}})


def forms_have_the_shape_that_home_assistant_knows(root: Path) -> Iterator[str]:
    """Want known keys, selectors and targets that Home Assistant can show."""
    yield from complaints(_SERVICES, read_form(root, "services"), "services.yaml")
    for kind in ("triggers", "conditions"):
        yield from complaints(_OTHERS, read_form(root, kind), f"{kind}.yaml")


def services_have_no_anchor_of_their_own(root: Path) -> Iterator[str]:
    """Want no key with a dot in services.yaml; the other two may have some."""
    for line in (house(root) / "services.yaml").read_text().splitlines():
        if line.startswith("."):
            yield f"services.yaml: {line}"


def actions_are_those_of_the_code(root: Path) -> Iterator[str]:
    """Want a form for every action that is registered, every trigger and condition, and for nothing else."""
    tables = {"triggers": "TRIGGERS", "conditions": "CONDITIONS"}
    for name, tree in trees(root):
        for kind, table in tables.items():
            if name == f"{kind[:-1]}.py" and table not in ast.unparse(tree):
                yield f"{name} has no {table}"
    for kind in (*tables, "services"):
        if not (house(root) / f"{kind}.yaml").exists():
            yield f"there is no {kind}.yaml"
    yield from (
        f"the action {name}" for name in set(_registered(root)) ^ read_form(root, "services").keys()
    )


def _registered(root: Path) -> Iterator[str]:
    """Yield the names in the table from which `register_actions` registers."""
    for name, tree in trees(root):
        for node in ast.walk(tree):
            if (
                name == "actions.py"
                and isinstance(node, ast.For)
                and isinstance(node.iter, ast.Tuple)
            ):
                for row in node.iter.elts:
                    if isinstance(row, ast.Tuple) and isinstance(row.elts[0], ast.Constant):
                        yield str(row.elts[0].value)


def choices_of_selectors_have_words(root: Path) -> Iterator[str]:
    """Want words for every translation key of a selector, wherever it is used, and for all its options."""
    words = english(root).get("selector", {})
    for kind in ("services", "triggers", "conditions"):
        for name, form in read_form(root, kind).items():
            for field, of in form.get("fields", {}).items():
                choice = (of.get("selector") or {}).get("select") or {}
                key = choice.get("translation_key")
                if key is not None and set(choice["options"]) != set(
                    words.get(key, {}).get("options", ())
                ):
                    yield f"{kind}.{name}.{field}: {key}"


RULES = (
    forms_have_the_shape_that_home_assistant_knows,
    services_have_no_anchor_of_their_own,
    actions_are_those_of_the_code,
    choices_of_selectors_have_words,
)
