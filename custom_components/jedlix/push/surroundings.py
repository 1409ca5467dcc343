"""What push depends on in this home, and that changes while it runs: the external URL and the cloud."""

from collections.abc import Callable, Iterator

from homeassistant.const import EVENT_CORE_CONFIG_UPDATE
from homeassistant.core import CALLBACK_TYPE, Event, HomeAssistant, callback


def watch(
    hass: HomeAssistant, webhook_id: str, changed: Callable[[], None]
) -> Iterator[CALLBACK_TYPE]:
    """Call `changed` when the callback URL may have to be another; yields what ends each watch.

    A sign-out shows as a cloud that disconnects.
    """

    @callback
    def core_config_updated(event: Event) -> None:
        if "external_url" in event.data:
            changed()

    yield hass.bus.async_listen(EVENT_CORE_CONFIG_UPDATE, core_config_updated)
    if "cloud" not in hass.config.components:
        return
    from homeassistant.components import cloud  # noqa: PLC0415  only where it is loaded: it is heavy

    @callback
    def cloud_changed(_: object) -> None:
        changed()

    yield cloud.async_listen_connection_change(hass, cloud_changed)
    yield cloud.async_listen_cloudhook_change(hass, webhook_id, cloud_changed)
