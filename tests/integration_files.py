"""Rules for the integration's files: what hassfest does not check, and the mistakes that it finds most often.

Hassfest runs in continuous integration only. It checks English only, and for a custom integration neither
names of icons nor texts of actions. A rule takes the root of a checkout and yields what is wrong with it.
"""

import ast
from collections.abc import Callable, Iterator, Mapping
from functools import cache
import json
from pathlib import Path
import re
from string import Formatter
from typing import Any, Final

import hass_frontend
from homeassistant.helpers.selector import TargetSelector, validate_selector
from homeassistant.util.yaml import parse_yaml
from PIL import Image
import voluptuous as vol

ACTION_KINDS: Final = {"services": "service", "triggers": "trigger", "conditions": "condition"}
"""The files that describe actions, triggers and conditions, and what their icons are called."""


def house(root: Path) -> Path:
    """Return the integration's folder."""
    return root / "custom_components/jedlix"


def read_json(path: Path) -> dict[str, Any]:
    """Return a JSON file."""
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def read_form(root: Path, kind: str) -> dict[str, Any]:
    """Return what services.yaml, triggers.yaml or conditions.yaml describes, without its anchors."""
    content = parse_yaml((house(root) / f"{kind}.yaml").read_text())
    assert isinstance(content, dict)
    return {key: value or {} for key, value in content.items() if not key.startswith(".")}


def leaves(tree: Mapping[str, Any], *above: str) -> Iterator[tuple[str, object]]:
    """Yield the values that hold no others, each with its path."""
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, *above, key)
        else:
            yield ".".join((*above, key)), value


def branches(tree: Mapping[str, Any], pattern: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the objects under a path; `*` stands for any key."""
    first, _, rest = pattern.partition(".")
    for key in tree if first == "*" else tree.keys() & {first}:
        if not rest:
            yield key, tree[key]
        else:
            yield from ((f"{key}.{path}", value) for path, value in branches(tree[key], rest))


# -- manifest.json -----------------------------------------------------------------------------------------

MANIFEST: Final[Mapping[str, str]] = {
    "domain": "jedlix",
    "name": r"\S.*\S",
    "codeowners": r"\['@[\w-]+'(, '@[\w-]+')*\]",
    "documentation": r"https://(?!www\.home-assistant\.io/integrations)\S+",
    "integration_type": "device|entity|hardware|helper|hub|service|system",
    "iot_class": "assumed_state|calculated|(cloud|local)_(polling|push)",
    "issue_tracker": r"https://\S+/issues",
    "version": r"\d+\.\d+\.\d+(-(alpha|beta|rc)\.\d+)?",
}
"""The keys that must be there, and how their values are written."""
OPTIONAL: Final = {"after_dependencies", "config_flow", "dependencies", "loggers", "requirements"}


def manifest(root: Path) -> Iterator[str]:
    """Want known keys in hassfest's order, with their values, and one repository for code and issues."""
    content = read_json(house(root) / "manifest.json")
    yield from (f"no {key}" for key in MANIFEST.keys() - content.keys())
    yield from (f"unknown: {key}" for key in content.keys() - MANIFEST.keys() - OPTIONAL)
    if list(content) != sorted(content, key=lambda key: (key != "domain", key != "name", key)):
        yield "the keys are not in order"
    for key in MANIFEST.keys() & content.keys():
        if not re.fullmatch(MANIFEST[key], str(content[key])):
            yield f"{key}: {content[key]}"
    if content.get("issue_tracker") != f"{content.get('documentation')}/issues":
        yield "the issues are in another repository"


# -- hacs.json ---------------------------------------------------------------------------------------------

HACS: Final[Mapping[str, str]] = {
    "name": r"\S.*\S",
    "filename": r"\w+\.zip",
    "hide_default_branch": "True",
    "homeassistant": r"\d{4}\.\d+\.\d+",
    "zip_release": "True",
}
"""All its keys, and how their values are written. The default branch has no zip that could be installed."""


def hacs(root: Path) -> Iterator[str]:
    """Want releases that HACS and the Marketplace install from a zip, and a version that both understand."""
    content = read_json(root / "hacs.json")
    yield from (f"{key} is missing or unknown" for key in content.keys() ^ HACS.keys())
    for key in HACS.keys() & content.keys():
        if not re.fullmatch(HACS[key], str(content[key])):
            yield f"{key}: {content[key]}"


# -- translations ------------------------------------------------------------------------------------------

KEY: Final = "[a-z0-9_]+"
_OF_STEP: Final = "data|data_description|menu_options|menu_option_descriptions"
_OF_SECTION: Final = rf"name|description|(data|data_description)\.{KEY}"
STEP: Final = rf"(title|description|submit|({_OF_STEP})\.{KEY}|sections\.{KEY}\.({_OF_SECTION}))"
FLOW: Final = rf"(step\.{KEY}\.{STEP}|(abort|create_entry|error|progress)\.{KEY})"
FIELDS: Final = rf"fields\.{KEY}\.(name|description)"
ENTITY: Final = (
    rf"(name|unit_of_measurement|state\.{KEY}|state_attributes\.{KEY}\.(name|state\.{KEY}))"
)
ENGLISH: Final = (
    "title",
    rf"(config|options)\.{FLOW}",
    rf"config_subentries\.{KEY}\.({FLOW}|entry_type|initiate_flow\.{KEY})",
    rf"selector\.{KEY}\.options\.{KEY}",
    rf"entity\.{KEY}\.{KEY}\.{ENTITY}",
    rf"device\.{KEY}\.name",
    rf"exceptions\.{KEY}\.message",
    rf"issues\.{KEY}\.(title|description|fix_flow\.{FLOW})",
    rf"(services|triggers|conditions)\.{KEY}\.(name|description|{FIELDS})",
    rf"system_health\.info\.{KEY}",
    rf"common\.{KEY}",
)
"""Where texts may stand. Home Assistant knows more places; add one when it is used."""
REQUIRED: Final[Mapping[str, set[str]]] = {
    "config": {"step"},
    "options": {"step"},
    "config_subentries.*": {"entry_type", "initiate_flow", "step"},
    "config_subentries.*.initiate_flow": {"user"},
    "issues.*": {"title"},
    "issues.*.fix_flow": {"step"},
    **{f"{kind}.*": {"name", "description"} for kind in ACTION_KINDS},
    **{f"{kind}.*.fields.*": {"name"} for kind in ACTION_KINDS},
}
WITHOUT_PLACEHOLDERS: Final = re.compile(r"entity\.\w+\.\w+\.(state|unit_of_measurement).*")


def english(root: Path) -> dict[str, Any]:
    """Return the English texts."""
    return read_json(house(root) / "translations/en.json")


def places_of_texts(root: Path) -> Iterator[str]:
    """Want texts where Home Assistant looks for them, and those that must be there."""
    texts = english(root)
    for path, _ in leaves(texts):
        if not any(re.fullmatch(place, path) for place in ENGLISH):
            yield f"{path} is not a place for a text"
    for pattern, keys in REQUIRED.items():
        for path, branch in branches(texts, pattern):
            yield from (f"{path} has no {key}" for key in keys - branch.keys())
    for path, issue in branches(texts, "issues.*"):
        if ("description" in issue) == ("fix_flow" in issue):
            yield f"{path} needs either a description or a fix_flow"


def texts_in_every_language(root: Path) -> Iterator[str]:
    """Want plain text: no markup, no address, no reference, and placeholders that can be filled."""
    for file in sorted((house(root) / "translations").glob("*.json")):
        for path, text in leaves(read_json(file)):
            yield from (f"{file.name}: {path}: {problem}" for problem in problems_of(path, text))


def problems_of(path: str, text: object) -> Iterator[str]:
    """Yield what is wrong with one text."""
    if not isinstance(text, str):
        yield "not a text"
        return
    if re.search(r"</?[a-zA-Z][^>]*>", text):
        yield "markup"
    if re.search(r"\b((https?|ftps?|mqtts?|wss?)://|www\.)[\w-]+\.", text):
        yield "an address"
    if "[%key" in text:
        yield "a reference, which is resolved for core only"
    if text != text.strip() or not text:
        yield "empty, or with space around it"
    if re.search(r"'\{\w*\}'", text):
        yield "a placeholder in single quotes"
    try:
        names = [name for _, name, _, _ in Formatter().parse(text) if name is not None]
    except ValueError as err:
        yield str(err)
    else:
        yield from (f"the placeholder {name!r}" for name in names if not name.isidentifier())
        if names and WITHOUT_PLACEHOLDERS.fullmatch(path):
            yield "a placeholder that nobody fills"


SHOWS_A_STEP: Final = ("async_show_form", "async_show_menu", "async_external_step")


def steps_of_flows(root: Path) -> Iterator[str]:
    """Want texts for each step that shows something and no other, and a description of each field."""
    shown = {
        keyword.value.value
        for path in house(root).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in SHOWS_A_STEP
        for keyword in node.keywords
        if keyword.arg == "step_id"
        and isinstance(keyword.value, ast.Constant)
        and isinstance(keyword.value.value, str)
    }
    named: set[str] = set()
    for flow in ("config", "options", "config_subentries.*", "issues.*.fix_flow"):
        for path, step in branches(english(root), f"{flow}.step.*"):
            named.add(path.rpartition(".")[2])
            for form in (step, *step.get("sections", {}).values()):
                for field in form.get("data", {}).keys() ^ form.get("data_description", {}).keys():
                    yield f"{path}: {field} needs a name and a description"
    yield from (f"the step {name}" for name in shown ^ named)


# -- actions, triggers, conditions -------------------------------------------------------------------------


def forms(root: Path) -> Iterator[str]:
    """Want descriptions that Home Assistant can show: an unknown selector would hide the whole file."""
    for kind in ACTION_KINDS:
        for name, form in read_form(root, kind).items():
            yield from (f"{kind}.{name}: {key}" for key in form.keys() - {"target", "fields"})
            try:
                TargetSelector.CONFIG_SCHEMA(form.get("target", {}))
                for field in form.get("fields", {}).values():
                    unknown = field.keys() - {"required", "default", "example", "selector"}
                    yield from (f"{kind}.{name}: {key}" for key in unknown)
                    validate_selector(field["selector"])
            except (vol.Invalid, KeyError) as err:
                yield f"{kind}.{name}: {err!r}"


def texts_and_icons_of_forms(root: Path) -> Iterator[str]:
    """Want the same actions, triggers, conditions and fields in forms and texts, and an icon for each."""
    texts, icons = english(root), read_json(house(root) / "icons.json")
    for kind in ACTION_KINDS:
        form = read_form(root, kind)
        yield from (f"icons.json: {kind}.{name}" for name in form.keys() ^ icons[kind].keys())
        yield from (f"en.json: {kind}.{name}" for name in form.keys() ^ texts[kind].keys())
        for name in form.keys() & texts[kind].keys():
            fields, named = form[name].get("fields", {}), texts[kind][name].get("fields", {})
            yield from (f"en.json: {kind}.{name}.{field}" for field in fields.keys() ^ named.keys())


# -- icons and pictures ------------------------------------------------------------------------------------

ICONS: Final = (
    rf"entity\.{KEY}\.{KEY}\.(default|state\.{KEY})",
    *(rf"{kind}\.{KEY}\.{one}" for kind, one in ACTION_KINDS.items()),
)
"""Where icons may stand. Home Assistant knows more places; add one when it is used."""


@cache
def known_icons() -> frozenset[str]:
    """Return the names of the frontend's icons."""
    path = Path(hass_frontend.where()) / "static/mdi/iconList.json"
    return frozenset(f"mdi:{icon['name']}" for icon in json.loads(path.read_text()))


def icons(root: Path) -> Iterator[str]:
    """Want icons where Home Assistant looks for them, and only those that the frontend has."""
    for path, icon in leaves(read_json(house(root) / "icons.json")):
        if not any(re.fullmatch(place, path) for place in ICONS):
            yield f"{path} is not a place for an icon"
        if str(icon) not in known_icons():
            yield f"{path}: there is no icon {icon}"


def pictures(root: Path) -> Iterator[str]:
    """Want icon and logo for both themes and both densities, on a transparent ground."""
    for theme in ("", "dark_"):
        for height, suffix in ((256, ""), (512, "@2x")):
            for kind in ("icon", "logo"):
                path = house(root) / "brand" / f"{theme}{kind}{suffix}.png"
                if not path.is_file():
                    yield f"there is no {path.name}"
                    continue
                with Image.open(path) as picture:
                    alpha = picture.convert("RGBA").getchannel("A")
                right, bottom = picture.width - 1, picture.height - 1
                if picture.height != height or (kind == "icon" and picture.width != height):
                    yield f"{path.name} is {picture.size}"
                if any(map(alpha.getpixel, [(0, 0), (right, 0), (right, bottom)])):
                    yield f"{path.name} has something in its corners"
                if kind == "logo" and alpha.crop((right, 0, right + 1, bottom + 1)).getbbox():
                    yield f"{path.name} is cut off"


type Rule = Callable[[Path], Iterator[str]]

RULES: Final[tuple[Rule, ...]] = (
    *(manifest, hacs, places_of_texts, texts_in_every_language, steps_of_flows),
    *(forms, texts_and_icons_of_forms, icons, pictures),
)
