"""Models of the API: frozen dataclasses. Every field except an id may be missing; it is then None."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Final, Self

import orjson

from .errors import BadAnswer
from .reading import (
    Fields,
    Json,
    boolean,
    currency,
    integer,
    moment,
    money,
    number,
    percent,
    read_json,
    text,
    wire_time,
)


class ChargeStatus(StrEnum):
    """The charge state of a vehicle or charger (SDK); new values read as unknown."""

    UNKNOWN = "unknown"
    DISCONNECTED = "disconnected"
    STOPPED = "stopped"
    CHARGING = "charging"
    COMPLETE = "complete"


_STATUS_BY_VALUE: Final = {status.value: status for status in ChargeStatus}


def _join_known(*parts: str | None) -> str | None:
    """Return the known parts as one text, None if no part is known."""
    return " ".join(filter(None, parts)) or None


def read_status(value: object) -> ChargeStatus:
    """Read a charge state without regard to case: the guides write Disconnected, the SDK disconnected."""
    return _STATUS_BY_VALUE.get(
        value.lower() if isinstance(value, str) else "", ChargeStatus.UNKNOWN
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeState:
    """A vehicle's telemetry (SDK): battery in %, range in km, the time of the reading."""

    status: ChargeStatus = ChargeStatus.UNKNOWN
    battery_level: int | None = None
    range_km: int | None = None
    updated_at: datetime | None = None

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Read the SDK's VehicleChargeState; cars that report no battery leave it out (documented)."""
        if data is None:
            return cls()
        fields = Fields(data)
        return cls(
            status=read_status(fields.get("chargestate", "state", "status")),
            battery_level=percent(fields.get("batterylevel", "stateofcharge")),
            range_km=integer(fields.get("range", "rangekm")),
            updated_at=moment(fields.get("updatedat", "timestamp")),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Vehicle:
    """A car of a user (SDK). `connection_status` is documented for Renault only, its position is not."""

    id: str
    user_id: str
    brand: str | None = None
    model: str | None = None
    version: str | None = None
    is_connected: bool | None = None
    is_connectable: bool | None = None
    connection_status: str | None = None
    capabilities: frozenset[str] = frozenset()
    charge_state: ChargeState = ChargeState()

    @classmethod
    def from_json(cls, data: object, user_id: str) -> Self:
        """Read one vehicle of this user; raises BadAnswer when it has no id."""
        fields = Fields(data)
        details = fields.get("details", "vehicledetails", "detail")
        detail = Fields(details if isinstance(details, dict) else {})
        capabilities = fields.get("capabilities")
        state = fields.get("chargestate")
        return cls(
            id=fields.required_id("id", "vehicleid"),
            user_id=user_id,
            brand=text(detail.get("brand", "make")) or text(fields.get("brand", "make")),
            model=text(detail.get("model")) or text(fields.get("model")),
            version=text(detail.get("version")),
            is_connected=boolean(fields.get("isconnected")),
            is_connectable=boolean(fields.get("isconnectable")),
            connection_status=text(fields.get("connectionstatus", "connectionstate")),
            capabilities=frozenset(item for item in capabilities if isinstance(item, str))
            if isinstance(capabilities, list)
            else frozenset(),
            charge_state=ChargeState.from_json(
                state if state is None or isinstance(state, dict) else {"chargeState": state}
            ),
        )

    @property
    def name(self) -> str | None:
        """Return brand and model, None where Jedlix knows neither."""
        return _join_known(self.brand, self.model)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A charge session, from plug-in to unplug.

    Documented: `is_managed` (true: smart), `charging_location_id` (None: unknown location), and what start
    and end mean. A guide calls them StartTime and EndTime; the spelling in an answer is inferred. The names
    of id, user and vehicle are assumed (A4). The names of energy (kWh), money and boost are not known: likely
    ones are read, otherwise these fields are None.
    """

    id: str
    user_id: str | None = None
    vehicle_id: str | None = None
    is_managed: bool | None = None
    charging_location_id: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    energy_kwh: float | None = None
    cost: float | None = None
    savings: float | None = None
    currency: str | None = None
    is_boosted: bool | None = None

    @classmethod
    def from_json(cls, data: object, user_id: str | None = None) -> Self:
        """Read one session of this user, if the call was for one; raises BadAnswer when it has no id."""
        fields = Fields(data)
        cost, cost_currency = money(fields.get("cost", "costs", "chargecosts", "totalcost"))
        savings, savings_currency = money(fields.get("savings", "saving", "totalsavings"))
        return cls(
            id=fields.required_id("id", "sessionid", "chargesessionid"),
            user_id=text(fields.get("userid")) or user_id,
            vehicle_id=text(fields.get("vehicleid")),
            is_managed=boolean(fields.get("ismanaged")),
            charging_location_id=text(fields.get("charginglocationid")),
            started_at=moment(
                fields.get("starttime", "startedat", "startdatetime", "startdate", "start")
            ),
            ended_at=moment(fields.get("endtime", "endedat", "enddatetime", "enddate", "end")),
            energy_kwh=number(fields.get("energykwh", "energy", "energyadded", "energydelivered")),
            cost=cost,
            savings=savings,
            currency=currency(fields.get("currency")) or cost_currency or savings_currency,
            is_boosted=boolean(fields.get("isboosted", "isboosting", "boostcharging", "boost")),
        )

    @property
    def is_plausible(self) -> bool:
        """Return whether it has a field that sessions have; an object with an id alone may be anything."""
        return self.started_at is not None or self.is_managed is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeSettings:
    """The charge settings of one vehicle; `raw` is the whole object, for writing it back.

    Documented names: isSmartChargingEnabled, enableSmartChargingAt, desiredBatteryLevel (50 to 100 %).
    Assumed (A9): minimumBatteryLevel (0 to 100 %).
    """

    is_smart_charging_enabled: bool | None = None
    enable_smart_charging_at: datetime | None = None
    desired_battery_level: int | None = None
    minimum_battery_level: int | None = None
    raw: Mapping[str, Json]

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Read the settings; raises BadAnswer when it has none of the required fields (documented)."""
        fields = Fields(data)
        if not any(map(fields.key_of, ("issmartchargingenabled", "desiredbatterylevel"))):
            raise BadAnswer("an object without charge settings")
        return cls(
            is_smart_charging_enabled=boolean(fields.get("issmartchargingenabled")),
            enable_smart_charging_at=moment(fields.get("enablesmartchargingat")),
            desired_battery_level=percent(fields.get("desiredbatterylevel")),
            minimum_battery_level=percent(fields.get("minimumbatterylevel")),
            raw=fields.raw,
        )

    @property
    def resumes_at(self) -> datetime | None:
        """Return when smart charging resumes, None while it is on or if no time is set."""
        return None if self.is_smart_charging_enabled else self.enable_smart_charging_at

    def changed(
        self,
        *,
        smart_charging: tuple[bool, datetime | None] | None = None,
        desired_battery_level: int | None = None,
        minimum_battery_level: int | None = None,
    ) -> dict[str, Json]:
        """Return the whole object to write back, with these values changed and every other key kept.

        `smart_charging`: whether it is on and, if not, when it resumes (documented). Levels in %.
        """
        values: dict[str, Json] = {}
        if smart_charging is not None:
            enabled, resumes_at = smart_charging
            values["isSmartChargingEnabled"] = enabled
            values["enableSmartChargingAt"] = None if resumes_at is None else wire_time(resumes_at)
        if desired_battery_level is not None:
            values["desiredBatteryLevel"] = desired_battery_level
        if minimum_battery_level is not None:
            values["minimumBatteryLevel"] = minimum_battery_level
        known = Fields(dict(self.raw))
        return {
            **self.raw,
            **{known.key_of(name.lower()) or name: value for name, value in values.items()},
        }


@dataclass(frozen=True, slots=True)
class Refresh:
    """A request for a new reading from the car: when it was answered, None until then (documented)."""

    completed_at: datetime | None

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Read a request; the field's name is from the page's prose (documented), its case assumed (A6).

        An answer without content is enough, since a 2xx is. Raises BadAnswer when it has content with neither
        that field nor `correlationId` (documented).
        """
        if data is None:
            return cls(None)
        fields = Fields(data)
        if not any(map(fields.key_of, ("completedat", "correlationid"))):
            raise BadAnswer("no request to refresh")
        return cls(moment(fields.get("completedat")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Charger:
    """A charger of a user (SDK): power in kW."""

    id: str
    user_id: str
    charging_location_id: str | None = None
    brand: str | None = None
    model: str | None = None
    status: ChargeStatus = ChargeStatus.UNKNOWN
    power_kw: float | None = None
    updated_at: datetime | None = None

    @classmethod
    def from_json(cls, data: object, user_id: str) -> Self:
        """Read one charger of this user; raises BadAnswer when it has no id."""
        fields = Fields(data)
        details = fields.get("detail", "details", "homechargerdetail")
        detail = Fields(details if isinstance(details, dict) else {})
        states = fields.get("chargerstate", "state")
        state = Fields(states if isinstance(states, dict) else {})
        return cls(
            id=fields.required_id("id", "chargerid"),
            user_id=user_id,
            charging_location_id=text(fields.get("charginglocationid")),
            brand=text(detail.get("brand")),
            model=text(detail.get("model")),
            status=read_status(state.get("chargestate")),
            power_kw=number(state.get("chargepower")),
            updated_at=moment(state.get("timestamp")),
        )

    @property
    def name(self) -> str | None:
        """Return brand and model, None where Jedlix knows neither."""
        return _join_known(self.brand, self.model)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A webhook subscription: one event type, one address (documented). Its other fields are reported."""

    id: str | None = None
    event_type: str
    endpoint_url: str
    is_active: bool = True

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Read one subscription; raises BadAnswer when it names no event type or address."""
        fields = Fields(data)
        return cls(
            id=text(fields.get("id", "subscriptionid")),
            event_type=fields.required_id("eventtype"),
            endpoint_url=fields.required_id("endpointurl", "url"),
            is_active=boolean(fields.get("isactive")) is not False,
        )


@dataclass(frozen=True, slots=True)
class WebhookMessage:
    """A delivery: its envelope (documented for userCreated, assumed for all others) and its whole payload."""

    event_type: str
    id: str
    user_id: str | None
    occurred_at: datetime | None
    is_test: bool
    payload: Mapping[str, Json]

    @classmethod
    def from_json(cls, data: object, *, fallback_id: Callable[[], str] | None = None) -> Self:
        """Read an envelope; raises BadAnswer without an object, event type or id.

        `fallback_id` returns the id of a message that has none.
        """
        fields = Fields(data)
        message_id = text(fields.get("id", "eventid"))
        if message_id is None:
            message_id = fields.required_id("id") if fallback_id is None else fallback_id()
        return cls(
            event_type=fields.required_id("eventtype"),
            id=message_id,
            user_id=text(fields.get("userid")),
            occurred_at=moment(fields.get("timestamp")),
            is_test=boolean(fields.get("istest")) is True,
            payload=fields.raw,
        )

    @property
    def vehicle_id(self) -> str | None:
        """Return the id of the car that the message names, None if it names none (inferred)."""
        return text(Fields(self.payload).get("vehicleid"))

    @property
    def session_id(self) -> str | None:
        """Return the id of the session that the message names, None if it names none (inferred)."""
        return text(Fields(self.payload).get("sessionid"))


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRecord:
    """A record of the webhook history: its id, and the message that was delivered."""

    id: str
    message: WebhookMessage

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Read a record, whose `payload` is the message as a string (reported), or a message as it is (A11).

        A message without a time has that of its delivery. Raises BadAnswer when it holds no message.
        """
        fields = Fields(data)
        payload = fields.get("payload")
        if not isinstance(payload, str):
            message = WebhookMessage.from_json(data)
            return cls(id=message.id, message=message)
        body = payload.encode("utf-8", "surrogatepass")
        try:
            content = read_json(body)
        except orjson.JSONDecodeError as err:
            raise BadAnswer(f"a delivery whose payload is not JSON: {err}") from err
        message = WebhookMessage.from_json(content, fallback_id=lambda: sha256(body).hexdigest())
        if message.occurred_at is None:
            message = replace(message, occurred_at=moment(fields.get("sentat")))
        return cls(id=text(fields.get("id")) or message.id, message=message)
