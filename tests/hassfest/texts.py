"""The translations: en.json as hassfest wants it, and every language by the same rules for its texts."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
import re
from string import Formatter
from typing import Any

import voluptuous as vol

from .house import complaints, english, house, leaves, read_form, read_json, trees

_KEY = vol.All(str, vol.Match(r"^(?!.*[-_]{2})[a-z0-9]([a-z0-9_-]*[a-z0-9])?$"))
_SLUG = vol.All(str, vol.Match(r"^(?!.*__)[a-z0-9]([a-z0-9_]*[a-z0-9])?$"))
_THING = vol.All(str, vol.Match(r"^_?(?!.*__)[a-z0-9]([a-z0-9_]*[a-z0-9])?$"))
_TEXTS = {str: str}
_VALUES = {_KEY: str}
_NAMED = {vol.Required("name"): str, vol.Required("description"): str}

_STEP = {
    **dict.fromkeys(("title", "description", "submit"), str),
    **dict.fromkeys(
        ("data", "data_description", "menu_options", "menu_option_descriptions"), _TEXTS
    ),
    "sections": {
        str: {"name": str, "description": str, "data": _TEXTS, "data_description": _TEXTS}
    },
}
_FLOW = {
    vol.Required("step"): {str: _STEP},
    "flow_title": str,
    **dict.fromkeys(("error", "abort", "progress", "create_entry"), _TEXTS),
}
_ISSUE = vol.Any(
    {vol.Required("title"): str, vol.Required("description"): str},
    {vol.Required("title"): str, vol.Required("fix_flow"): _FLOW},
)
_ENTITY = {
    "name": str,
    "state": _VALUES,
    "state_attributes": {_KEY: {"name": str, "state": _VALUES}},
    "unit_of_measurement": str,
}
_FIELDS = {_KEY: {vol.Required("name"): str, "description": str, "example": str}}
_AUTOMATION = {_THING: {**_NAMED, "fields": _FIELDS}}

_ENGLISH = vol.Schema(
    {
        "title": str,
        "config": {**_FLOW, "initiate_flow": {vol.Required("user"): str}},
        "options": _FLOW,
        "config_subentries": {
            _SLUG: {
                **_FLOW,
                vol.Required("entry_type"): str,
                vol.Required("initiate_flow"): {vol.Required("user"): str, str: str},
            }
        },
        "selector": {
            _SLUG: {
                **dict.fromkeys(("options", "choices", "unit_of_measurement"), _VALUES),
                "fields": _FIELDS,
            }
        },
        "entity": {_SLUG: {_KEY: _ENTITY}},
        "device": {_KEY: {"name": str}},
        "exceptions": {_SLUG: {vol.Required("message"): str}},
        "issues": {str: _ISSUE},
        "services": {
            _KEY: {
                **_NAMED,
                "fields": _FIELDS,
                "sections": {_KEY: {vol.Required("name"): str, "description": str}},
            }
        },
        "triggers": _AUTOMATION,
        "conditions": _AUTOMATION,
        "system_health": {"info": _VALUES},
        "common": {_SLUG: str},
    }
)


def english_has_the_shape_that_home_assistant_knows(root: Path) -> Iterator[str]:
    """Allow known sections, each with what belongs into it."""
    yield from complaints(_ENGLISH, english(root), "en.json")


def texts_are_plain_and_their_placeholders_can_be_filled(root: Path) -> Iterator[str]:
    """Want no markup, no address, no reference, no space around, and braces that make sense."""
    for path in sorted((house(root) / "translations").glob("*.json")):
        for where, text in leaves(read_json(path)):
            for wrong in _wrong_with(text):
                yield f"{path.name}: {'.'.join(where)}: {wrong}"


def _wrong_with(text: object) -> Iterator[str]:
    if not isinstance(text, str):
        yield "not a text"
        return
    if re.search(r"</?[a-zA-Z][^>]*>", text):
        yield "markup"
    if re.search(r"\b((https?|ftps?|scp|mqtts?|wss?|socks5?|socket)://|www\.)[\w-]+\.", text):
        yield "an address"
    if "[%key" in text:
        yield "a reference, which only core resolves"
    if text != text.strip() or not text:
        yield "space around it, or nothing"
    if re.search(r"'\{\w*\}'", text):
        yield "a placeholder in single quotes"
    try:
        names = [name for _, name, _, _ in Formatter().parse(text) if name is not None]
    except ValueError as err:
        yield str(err)
    else:
        yield from (f"the placeholder {name!r}" for name in names if not name.isidentifier())


def values_of_states_have_no_placeholders(root: Path) -> Iterator[str]:
    """Want states, attributes and units as they are: nobody fills anything in."""
    for where, text in leaves(english(root).get("entity", {}), "entity"):
        is_name_of_entity = where[-1] == "name" and "state_attributes" not in where
        if not is_name_of_entity and re.search(r"\{\w+\}", str(text)):
            yield f"en.json: {'.'.join(where)}"


def flows_of(texts: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield all flows with where they stand."""
    yield from ((kind, texts[kind]) for kind in ("config", "options") if kind in texts)
    yield from texts.get("config_subentries", {}).items()
    yield from (
        (name, issue["fix_flow"])
        for name, issue in texts.get("issues", {}).items()
        if "fix_flow" in issue
    )


def descriptions_are_of_fields_that_are_there(root: Path) -> Iterator[str]:
    """Want a description of a field only beside its name, and one for every field."""
    for flow, words in flows_of(english(root)):
        for name, step in words.get("step", {}).items():
            named, described = step.get("data", {}), step.get("data_description", {})
            if named.keys() != described.keys():
                yield f"en.json: {flow}.{name}: {', '.join(named.keys() ^ described.keys())}"


def steps_are_those_of_the_flows(root: Path) -> Iterator[str]:
    """Want words for the steps that show a form, and no others."""
    shown = {
        keyword.value.value
        for _, tree in trees(root)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "async_show_form"
        for keyword in node.keywords
        if keyword.arg == "step_id"
        and isinstance(keyword.value, ast.Constant)
        and isinstance(keyword.value.value, str)
    }
    named = {name for _, words in flows_of(english(root)) for name in words.get("step", {})}
    yield from (f"the step {name}" for name in shown ^ named)


def fields_of_actions_have_words(root: Path) -> Iterator[str]:
    """Want for actions, triggers and conditions the same names in the words as in the forms."""
    texts = english(root)
    for kind in ("services", "triggers", "conditions"):
        form, words = read_form(root, kind), texts.get(kind, {})
        yield from (f"{kind}: {name}" for name in form.keys() ^ words.keys())
        for name in form.keys() & words.keys():
            fields, named = form[name].get("fields", {}), words[name].get("fields", {})
            yield from (
                f"{kind}.{name}: the field {field}" for field in fields.keys() ^ named.keys()
            )


RULES = (
    english_has_the_shape_that_home_assistant_knows,
    texts_are_plain_and_their_placeholders_can_be_filled,
    values_of_states_have_no_placeholders,
    descriptions_are_of_fields_that_are_there,
    steps_are_those_of_the_flows,
    fields_of_actions_have_words,
)
