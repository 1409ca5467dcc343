"""Entity ids: the prefix that all entities of a device share, decided once.

Home Assistant makes an id of the device's name at that time. Two cars of one model would share theirs in the
order in which their entities came, and what comes after a new name would not look like the rest.
"""

from functools import lru_cache
from typing import Any, Final

from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.singleton import singleton
from homeassistant.util import slugify

from .const import DOMAIN
from .devices import DeviceKey, identifier_of

_slug: Final = lru_cache(maxsize=256)(slugify)  # a fleet has many cars of few models


class Prefixes:
    """The prefixes of the devices of all entries, read from the registry when one is first needed."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Read again after a device was removed, whose prefix is then free."""
        self._devices, self._entities = dr.async_get(hass), er.async_get(hass)
        self._decided: dict[str, str] = {}
        self._taken: set[str] = set()
        self._is_read = False
        hass.bus.async_listen(dr.EVENT_DEVICE_REGISTRY_UPDATED, self._device_changed)

    @callback
    def prefix(self, entry_id: str, key: DeviceKey, name: str | None) -> str | None:
        """Return the prefix for a new entity of a device, None where Home Assistant takes the same by itself.

        The name counts while the device is not registered; None is a translated one, which Home Assistant
        knows.
        """
        identifier = identifier_of(key)
        device = self._devices.async_get_device_by_identifier((DOMAIN, identifier), entry_id)
        if device is not None:
            name = device.name_by_user or device.name
        if not self._is_read:
            self._read()
        natural = None if name is None else _slug(name)
        if identifier not in self._decided:
            if natural is None:
                return None
            self._decide(identifier, self._free(natural))
        prefix = self._decided[identifier]
        return None if prefix == natural else prefix

    def _free(self, wanted: str) -> str:
        number, prefix = 1, wanted
        while prefix in self._taken:
            number += 1
            prefix = f"{wanted}_{number}"
        return prefix

    def _decide(self, identifier: str, prefix: str) -> None:
        self._decided[identifier] = prefix
        self._taken.add(prefix)

    def _read(self) -> None:
        """Read the prefix of each device from the first of its entities whose id nobody changed.

        The registry lists them in the order in which they came.
        """
        self._is_read, done = True, set[str]()
        for entity in self._entities.entities.values():
            if entity.platform != DOMAIN or (device_id := entity.device_id or "") in done:
                continue
            device = self._devices.async_get(device_id)
            for _, identifier in () if device is None else device.identifiers:
                suffix = f"_{entity.unique_id.removeprefix(f'{identifier}_')}"
                object_id = entity.entity_id.partition(".")[2]
                prefix = object_id.removesuffix(suffix)
                if prefix != object_id and prefix not in self._taken:
                    self._decide(identifier, prefix)
                    done.add(device_id)

    @callback
    def _device_changed(self, event: Event[Any]) -> None:
        if event.data["action"] == "remove":
            self._decided.clear()
            self._taken.clear()
            self._is_read = False


@singleton(f"{DOMAIN}_entity_ids")
@callback
def prefixes_of(hass: HomeAssistant) -> Prefixes:
    """Return the prefixes of this Home Assistant."""
    return Prefixes(hass)
