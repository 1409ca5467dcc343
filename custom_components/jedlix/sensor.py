"""Sensors of cars, chargers and the account."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import override

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
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.typing import StateType

from .api import Charger, ChargeStatus, Session
from .data import JedlixConfigEntry
from .entity import AccountEntity, FleetEntity, JedlixEntityDescription, add_entities
from .fleet import FleetMember
from .push.callback_url import Callback
from .push.health import PushState
from .state.snapshot import VehicleSnapshot
from .webhook import JedlixPush

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class JedlixSensorDescription[T: FleetMember](JedlixEntityDescription[T], SensorEntityDescription):
    """A sensor of a car or charger."""

    value_fn: Callable[[T], StateType | datetime]
    last_reset_fn: Callable[[T], datetime | None] = lambda _: None
    currency_fn: Callable[[T], str | None] = lambda _: None


@dataclass(frozen=True, kw_only=True)
class AccountSensorDescription(SensorEntityDescription):
    """A sensor of the account."""

    value_fn: Callable[[JedlixPush], StateType | datetime]


_CHARGE_STATES = [status.value for status in ChargeStatus if status is not ChargeStatus.UNKNOWN]


def _known(status: ChargeStatus) -> str | None:
    return None if status is ChargeStatus.UNKNOWN else status.value


def _session_kind(car: VehicleSnapshot) -> str | None:
    if (session := car.session) is None:
        return "none"
    return {True: "smart", False: "unmanaged", None: None}[session.is_managed]


def _of_latest_session[T](
    read: Callable[[Session], T | None],
) -> Callable[[VehicleSnapshot], T | None]:
    """Return a function that reads a field of the running session, or of the last one."""
    return lambda car: None if car.latest_session is None else read(car.latest_session)


_energy = _of_latest_session(lambda session: session.energy_kwh)
_cost = _of_latest_session(lambda session: session.cost)
_savings = _of_latest_session(lambda session: session.savings)
_currency = _of_latest_session(lambda session: session.currency)

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
        device_class=SensorDeviceClass.ENUM,
        options=["none", "smart", "unmanaged"],
        value_fn=_session_kind,
    ),
    JedlixSensorDescription(
        key="session_started",
        device_class=SensorDeviceClass.TIMESTAMP,
        value_fn=lambda car: None if car.session is None else car.session.started_at,
    ),
    JedlixSensorDescription(
        key="session_energy",
        device_class=SensorDeviceClass.ENERGY,
        state_class=SensorStateClass.TOTAL,
        native_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        suggested_display_precision=1,
        exists_fn=lambda car: _energy(car) is not None,
        value_fn=_energy,
        last_reset_fn=_of_latest_session(lambda session: session.started_at),
    ),
    JedlixSensorDescription(
        key="session_cost",
        device_class=SensorDeviceClass.MONETARY,
        suggested_display_precision=2,
        exists_fn=lambda car: _cost(car) is not None,
        value_fn=_cost,
        currency_fn=_currency,
    ),
    JedlixSensorDescription(
        key="session_savings",
        device_class=SensorDeviceClass.MONETARY,
        suggested_display_precision=2,
        exists_fn=lambda car: _savings(car) is not None,
        value_fn=_savings,
        currency_fn=_currency,
    ),
    JedlixSensorDescription(
        key="smart_charging_resumes_at",
        device_class=SensorDeviceClass.TIMESTAMP,
        exists_fn=lambda car: car.settings is not None,
        value_fn=lambda car: None if car.settings is None else car.settings.resumes_at,
    ),
    JedlixSensorDescription(
        key="telemetry_updated",
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,  # a line in the logbook every few minutes
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
        value_fn=lambda push: push.registration.callback.value,
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
    """Add the sensors."""
    async_add_entities(AccountSensor(entry, item) for item in ACCOUNT_SENSORS)
    add_entities(entry, async_add_entities, VehicleSnapshot, VEHICLE_SENSORS, JedlixSensor)
    add_entities(entry, async_add_entities, Charger, CHARGER_SENSORS, JedlixSensor)


class JedlixSensor[T: FleetMember](FleetEntity[T], SensorEntity):
    """A sensor of a car or charger."""

    entity_description: JedlixSensorDescription[T]

    @property
    @override
    def native_value(self) -> StateType | datetime:
        """Return the value."""
        return self.entity_description.value_fn(self._member)

    @property
    @override
    def last_reset(self) -> datetime | None:
        """Return the start of the session that a total belongs to."""
        return self.entity_description.last_reset_fn(self._member)

    @property
    @override
    def native_unit_of_measurement(self) -> str | None:
        """Return the unit; money has the currency of the API."""
        currency = self.entity_description.currency_fn(self._member)
        return currency or super().native_unit_of_measurement


class AccountSensor(AccountEntity, SensorEntity):
    """A sensor of the account."""

    entity_description: AccountSensorDescription
    _attr_entity_category = EntityCategory.DIAGNOSTIC

    @property
    @override
    def native_value(self) -> StateType | datetime:
        """Return the value."""
        return self.entity_description.value_fn(self._push)
