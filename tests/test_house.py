"""The house: who imports whom, who knows a path, how large a room is, and that every word is there."""

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
import json
from pathlib import Path
import re
from typing import Any, Final

from homeassistant.helpers.entity import EntityDescription
import pytest

from custom_components.jedlix import PLATFORMS
from custom_components.jedlix.api.endpoints import ENDPOINTS
from custom_components.jedlix.condition import CONDITIONS
from custom_components.jedlix.event import WEBHOOK
from custom_components.jedlix.trigger import TRIGGERS

ROOT: Final = Path(__file__).parents[1]
HOUSE: Final = ROOT / "custom_components/jedlix"
OURS: Final = "custom_components.jedlix"
LARGEST: Final = 420
FILES: Final = sorted(HOUSE.rglob("*.py"))
LANGUAGES: Final = sorted(path.stem for path in (HOUSE / "translations").glob("*.json"))


def name_of(path: Path) -> str:
    """Return a file's place in the house."""
    return path.relative_to(HOUSE).as_posix()


@cache
def tree_of(path: Path) -> ast.Module:
    """Return a file's syntax tree."""
    return ast.parse(path.read_text(), str(path))


def imports_of(path: Path, source: str | None = None) -> Iterator[str]:
    """Yield the full name of everything that a file imports, wherever in it."""
    package = (OURS, *path.relative_to(HOUSE).parent.parts)
    for node in ast.walk(tree_of(path) if source is None else ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = ".".join(package).split(".")
                base = ".".join([*above[: len(above) - node.level + 1], *filter(None, [base])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def is_within(name: str, *rooms: str) -> bool:
    """Return whether a module is one of these rooms or lies in one."""
    return any(name == room or name.startswith(f"{room}.") for room in rooms)


# -- the direction of imports ------------------------------------------------------------------------------


def test_imports_are_read_right() -> None:
    source = "import a.b\nfrom . import c\nfrom .d import e\nfrom ..f import g\nfrom h import i"
    assert list(imports_of(HOUSE / "push/link.py", source)) == [
        "a.b",
        f"{OURS}.push.c",
        f"{OURS}.push.d.e",
        f"{OURS}.f.g",
        "h.i",
    ]


@pytest.mark.parametrize(
    ("files", "may_import"),
    [
        ("api/*.py", ["api"]),
        ("snapshot.py", ["api"]),
        ("changes.py", ["api", "const", "snapshot"]),
        ("details.py", ["api", "changes", "snapshot"]),
        ("rota.py", ["api", "snapshot"]),
        ("push/inbox.py", []),
        ("push/health.py", []),
        ("push/witness.py", ["api"]),
        ("rings.py", []),
        ("fetching.py", ["api"]),
        ("tenant.py", ["api"]),
    ],
)
def test_pure_rooms_know_neither_home_assistant_nor_what_is_above_them(
    files: str, may_import: list[str]
) -> None:
    paths = list(HOUSE.glob(files))
    assert paths
    for path in paths:
        imported = set(imports_of(path))
        assert not {name for name in imported if is_within(name, "homeassistant")}, path
        ours = {name for name in imported if is_within(name, OURS)}
        allowed = [f"{OURS}.{room}" for room in may_import]
        assert not {name for name in ours if not is_within(name, *allowed)}, path


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_nothing_but_platforms_imports_entities(path: Path) -> None:
    platforms = {f"{platform}.py" for platform in PLATFORMS}
    if name_of(path) in platforms:
        return
    entities = [f"{OURS}.{room}" for room in ("entity", *PLATFORMS)]
    assert not {name for name in imports_of(path) if is_within(name, *entities)}


@pytest.mark.parametrize(
    ("room", "lower"),
    [
        ("coordinator.py", ["push.link", "push.receiver", "runtime", "__init__"]),
        ("push/*.py", ["config_flow", "__init__"]),
        ("announcer.py", ["coordinator", "push"]),
        ("store.py", ["coordinator", "push.link"]),
    ],
)
def test_what_is_below_does_not_know_what_is_above(room: str, lower: list[str]) -> None:
    above = [f"{OURS}.{name}" for name in lower]
    for path in HOUSE.glob(room):
        of_run_time = set(imports_of(path, _without_typing_only(path)))
        assert not {name for name in of_run_time if is_within(name, *above)}, path


def _without_typing_only(path: Path) -> str:
    """Return a file's source without what is imported for annotations only."""
    tree = ast.parse(path.read_text())
    tree.body = [
        node
        for node in tree.body
        if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    ]
    return ast.unparse(tree)


def test_the_simulator_shares_nothing_with_the_integration() -> None:
    """Two readings of the API that lean on each other would prove nothing."""
    for path in (ROOT / "simulator").rglob("*.py"):
        assert "custom_components" not in path.read_text(), path


# -- who knows a path --------------------------------------------------------------------------------------

A_PATH: Final = re.compile(r"/api/v\d+/\w")


def texts_of(path: Path) -> Iterator[str]:
    """Yield all texts in the code of a file, docstrings left aside."""
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
    knowing = {name_of(path) for path in FILES if any(map(A_PATH.search, texts_of(path)))}
    assert knowing == {"api/endpoints.py"}
    assert all(A_PATH.match(endpoint.path) for endpoint in ENDPOINTS.values())


def test_every_endpoint_is_used_by_its_name() -> None:
    used = set(texts_of(HOUSE / "api/client.py"))
    assert set(ENDPOINTS) <= used


# -- rooms -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_room_has_one_job_says_it_first_and_stays_small(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LARGEST
    assert ast.get_docstring(tree_of(path))


# -- words -------------------------------------------------------------------------------------------------


def read(name: str) -> Mapping[str, Any]:
    """Return a JSON file of the house."""
    content: Mapping[str, Any] = json.loads((HOUSE / name).read_text())
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


def test_there_are_four_languages() -> None:
    assert LANGUAGES == ["de", "en", "fr", "nl"]


def descriptions() -> Iterator[tuple[str, EntityDescription]]:
    """Yield all entity descriptions of all platforms, with their domain."""
    for platform in PLATFORMS:
        room = import_module(f"{OURS}.{platform}")
        for value in vars(room).values():
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
    described = re.findall(r"^(\w+):", (HOUSE / f"{kind}.yaml").read_text(), re.MULTILINE)
    assert set(described) == classes.keys()


def test_every_error_that_is_raised_has_words() -> None:
    calls = [
        node for path in FILES for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call)
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
