"""Buttons: ask a car for its state, and have the account's webhooks registered anew."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, override

from homeassistant.components.button import ButtonEntity, ButtonEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant

from .entity import AccountEntity, VehicleDescription, VehicleEntity, add_for_vehicles

if TYPE_CHECKING:
    from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

    from .runtime import JedlixConfigEntry

PARALLEL_UPDATES = 1


@dataclass(frozen=True, kw_only=True)
class VehicleButtonDescription(VehicleDescription, ButtonEntityDescription):
    """A button of a car."""


# Where the path of the settings is not what we guess, nor is this one, which lies beside it (A3, A6).
REFRESH: Final = VehicleButtonDescription(
    key="refresh",
    needs="request_refresh",
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
    """Make the buttons."""
    async_add_entities([ResubscribeButton(entry, RESUBSCRIBE)])
    add_for_vehicles(entry, async_add_entities, [REFRESH], RefreshButton)


class RefreshButton(VehicleEntity, ButtonEntity):
    """Asks the car itself, at most once in 10 minutes (documented)."""

    entity_description: VehicleButtonDescription

    @override
    async def async_press(self) -> None:
        """Ask the car."""
        await self._commands.refresh(self._key)


class ResubscribeButton(AccountEntity, ButtonEntity):
    """Has all webhook subscriptions written anew."""

    @override
    async def async_press(self) -> None:
        """Subscribe anew."""
        self._push.resubscribe()
