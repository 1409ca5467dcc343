"""Sensors of cars and of the account, as tables."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import (
    PERCENTAGE,
    EntityCategory,
    UnitOfEnergy,
    UnitOfLength,
    UnitOfPower,
    UnitOfTime,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers.typing import StateType

from .api import Charger, ChargeStatus
from .entity import (
    AccountEntity,
    ChargerDescription,
    ChargerEntity,
    VehicleDescription,
    VehicleEntity,
    add_for_chargers,
    add_for_vehicles,
)
from .push.callback_url import Callback
from .push.health import PushState
from .push.link import PushLink
from .snapshot import VehicleSnapshot

if TYPE_CHECKING:
    from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

    from .runtime import JedlixConfigEntry

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class VehicleSensorDescription(VehicleDescription, SensorEntityDescription):
    """A sensor of a car."""

    value_fn: Callable[[VehicleSnapshot], StateType | datetime]
    last_reset_fn: Callable[[VehicleSnapshot], datetime | None] = lambda _: None
    currency_fn: Callable[[VehicleSnapshot], str | None] = lambda _: None


@dataclass(frozen=True, kw_only=True)
class ChargerSensorDescription(ChargerDescription, SensorEntityDescription):
    """A sensor of a charger."""

    value_fn: Callable[[Charger], StateType | datetime]


@dataclass(frozen=True, kw_only=True)
class AccountSensorDescription(SensorEntityDescription):
    """A sensor of the account."""

    value_fn: Callable[[PushLink], StateType | datetime]


_CHARGE_STATES = [status.value for status in ChargeStatus if status is not ChargeStatus.UNKNOWN]


def _known(status: ChargeStatus) -> str | None:
    return None if status is ChargeStatus.UNKNOWN else status.value


def _session_kind(car: VehicleSnapshot) -> str | None:
    if (session := car.session) is None:
        return "none"
    return {True: "smart", False: "unmanaged", None: None}[session.is_managed]


def _of_latest[T](name: str) -> Callable[[VehicleSnapshot], T | None]:
    """Return a function that reads a field of the running session, or of the last one."""

    def read(car: VehicleSnapshot) -> T | None:
        return None if car.latest_session is None else getattr(car.latest_session, name)

    return read


VEHICLE_SENSORS = (
    VehicleSensorDescription(
        key="charge_state",
        is_essential=True,
        device_class=SensorDeviceClass.ENUM,
        options=_CHARGE_STATES,
        value_fn=lambda car: _known(car.vehicle.charge_state.status),
    ),
    VehicleSensorDescription(
        key="battery_level",
        is_essential=True,
        device_class=SensorDeviceClass.BATTERY,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=PERCENTAGE,
        exists_fn=lambda car: car.vehicle.charge_state.battery_level is not None,
        value_fn=lambda car: car.vehicle.charge_state.battery_level,
    ),
    VehicleSensorDescription(
        key="range",
        device_class=SensorDeviceClass.DISTANCE,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfLength.KILOMETERS,
        suggested_display_precision=0,
        exists_fn=lambda car: car.vehicle.charge_state.range_km is not None,
        value_fn=lambda car: car.vehicle.charge_state.range_km,
    ),
    VehicleSensorDescription(
        key="session",
        device_class=SensorDeviceClass.ENUM,
        options=["none", "smart", "unmanaged"],
        value_fn=_session_kind,
    ),
    VehicleSensorDescription(
        key="session_started",
        device_class=SensorDeviceClass.TIMESTAMP,
        value_fn=lambda car: None if car.session is None else car.session.started_at,
    ),
    VehicleSensorDescription(
        key="session_energy",
        device_class=SensorDeviceClass.ENERGY,
        state_class=SensorStateClass.TOTAL,
        native_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        suggested_display_precision=1,
        exists_fn=lambda car: _of_latest("energy_kwh")(car) is not None,
        value_fn=_of_latest("energy_kwh"),
        last_reset_fn=_of_latest("started_at"),
    ),
    VehicleSensorDescription(
        key="session_cost",
        device_class=SensorDeviceClass.MONETARY,
        suggested_display_precision=2,
        exists_fn=lambda car: _of_latest("cost")(car) is not None,
        value_fn=_of_latest("cost"),
        currency_fn=_of_latest("currency"),
    ),
    VehicleSensorDescription(
        key="session_savings",
        device_class=SensorDeviceClass.MONETARY,
        suggested_display_precision=2,
        exists_fn=lambda car: _of_latest("savings")(car) is not None,
        value_fn=_of_latest("savings"),
        currency_fn=_of_latest("currency"),
    ),
    VehicleSensorDescription(
        key="smart_charging_resumes_at",
        device_class=SensorDeviceClass.TIMESTAMP,
        exists_fn=lambda car: car.settings is not None,
        value_fn=lambda car: None if car.settings is None else car.settings.resumes_at,
    ),
    VehicleSensorDescription(
        key="telemetry_updated",
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,  # a line in the logbook every few minutes
        value_fn=lambda car: car.vehicle.charge_state.updated_at,
    ),
)

CHARGER_SENSORS = (
    ChargerSensorDescription(
        key="charge_state",
        is_essential=True,
        device_class=SensorDeviceClass.ENUM,
        options=_CHARGE_STATES,
        value_fn=lambda charger: _known(charger.status),
    ),
    ChargerSensorDescription(
        key="power",
        device_class=SensorDeviceClass.POWER,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfPower.KILO_WATT,
        suggested_display_precision=1,
        exists_fn=lambda charger: charger.power_kw is not None,
        value_fn=lambda charger: charger.power_kw,
    ),
    ChargerSensorDescription(
        key="state_updated",
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        value_fn=lambda charger: charger.updated_at,
    ),
)

ACCOUNT_SENSORS = (
    AccountSensorDescription(
        key="push_state",
        device_class=SensorDeviceClass.ENUM,
        options=[state.value for state in PushState],
        value_fn=lambda push: push.state.value,
    ),
    AccountSensorDescription(
        key="callback",
        device_class=SensorDeviceClass.ENUM,
        options=[way.value for way in Callback if way is not Callback.AUTO],
        value_fn=lambda push: push.registrar.callback.value,
    ),
    AccountSensorDescription(
        key="last_webhook",
        device_class=SensorDeviceClass.TIMESTAMP,
        value_fn=lambda push: push.health.last_delivery,
    ),
    AccountSensorDescription(
        key="webhooks_received",
        state_class=SensorStateClass.TOTAL_INCREASING,
        value_fn=lambda push: push.health.received,
    ),
    AccountSensorDescription(
        key="webhooks_rejected",
        state_class=SensorStateClass.TOTAL_INCREASING,
        value_fn=lambda push: push.health.rejected,
    ),
    AccountSensorDescription(
        key="delivery_delay",
        device_class=SensorDeviceClass.DURATION,
        native_unit_of_measurement=UnitOfTime.SECONDS,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=1,
        entity_registry_enabled_default=False,
        value_fn=lambda push: push.health.last_delay,
    ),
    AccountSensorDescription(
        key="missed_by_push",
        state_class=SensorStateClass.TOTAL_INCREASING,
        value_fn=lambda push: push.health.missed_by_push,
    ),
)


async def async_setup_entry(
    _hass: HomeAssistant,
    entry: JedlixConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Make the sensors."""
    async_add_entities(AccountSensor(entry, item) for item in ACCOUNT_SENSORS)
    add_for_vehicles(entry, async_add_entities, VEHICLE_SENSORS, VehicleSensor)
    add_for_chargers(entry, async_add_entities, CHARGER_SENSORS, ChargerSensor)


class VehicleSensor(VehicleEntity, SensorEntity):
    """A sensor of a car."""

    entity_description: VehicleSensorDescription

    @property
    @override
    def native_value(self) -> StateType | datetime:
        """Return what the snapshot says."""
        return self.entity_description.value_fn(self._car)

    @property
    @override
    def last_reset(self) -> datetime | None:
        """Return the start of the session that a meter belongs to."""
        return self.entity_description.last_reset_fn(self._car)

    @property
    @override
    def native_unit_of_measurement(self) -> str | None:
        """Return the unit; money comes in the currency of the API."""
        return self.entity_description.currency_fn(self._car) or super().native_unit_of_measurement


class ChargerSensor(ChargerEntity, SensorEntity):
    """A sensor of a charger."""

    entity_description: ChargerSensorDescription

    @property
    @override
    def native_value(self) -> StateType | datetime:
        """Return what Jedlix says."""
        return self.entity_description.value_fn(self._thing)


class AccountSensor(AccountEntity, SensorEntity):
    """A sensor of the account."""

    entity_description: AccountSensorDescription
    _attr_entity_category = EntityCategory.DIAGNOSTIC

    @property
    @override
    def native_value(self) -> StateType | datetime:
        """Return what push says."""
        return self.entity_description.value_fn(self._push)
