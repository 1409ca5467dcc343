"""Pages of docs/: every automation runs, every trigger, condition and action has a page, every link works."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
import json
import logging
from pathlib import Path
import re
from typing import Any, Final
from unittest.mock import AsyncMock
from urllib.parse import parse_qs, urlsplit

from homeassistant.components.automation.config import ValidationStatus, async_validate_config_item
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import parse_yaml
import pytest
from pytest_homeassistant_custom_component.common import async_mock_service

from custom_components.jedlix.condition import CONDITIONS
from custom_components.jedlix.const import DOMAIN
from custom_components.jedlix.event import VEHICLE_EVENTS, VehicleEvent
from custom_components.jedlix.state.changes import ChangeType
from custom_components.jedlix.statistics import Imported, StatisticsImport
from custom_components.jedlix.trigger import TRIGGERS
from simulator.app import Simulator
from tests.simulators import StartSimulator
from tests.tools import RecordedEvents, make_entry, record_events, set_up, until

ROOT: Final = Path(__file__).parents[1]
HOUSE: Final = ROOT / "custom_components/jedlix"
PAGES: Final = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for path in (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")))
}
ENGLISH: Final = json.loads((HOUSE / "translations/en.json").read_text())
REPOSITORY: Final = json.loads((HOUSE / "manifest.json").read_text())["documentation"]


def code_of(page: str, language: str) -> list[str]:
    """Return the blocks of code of a page that are in this language."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGES[page], re.MULTILINE | re.DOTALL)


def rows_of(page: str, heading: str) -> list[list[str]]:
    """Return the rows of the table under a heading, its head left aside."""
    _, _, below = PAGES[page].partition(f"\n{heading}\n")
    lines = re.split(r"\n#+ ", below)[0].splitlines()
    rows = [line.strip("|").split("|") for line in lines if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def test_the_recorder_keeps_what_a_change_adds_only_once() -> None:
    """It keeps the event on the bus, and of the event entities of a car only the type."""
    shown = {event_type for description in VEHICLE_EVENTS for event_type in description.event_types}
    adds = {
        name
        for type_, _, added in rows_of("docs/events.md", "### Types")
        if type_.strip("`") in shown
        for name in re.findall(r"`(\w+)", added)
    }
    assert adds - {"session_ended"} <= VehicleEvent._unrecorded_attributes


# -- pages -------------------------------------------------------------------------------------------------


def forms(kind: str) -> Mapping[str, Any]:
    """Return what the editor's forms of triggers, conditions or actions are made from."""
    form = parse_yaml((HOUSE / f"{kind}.yaml").read_text())
    assert isinstance(form, dict)
    return {name: of for name, of in form.items() if not name.startswith(".")}


THINGS: Final = {
    folder: (ENGLISH[kind], forms(kind))
    for folder, kind in (
        ("triggers", "triggers"),
        ("conditions", "conditions"),
        ("actions", "services"),
    )
}


@pytest.mark.parametrize("folder", THINGS)
def test_every_trigger_condition_and_action_has_a_page(folder: str) -> None:
    pages = {path.stem for path in (ROOT / "docs" / folder).iterdir()}
    assert pages == THINGS[folder][1].keys()
    if folder != "actions":
        assert pages == (TRIGGERS if folder == "triggers" else CONDITIONS).keys()


@pytest.mark.parametrize(
    ("folder", "key"), [(folder, key) for folder, (_, items) in THINGS.items() for key in items]
)
def test_a_page_says_what_the_editor_says(folder: str, key: str) -> None:
    words, items = THINGS[folder]
    page = f"docs/{folder}/{key}.md"
    title, name = PAGES[page].split("\n\n")[:2]
    assert title == f"# {words[key]['name']}"
    assert name == f"`{DOMAIN}.{key}`"
    assert f"[{words[key]['name']}]({folder}/{key}.md) |" in PAGES["docs/automations.md"]
    fields = {row[0] for row in rows_of(page, "## Fields")}
    expected = {*items[key].get("fields", ()), *({"target"} & items[key].keys())}
    assert fields == {f"`{field}`" for field in expected}
    assert any(f": {DOMAIN}.{key}\n" in block for block in code_of(page, "yaml"))


@pytest.mark.parametrize("key", THINGS["actions"][1])
def test_a_page_quotes_the_errors_as_they_are_shown(key: str) -> None:
    shown = {re.sub(r"\{\w+\}", "…", words["message"]) for words in ENGLISH["exceptions"].values()}
    quoted = {row[0] for row in rows_of(f"docs/actions/{key}.md", "## Errors")}
    assert quoted
    assert quoted <= shown


def test_the_page_on_set_up_says_what_the_forms_say() -> None:
    ways = [row[0] for row in rows_of("docs/set-up.md", "### Push")]
    assert sorted(ways) == sorted(ENGLISH["selector"]["callback"]["options"].values())
    options = [row[0] for row in rows_of("docs/set-up.md", "## Afterwards")]
    form = ENGLISH["options"]["step"]["init"]
    sections = (section["name"] for section in form["sections"].values())
    assert sorted(options) == sorted([*form["data"].values(), *sections])
    menu = [row[0] for row in rows_of("docs/set-up.md", "## Reconfigure")]
    assert sorted(menu) == sorted(ENGLISH["config"]["step"]["reconfigure"]["menu_options"].values())


def texts_in(node: object) -> Iterator[str]:
    """Yield all texts of a translation."""
    if isinstance(node, dict):
        for item in node.values():
            yield from texts_in(item)
    else:
        yield str(node)


SHOWN: Final = "\n".join(
    [*texts_in(ENGLISH), *(path.read_text() for path in HOUSE.rglob("*.py")), "Configure"]
)
"""What a person may see: texts, and the lines of the log. The last word is Home Assistant's own."""


@pytest.mark.parametrize("page", ["troubleshooting", "linking", "driver"])
def test_a_page_on_trouble_quotes_what_is_shown(page: str) -> None:
    rows = re.findall(r"^\| (.*?) \|", PAGES[f"docs/{page}.md"], re.MULTILINE)
    quotes = [quote for row in rows for quote in re.findall(r"\*([^*]+)\*", row)]
    assert len(quotes) > 5
    assert [
        quote for quote in quotes if not all(part in SHOWN for part in re.split(r" ?… ?", quote))
    ] == []


def test_the_minimum_version_is_that_of_the_package() -> None:
    minimum = json.loads((ROOT / "hacs.json").read_text())["homeassistant"]
    for page in ("README.md", "docs/set-up.md"):
        assert re.findall(r"([\d.]+\d) or newer", PAGES[page]) == [minimum], page


def test_every_blueprint_can_be_imported_from_the_page() -> None:
    offered = [
        parse_qs(urlsplit(link).query)["blueprint_url"][0]
        for link in re.findall(
            r"\((https://my\.home-assistant\.io/[^)]*)\)", PAGES["docs/automations.md"]
        )
    ]
    files = (ROOT / "blueprints").rglob("*.yaml")
    assert sorted(offered) == sorted(
        f"{REPOSITORY}/blob/main/{path.relative_to(ROOT).as_posix()}" for path in files
    )


# -- links -------------------------------------------------------------------------------------------------


def anchors_of(path: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings
    }


@pytest.mark.parametrize("page", PAGES)
def test_links_work(page: str) -> None:
    prose = re.sub(r"^```.*?^```", "", PAGES[page], flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r'(?:\]\(|src(?:set)?=")([^)"]+)', prose):
        if link.startswith("https://"):
            continue
        file, _, anchor = link.partition("#")
        target = (ROOT / page).parent / file if file else ROOT / page
        assert target.exists(), link
        assert not anchor or anchor in anchors_of(target), link


def test_every_picture_is_shown() -> None:
    pictures = {path.name for path in (ROOT / "docs/images").iterdir()}
    assert pictures == set(re.findall(r"images/([\w-]+\.png)", "".join(PAGES.values())))


ORDER: Final = re.findall(r"^- \[(.+?)\]\(([\w-]+\.md)\)", PAGES["docs/README.md"], re.MULTILINE)
"""Title and file of each page, in the order of the index."""


def test_the_index_has_every_page_once_by_its_title() -> None:
    titles = {
        path.name: PAGES[f"docs/{path.name}"].splitlines()[0].removeprefix("# ")
        for path in (ROOT / "docs").glob("*.md")
        if path.name != "README.md"
    }
    assert sorted(ORDER) == sorted((title, file) for file, title in titles.items())


@pytest.mark.parametrize("place", range(len(ORDER)), ids=[file for _, file in ORDER])
def test_a_page_ends_with_the_way_to_its_neighbours(place: int) -> None:
    way = ["[All pages](README.md)"]
    if place > 0:
        way.insert(0, "[← {}]({})".format(*ORDER[place - 1]))
    if place + 1 < len(ORDER):
        way.append("[{} →]({})".format(*ORDER[place + 1]))
    page = PAGES[f"docs/{ORDER[place][1]}"]
    assert page.splitlines()[-3:] == ["---", "", " · ".join(way)]


@pytest.mark.parametrize("folder", THINGS)
def test_a_page_of_a_folder_ends_with_the_way_back(folder: str) -> None:
    way = f"[← All {folder}](../automations.md#{folder}) · [All pages](../README.md)"
    for key in THINGS[folder][1]:
        assert PAGES[f"docs/{folder}/{key}.md"].splitlines()[-3:] == ["---", "", way], key


def test_the_links_of_the_issue_forms_work() -> None:
    links = re.findall(
        rf"{REPOSITORY}/blob/main/(\S+)", (ROOT / ".github/ISSUE_TEMPLATE/config.yml").read_text()
    )
    assert links
    assert set(links) <= PAGES.keys()


# -- names -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
def test_entities_that_a_page_names_exist(page: str) -> None:
    listed = set(re.findall(r"^\| (\w+) \| `(\w+)`", PAGES["docs/entities.md"], re.MULTILINE))
    named = re.findall(
        r"\b(\w+)\.(?:tesla_model_3|renault_zoe|jedlix_rotterdam)_(\w+)", PAGES[page]
    )
    assert set(named) <= listed | {
        ("time", "ready_by_monday"),
        ("time", "ready_by_monday_to_friday"),
    }


@pytest.mark.parametrize("page", PAGES)
def test_blueprints_that_a_page_names_exist(page: str) -> None:
    rows = rows_of("docs/automations.md", "## Blueprints")
    titles = {re.split(r"[\[\]]", row[0])[1] for row in rows}
    names = re.findall(
        r'^  name: "Jedlix: (.*)"$',
        "\n".join(path.read_text() for path in (ROOT / "blueprints").rglob("*.yaml")),
        re.MULTILINE,
    )
    assert sorted(title.lower() for title in titles) == sorted(name.lower() for name in names)
    text = " ".join(PAGES[page].split())
    for named in re.findall(r"blueprints? (\*[^*]+\*(?: and \*[^*]+\*)?)", text):
        assert set(re.findall(r"\*([^*]+)\*", named)) <= titles


# -- automations -------------------------------------------------------------------------------------------

AUTOMATIONS: Final = [
    pytest.param(block, id=f"{page}-{n}")
    for page in PAGES
    for n, block in enumerate(code_of(page, "yaml"))
]


def actions_in(node: object) -> Iterator[str]:
    """Yield the names of all actions, however deep."""
    if isinstance(node, dict):
        if isinstance(action := node.get("action"), str):
            yield action
        yield from (found for item in node.values() for found in actions_in(item))
    elif isinstance(node, list):
        yield from (found for item in node for found in actions_in(item))


@pytest.fixture
async def two_cars(
    hass: HomeAssistant,
    start_simulator: StartSimulator,
    callback_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Simulator:
    """Return a simulator whose Tesla Model 3 and Renault Zoe are followed."""
    monkeypatch.setattr("custom_components.jedlix.state.refresh_queue.MIN_INTERVAL", 0.02)
    sim = await start_simulator(users=2)
    entry = make_entry(sim, callback_url)
    await set_up(hass, entry)
    await until(hass, lambda: entry.runtime_data.push.state not in ("off", "connecting"))
    return sim


async def run_a_day(
    hass: HomeAssistant,
    sim: Simulator,
    recorded: RecordedEvents,
    at_noon: Callable[[], Awaitable[None]],
) -> None:
    """Plug both cars in, and let everything happen to one of them."""
    tesla, zoe = sim.vehicle_ids

    async def published(kind: ChangeType, car: str | None = tesla) -> None:
        happened = {"type": kind, "vehicle_id": car}.items()
        await until(hass, lambda: any(happened <= change.items() for change in recorded.changes))

    sim.telemetry(tesla, battery_level=40)
    for car in (zoe, tesla):
        sim.plug(car)
        await published(ChangeType.SESSION_STARTED, car)
    await at_noon()
    sim.telemetry(tesla, charge_state="charging")
    await published(ChangeType.CHARGING_STARTED)
    sim.telemetry(tesla, charge_state="stopped")
    await published(ChangeType.CHARGING_PAUSED)
    sim.impossible(tesla)
    await published(ChangeType.SESSION_IMPOSSIBLE)
    sim.telemetry(tesla, charge_state="complete")
    await published(ChangeType.CHARGING_COMPLETED)
    sim.link(tesla, connected=False)
    await published(ChangeType.VEHICLE_LINK_LOST)
    sim.link(tesla, connected=True)
    sim.unplug(tesla)
    await published(ChangeType.UNPLUGGED)
    await published(ChangeType.SESSION_ENDED)
    sim.add_user()
    await published(ChangeType.USER_CREATED, None)


@pytest.mark.parametrize("block", AUTOMATIONS)
async def test_every_automation_in_the_docs_runs(
    hass: HomeAssistant,
    two_cars: Simulator,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    block: str,
) -> None:
    # There is no recorder to import into.
    monkeypatch.setattr(StatisticsImport, "has_recorder", True)
    imported = AsyncMock(return_value=Imported(1, 8.0))
    monkeypatch.setattr(StatisticsImport, "import_since", imported)
    config = parse_yaml(block)
    assert isinstance(config, dict)
    validated = await async_validate_config_item(hass, "it", config)
    assert validated is not None
    assert validated.validation_status is ValidationStatus.OK, validated.validation_error
    for name in set(actions_in(config)):
        domain, _, action = name.partition(".")
        if domain != DOMAIN:
            async_mock_service(hass, domain, action)
    known = er.async_get(hass)
    for entity_id in re.findall(r"\w+\.(?:tesla|renault)_\w+", block):
        assert known.async_get(entity_id) is not None, entity_id
    assert await async_setup_component(
        hass, "automation", {"automation": {"id": "it", **config, "alias": "it"}}
    )
    recorded = record_events(hass)
    started_by_jedlix = "jedlix" in str(config["triggers"])

    async def at_noon() -> None:
        if not started_by_jedlix:
            await run_by_hand(hass)

    await run_a_day(hass, two_cars, recorded, at_noon)
    state = hass.states.get("automation.it")
    assert state is not None
    assert state.attributes["last_triggered"] is not None
    assert not [
        record.getMessage()
        for record in caplog.records
        if record.levelno >= logging.WARNING and "automation.it" in record.name
    ]
    await hass.services.async_call("automation", "turn_off", {"entity_id": "all"}, blocking=True)


async def run_by_hand(hass: HomeAssistant) -> None:
    """Run an automation that waits for the clock or for another integration."""
    await hass.services.async_call(
        "automation", "trigger", {"entity_id": "automation.it"}, blocking=True
    )
    await hass.async_block_till_done()


# -- events ------------------------------------------------------------------------------------------------


def test_every_type_of_change_is_on_the_page() -> None:
    types = [row[0].strip("`") for row in rows_of("docs/events.md", "### Types")]
    assert sorted(types) == sorted(ChangeType)


async def test_the_events_hold_what_the_page_says(hass: HomeAssistant, two_cars: Simulator) -> None:
    def keys(cell: str) -> set[str]:
        return set(re.findall(r"`(\w+)`", cell))

    async def at_noon() -> None:
        tesla = two_cars.vehicle_ids[0]
        target = {"entity_id": "switch.tesla_model_3_boost"}
        for enabled in (True, False):
            await hass.services.async_call(
                DOMAIN, "boost", {"enabled": enabled}, target=target, blocking=True
            )
        for name in ("pause", "resume"):
            await hass.services.async_call(
                DOMAIN, f"{name}_smart_charging", target=target, blocking=True
            )
            two_cars.telemetry(tesla)
        await hass.async_block_till_done()

    recorded = record_events(hass)
    await run_a_day(hass, two_cars, recorded, at_noon)
    every = set().union(*(keys(row[0]) for row in rows_of("docs/events.md", "## `jedlix_event`")))
    adds = {row[0].strip("`"): keys(row[2]) for row in rows_of("docs/events.md", "### Types")}
    assert len(set(recorded.types)) >= 13, set(recorded.types)
    for change in recorded.changes:
        assert change.keys() == every | adds[change["type"]], change["type"]
    delivery = set().union(
        *(keys(row[0]) for row in rows_of("docs/events.md", "## `jedlix_webhook`"))
    )
    assert recorded.webhooks
    for webhook in recorded.webhooks:
        assert webhook.keys() == delivery
