"""Which URL Jedlix is to call, for every wish and everything that Home Assistant has or lacks."""

from dataclasses import dataclass, field
import sys
from types import ModuleType
from typing import Any, Final

from hass_nabucasa.cloudhooks import CloudhookApiError
from homeassistant.const import CONF_WEBHOOK_ID
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
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
)

HOOK: Final = "https://hooks.nabu.casa/gAAAAAB"
PRODUCTION: Final = "https://api.jedlix.com"
NEXT_DOOR: Final = "http://192.168.1.20:8123"


class CloudNotAvailable(HomeAssistantError):
    """What the cloud raises when it is not there."""


class CloudNotConnected(CloudNotAvailable):
    """What the cloud raises when it is not there yet."""


@dataclass
class Cloud:
    """Home Assistant Cloud as this integration sees it: it is too heavy to be loaded here."""

    is_subscribed: bool = True
    trouble: Exception | None = None
    hooks: dict[str, str] = field(default_factory=dict)

    def module(self) -> ModuleType:
        """Return what stands in the place of `homeassistant.components.cloud`."""

        async def get_or_create(_hass: HomeAssistant, webhook_id: str) -> str:
            if self.trouble is not None:
                raise self.trouble
            return self.hooks.setdefault(webhook_id, HOOK)

        async def delete(_hass: HomeAssistant, webhook_id: str) -> None:
            if self.trouble is not None:
                raise self.trouble
            if webhook_id not in self.hooks:
                raise ValueError("Hook is not enabled for the cloud.")
            del self.hooks[webhook_id]

        stub: Any = ModuleType("homeassistant.components.cloud")
        stub.CloudNotAvailable = CloudNotAvailable
        stub.async_active_subscription = lambda _hass: self.is_subscribed
        stub.async_get_or_create_cloudhook = get_or_create
        stub.async_delete_cloudhook = delete
        return stub  # type: ignore[no-any-return]


@pytest.fixture
def cloud(hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """Return a cloud that is loaded and subscribed to."""
    cloud = Cloud()
    module = cloud.module()
    monkeypatch.setitem(sys.modules, "homeassistant.components.cloud", module)
    monkeypatch.setattr("homeassistant.components.cloud", module, raising=False)
    hass.config.components.add("cloud")
    return cloud


def wish(callback: str, custom: str | None = None, base: str = PRODUCTION) -> dict[str, Any]:
    """Return the part of an entry's data that decides."""
    return {
        CONF_WEBHOOK_ID: "w-1",
        CONF_CALLBACK: callback,
        CONF_CALLBACK_URL: custom,
        CONF_BASE_URL: base,
    }


async def choice(
    hass: HomeAssistant, data: dict[str, Any], *, has_cloudhook: bool = False
) -> ChosenUrl | str | None:
    """Return what was chosen, or why nothing could be."""
    try:
        return await choose_url(hass, data, has_cloudhook=has_cloudhook)
    except NoCallback as err:
        return err.reason


def external(host: str, scheme: str = "https") -> ChosenUrl:
    return ChosenUrl(Callback.EXTERNAL, f"{scheme}://{host}/api/webhook/w-1")


def custom(url: str) -> ChosenUrl:
    return ChosenUrl(Callback.CUSTOM, f"{url}/api/webhook/w-1")


type Row = tuple[str, str | None, str | None, str, ChosenUrl | str | None]

# the wish, the external URL of Home Assistant, the custom URL, Jedlix's address -> what comes of it
WITHOUT_CLOUD: Final[list[Row]] = [
    ("none", "https://ha.example", "https://my.example", PRODUCTION, None),
    ("none", None, None, PRODUCTION, None),
    ("auto", "https://ha.example", None, PRODUCTION, external("ha.example")),
    ("auto", "https://ha.example:8443", None, PRODUCTION, external("ha.example:8443")),
    ("auto", "https://203.0.113.7", None, PRODUCTION, external("203.0.113.7")),
    ("auto", None, None, PRODUCTION, "no_url"),
    ("auto", None, "https://my.example", PRODUCTION, "no_url"),
    ("auto", "http://ha.example", None, PRODUCTION, "not_https"),
    ("auto", "http://ha.example", None, NEXT_DOOR, external("ha.example", "http")),
    ("external", "https://ha.example", None, PRODUCTION, external("ha.example")),
    ("external", "http://ha.example", None, PRODUCTION, "not_https"),
    ("external", "http://192.168.1.10:8123", None, PRODUCTION, "not_https"),
    (
        "external",
        "http://192.168.1.10:8123",
        None,
        NEXT_DOOR,
        external("192.168.1.10:8123", "http"),
    ),
    ("external", None, "https://my.example", PRODUCTION, "no_url"),
    ("cloud", "https://ha.example", "https://my.example", PRODUCTION, "no_cloud"),
    ("custom", None, "https://my.example", PRODUCTION, custom("https://my.example")),
    ("custom", None, "https://my.example/", PRODUCTION, custom("https://my.example")),
    ("custom", None, "https://my.example/ha//", PRODUCTION, custom("https://my.example/ha")),
    ("custom", "https://ha.example", "", PRODUCTION, "no_url"),
    ("custom", "https://ha.example", None, PRODUCTION, "no_url"),
    ("custom", None, "http://my.example", PRODUCTION, "not_https"),
    ("custom", None, "http://my.example", NEXT_DOOR, custom("http://my.example")),
    ("custom", None, "http://my.example", "http://api.jedlix.com", "not_https"),
    ("custom", None, "ftp://my.example", NEXT_DOOR, "invalid_url"),
    ("custom", None, "my.example", PRODUCTION, "invalid_url"),
    ("custom", None, "https://", PRODUCTION, "invalid_url"),
    ("custom", None, "https://my.example/?a=b", PRODUCTION, "invalid_url"),
    ("custom", None, "https://my.example/?", PRODUCTION, "invalid_url"),
    ("custom", None, "https://my.example#top", PRODUCTION, "invalid_url"),
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
    assert await choice(hass, wish(callback, custom_url, base)) == expected


@pytest.mark.parametrize(
    ("callback", "expected"),
    [
        ("auto", ChosenUrl(Callback.CLOUD, HOOK)),
        ("cloud", ChosenUrl(Callback.CLOUD, HOOK)),
        ("external", external("ha.example")),
        ("custom", custom("https://my.example")),
        ("none", None),
    ],
)
async def test_with_the_cloud(
    hass: HomeAssistant, cloud: Cloud, callback: str, expected: ChosenUrl | None
) -> None:
    await hass.config.async_update(external_url="https://ha.example")
    assert await choice(hass, wish(callback, "https://my.example")) == expected
    assert bool(cloud.hooks) == (callback in {"auto", "cloud"})  # none is made that is not wanted


async def test_without_a_subscription_the_cloud_makes_way(
    hass: HomeAssistant, cloud: Cloud
) -> None:
    cloud.is_subscribed = False
    assert await choice(hass, wish("auto")) == "no_url"
    assert await choice(hass, wish("cloud")) == "no_cloud"
    await hass.config.async_update(external_url="https://ha.example")
    assert await choice(hass, wish("auto")) == external("ha.example")
    assert await choice(hass, wish("cloud")) == "no_cloud"


@pytest.mark.parametrize(
    "trouble",
    [
        CloudNotAvailable(),
        CloudNotConnected(),
        ValueError("Cloud is not connected"),
        TimeoutError(),
        CloudhookApiError("Unexpected response"),
    ],
)
async def test_a_cloud_that_is_away_is_waited_for_or_makes_way(
    hass: HomeAssistant, cloud: Cloud, trouble: Exception
) -> None:
    cloud.trouble = trouble
    assert await choice(hass, wish("auto")) == "cloud_away"
    assert await choice(hass, wish("cloud")) == "cloud_away"
    await hass.config.async_update(external_url="https://ha.example")
    assert await choice(hass, wish("auto")) == external("ha.example")
    assert await choice(hass, wish("cloud")) == "cloud_away"
    # what Jedlix calls already is not moved for a cloud that comes back
    assert await choice(hass, wish("auto"), has_cloudhook=True) == "cloud_away"
    assert await choice(hass, wish("external"), has_cloudhook=True) == external("ha.example")
    cloud.trouble = None
    assert await choice(hass, wish("auto"), has_cloudhook=True) == ChosenUrl(Callback.CLOUD, HOOK)
    cloud.is_subscribed = False
    assert await choice(hass, wish("auto"), has_cloudhook=True) == external("ha.example")


async def test_the_cloud_is_not_asked_where_it_is_not_loaded(hass: HomeAssistant) -> None:
    before = "homeassistant.components.cloud" in sys.modules
    assert not has_cloud(hass)
    await delete_cloudhook(hass, "w-1")
    assert ("homeassistant.components.cloud" in sys.modules) == before


async def test_a_cloudhook_is_given_back_and_one_that_is_gone_is_no_trouble(
    hass: HomeAssistant, cloud: Cloud
) -> None:
    await choose_url(hass, wish("cloud"))
    assert has_cloud(hass)
    await delete_cloudhook(hass, "w-1")
    assert cloud.hooks == {}
    await delete_cloudhook(hass, "w-1")
    cloud.trouble = CloudNotAvailable()
    await delete_cloudhook(hass, "w-1")


async def test_an_internal_address_is_never_the_external_one(hass: HomeAssistant) -> None:
    await hass.config.async_update(internal_url="http://192.168.1.10:8123")
    assert external_url(hass) is None
    await hass.config.async_update(external_url="https://ha.example")
    assert external_url(hass) == "https://ha.example"


@pytest.mark.parametrize(
    ("host", "is_private"),
    {
        None: False,
        "": False,
        "localhost": True,
        "homeassistant": True,
        "homeassistant.local": True,
        "sim.lan": True,
        "sim.home.arpa": True,
        "sim.internal": True,
        "a.localhost": True,
        "127.0.0.1": True,
        "10.1.2.3": True,
        "172.16.0.1": True,
        "192.168.1.1": True,
        "169.254.1.1": True,
        "::1": True,
        "[::1]": True,
        "fd00::1": True,
        "fe80::1": True,
        "api.jedlix.com": False,
        "local.example": False,
        "192.168.1.1.example": False,
        "172.32.0.1": False,
        "8.8.8.8": False,
        "2606:4700::1111": False,
    }.items(),
)
def test_what_is_next_door(host: str | None, is_private: bool) -> None:
    assert is_private_host(host) is is_private


@pytest.mark.parametrize(
    ("text", "with_https", "with_http"),
    [
        ("https://ha.example", True, True),
        ("HTTPS://HA.example/path", True, True),
        ("https://[2001:db8::1]:8123", True, True),
        ("http://ha.example", False, True),
        ("http://", False, False),
        ("https:///path", False, False),
        ("//ha.example", False, False),
        ("ha.example:8123", False, False),
        ("/path", False, False),
        ("", False, False),
        ("https://[half", False, False),
        ("https://ha.example?a=b", False, False),
        ("https://ha.example/#a", False, False),
        ("https://ha.example:port", False, False),
        ("javascript:alert(1)", False, False),
    ],
)
def test_what_is_a_url(text: str, with_https: bool, with_http: bool) -> None:
    assert is_valid_url(text, allow_http=False) is with_https
    assert is_valid_url(text, allow_http=True) is with_http
