"""Sensors of cars, chargers, charging locations and the account."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import (
    MATCH_ALL,
    PERCENTAGE,
    EntityCategory,
    UnitOfLength,
    UnitOfPower,
    UnitOfTime,
)
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity import EntityDescription
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.typing import StateType

from .api import Charger, ChargeStatus, ChargingLocation, Session
from .data import JedlixConfigEntry
from .entity import (
    AccountEntity,
    FleetEntity,
    JedlixEntityDescription,
    PushEntity,
    add_entities,
    add_push_entities,
)
from .fleet import FleetMember
from .price_sensors import PRICES, PriceSensor
from .push.callback_url import Callback
from .push.health import PushState
from .ready_by import NEXT_DEPARTURE, ReadyBySensor
from .state.vehicle_snapshot import VehicleSnapshot
from .totals import TOTALS, TotalSensor
from .webhook import JedlixPush

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class JedlixSensorDescription[T: FleetMember](JedlixEntityDescription[T], SensorEntityDescription):
    """A sensor of a car or charger; `location_fn` returns the id of the location that an attribute names."""

    value_fn: Callable[[T], StateType | datetime]
    attributes_fn: Callable[[T], dict[str, Any]] = lambda _: {}
    location_fn: Callable[[T], str | None] | None = None


@dataclass(frozen=True, kw_only=True)
class PushSensorDescription(SensorEntityDescription):
    """A sensor about push."""

    value_fn: Callable[[JedlixPush], StateType | datetime]


_CHARGE_STATES = [status.value for status in ChargeStatus if status is not ChargeStatus.UNKNOWN]


def _known(status: ChargeStatus) -> str | None:
    return None if status is ChargeStatus.UNKNOWN else status.value


_KINDS: Final = {True: "smart", False: "unmanaged"}


def _session_kind(car: VehicleSnapshot) -> str | None:
    if (session := car.session) is None:
        return "none"
    return None if session.is_managed is None else _KINDS[session.is_managed]


def _last_end(car: VehicleSnapshot) -> datetime | None:
    return None if (session := car.ledger.last_session) is None else session.ended_at


def _last_session(car: VehicleSnapshot) -> dict[str, Any]:
    """Return what is known of the last session that has ended; its duration in minutes."""
    if (session := car.ledger.last_session) is None or session.ended_at is None:
        return {}
    start = session.started_at
    return {
        "start": start,
        "duration": None
        if start is None
        else round((session.ended_at - start).total_seconds() / 60),
        "energy": session.energy_kwh,
        "cost": session.cost,
        "savings": session.savings,
        "currency": session.currency,
        "kind": None if session.is_managed is None else _KINDS[session.is_managed],
        "location": session.charging_location_id,
    }


def _location_of(session: Session | None) -> str | None:
    return None if session is None else session.charging_location_id


VEHICLE_SENSORS: tuple[JedlixSensorDescription[VehicleSnapshot], ...] = (
    JedlixSensorDescription(
        key="charge_state",
        is_essential=True,
        device_class=SensorDeviceClass.ENUM,
        options=_CHARGE_STATES,
        value_fn=lambda car: _known(car.vehicle.charge_state.status),
    ),
    JedlixSensorDescription(
        key="battery_level",
        is_essential=True,
        device_class=SensorDeviceClass.BATTERY,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=PERCENTAGE,
        exists_fn=lambda car: car.vehicle.charge_state.battery_level is not None,
        value_fn=lambda car: car.vehicle.charge_state.battery_level,
    ),
    JedlixSensorDescription(
        key="range",
        device_class=SensorDeviceClass.DISTANCE,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfLength.KILOMETERS,
        suggested_display_precision=0,
        exists_fn=lambda car: car.vehicle.charge_state.range_km is not None,
        value_fn=lambda car: car.vehicle.charge_state.range_km,
    ),
    JedlixSensorDescription(
        key="session",
        entity_registry_visible_default=False,
        device_class=SensorDeviceClass.ENUM,
        options=["none", "smart", "unmanaged"],
        value_fn=_session_kind,
        location_fn=lambda car: _location_of(car.session),
    ),
    JedlixSensorDescription(
        key="session_started",
        entity_registry_enabled_default=False,  # in the activity, the start of the session says the same
        device_class=SensorDeviceClass.TIMESTAMP,
        value_fn=lambda car: None if car.session is None else car.session.started_at,
    ),
    JedlixSensorDescription(
        key="last_session",
        entity_registry_visible_default=False,
        device_class=SensorDeviceClass.TIMESTAMP,
        exists_fn=lambda car: car.ledger.last_session is not None,
        value_fn=_last_end,
        attributes_fn=_last_session,
        location_fn=lambda car: _location_of(car.ledger.last_session),
    ),
    JedlixSensorDescription(
        key="smart_charging_resumes_at",
        entity_category=EntityCategory.DIAGNOSTIC,
        device_class=SensorDeviceClass.TIMESTAMP,
        exists_fn=lambda car: car.settings is not None,
        value_fn=lambda car: None if car.settings is None else car.settings.resumes_at,
    ),
    JedlixSensorDescription(
        key="telemetry_updated",
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,  # a line in the activity every few minutes
        value_fn=lambda car: car.vehicle.charge_state.updated_at,
    ),
)

CHARGER_SENSORS: tuple[JedlixSensorDescription[Charger], ...] = (
    JedlixSensorDescription(
        key="charge_state",
        is_essential=True,
        device_class=SensorDeviceClass.ENUM,
        options=_CHARGE_STATES,
        value_fn=lambda charger: _known(charger.status),
    ),
    JedlixSensorDescription(
        key="power",
        device_class=SensorDeviceClass.POWER,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfPower.KILO_WATT,
        suggested_display_precision=1,
        exists_fn=lambda charger: charger.power_kw is not None,
        value_fn=lambda charger: charger.power_kw,
    ),
    JedlixSensorDescription(
        key="state_updated",
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        value_fn=lambda charger: charger.updated_at,
    ),
)

PUSH_SENSORS = (
    PushSensorDescription(
        key="push_state",
        device_class=SensorDeviceClass.ENUM,
        options=[state.value for state in PushState],
        value_fn=lambda push: push.state.value,
    ),
    PushSensorDescription(
        key="callback",
        device_class=SensorDeviceClass.ENUM,
        options=[way.value for way in Callback if way is not Callback.AUTO],
        value_fn=lambda push: push.registration.callback.value,
    ),
    PushSensorDescription(
        key="last_webhook",
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_registry_enabled_default=False,  # a line in the activity for each webhook
        value_fn=lambda push: push.health.last_delivery,
    ),
    PushSensorDescription(
        key="webhooks_received",
        state_class=SensorStateClass.TOTAL_INCREASING,
        value_fn=lambda push: push.health.received,
    ),
    PushSensorDescription(
        key="webhooks_rejected",
        state_class=SensorStateClass.TOTAL_INCREASING,
        value_fn=lambda push: push.health.rejected,
    ),
    PushSensorDescription(
        key="delivery_delay",
        device_class=SensorDeviceClass.DURATION,
        native_unit_of_measurement=UnitOfTime.SECONDS,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=1,
        entity_registry_enabled_default=False,
        value_fn=lambda push: push.health.last_delay,
    ),
    PushSensorDescription(
        key="missed_by_push",
        state_class=SensorStateClass.TOTAL_INCREASING,
        value_fn=lambda push: push.health.missed_by_push,
    ),
)


NOT_OFFERED: Final = SensorEntityDescription(key="not_offered")
# What is missing where the tenant does not offer a call.
_FEATURES: Final = {
    "charge_settings": "charge_settings",
    "update_charge_settings": "charge_settings",
    "session_settings": "boost",
    "user_sessions": "boost",  # its path lies under this one
    "request_refresh": "refresh",
    "financials": "financials",
    "chargers": "chargers",
    "user_locations": "locations",
    "webhook_history": "webhook_history",
}


async def async_setup_entry(
    _hass: HomeAssistant,
    entry: JedlixConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the sensors."""
    add_push_entities(entry, async_add_entities, PUSH_SENSORS, PushSensor)
    async_add_entities([NotOfferedSensor(entry, NOT_OFFERED)])
    await add_entities(entry, async_add_entities, VehicleSnapshot, VEHICLE_SENSORS, JedlixSensor)
    await add_entities(entry, async_add_entities, VehicleSnapshot, TOTALS, TotalSensor)
    await add_entities(entry, async_add_entities, VehicleSnapshot, NEXT_DEPARTURE, ReadyBySensor)
    await add_entities(entry, async_add_entities, Charger, CHARGER_SENSORS, JedlixSensor)
    await add_entities(entry, async_add_entities, ChargingLocation, PRICES, PriceSensor)


class JedlixSensor[T: FleetMember](FleetEntity[T], SensorEntity):
    """A sensor of a car or charger."""

    # What is known of a session is recorded with its event on the bus.
    _unrecorded_attributes = frozenset({MATCH_ALL})

    entity_description: JedlixSensorDescription[T]

    @property
    @override
    def native_value(self) -> StateType | datetime:
        """Return the value."""
        return self.entity_description.value_fn(self._member)

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any]:
        """Return the attributes; a location is named without its address, which no recorder must keep."""
        description = self.entity_description
        attributes = description.attributes_fn(self._member)
        if description.location_fn is not None:
            location = self.coordinator.fleet.location(
                self._key[0], description.location_fn(self._member)
            )
            attributes["location_name"] = None if location is None else location.name
        return attributes


class PushSensor(PushEntity, SensorEntity):
    """A sensor about push."""

    entity_description: PushSensorDescription
    _attr_entity_category = EntityCategory.DIAGNOSTIC

    @property
    @override
    def native_value(self) -> StateType | datetime:
        """Return the value."""
        return self.entity_description.value_fn(self._push)


class NotOfferedSensor(AccountEntity, SensorEntity):
    """How many features the account lacks because Jedlix does not offer their calls, and which."""

    _attr_entity_category = EntityCategory.DIAGNOSTIC

    def __init__(self, entry: JedlixConfigEntry, description: EntityDescription) -> None:
        """Read what is known so far."""
        super().__init__(entry, description)
        self._coordinator = entry.runtime_data.coordinator
        self._read()

    @override
    async def async_added_to_hass(self) -> None:
        """Listen to what is learned."""
        await super().async_added_to_hass()
        self.async_on_remove(self._coordinator.offered_listeners.add(self._learned))

    def _read(self) -> None:
        calls = self._coordinator.offered.not_offered
        features = sorted({_FEATURES[name] for name in calls if name in _FEATURES})
        self._attr_native_value = len(features)
        self._attr_extra_state_attributes = {"features": features}

    @callback
    def _learned(self) -> None:
        self._read()
        self.async_write_ha_state()
