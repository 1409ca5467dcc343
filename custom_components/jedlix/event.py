"""Event entities: the changes of a car, and the deliveries to the account. They are always available.

An event entity that becomes unavailable and comes back looks like a new event to every state trigger.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, override

from homeassistant.components.event import EventEntity, EventEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import Context, HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import DOCUMENTED_EVENT_TYPES
from .data import JedlixConfigEntry
from .entity import (
    FleetEntity,
    JedlixEntityDescription,
    PushEntity,
    add_entities,
    add_push_entities,
)
from .fleet import FleetMember
from .state.changes import Change, ChangeType
from .state.vehicle_snapshot import VehicleSnapshot
from .webhook import JedlixPush

PARALLEL_UPDATES = 0

_OTHER: Final = "other"


@dataclass(frozen=True, kw_only=True)
class VehicleEventDescription(JedlixEntityDescription[VehicleSnapshot], EventEntityDescription):
    """An event entity of a car."""

    event_types: list[str]


VEHICLE_EVENTS = (
    VehicleEventDescription(
        key="charging",
        is_essential=True,
        entity_registry_visible_default=False,
        event_types=[
            ChangeType.PLUGGED_IN,
            ChangeType.CHARGING_STARTED,
            ChangeType.CHARGING_PAUSED,
            ChangeType.CHARGING_COMPLETED,
            ChangeType.UNPLUGGED,
        ],
    ),
    VehicleEventDescription(
        key="session",
        is_essential=True,
        entity_registry_visible_default=False,
        event_types=[
            ChangeType.SESSION_STARTED,
            ChangeType.SESSION_ENDED,
            ChangeType.SESSION_SETTLED,
            ChangeType.SESSION_BECAME_SMART,
            ChangeType.SESSION_BECAME_UNMANAGED,
            ChangeType.SESSION_IMPOSSIBLE,
            ChangeType.BOOST_STARTED,
            ChangeType.BOOST_ENDED,
            ChangeType.SMART_CHARGING_ENABLED,
            ChangeType.SMART_CHARGING_DISABLED,
        ],
    ),
)

WEBHOOK = EventEntityDescription(
    key="webhook",
    entity_category=EntityCategory.DIAGNOSTIC,
    entity_registry_enabled_default=False,  # several lines in the activity for each thing that happens
)


async def async_setup_entry(
    _hass: HomeAssistant,
    entry: JedlixConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the event entities."""
    add_push_entities(entry, async_add_entities, [WEBHOOK], WebhookEvent)
    await add_entities(entry, async_add_entities, VehicleSnapshot, VEHICLE_EVENTS, VehicleEvent)


class VehicleEvent(FleetEntity[VehicleSnapshot], EventEntity):
    """The changes of a car."""

    # The recorder keeps what a change adds with the event on the bus.
    _unrecorded_attributes = frozenset(
        {
            "session_id",
            "occurred_at",
            "battery_level",
            "desired_battery_level",
            "charging_location_id",
            "is_managed",
            "previous_session_id",
            "started_at",
            "ended_at",
            "estimated",
            "energy_kwh",
            "cost",
            "savings",
            "currency",
            "corrected",
            "deleted",
            "resumes_at",
        }
    )

    entity_description: VehicleEventDescription

    @property
    @override
    def available(self) -> bool:
        """Return true: see the top of this file."""
        return True

    @override
    async def async_added_to_hass(self) -> None:
        """Listen to the changes of this car."""
        await super().async_added_to_hass()
        self.async_on_remove(
            self.coordinator.publisher.listen_to_changes(self._key, self._change_published)
        )

    @callback
    @override
    def _member_changed(self, member: FleetMember | None) -> None:
        """Write nothing: this entity shows events, not states."""

    @callback
    def _change_published(self, change: Change, context: Context) -> bool:
        """Write a change of ours; returns whether it is one."""
        if change.type not in self.entity_description.event_types:
            return False
        self._trigger_event(
            change.type.value,
            {
                "session_id": change.session_id,
                "occurred_at": change.occurred_at.isoformat(),
                **change.details,
            },
        )
        self.async_set_context(context)
        self.async_write_ha_state()
        return True


class WebhookEvent(PushEntity, EventEntity):
    """The deliveries of Jedlix as they came. Event types that are not subscribed are shown as `other`."""

    # They differ each time, and the recorder keeps them with the event on the bus.
    _unrecorded_attributes = frozenset({"webhook_type", "event_id", "user_id", "occurred_at"})

    def __init__(
        self, entry: JedlixConfigEntry, push: JedlixPush, description: EventEntityDescription
    ) -> None:
        """Show the event types that are subscribed."""
        super().__init__(entry, push, description)
        self._update_event_types()

    @override
    async def async_added_to_hass(self) -> None:
        """Listen to the deliveries, and to nothing else of push."""
        self.async_on_remove(self._publisher.listen_to_deliveries(self._delivery_published))

    @callback
    def _update_event_types(self) -> None:
        registration = self._push.registration
        names = [*DOCUMENTED_EVENT_TYPES, *registration.event_types, *registration.accepted]
        self._attr_event_types = [*dict.fromkeys(names), _OTHER]

    @callback
    def _delivery_published(self, delivery: Mapping[str, Any], context: Context) -> None:
        event_type = delivery["event_type"]
        if event_type not in self.event_types:
            self._update_event_types()  # it may have been found meanwhile
        self._trigger_event(
            event_type if event_type in self.event_types else _OTHER,
            {
                "webhook_type": event_type,
                "event_id": delivery["event_id"],
                "user_id": delivery["user_id"],
                "occurred_at": delivery["occurred_at"],
            },
        )
        self.async_set_context(context)
        self.async_write_ha_state()
