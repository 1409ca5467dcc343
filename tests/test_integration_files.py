"""The integration's files: they keep every rule, and each rule finds what it is for."""

from collections.abc import Callable, Mapping
import json
from pathlib import Path
import shutil
from typing import Any, Final

from PIL import Image
import pytest

from tests.integration_files import RULES, Rule, house

ROOT: Final = Path(__file__).parents[1]
ENGLISH: Final = "translations/en.json"
GERMAN: Final = "translations/de.json"
ICONS: Final = "icons.json"
MANIFEST: Final = "manifest.json"
HACS: Final = "../../hacs.json"

type Break = Callable[[Path], object]


@pytest.mark.parametrize("rule", RULES)
def test_nothing_is_wrong(rule: Rule) -> None:
    assert list(rule(ROOT)) == []


def put(file: str, where: str, value: object) -> Break:
    """Break a JSON file: a value in place of another one or in a new place; None removes it."""

    def do(folder: Path) -> None:
        content: Any = json.loads((folder / file).read_text())
        *above, last = where.split(".")
        inner = content
        for key in above:
            inner = inner.setdefault(key, {})
        inner[last] = value
        if value is None:
            del inner[last]
        (folder / file).write_text(json.dumps(content))

    return do


def move_to_end(file: str, key: str) -> Break:
    """Break the order of a JSON file."""

    def do(folder: Path) -> None:
        content = json.loads((folder / file).read_text())
        content[key] = content.pop(key)
        (folder / file).write_text(json.dumps(content))

    return do


def text(value: object, file: str = ENGLISH) -> Break:
    """Break one text of the translations."""
    return put(file, "config.step.user.description", value)


def add(file: str, yaml: str) -> Break:
    """Add something to the end of a file."""
    return lambda folder: (folder / file).write_text((folder / file).read_text() + yaml)


def field(yaml: str) -> Break:
    """Break services.yaml: one more action with this field."""
    return add("services.yaml", f"\nmore:\n  fields:\n    x: {yaml}\n")


def crop(picture: str, *box: int) -> Break:
    """Cut a picture."""

    def do(folder: Path) -> None:
        path = folder / "brand" / picture
        left, top, right, bottom = box
        Image.open(path).crop((left, top, right, bottom)).save(path)

    return do


ACTION: Final = {"name": "Do", "description": "Does."}
ADDRESS: Final = "https://www.home-assistant.io/integrations/jedlix"

BREAKS: Final[Mapping[str, Mapping[str, Break]]] = {
    "manifest": {
        "an unknown key": put(MANIFEST, "homeassistant", "2026.10.0"),
        "a key out of order": move_to_end(MANIFEST, "codeowners"),
        **{f"no {key}": put(MANIFEST, key, None) for key in ("codeowners", "issue_tracker")},
        "another domain": put(MANIFEST, "domain", "smart"),
        "not a version": put(MANIFEST, "version", "one"),
        "not a class": put(MANIFEST, "iot_class", "cloud"),
        "a type for core only": put(MANIFEST, "integration_type", "virtual"),
        "a page of core": put(MANIFEST, "documentation", ADDRESS),
        "an owner without an @": put(MANIFEST, "codeowners", ["somebody"]),
        "another tracker": put(MANIFEST, "issue_tracker", "https://example.com/issues"),
    },
    "hacs": {
        "a default branch without a zip": put(HACS, "hide_default_branch", None),
        "a zip without a name": put(HACS, "filename", None),
        "not a version": put(HACS, "homeassistant", "2026.9 or newer"),
        "an unknown key": put(HACS, "domains", ["jedlix"]),
    },
    "places_of_texts": {
        "an unknown section": put(ENGLISH, "strings", {}),
        "a title in the flow": put(ENGLISH, "config.title", "Jedlix"),
        "a flow without steps": put(ENGLISH, "config.step", None),
        "a description of an entity": put(ENGLISH, "entity.sensor.range.description", "How far."),
        "a key in capitals": put(ENGLISH, "entity.sensor.Range", {"name": "Range"}),
        "an exception with a title": put(ENGLISH, "exceptions.auth_failed.title", "No"),
        "an issue with a title only": put(ENGLISH, "issues.x", {"title": "X"}),
        "an issue with both": put(ENGLISH, "issues.push_silent.description", "X."),
        "a subentry without a type": put(ENGLISH, "config_subentries.user.entry_type", None),
        "a subentry without a start": put(ENGLISH, "config_subentries.user.initiate_flow", {}),
        "an action without a description": put(ENGLISH, "services.boost.description", None),
        "a field without a name": put(ENGLISH, "services.boost.fields.enabled.name", None),
        "a trigger with sections": put(ENGLISH, "triggers.plugged_in.sections", {"y": "Y"}),
    },
    "texts_in_every_language": {
        "markup": text("Enter <b>this</b>."),
        "markup in another language": text("Trage <b>das</b> ein.", GERMAN),
        "an address": text("See https://example.com/x."),
        "an address without a scheme": text("See www.example.com."),
        "a brace alone": text("Enter {this."),
        "a placeholder with a hyphen": text("Enter {this-one}."),
        "a placeholder in quotes": text("Enter '{this}'."),
        "a reference": text("[%key:common::config_flow::data::host%]"),
        "a space at the end": text("Enter this. "),
        "an empty text": text(""),
        "a number": text(7, GERMAN),
        "a list": text(["Jedlix"]),
        "a placeholder in a state": put(ENGLISH, "entity.sensor.session.state.smart", "{x}"),
        "a placeholder in a unit": put(ENGLISH, "entity.sensor.range.unit_of_measurement", "{x}"),
    },
    "steps_of_flows": {
        "a description of no field": put(ENGLISH, "config.step.user.data_description.x", "X."),
        "a field without a description": put(
            ENGLISH, "issues.push_silent.fix_flow.step.callback.data_description.callback", None
        ),
        "texts of no step": put(ENGLISH, "options.step.more", {"title": "More"}),
        "a step without texts": put(ENGLISH, "config.step.webhook", None),
    },
    "forms": {
        "an unknown selector": field("{selector: {date_and_time: }}"),
        "an unknown option of a selector": field("{selector: {boolean: {x: 1}}}"),
        "no selector": field("{required: true}"),
        "an unknown key of a field": field("{selector: {text: }, filter: x}"),
        "an unknown key": add("triggers.yaml", "\nmore:\n  response: true\n"),
        "an unknown target": add("conditions.yaml", "\nmore:\n  target:\n    car: x\n"),
    },
    "texts_and_icons_of_forms": {
        "an action without texts": put(ENGLISH, "services.boost", None),
        "texts of no trigger": put(ENGLISH, "triggers.x", ACTION),
        "a field without texts": put(ENGLISH, "conditions.is_charging.fields.for", None),
        "texts of no field": put(ENGLISH, "services.boost.fields.x", {"name": "X"}),
        "an action without an icon": put(ICONS, "services.boost", None),
        "an icon of no trigger": put(ICONS, "triggers.x", {"trigger": "mdi:car"}),
    },
    "icons": {
        "a section for others": put(ICONS, "config_subentries", {}),
        "an icon of another family": put(ICONS, "entity.sensor.range.default", "fa:car"),
        "an unknown icon": put(ICONS, "entity.sensor.range.default", "mdi:jedlix"),
        "a bare icon": put(ICONS, "triggers.plugged_in", "mdi:power-plug"),
    },
    "pictures": {
        "no icon": lambda folder: (folder / "brand/icon.png").unlink(),
        "an icon that is not square": crop("icon.png", 0, 0, 250, 256),
        "a small icon": crop("icon@2x.png", 0, 0, 256, 256),
        "no transparent ground": crop("dark_icon.png", 60, 0, 316, 256),
        "a logo that is cut off": crop("logo.png", 0, 0, 940, 256),
    },
}


def test_every_rule_is_tried() -> None:
    assert BREAKS.keys() == {rule.__name__ for rule in RULES}


@pytest.mark.parametrize(
    ("rule", "what"), [(rule, what) for rule in RULES for what in BREAKS[rule.__name__]]
)
def test_a_rule_finds_a_break(tmp_path: Path, rule: Rule, what: str) -> None:
    shutil.copytree(house(ROOT), house(tmp_path), ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "hacs.json", tmp_path)
    BREAKS[rule.__name__][what](house(tmp_path))
    assert list(rule(tmp_path)), f"{rule.__name__} does not find {what}"
