"""Callback URL: which one is chosen, for each way that a user can choose and all that may be missing."""

import sys
from typing import Any, Final

from hass_nabucasa.cloudhooks import CloudhookApiError
from homeassistant import components
from homeassistant.components.cloud import CloudNotAvailable, CloudNotConnected
from homeassistant.const import CONF_WEBHOOK_ID
from homeassistant.core import HomeAssistant
import pytest

from custom_components.jedlix.const import CONF_BASE_URL, CONF_CALLBACK, CONF_CALLBACK_URL
from custom_components.jedlix.push.callback_url import (
    Callback,
    ChosenUrl,
    NoCallback,
    choose_url,
    delete_cloudhook,
    external_url,
    has_cloud,
    is_private_host,
    is_valid_url,
    track_callback_url,
)
from tests.servers import HomeAssistantCloud

PRODUCTION: Final = "https://api.jedlix.com"
PRIVATE: Final = "http://192.168.1.20:8123"
CLOUDHOOK: Final = ChosenUrl(Callback.CLOUD, "https://hooks.nabu.casa/hook-1")


@pytest.fixture
def cloud(hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch) -> HomeAssistantCloud:
    """Return a Home Assistant Cloud with a subscription."""
    return HomeAssistantCloud(hass, monkeypatch, "https://hooks.nabu.casa")


def data(callback: str, custom: str | None = None, base: str = PRODUCTION) -> dict[str, Any]:
    """Return the part of an entry's data that decides."""
    return {
        CONF_WEBHOOK_ID: "w-1",
        CONF_CALLBACK: callback,
        CONF_CALLBACK_URL: custom,
        CONF_BASE_URL: base,
    }


async def choice(
    hass: HomeAssistant, wanted: dict[str, Any], *, has_cloudhook: bool = False
) -> ChosenUrl | str | None:
    """Return the URL that is chosen, or the reason why there is none."""
    try:
        return await choose_url(hass, wanted, has_cloudhook=has_cloudhook)
    except NoCallback as err:
        return err.reason


def external(host: str, scheme: str = "https") -> ChosenUrl:
    return ChosenUrl(Callback.EXTERNAL, f"{scheme}://{host}/api/webhook/w-1")


def custom(url: str) -> ChosenUrl:
    return ChosenUrl(Callback.CUSTOM, f"{url}/api/webhook/w-1")


type Row = tuple[str, str | None, str | None, str, ChosenUrl | str | None]

# The chosen way, the external URL of Home Assistant, the custom URL, the API's address: the result.
WITHOUT_CLOUD: Final[list[Row]] = [
    ("none", "https://ha.example", "https://my.example", PRODUCTION, None),
    ("auto", "https://ha.example", None, PRODUCTION, external("ha.example")),
    ("auto", "https://203.0.113.7", None, PRODUCTION, external("203.0.113.7")),
    ("auto", None, None, PRODUCTION, "no_url"),
    ("auto", None, "https://my.example", PRODUCTION, "no_url"),
    ("auto", "http://ha.example", None, PRODUCTION, "not_https"),
    ("auto", "http://ha.example", None, PRIVATE, external("ha.example", "http")),
    ("external", "https://ha.example", None, PRODUCTION, external("ha.example")),
    ("external", "http://ha.example", None, PRODUCTION, "not_https"),
    ("external", "http://192.168.1.10", None, PRIVATE, external("192.168.1.10", "http")),
    ("external", None, "https://my.example", PRODUCTION, "no_url"),
    ("cloud", "https://ha.example", "https://my.example", PRODUCTION, "no_cloud"),
    ("custom", None, "https://my.example", PRODUCTION, custom("https://my.example")),
    ("custom", None, "https://my.example/ha//", PRODUCTION, custom("https://my.example/ha")),
    ("custom", "https://ha.example", "", PRODUCTION, "no_own_url"),
    ("custom", None, "http://my.example", PRODUCTION, "not_https"),
    ("custom", None, "http://my.example", PRIVATE, custom("http://my.example")),
    ("custom", None, "http://my.example", "http://api.jedlix.com", "not_https"),
    ("custom", None, "ftp://my.example", PRIVATE, "invalid_url"),
    ("custom", None, "my.example", PRODUCTION, "invalid_url"),
    ("custom", None, "https://my.example/?a=b", PRODUCTION, "invalid_url"),
]


@pytest.mark.parametrize(("callback", "ha_url", "custom_url", "base", "expected"), WITHOUT_CLOUD)
async def test_without_the_cloud(
    hass: HomeAssistant,
    callback: str,
    ha_url: str | None,
    custom_url: str | None,
    base: str,
    expected: ChosenUrl | str | None,
) -> None:
    await hass.config.async_update(external_url=ha_url, internal_url="http://192.168.1.10:8123")
    assert await choice(hass, data(callback, custom_url, base)) == expected


@pytest.mark.parametrize(
    ("callback", "expected"),
    [
        ("auto", CLOUDHOOK),
        ("cloud", CLOUDHOOK),
        ("external", external("ha.example")),
        ("custom", custom("https://my.example")),
        ("none", None),
    ],
)
async def test_with_the_cloud(
    hass: HomeAssistant, cloud: HomeAssistantCloud, callback: str, expected: ChosenUrl | None
) -> None:
    await hass.config.async_update(external_url="https://ha.example")
    assert await choice(hass, data(callback, "https://my.example")) == expected
    assert bool(cloud.hooks) == (callback in {"auto", "cloud"})


async def test_without_a_subscription_another_way_than_the_cloud_is_taken(
    hass: HomeAssistant, cloud: HomeAssistantCloud
) -> None:
    cloud.is_subscribed = False
    assert await choice(hass, data("auto")) == "no_url"
    assert await choice(hass, data("cloud")) == "no_cloud"
    await hass.config.async_update(external_url="https://ha.example")
    assert await choice(hass, data("auto")) == external("ha.example")
    assert await choice(hass, data("cloud")) == "no_cloud"


@pytest.mark.parametrize(
    "error",
    [
        CloudNotAvailable(),
        CloudNotConnected(),
        ValueError("Cloud is not connected"),
        TimeoutError(),
        CloudhookApiError("Unexpected response"),
    ],
)
async def test_without_its_cloudhook_the_cloud_is_waited_for_or_another_way_is_taken(
    hass: HomeAssistant, cloud: HomeAssistantCloud, error: Exception
) -> None:
    cloud.error = error
    assert await choice(hass, data("auto")) == "cloud_away"
    assert await choice(hass, data("cloud")) == "cloud_away"
    await hass.config.async_update(external_url="https://ha.example")
    assert await choice(hass, data("auto")) == external("ha.example")
    assert await choice(hass, data("cloud")) == "cloud_away"
    # A cloudhook that Jedlix calls already is waited for.
    assert await choice(hass, data("auto"), has_cloudhook=True) == "cloud_away"
    assert await choice(hass, data("external"), has_cloudhook=True) == external("ha.example")
    cloud.error = None
    assert await choice(hass, data("auto"), has_cloudhook=True) == CLOUDHOOK
    cloud.is_subscribed = False
    assert await choice(hass, data("auto"), has_cloudhook=True) == external("ha.example")


async def test_the_cloud_is_not_imported_where_it_is_not_loaded(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "homeassistant.components.cloud", None)
    monkeypatch.delattr(components, "cloud", raising=False)
    assert not has_cloud(hass)
    await delete_cloudhook(hass, "w-1")


async def test_a_cloudhook_is_deleted_where_there_is_one(
    hass: HomeAssistant, cloud: HomeAssistantCloud
) -> None:
    await choose_url(hass, data("cloud"))
    assert has_cloud(hass)
    await delete_cloudhook(hass, "w-1")
    assert cloud.hooks == {}
    await delete_cloudhook(hass, "w-1")
    cloud.error = CloudNotAvailable()
    await delete_cloudhook(hass, "w-1")


async def test_changes_of_the_cloud_and_the_external_url_are_tracked_until_that_is_stopped(
    hass: HomeAssistant, cloud: HomeAssistantCloud
) -> None:
    changes: list[str] = []
    stop = track_callback_url(hass, "w-1", lambda: changes.append("changed"))

    async def change_all() -> None:
        cloud.disconnect()
        cloud.connect()
        await hass.config.async_update(external_url=f"https://{len(changes)}.example")
        await hass.async_block_till_done()

    await change_all()
    assert len(changes) == 3
    stop()
    await change_all()
    assert len(changes) == 3


async def test_an_internal_address_is_never_the_external_one(hass: HomeAssistant) -> None:
    await hass.config.async_update(internal_url="http://192.168.1.10:8123")
    assert external_url(hass) is None
    await hass.config.async_update(external_url="https://ha.example")
    assert external_url(hass) == "https://ha.example"


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "homeassistant",
        "homeassistant.local",
        "sim.lan",
        "sim.home.arpa",
        "sim.internal",
        "a.localhost",
        "127.0.0.1",
        "192.168.1.1",
        "::1",
        "[::1]",
        "fd00::1",
    ],
)
def test_a_private_host(host: str) -> None:
    assert is_private_host(host)


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "api.jedlix.com",
        "localhost.jedlix.example",
        "192.168.1.1.example",
        "8.8.8.8",
        "134744072",  # 8.8.8.8 as one number
        "0x08080808",
        "::ffff:8.8.8.8",
        "2606:4700::1111",
        "[2606:4700::1111]",
    ],
)
def test_a_public_host(host: str | None) -> None:
    assert not is_private_host(host)


@pytest.mark.parametrize(
    "url", ["HTTPS://HA.example/path", "https://[2001:db8::1]:8123", "https://ha.example/@path"]
)
def test_a_valid_url(url: str) -> None:
    assert is_valid_url(url, allow_http=False)
    assert is_valid_url(url, allow_http=True)


def test_plain_http_is_valid_where_it_is_allowed() -> None:
    assert is_valid_url("http://ha.example", allow_http=True)
    assert not is_valid_url("http://ha.example", allow_http=False)


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "https:///path",
        "ha.example:8123",
        "/path",
        "",
        "https://[half",
        "https://ha.example?",
        "https://ha.example?a=b",
        "https://ha.example/#a",
        "https://ha.example:port",
        "https://me:word@ha.example",
        "https://me@ha.example",
        "javascript:alert(1)",
        "file:///etc/passwd",
    ],
)
def test_an_invalid_url(url: str) -> None:
    assert not is_valid_url(url, allow_http=False)
    assert not is_valid_url(url, allow_http=True)
