"""The module of the dashboard and the cards: it is served, loaded, small, and has all its texts."""

import gzip
import json
from pathlib import Path
import re
from typing import Final

from homeassistant.components import frontend
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.jedlix.const import DOMAIN

INTEGRATION: Final = Path(__file__).parents[1] / "custom_components/jedlix"
MODULE: Final = (INTEGRATION / "frontend/jedlix.js").read_text()
TEXTS: Final = {
    key.removeprefix("card_")
    for key in json.loads((INTEGRATION / "translations/en.json").read_text())["common"]
    if key.startswith("card_")
}
MAX_SIZE: Final = 15 * 1024
"""Bytes, compressed: a module that comes late misses the dashboard's start."""


@pytest.mark.parametrize("has_frontend", [True, False])
async def test_the_module_is_served_and_pages_load_this_version_of_it(
    hass: HomeAssistant,
    enable_custom_integrations: None,
    socket_enabled: None,
    hass_client_no_auth: ClientSessionGenerator,
    has_frontend: bool,
) -> None:
    for component in ("http", *(("frontend",) if has_frontend else ()), DOMAIN):
        assert await async_setup_component(hass, component, {})
    url = "/jedlix_static/jedlix.js"
    if has_frontend:
        loaded = hass.data[frontend.DATA_EXTRA_MODULE_URL].urls
        version = json.loads((INTEGRATION / "manifest.json").read_text())["version"]
        assert loaded == {f"{url}?v={version}"}
        (url,) = loaded
    client = await hass_client_no_auth()
    answer = await client.get(url)
    assert answer.status == 200
    assert answer.content_type == "text/javascript"
    assert await answer.text() == MODULE


def test_the_module_is_small_and_needs_no_other() -> None:
    assert len(gzip.compress(MODULE.encode())) <= MAX_SIZE
    assert not re.search(r"^\s*import\b|\bimport\(|^await\b", MODULE, re.MULTILINE)


def test_the_cards_have_all_their_texts_and_use_them_all() -> None:
    used = set(re.findall(r'\bt\("(\w+)"', MODULE))
    assert used <= TEXTS, used - TEXTS
    unused = {
        key
        for key in TEXTS
        if f'"{key}"' not in MODULE
        and f'"{key.removesuffix("_to")}"' not in MODULE  # with and without a level
        and f"`{key.partition('_')[0]}_${{" not in MODULE  # the key follows from a state
    }
    assert not unused
