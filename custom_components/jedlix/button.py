"""Buttons: ask a car for its state, and register the account's webhooks again."""

from dataclasses import dataclass
from typing import Final, override

from homeassistant.components import persistent_notification
from homeassistant.components.button import ButtonEntity, ButtonEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.translation import async_get_translations

from .const import DOMAIN
from .data import JedlixConfigEntry
from .entity import (
    FleetEntity,
    JedlixEntityDescription,
    PushEntity,
    add_entities,
    add_push_entities,
)
from .state.vehicle_snapshot import VehicleSnapshot

PARALLEL_UPDATES = 1


@dataclass(frozen=True, kw_only=True)
class VehicleButtonDescription(JedlixEntityDescription[VehicleSnapshot], ButtonEntityDescription):
    """A button of a car."""


# This path lies beside that of the settings. Where that one is wrong, so is this (A3, A6).
REFRESH: Final = VehicleButtonDescription(
    key="refresh",
    entity_registry_visible_default=False,
    requires="request_refresh",
    exists_fn=lambda car: car.settings is not None and car.can_be_asked,
)

RESUBSCRIBE: Final = ButtonEntityDescription(
    key="resubscribe", entity_category=EntityCategory.DIAGNOSTIC
)


async def async_setup_entry(
    _hass: HomeAssistant,
    entry: JedlixConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the buttons."""
    add_push_entities(entry, async_add_entities, [RESUBSCRIBE], ResubscribeButton)
    await add_entities(entry, async_add_entities, VehicleSnapshot, [REFRESH], RefreshButton)


class RefreshButton(FleetEntity[VehicleSnapshot], ButtonEntity):
    """Asks the car itself, at most once in 10 minutes (documented)."""

    entity_description: VehicleButtonDescription

    @override
    async def async_press(self) -> None:
        """Ask the car."""
        await self._data.commands.ask_car(self._key)


class ResubscribeButton(PushEntity, ButtonEntity):
    """Writes all webhook subscriptions again, and says what came of it."""

    @override
    async def async_press(self) -> None:
        """Subscribe again; a notification says what Jedlix accepted, an error that it failed."""
        await self._push.resubscribe_now()
        language, registration = self.hass.config.language, self._push.registration
        texts = await async_get_translations(self.hass, language, "common", {DOMAIN})
        text = f"component.{DOMAIN}.common.resubscribed"
        persistent_notification.async_create(
            self.hass,
            texts[text].format(
                accepted=", ".join(registration.accepted),
                refused=", ".join(registration.refused) or "-",
            ),
            texts[f"{text}_title"],
            self.unique_id,
        )
