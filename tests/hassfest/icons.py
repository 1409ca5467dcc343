"""icons.json: its shape, and that every icon exists."""

from collections.abc import Iterator
from functools import cache
import json
from pathlib import Path
from typing import Any

import hass_frontend
import voluptuous as vol

from .house import complaints, house, leaves, read_form, read_json

_ICON = vol.All(str, vol.Match(r"^mdi:[a-z0-9-]+$"))


def _number(text: str) -> str:
    try:
        float(text)
    except ValueError:
        raise vol.Invalid("not a number") from None
    return text


_OF_VALUES = {"default": _ICON, "state": {str: _ICON}, "range": {_number: _ICON}}
_STEPS = {"step": {str: {"sections": {str: _ICON}}}}
_ICONS = vol.Schema(
    {
        "entity": {str: {str: {**_OF_VALUES, "state_attributes": {str: _OF_VALUES}}}},
        "services": {str: {"service": _ICON, "sections": {str: _ICON}}},
        "triggers": {str: {vol.Required("trigger"): _ICON}},
        "conditions": {str: {vol.Required("condition"): _ICON}},
        **dict.fromkeys(("config", "options"), _STEPS),
        "issues": {str: {"fix_flow": _STEPS}},
    }
)


def icons_have_the_shape_that_home_assistant_knows(root: Path) -> Iterator[str]:
    """Allow known sections, each with what belongs into it."""
    yield from complaints(_ICONS, _icons(root), "icons.json")


def icons_exist(root: Path) -> Iterator[str]:
    """Want icons that the frontend has."""
    for where, icon in leaves(_icons(root)):
        if str(icon).removeprefix("mdi:") not in _known():
            yield f"icons.json: {'.'.join(where)}: {icon}"


def no_icon_says_what_the_default_says(root: Path) -> Iterator[str]:
    """Want an icon of a value only where it is another one, and ranges that ascend."""
    for domain, entities in _icons(root).get("entity", {}).items():
        for key, icons in entities.items():
            where = f"icons.json: {domain}.{key}"
            default = icons.get("default")
            if default in {**icons.get("state", {}), **icons.get("range", {})}.values():
                yield f"{where}: {default} again"
            if (limits := [float(limit) for limit in icons.get("range", ())]) != sorted(limits):
                yield f"{where}: {limits}"


def actions_have_icons(root: Path) -> Iterator[str]:
    """Want an icon for every action, trigger and condition, and none beside them."""
    for kind in ("services", "triggers", "conditions"):
        for name in _icons(root).get(kind, {}).keys() ^ read_form(root, kind).keys():
            yield f"icons.json: {kind}.{name}"


def _icons(root: Path) -> dict[str, Any]:
    return read_json(house(root) / "icons.json")


@cache
def _known() -> frozenset[str]:
    path = Path(hass_frontend.where()) / "static/mdi/iconList.json"
    return frozenset(icon["name"] for icon in json.loads(path.read_text()))


RULES = (
    icons_have_the_shape_that_home_assistant_knows,
    icons_exist,
    no_icon_says_what_the_default_says,
    actions_have_icons,
)
