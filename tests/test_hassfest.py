"""Hassfest, HACS and the Marketplace would find nothing; and each rule is seen to bite."""

from collections.abc import Callable, Mapping
import json
from pathlib import Path
import shutil
from typing import Any, Final

from PIL import Image
import pytest

from tests.hassfest import RULES, check

ROOT: Final = Path(__file__).parents[1]
HOUSE: Final = "custom_components/jedlix"
ENGLISH: Final = f"{HOUSE}/translations/en.json"
GERMAN: Final = f"{HOUSE}/translations/de.json"
ICONS: Final = f"{HOUSE}/icons.json"
MANIFEST: Final = f"{HOUSE}/manifest.json"

type Break = Callable[[Path], None]


def test_nothing_is_wrong() -> None:
    assert check(ROOT) == []


# -- how a checkout is broken ------------------------------------------------------------------------------


def put(file: str, *where: str, value: object) -> Break:
    """Break a JSON file: a value in the place of another one, or where none was; None for taking it away."""

    def do(root: Path) -> None:
        content: Any = json.loads((root / file).read_text())
        inner = content
        for key in where[:-1]:
            inner = inner.setdefault(key, {})
        if value is None:
            del inner[where[-1]]
        else:
            inner[where[-1]] = value
        (root / file).write_text(json.dumps(content))

    return do


def say(text: str, file: str = ENGLISH) -> Break:
    """Break a text of the translations."""
    return put(file, "config", "step", "user", "description", value=text)


def write(file: str, add: str = "", **replace: str) -> Break:
    """Break a file that is no JSON: add something at its end, or replace what is there."""

    def do(root: Path) -> None:
        content = (root / file).read_text() if (root / file).exists() else ""
        for old, new in replace.items():
            assert old in content
            content = content.replace(old, new)
        (root / file).parent.mkdir(exist_ok=True)
        (root / file).write_text(content + add)

    return do


def without(file: str) -> Break:
    """Take a file away."""
    return lambda root: (root / file).unlink()


def crop(picture: str, box: tuple[int, int, int, int]) -> Break:
    """Cut a picture."""

    def do(root: Path) -> None:
        path = root / HOUSE / "brand" / picture
        Image.open(path).crop(box).save(path)

    return do


def service(text: str) -> Break:
    """Break services.yaml by one more field of the last action."""
    return write(f"{HOUSE}/services.yaml", f"  fields:\n    more:\n{text}\n")


ACTION: Final = {"name": "Do", "description": "Does."}

# What is done to a copy of our own files, by the rule that has to notice it.
BREAKS: Final[Mapping[str, Mapping[str, Break]]] = {
    "manifest_is_what_home_assistant_and_hacs_want": {
        "a key that nobody knows": put(MANIFEST, "homeassistant", value="2026.10.0"),
        "a key that is missing": put(MANIFEST, "codeowners", value=None),
        "the domain of another folder": put(MANIFEST, "domain", value="smart"),
        "no version": put(MANIFEST, "version", value=None),
        "a version that is none": put(MANIFEST, "version", value="one"),
        "a class that is none": put(MANIFEST, "iot_class", value="cloud"),
        "a type that is for core": put(MANIFEST, "integration_type", value="virtual"),
        "a plain http address": put(MANIFEST, "documentation", value="http://example.com/x"),
        "a page of core": put(
            MANIFEST, "documentation", value="https://www.home-assistant.io/integrations/jedlix"
        ),
        "no tracker, which HACS wants": put(MANIFEST, "issue_tracker", value=None),
        "an owner without an @": put(MANIFEST, "codeowners", value=["somebody"]),
        "no owner": put(MANIFEST, "codeowners", value=[]),
        "a text for a boolean": put(MANIFEST, "config_flow", value="true"),
        "a text for a list": put(MANIFEST, "dependencies", value="http"),
        "a requirement": put(MANIFEST, "requirements", value=["jedlix==1.0"]),
    },
    "manifest_is_in_order": {"a key out of its place": put(MANIFEST, "bluetooth", value=[])},
    "every_json_file_parses": {
        "a comma too many": write(GERMAN, ","),
        "a file deep inside": write(f"{HOUSE}/push/notes.json", "{"),
    },
    "issues_and_documentation_are_in_one_repository": {
        "another tracker": put(MANIFEST, "issue_tracker", value="https://example.com/issues"),
        "somebody else's code": put(MANIFEST, "codeowners", value=["@somebody-else"]),
    },
    "english_has_the_shape_that_home_assistant_knows": {
        "a section that nobody knows": put(ENGLISH, "strings", value={}),
        "a title in the flow": put(ENGLISH, "config", "title", value="Jedlix"),
        "a flow without steps": put(ENGLISH, "config", "step", value=None),
        "a list for a text": put(ENGLISH, "title", value=["Jedlix"]),
        "a description of an entity": put(
            ENGLISH, "entity", "sensor", "range", "description", value="How far."
        ),
        "a key in capitals": put(ENGLISH, "entity", "sensor", "Range", value={"name": "Range"}),
        "an exception with a title": put(
            ENGLISH, "exceptions", "auth_failed", value={"message": "No.", "title": "No"}
        ),
        "an issue with neither text nor flow": put(ENGLISH, "issues", "x", value={"title": "X"}),
        "an issue with both": put(ENGLISH, "issues", "push_silent", "description", value="X."),
        "a subentry without a type": put(
            ENGLISH, "config_subentries", "user", "entry_type", value=None
        ),
        "a subentry that nobody can begin": put(
            ENGLISH, "config_subentries", "user", "initiate_flow", value={}
        ),
        "an action without a description": put(ENGLISH, "services", "x", value={"name": "X"}),
        "a trigger with sections": put(
            ENGLISH, "triggers", "x", value={**ACTION, "sections": {"y": {"name": "Y"}}}
        ),
        "common texts in groups": put(ENGLISH, "common", "group", value={"a": "b"}),
    },
    "texts_are_plain_and_their_placeholders_can_be_filled": {
        "markup": say("Enter <b>this</b>."),
        "markup in another language": say("Trage <b>das</b> ein.", GERMAN),
        "an address": say("See https://example.com/x."),
        "an address without a scheme": say("See www.example.com."),
        "a brace alone": say("Enter {this."),
        "a placeholder with a hyphen": say("Enter {this-one}."),
        "a placeholder in quotes": say("Enter '{this}'."),
        "a reference": say("[%key:common::config_flow::data::host%]"),
        "a space at the end": say("Enter this. "),
        "nothing": say(""),
        "a number": put(GERMAN, "title", value=7),
    },
    "values_of_states_have_no_placeholders": {
        "a state": put(ENGLISH, "entity", "sensor", "session", "state", "smart", value="{x}"),
        "a unit": put(ENGLISH, "entity", "sensor", "range", "unit_of_measurement", value="{unit}"),
    },
    "descriptions_are_of_fields_that_are_there": {
        "one too many": put(
            ENGLISH, "config", "step", "user", "data_description", "x", value="What x is."
        ),
        "one is missing": put(
            ENGLISH, "config", "step", "user", "data_description", "client_id", value=None
        ),
    },
    "steps_are_those_of_the_flows": {
        "words for no step": put(ENGLISH, "config", "step", "more", value={"title": "More"}),
        "a step without words": put(ENGLISH, "config", "step", "webhook", value=None),
    },
    "fields_of_actions_have_words": {
        "an action without words": put(ENGLISH, "services", "boost", value=None),
        "words for no trigger": put(ENGLISH, "triggers", "x", value=ACTION),
        "a field without a name": put(
            ENGLISH, "conditions", "is_charging", "fields", "for", value=None
        ),
    },
    "icons_have_the_shape_that_home_assistant_knows": {
        "a section for others": put(ICONS, "config_subentries", value={}),
        "an icon of another family": put(
            ICONS, "entity", "sensor", "range", "default", value="fa:car"
        ),
        "a bare icon": put(ICONS, "triggers", "plugged_in", value="mdi:power-plug"),
        "a range of words": put(
            ICONS, "entity", "sensor", "range", "range", value={"far": "mdi:car"}
        ),
    },
    "icons_exist": {
        "a name that is none": put(
            ICONS, "entity", "sensor", "range", "default", value="mdi:jedlix"
        )
    },
    "no_icon_says_what_the_default_says": {
        "the default again": put(
            ICONS, "entity", "sensor", "session", "state", "smart", value="mdi:power-sleep"
        ),
        "a range that falls": put(
            ICONS, "entity", "sensor", "range", "range", value={"9": "mdi:car", "1": "mdi:bus"}
        ),
    },
    "actions_have_icons": {
        "one is missing": put(ICONS, "services", "boost", value=None),
        "one for nothing": put(ICONS, "triggers", "x", value={"trigger": "mdi:car"}),
    },
    "forms_have_the_shape_that_home_assistant_knows": {
        "a selector that is none": service("      selector:\n        date_and_time:"),
        "options that a selector has not": service("      selector:\n        boolean: {x: 1}"),
        "a text for a boolean": service("      required: 'yes'"),
        "an example of nothing": service("      example:"),
        "a key that nobody knows": service("      response: true"),
        "a target by device": write(
            f"{HOUSE}/services.yaml", "\nmore:\n  target:\n    device:\n      integration: jedlix\n"
        ),
        "a name in capitals": write(f"{HOUSE}/services.yaml", "\nMore:\n"),
        "a trigger with advanced fields": write(
            f"{HOUSE}/triggers.yaml", "\nmore:\n  fields:\n    x:\n      advanced: true\n"
        ),
    },
    "services_have_no_anchor_of_their_own": {
        "an anchor": write(f"{HOUSE}/services.yaml", "\n.more: &more\n  fields:\n")
    },
    "actions_are_those_of_the_code": {
        "a form for nothing": write(f"{HOUSE}/services.yaml", "\nmore:\n"),
        "an action without a form": write(f"{HOUSE}/actions.py", **{'("catch_up"': '("catch"'}),
        "no form for triggers": without(f"{HOUSE}/triggers.yaml"),
        "forms for no conditions": write(f"{HOUSE}/condition.py", CONDITIONS="OTHERS"),
    },
    "choices_of_selectors_have_words": {
        "a choice without words": service(
            "      selector:\n        select:\n          translation_key: more\n          options: [a]"
        )
    },
    "what_is_imported_is_a_dependency": {
        "at the top": write(
            f"{HOUSE}/const.py", "\nfrom homeassistant.components import network\n"
        ),
        "in a function": write(
            f"{HOUSE}/api/errors.py",
            "\ndef f():\n    from homeassistant.components.backup.util import x\n",
        ),
    },
    "no_dependency_is_named_for_nothing": {
        "a component that nobody uses": put(MANIFEST, "dependencies", value=["http", "mqtt"])
    },
    "the_flow_lies_in_the_root": {"no flow": without(f"{HOUSE}/config_flow.py")},
    "yaml_is_refused": {
        "no schema": write(f"{HOUSE}/__init__.py", **{"CONFIG_SCHEMA =": "SCHEMA ="})
    },
    "texts_are_no_references": {"a strings.json": write(f"{HOUSE}/strings.json", "{}")},
    "hacs_knows_what_to_install": {
        "a key that nobody knows": put("hacs.json", "domains", value=["jedlix"]),
        "no name": put("hacs.json", "name", value=None),
        "another name": put("hacs.json", "name", value="Jedlix"),
        "a version that is none": put("hacs.json", "homeassistant", value="newest"),
        "no package": put("hacs.json", "filename", value=None),
    },
    "a_person_finds_a_readme_and_a_licence": {
        "no readme": without("README.md"),
        "no licence": without("LICENSE"),
    },
    "there_is_one_integration": {"another one": write("custom_components/another/__init__.py", "")},
    "pictures_are_whole_and_of_the_right_size": {
        "no icon": without(f"{HOUSE}/brand/icon.png"),
        "an icon that is not square": crop("icon.png", (0, 0, 256, 200)),
        "a small icon": crop("icon@2x.png", (0, 0, 256, 256)),
        "no transparent ground": crop("dark_icon.png", (60, 0, 316, 256)),
        "a logo that is cut off": crop("logo.png", (0, 0, 940, 256)),
    },
}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of what is checked."""
    for file in ("README.md", "LICENSE", "hacs.json"):
        shutil.copy(ROOT / file, tmp_path)
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / HOUSE, tmp_path / HOUSE, ignore=ignore)
    return tmp_path


def test_every_rule_is_tried() -> None:
    assert BREAKS.keys() == RULES.keys()


@pytest.mark.parametrize(
    ("rule", "what"), [(rule, what) for rule, breaks in BREAKS.items() for what in breaks]
)
def test_the_rule_bites(copy: Path, rule: str, what: str) -> None:
    BREAKS[rule][what](copy)
    assert list(RULES[rule](copy)), f"{rule} lets {what} pass"
