"""Callback URL: the public URL that Jedlix calls, which ways there are to one, and when it may change."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
import logging
from typing import Any, Final

from homeassistant.components import webhook
from homeassistant.const import CONF_WEBHOOK_ID, EVENT_CORE_CONFIG_UPDATE
from homeassistant.core import CALLBACK_TYPE, Event, HomeAssistant, callback
from homeassistant.helpers.network import NoURLAvailableError, get_url
from yarl import URL

from ..const import CONF_BASE_URL, CONF_CALLBACK, CONF_CALLBACK_URL

_LOGGER = logging.getLogger(__name__)


class Callback(StrEnum):
    """The ways in which Jedlix can reach Home Assistant; `auto` takes the first that works."""

    AUTO = "auto"
    CLOUD = "cloud"
    EXTERNAL = "external"
    CUSTOM = "custom"
    NONE = "none"


class NoCallback(Exception):
    """There is no URL that Jedlix could call.

    `reason` is `no_url`, `no_own_url`, `invalid_url`, `not_https`, `no_cloud`, or `cloud_away`, which passes
    by itself.
    """

    def __init__(self, reason: str) -> None:
        """Keep the reason, which is a key of the translations."""
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class ChosenUrl:
    """The way that was chosen and the whole URL, webhook id included."""

    callback: Callback
    url: str


_LOCAL_SUFFIXES: Final = (".local", ".localhost", ".lan", ".home.arpa", ".internal")


def is_private_host(host: str | None) -> bool:
    """Return whether a host is this machine or in a private network, where plain http is no risk."""
    if not host:
        return False
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        # a name of one word; a number would be a public address in another spelling
        is_bare = "." not in host and not host[0].isdecimal()
        return is_bare or host.endswith(_LOCAL_SUFFIXES)
    return address.is_private or address.is_loopback


def is_valid_url(text: str, *, allow_http: bool) -> bool:
    """Return whether a text is an absolute URL with a host, and https unless plain http is allowed.

    A path is added to it, so nothing may follow its own. It is shown and logged, so it carries no password.
    """
    try:
        url = URL(text)
    except ValueError:
        return False
    if "?" in text or "#" in text or "@" in url.raw_authority:
        return False
    return bool(url.host) and url.scheme in (("https", "http") if allow_http else ("https",))


def allows_http(data: Mapping[str, Any]) -> bool:
    """Return whether plain http is allowed for the callback: only where the API is on a private host."""
    return is_private_host(URL(data[CONF_BASE_URL]).host)


async def choose_url(
    hass: HomeAssistant, data: Mapping[str, Any], *, has_cloudhook: bool = False
) -> ChosenUrl | None:
    """Return the URL to register for an entry's data, None when no push is wanted.

    Raises NoCallback with the reason when the wanted way is not available. `has_cloudhook` says that a
    cloudhook of ours is registered at Jedlix. A disconnected cloud is then waited for, and `auto` takes no
    other way.
    """
    wanted = Callback(data[CONF_CALLBACK])
    if wanted is Callback.NONE:
        return None
    webhook_id: str = data[CONF_WEBHOOK_ID]
    missing = "no_url"
    if wanted in (Callback.AUTO, Callback.CLOUD):
        if (url := await _cloudhook(hass, webhook_id)) is not None:
            return ChosenUrl(Callback.CLOUD, url)
        missing = "cloud_away" if (is_away := has_cloud(hass)) else "no_url"
        if wanted is Callback.CLOUD or (is_away and has_cloudhook):
            raise NoCallback("cloud_away" if is_away else "no_cloud")
    if wanted is Callback.CUSTOM:
        base, missing = data.get(CONF_CALLBACK_URL) or "", "no_own_url"
    else:
        wanted = Callback.EXTERNAL
        base = external_url(hass) or ""
    if not base:
        raise NoCallback(missing)
    if not is_valid_url(base, allow_http=True):
        raise NoCallback("invalid_url")
    if not is_valid_url(base, allow_http=allows_http(data)):
        raise NoCallback("not_https")
    return ChosenUrl(wanted, base.rstrip("/") + webhook.async_generate_path(webhook_id))


def external_url(hass: HomeAssistant) -> str | None:
    """Return the external address of this Home Assistant, never an internal one."""
    try:
        return get_url(
            hass,
            allow_internal=False,
            allow_external=True,
            allow_cloud=False,
            allow_ip=True,
            prefer_external=True,
        )
    except NoURLAvailableError:
        return None


def has_cloud(hass: HomeAssistant) -> bool:
    """Return whether a Nabu Casa subscription is active."""
    if "cloud" not in hass.config.components:
        return False
    from homeassistant.components import cloud  # noqa: PLC0415  only where it is loaded: it is heavy

    return cloud.async_active_subscription(hass)


async def _cloudhook(hass: HomeAssistant, webhook_id: str) -> str | None:
    if not has_cloud(hass):
        return None
    from hass_nabucasa import NabuCasaBaseError  # noqa: PLC0415  it comes with the cloud
    from homeassistant.components import cloud  # noqa: PLC0415  only where it is loaded: it is heavy

    try:
        return await cloud.async_get_or_create_cloudhook(hass, webhook_id)
    except (cloud.CloudNotAvailable, NabuCasaBaseError, TimeoutError, ValueError) as err:
        _LOGGER.info("Home Assistant Cloud gives no webhook address: %r", err)
        return None


async def delete_cloudhook(hass: HomeAssistant, webhook_id: str) -> None:
    """Delete the cloudhook, where there is one."""
    if "cloud" not in hass.config.components:
        return
    from homeassistant.components import cloud  # noqa: PLC0415  only where it is loaded: it is heavy

    try:
        await cloud.async_delete_cloudhook(hass, webhook_id)
    except cloud.CloudNotAvailable, ValueError:
        return


@callback
def track_callback_url(
    hass: HomeAssistant, webhook_id: str, changed: Callable[[], None]
) -> CALLBACK_TYPE:
    """Call `changed` when the external URL or the cloud changes; returns what stops that.

    A sign-out from the cloud shows as a cloud that disconnects.
    """

    @callback
    def core_config_updated(event: Event) -> None:
        if "external_url" in event.data:
            changed()

    @callback
    def cloud_changed(_: object) -> None:
        changed()

    stops = [hass.bus.async_listen(EVENT_CORE_CONFIG_UPDATE, core_config_updated)]
    if "cloud" in hass.config.components:
        from homeassistant.components import cloud  # noqa: PLC0415  only where it is loaded: it is heavy

        stops += [
            cloud.async_listen_connection_change(hass, cloud_changed),
            cloud.async_listen_cloudhook_change(hass, webhook_id, cloud_changed),
        ]

    @callback
    def stop() -> None:
        for stop_one in stops:
            stop_one()

    return stop
