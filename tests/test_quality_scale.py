"""Quality scale: all rules, none open, every proof exists, and the code does what the file says."""

import ast
from collections.abc import Callable, Iterator
from importlib import import_module
import logging
from pathlib import Path
import re
import tomllib
from typing import Any, Final

from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.util.yaml import parse_yaml
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.jedlix import PLATFORMS
from custom_components.jedlix.condition import CONDITIONS
from custom_components.jedlix.const import DEFAULT_POLL_MINUTES, DOMAIN
from custom_components.jedlix.trigger import TRIGGERS
from simulator.app import Simulator
from tests.coverage_floors import FLOORS
from tests.integration_files import house, read_form, read_json

ROOT: Final = Path(__file__).parents[1]
HOUSE: Final = house(ROOT)
MANIFEST: Final = read_json(HOUSE / "manifest.json")
SCALE: Final[Any] = parse_yaml((HOUSE / "quality_scale.yaml").read_text())
RULES: Final[dict[str, dict[str, str]]] = SCALE["rules"]

# As of 2026-07: bronze, silver, gold, platinum.
NAMES: Final = {
    *(
        "action-setup",
        "appropriate-polling",
        "brands",
        "common-modules",
        "config-flow",
        "config-flow-test-coverage",
        "dependency-transparency",
        "docs-actions",
        "docs-conditions",
        "docs-high-level-description",
        "docs-installation-instructions",
        "docs-removal-instructions",
        "docs-triggers",
        "entity-event-setup",
        "entity-unique-id",
        "has-entity-name",
        "runtime-data",
        "test-before-configure",
        "test-before-setup",
        "unique-config-entry",
    ),
    *(
        "action-exceptions",
        "config-entry-unloading",
        "docs-configuration-parameters",
        "docs-installation-parameters",
        "entity-unavailable",
        "integration-owner",
        "log-when-unavailable",
        "parallel-updates",
        "reauthentication-flow",
        "test-coverage",
    ),
    *(
        "devices",
        "diagnostics",
        "discovery",
        "discovery-update-info",
        "docs-data-update",
        "docs-examples",
        "docs-known-limitations",
        "docs-supported-devices",
        "docs-supported-functions",
        "docs-troubleshooting",
        "docs-use-cases",
        "dynamic-devices",
        "entity-category",
        "entity-device-class",
        "entity-disabled-by-default",
        "entity-translations",
        "exception-translations",
        "icon-translations",
        "reconfiguration-flow",
        "repair-issues",
        "stale-devices",
    ),
    *("async-dependency", "inject-websession", "strict-typing"),
}
PROOF: Final = re.compile(r"[\w./-]+\.(?:py|md|json|png|toml|typed)\b(?:::\w+|#[\w-]+)?")


def test_all_rules_are_there_and_none_is_open() -> None:
    assert len(NAMES) == 54
    assert RULES.keys() == NAMES
    for name, rule in RULES.items():
        assert rule["status"] in {"done", "exempt"}, name
        assert rule["comment"], name


@pytest.mark.parametrize("name", [name for name, rule in RULES.items() if rule["status"] == "done"])
def test_every_proof_exists(name: str) -> None:
    proofs = PROOF.findall(RULES[name]["comment"])
    assert proofs
    for proof in proofs:
        path, mark, place = re.split(r"(::|#|$)", proof, maxsplit=1)
        text = (ROOT / path).read_text(errors="ignore")
        if mark == "::":
            assert re.search(rf"^(async )?def {place}\(", text, re.MULTILINE), proof
        elif mark == "#":
            headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
            assert place in {heading.lower().replace(" ", "-") for heading in headings}, proof


# -- checks of the code ------------------------------------------------------------------------------------


def tree_of(name: str) -> ast.Module:
    """Return the syntax tree of a module of the integration."""
    return ast.parse((HOUSE / name).read_text())


def function(tree: ast.AST, name: str) -> str:
    """Return the source of a function, or nothing where there is none."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            return ast.unparse(node)
    return ""


def files_with(pattern: str) -> Iterator[str]:
    """Yield the modules whose code contains this, comments aside."""
    for path in HOUSE.rglob("*.py"):
        if re.search(pattern, ast.unparse(ast.parse(path.read_text()))):
            yield path.relative_to(HOUSE).as_posix()


def subscribed_outside_of_added_to_hass() -> list[str]:
    """Return the methods in which an entity listens before it is added."""
    return [
        f"{name}: {node.name}.{method.name}"
        for name in ("entity.py", *(f"{platform}.py" for platform in PLATFORMS))
        for node in ast.walk(tree_of(name))
        if isinstance(node, ast.ClassDef)
        for method in node.body
        if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef)
        and method.name != "async_added_to_hass"
        and re.search(r"\.listen(_to\w*)?\(", ast.unparse(method))
    ]


def actions_without_a_failing_test() -> set[str]:
    """Return the actions that no test with an expected error calls."""
    files = sorted((ROOT / "tests/actions").glob("*.py"))
    tree = ast.parse("\n".join(path.read_text() for path in files))
    tables = {
        ast.unparse(node.target if isinstance(node, ast.AnnAssign) else node.targets[0]): node.value
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
    }
    tried: set[str] = set()
    for test in tree.body:
        source = ast.unparse(test)
        if isinstance(test, ast.AsyncFunctionDef) and re.search(r"\b(fails|raises)\(", source):
            nodes = [*ast.walk(test)]
            nodes += [
                inner
                for node in nodes
                if isinstance(node, ast.Name) and node.id in tables
                for inner in ast.walk(tables[node.id])
            ]
            tried |= {
                node.value
                for node in nodes
                if isinstance(node, ast.Constant) and isinstance(node.value, str)
            }
    return read_form(ROOT, "services").keys() - tried


def pages(folder: str) -> set[str]:
    """Return the names of the pages of a folder."""
    return {path.stem for path in (ROOT / "docs" / folder).glob("*.md")}


def floor_of(path: str) -> int:
    """Return the minimum coverage of a file."""
    return max((floor for name, floor in FLOORS.items() if name == path), default=0)


INIT: Final = tree_of("__init__.py")
FLOW: Final = tree_of("config_flow.py")
# Each must be true if the file says that its rule is done.
CHECKS: Final[dict[str, Callable[[], bool]]] = {
    "action-setup": lambda: (
        "async_setup_services(" in function(INIT, "async_setup")
        and list(files_with(r"services\.async_register\(")) == ["services.py"]
    ),
    "appropriate-polling": lambda: 1 <= DEFAULT_POLL_MINUTES <= 60,
    "config-flow": lambda: MANIFEST["config_flow"] is True,
    "config-flow-test-coverage": lambda: floor_of("custom_components/jedlix/config_flow.py") == 100,
    "docs-actions": lambda: pages("actions") == read_form(ROOT, "services").keys(),
    "docs-conditions": lambda: pages("conditions") == CONDITIONS.keys(),
    "docs-triggers": lambda: pages("triggers") == TRIGGERS.keys(),
    "entity-event-setup": lambda: subscribed_outside_of_added_to_hass() == [],
    "runtime-data": lambda: (
        "entry.runtime_data = JedlixData(" in function(INIT, "async_setup_entry")
        and not list(files_with(r"hass\.data\[DOMAIN\]"))
    ),
    "test-before-setup": lambda: (
        "await coordinator.first_poll()" in function(INIT, "async_setup_entry")
        and "await self.async_config_entry_first_refresh()"
        in function(tree_of("coordinator.py"), "first_poll")
    ),
    "unique-config-entry": lambda: "_abort_if_unique_id_configured(" in ast.unparse(FLOW),
    "action-exceptions": lambda: actions_without_a_failing_test() == set(),
    "config-entry-unloading": lambda: bool(function(INIT, "async_unload_entry")),
    "integration-owner": lambda: bool(MANIFEST["codeowners"]),
    "parallel-updates": lambda: all(
        isinstance(import_module(f"custom_components.jedlix.{platform}").PARALLEL_UPDATES, int)
        for platform in PLATFORMS
    ),
    "reauthentication-flow": lambda: bool(function(FLOW, "async_step_reauth")),
    "reconfiguration-flow": lambda: bool(function(FLOW, "async_step_reconfigure")),
    "test-coverage": lambda: all(
        floor_of(path.relative_to(ROOT).as_posix()) >= 95 for path in HOUSE.rglob("*.py")
    ),
    "diagnostics": lambda: bool(
        function(tree_of("diagnostics.py"), "async_get_config_entry_diagnostics")
    ),
    "docs-examples": lambda: any((ROOT / "blueprints").rglob("*.yaml")),
    "exception-translations": lambda: (
        not list(files_with(r"raise \w*(HomeAssistantError|ValidationError|UpdateFailed)\(['\"f]"))
    ),
    "repair-issues": lambda: list(files_with(r"async_create_issue\(")) != [],
    "inject-websession": lambda: (
        "async_get_clientsession(hass)" in ast.unparse(tree_of("data.py"))
        and not list(files_with(r"ClientSession\("))
    ),
    "strict-typing": lambda: (
        tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]["strict"] is True
    ),
}


@pytest.mark.parametrize("name", CHECKS)
def test_the_code_does_what_the_file_says(name: str) -> None:
    assert RULES[name]["status"] == "done"
    assert CHECKS[name]()


def test_an_exempt_rule_has_nothing_to_apply_to() -> None:
    exempt = {name for name, rule in RULES.items() if rule["status"] == "exempt"}
    assert exempt == {
        *("dependency-transparency", "async-dependency"),
        *("discovery", "discovery-update-info"),
    }
    assert MANIFEST["requirements"] == []
    assert not MANIFEST.keys() & {"bluetooth", "dhcp", "homekit", "mqtt", "ssdp", "usb", "zeroconf"}


# -- checks of a running entry -----------------------------------------------------------------------------


async def test_every_entity_has_an_id_a_translated_name_and_a_device(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    entities = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    assert {entity.domain for entity in entities} >= {"sensor", "binary_sensor", "event"}
    for entity in entities:
        assert entity.unique_id, entity.entity_id
        assert entity.has_entity_name, entity.entity_id
        assert entity.translation_key, entity.entity_id
        assert entity.device_id is not None, entity.entity_id
    categories = {entity.entity_category for entity in entities}
    assert categories == {None, EntityCategory.CONFIG, EntityCategory.DIAGNOSTIC}
    assert [entity for entity in entities if entity.disabled_by is not None]
    for device in dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id):
        assert device.name
        assert device.manufacturer


@pytest.mark.usefixtures("no_second_try")
async def test_an_outage_is_one_line_when_it_begins_and_one_when_it_is_over(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    caplog.clear()
    coordinator = entry.runtime_data.coordinator
    for chance in (1.0, 0.0):
        sim.strike({"api_500": chance})
        for _ in range(3):
            await coordinator.async_refresh()
        await hass.async_block_till_done()
    logged = [
        (record.levelname, record.getMessage())
        for record in caplog.records
        if record.name.startswith(f"custom_components.{DOMAIN}") and record.levelno >= logging.INFO
    ]
    assert [level for level, _ in logged] == ["ERROR", "INFO"], logged
