"""Texts: every entity, value, trigger, condition and error has its words, in four languages, and no other."""

import ast
from collections.abc import Iterator, Mapping
from importlib import import_module
import json
from pathlib import Path
import re
from typing import Any, Final

from homeassistant.components import binary_sensor
from homeassistant.const import CONF_OPTIONS
from homeassistant.helpers.entity import EntityDescription
from homeassistant.util.yaml import parse_yaml
import pytest

from custom_components.jedlix import PLATFORMS
from custom_components.jedlix.condition import CONDITIONS
from custom_components.jedlix.event import WEBHOOK
from custom_components.jedlix.push.refused_types import Reason
from custom_components.jedlix.trigger import TRIGGERS

ROOT: Final = Path(__file__).parents[1]
INTEGRATION: Final = ROOT / "custom_components/jedlix"
# "Charge bidirectionnelle"; in characters
LONGEST_NAME: Final = 23
# of a repair, with a car in it: a phone has one line for it
LONGEST_TITLE: Final = 34
PLACEHOLDERS: Final = {"car": "Audi Q4 e-tron", "user": "0f8fad5b", "account": "Jedlix"}
LANGUAGES: Final = sorted(path.stem for path in (INTEGRATION / "translations").glob("*.json"))


def read(name: str) -> Mapping[str, Any]:
    """Return a JSON file of the integration."""
    content: Mapping[str, Any] = json.loads((INTEGRATION / name).read_text())
    return content


def leaves(tree: Mapping[str, Any], *above: str) -> Iterator[tuple[str, str]]:
    """Yield the texts of a translation with where they stand."""
    for key, value in tree.items():
        if isinstance(value, str):
            yield ".".join((*above, key)), value
        else:
            yield from leaves(value, *above, key)


ENGLISH: Final = read("translations/en.json")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_all_that_english_says_with_the_same_placeholders(
    language: str,
) -> None:
    texts, english = dict(leaves(read(f"translations/{language}.json"))), dict(leaves(ENGLISH))
    assert texts.keys() == english.keys()
    placeholder = re.compile(r"\{\w+\}")
    for key, text in texts.items():
        assert text.strip() == text, key
        assert text, key
        assert sorted(placeholder.findall(text)) == sorted(placeholder.findall(english[key])), key


@pytest.mark.parametrize(
    ("language", "paused", "smart"),
    [
        ("de", "pausier", "intelligent"),
        ("en", "paus", "smart"),
        ("fr", "pause", "intelligent"),
        ("nl", "pauze", "slim"),
    ],
)
def test_a_state_has_the_word_of_its_line_in_the_activity_and_of_its_event_in_the_calendar(
    language: str, paused: str, smart: str
) -> None:
    """A person who reads two of them knows that they are about the same."""
    content = read(f"translations/{language}.json")
    sensors, common = content["entity"]["sensor"], content["common"]
    activity = {kind: common[f"change_charging_{kind}"] for kind in ("started", "paused")}
    calendar = {kind: common[f"{kind}_session"] for kind in ("smart", "unmanaged")}
    assert keys_with(paused, sensors["charge_state"]["state"]) == ["stopped"]
    assert keys_with(paused, activity) == ["paused"]
    assert keys_with(smart, sensors["session"]["state"]) == ["smart"]
    assert keys_with(smart, calendar) == ["smart"]


def keys_with(word: str, texts: Mapping[str, str]) -> list[str]:
    """Return the keys of the texts that have a word, or its beginning."""
    return [key for key, text in texts.items() if word in text.lower()]


def test_there_are_four_languages() -> None:
    assert LANGUAGES == ["de", "en", "fr", "nl"]


def descriptions() -> Iterator[tuple[str, EntityDescription]]:
    """Yield all entity descriptions of all platforms, with their domain."""
    for platform in PLATFORMS:
        module = import_module(f"custom_components.jedlix.{platform}")
        for value in vars(module).values():
            for item in value if isinstance(value, tuple) else (value,):
                # Home Assistant's own description classes make instances of something else
                if hasattr(item, "entity_registry_enabled_default") and not isinstance(item, type):
                    yield str(platform), item


DESCRIPTIONS: Final = list(descriptions())


def test_every_entity_has_a_name_and_every_name_an_entity() -> None:
    described = {(domain, item.key) for domain, item in DESCRIPTIONS}
    named = {
        (domain, key)
        for domain, keys in ENGLISH["entity"].items()
        for key, words in keys.items()
        if words["name"]
    }
    assert described == named


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_name_of_an_entity_fits_a_tile_of_a_phone_and_is_none_of_its_states(
    language: str,
) -> None:
    """States that a device class names are Home Assistant's."""
    entities = read(f"translations/{language}.json")["entity"]
    for domain, item in DESCRIPTIONS:
        words = entities[domain][item.key]
        name = words["name"].replace("{days}", "").replace("()", "").strip()
        assert len(name) <= LONGEST_NAME, name
        states = set(words.get("state", {}).values())
        if domain == "binary_sensor" and item.device_class is not None:
            platform = Path(binary_sensor.__file__).parent / f"translations/{language}.json"
            classes = json.loads(platform.read_text())["entity_component"]
            states = set(classes[item.device_class]["state"].values())
            assert states, item.device_class
        assert name not in states


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_title_of_a_repair_fits_a_phone(language: str) -> None:
    titles = {
        text.format(**PLACEHOLDERS)
        for key, text in leaves(read(f"translations/{language}.json")["issues"])
        if key.endswith("title")
    }
    assert titles
    assert {title for title in titles if len(title) > LONGEST_TITLE} == set()


def test_what_jedlix_said_of_event_types_has_a_word() -> None:
    words = set(ENGLISH["selector"]["event_type_state"]["options"])
    assert words == {"accepted", "partly", "untried", "not_chosen", *Reason}


def values_of(domain: str, item: Any) -> set[str] | None:
    """Return the values among which an entity's state, or an event's type, is; None for any."""
    if item is WEBHOOK:
        return {"other"}  # the others are names that Jedlix gave
    match domain:
        case "sensor":
            return None if item.options is None else set(item.options)
        case "event":
            return set(item.event_types)
        case "binary_sensor" | "switch":
            return {"on", "off"}
        case _:
            return None


@pytest.mark.parametrize(
    ("domain", "item"), DESCRIPTIONS, ids=[f"{domain}.{item.key}" for domain, item in DESCRIPTIONS]
)
def test_every_value_has_a_word_and_every_word_a_value(
    domain: str, item: EntityDescription
) -> None:
    words = ENGLISH["entity"][domain][item.key]
    states = (
        words["state_attributes"]["event_type"]["state"]
        if domain == "event"
        else words.get("state")
    )
    if domain == "switch" or (domain == "binary_sensor" and item.device_class is not None):
        assert states is None  # its device class, or the domain, has the words
    else:
        assert (None if states is None else set(states)) == values_of(domain, item)


@pytest.mark.parametrize(
    ("domain", "key", "icons"),
    [
        (domain, key, icons)
        for domain, keys in read("icons.json")["entity"].items()
        for key, icons in keys.items()
    ],
)
def test_every_icon_has_an_entity_and_its_values(
    domain: str, key: str, icons: Mapping[str, Any]
) -> None:
    item = next(item for where, item in DESCRIPTIONS if (where, item.key) == (domain, key))
    assert icons["default"].startswith("mdi:")
    assert set(icons.get("state", ())) <= (values_of(domain, item) or set())


def test_every_entity_has_an_icon_or_a_device_class_that_has_one() -> None:
    icons = read("icons.json")["entity"]
    assert not [
        item.key
        for domain, item in DESCRIPTIONS
        if item.device_class is None and item.key not in icons.get(domain, {})
    ]


@pytest.mark.parametrize(("kind", "classes"), [("triggers", TRIGGERS), ("conditions", CONDITIONS)])
def test_every_trigger_and_condition_has_words_a_form_and_an_icon(
    kind: str, classes: Mapping[str, Any]
) -> None:
    assert ENGLISH[kind].keys() == classes.keys()
    assert read("icons.json")[kind].keys() == classes.keys()
    described = re.findall(r"^(\w+):", (INTEGRATION / f"{kind}.yaml").read_text(), re.MULTILINE)
    assert set(described) == classes.keys()


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_the_form_of_a_trigger_has_the_options_that_it_takes_each_with_words(trigger: str) -> None:
    forms: Any = parse_yaml((INTEGRATION / "triggers.yaml").read_text())
    fields = forms[trigger]["fields"]
    options = TRIGGERS[trigger]._schema.schema[CONF_OPTIONS]  # type: ignore[attr-defined]
    assert set(fields) == set(options)
    assert ENGLISH["triggers"][trigger]["fields"].keys() == fields.keys()


def test_every_error_that_is_raised_has_words() -> None:
    calls = [
        node
        for path in INTEGRATION.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
    ]
    keys = {
        keyword.value.value
        for node in calls
        for keyword in node.keywords
        if keyword.arg == "translation_key" and isinstance(keyword.value, ast.Constant)
    } | {
        node.args[0].value
        for node in calls
        if isinstance(node.func, ast.Name)
        and node.func.id in {"refuse", "failure"}
        and isinstance(node.args[0], ast.Constant)
    }
    assert keys == ENGLISH["exceptions"].keys()


def test_the_page_on_entities_lists_them_all_and_no_other() -> None:
    page = (ROOT / "docs/entities.md").read_text()
    listed = set(re.findall(r"^\| (\w+) \| `(\w+)`", page, re.MULTILINE))
    assert listed == {(domain, item.key) for domain, item in DESCRIPTIONS}
