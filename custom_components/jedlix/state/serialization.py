"""Serialization: a user's snapshot as JSON for the store, and back.

The lenient readers of the API read our own spelling as well.
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import datetime
from enum import StrEnum
import logging
from typing import Final

from ..api import BadAnswer, Charger, ChargeSettings, ChargingLocation, Session, Vehicle
from ..api.models import read_status
from ..api.reading import Fields, Json, boolean, integer, moment, number, percent, text
from .figures import Figures
from .gone import Absence
from .hours import Interval
from .ledger import Ledger, SealedMonth
from .link import Link, LinkReport
from .user_snapshot import UserSnapshot
from .vehicle_snapshot import VehicleSnapshot

_LOGGER = logging.getLogger(__name__)

# Stored under the name that a field had when the first file was written.
_STORED_NAMES: Final = {
    "known_since": "watched_since",
    "first_refresh": "first_look",
    "entered_levels": "told_levels",
}
_EMPTY: Final[tuple[object, ...]] = (None, {}, (), Ledger(), Link())
_NOT_STORED: Final = frozenset(
    {
        *("fetched", "is_plug_unknown", "is_charging_unknown"),
        "stopped_writes",
        *("street", "house_number", "latitude", "longitude"),  # where somebody lives
    }
)


def snapshot_as_json(user: UserSnapshot) -> dict[str, Json]:
    """Return a user as JSON. Empty fields are left out, so that the file stays small."""
    data: dict[str, Json] = _as_json(user)  # type: ignore[assignment]
    if user.chargers == {}:  # known to have none
        data["chargers"] = {}
    return data


def snapshot_from_json(data: object) -> UserSnapshot:
    """Return a user from JSON; raises BadAnswer when it is not one."""
    user = Fields(data)
    user_id = user.required_id("userid")
    chargers = None
    if user.get("chargers") is not None:
        chargers = {key: _charger(value, user_id) for key, value in _items(user, "chargers")}
    return UserSnapshot(
        user_id=user_id,
        chargers=chargers,
        first_refresh=moment(user.get("firstlook")),
        refreshed_at=moment(user.get("refreshedat")),
        failing_since=moment(user.get("failingsince")),
        absences=dict(_absences(user)),
        former_ledgers={key: _ledger(data, key) for key, data in _items(user, "formerledgers")},
        former_estimates={key: _moments(data) for key, data in _items(user, "formerestimates")},
        locations=_locations(user),
        locations_read_at=moment(user.get("locationsreadat")),
        vehicles={
            key: _vehicle_from_json(value, user_id) for key, value in _items(user, "vehicles")
        },
    )


def _vehicle_from_json(data: object, user_id: str) -> VehicleSnapshot:
    car = Fields(data)
    stored = car.get("vehicle")
    if (known_since := moment(car.get("watchedsince"))) is None:
        raise BadAnswer("a stored car without watched_since")
    settings, latest, plug = (
        car.get(name) for name in ("settings", "latestsession", "plugsession")
    )
    raw = (Fields(settings).get("raw") or {}) if isinstance(settings, dict) else None
    return VehicleSnapshot(
        # The API reports the version among the details only, the store beside brand and model.
        vehicle=replace(
            Vehicle.from_json(stored, user_id), version=text(Fields(stored).get("version"))
        ),
        known_since=known_since,
        status=read_status(car.get("status")),
        settings=None if raw is None else ChargeSettings.from_json(raw),
        open_sessions={key: Session.from_json(value) for key, value in _items(car, "opensessions")},
        ended_sessions=_moments(car.get("endedsessions")),
        estimated_ends=_moments(car.get("estimatedends")),
        latest_session=None if latest is None else Session.from_json(latest),
        plug_session=None if plug is None else Session.from_json(plug),
        boost_session_id=text(car.get("boostsessionid")),
        link=_link(car, stored),
        ledger=_ledger(car.get("ledger"), text(Fields(stored).get("id"))),
        entered_levels={
            key: level
            for key, value in _items(car, "toldlevels")
            if (level := percent(value)) is not None
        },
    )


def _locations(user: Fields) -> dict[str, ChargingLocation] | None:
    """Return the stored charging locations that can be read, None where none were stored."""
    locations = {}
    for key, value in _items(user, "locations"):
        try:
            location, stored = ChargingLocation.from_json(value), Fields(value)
        except BadAnswer:
            continue  # it is read again
        # The API has the city in the address only, and no zone.
        city, zone = text(stored.get("city")), text(stored.get("zone"))
        locations[key] = replace(location, city=city, zone=zone)
    return locations or None


def _charger(data: object, user_id: str) -> Charger:
    charger = Fields(data)
    return Charger(
        id=charger.required_id("id"),
        user_id=user_id,
        charging_location_id=text(charger.get("charginglocationid")),
        brand=text(charger.get("brand")),
        model=text(charger.get("model")),
        status=read_status(charger.get("status")),
        power_kw=number(charger.get("powerkw")),
        updated_at=moment(charger.get("updatedat")),
    )


def _link(car: Fields, stored: object) -> Link:
    """Return the stored link of a car; an earlier version stored only what the API says."""
    data = car.get("link")
    link = Fields(data if isinstance(data, dict) else {})
    is_connected = boolean(link.get("isconnected"))
    if is_connected is None:
        is_connected = boolean(Fields(stored).get("isconnected"))
    reason = text(link.get("reason"))
    return Link(
        is_connected=is_connected,
        reason=LinkReport(reason) if reason in set(LinkReport) else None,
        lost_at=moment(link.get("lostat")),
        is_ready=boolean(link.get("isready")) is True,
    )


def _ledger(data: object, name: str | None) -> Ledger:
    """Return the stored ledger of a car, an empty one where it cannot be read."""
    if data is None:
        return Ledger()
    try:
        ledger = Fields(data)
        return Ledger(
            listed={key: Session.from_json(item) for key, item in _items(ledger, "listed")},
            financials={key: Session.from_json(item) for key, item in _items(ledger, "financials")},
            financials_read_at=moment(ledger.get("financialsreadat")),
            charging=tuple(_intervals(ledger, "charging")),
            unseen=tuple(_intervals(ledger, "unseen")),
            watched_since=moment(ledger.get("watchedsince")),
            sealed_months=tuple(map(_sealed_month, _list(ledger, "sealedmonths"))),
            sealed_until=moment(ledger.get("sealeduntil")),
            sealed_sessions=_moments(ledger.get("sealedsessions")),
        )
    except BadAnswer as err:
        _LOGGER.warning("The figures of the Jedlix car %s cannot be read: %s", name, err)
        return Ledger()


def _intervals(fields_of: Fields, name: str) -> Iterator[Interval]:
    for item in _list(fields_of, name):
        match item:
            case [str() as first, str() as last] if (start := moment(first)) and (
                end := moment(last)
            ):
                yield Interval(start, end)
            case _:
                raise BadAnswer("a stored interval without a start or an end")


def _sealed_month(data: object) -> SealedMonth:
    sealed = Fields(data)
    figures = Fields(sealed.get("figures"))
    return SealedMonth(
        month=sealed.required_id("month"),
        currency=text(sealed.get("currency")),
        figures=Figures(
            energy_kwh=number(figures.get("energykwh")),
            cost=number(figures.get("cost")),
            savings=number(figures.get("savings")),
        ),
        sessions=integer(sealed.get("sessions")) or 1,
    )


def _absences(user: Fields) -> Iterator[tuple[str, Absence]]:
    """Yield the stored absences that can be read; what is lost only begins again."""
    for key, value in _items(user, "absences"):
        absence = Fields(value if isinstance(value, dict) else {})
        since, last_seen = moment(absence.get("since")), moment(absence.get("lastseen"))
        if since is not None and last_seen is not None:
            answers = integer(absence.get("answers")) or 1
            yield key, Absence(since=since, last_seen=last_seen, answers=answers)


def _items(fields_of: Fields, name: str) -> list[tuple[str, object]]:
    """Return the items of a stored mapping, none where there is none."""
    stored = fields_of.get(name)
    return list(stored.items()) if isinstance(stored, dict) else []


def _moments(stored: object) -> dict[str, datetime]:
    """Return a stored mapping of moments; what is none is left out."""
    items = stored.items() if isinstance(stored, dict) else ()
    return {key: at for key, value in items if (at := moment(value)) is not None}


def _list(fields_of: Fields, name: str) -> list[object]:
    """Return a stored list, an empty one where there is none."""
    stored = fields_of.get(name)
    return stored if isinstance(stored, list) else []


def _as_json(value: object) -> Json:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, StrEnum):
        return value.value
    if is_dataclass(value):
        parts = {item.name: getattr(value, item.name) for item in fields(value)}
        return {
            _STORED_NAMES.get(name, name): _as_json(part)
            for name, part in parts.items()
            if part not in _EMPTY and name not in _NOT_STORED
        }
    if isinstance(value, Mapping):
        return {str(key): _as_json(item) for key, item in value.items()}
    if isinstance(value, frozenset | tuple):
        return [_as_json(item) for item in (value if isinstance(value, tuple) else sorted(value))]
    return value  # type: ignore[return-value]
