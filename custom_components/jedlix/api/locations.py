"""Charging locations of the API, with their tariffs: frozen dataclasses, read leniently."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from .reading import Fields, currency, number, text


class TariffType(StrEnum):
    """The type of a tariff (documented and SDK), in the spelling of Home Assistant."""

    STANDARD = "standard"
    PEAK = "peak"
    OFF_PEAK = "off_peak"
    SUPER_OFF_PEAK = "super_off_peak"
    DYNAMIC = "dynamic"


_TYPE_BY_NAME: Final = {kind.value.replace("_", ""): kind for kind in TariffType}


def _tariff_type(value: object) -> TariffType | None:
    """Read a type without regard to case and style: Jedlix writes offPeak. Other words are None."""
    return _TYPE_BY_NAME.get((text(value) or "").lower().replace("_", ""))


def _objects(value: object) -> list[Fields]:
    """Return the objects of a list; whatever else stands in it is an object without fields."""
    items = value if isinstance(value, list) else []
    return [Fields(item if isinstance(item, dict) else {}) for item in items]


@dataclass(frozen=True, slots=True, kw_only=True)
class TariffPrice:
    """What a kWh costs in hours of one type (documented); the currency may be empty (SDK)."""

    type: TariffType | None
    price: float | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TariffInterval:
    """The hours of some weekdays in which one type holds.

    Documented: `days_of_week` are `monday` to `sunday`, the times `HH:mm` in local time up to `24:00`. The
    SDK allows for times that are missing.
    """

    days_of_week: tuple[str, ...] = ()
    start_time: str | None = None
    end_time: str | None = None
    tariff_type: TariffType | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TariffDetails:
    """The tariffs of a location (documented and SDK).

    The intervals of holidays are not read: which days are holidays is not known.
    """

    tariffs: tuple[TariffPrice, ...]
    tariff_intervals: tuple[TariffInterval, ...] = ()

    @classmethod
    def from_json(cls, data: object) -> Self | None:
        """Read the tariffs of a location; None where there are none.

        An item that cannot be read stays, without values: what it would have said is not known.
        """
        fields = Fields(data if isinstance(data, dict) else {})
        tariffs = tuple(
            TariffPrice(
                type=_tariff_type(item.get("type")),
                price=number(item.get("price")),
                currency=currency(item.get("currency")),
            )
            for item in _objects(fields.get("tariffs"))
        )
        if not tariffs:
            return None
        return cls(
            tariffs=tariffs,
            tariff_intervals=tuple(
                TariffInterval(
                    days_of_week=_words(item.get("daysofweek")),
                    start_time=_time(item.get("starttime")),
                    end_time=_time(item.get("endtime")),
                    tariff_type=_tariff_type(item.get("tarifftype")),
                )
                for item in _objects(fields.get("tariffintervals"))
            ),
        )


def _words(value: object) -> tuple[str, ...]:
    """Return the words of a list in lower case, none for null; what is no word is an empty one."""
    if value is None:
        return ()
    return tuple(
        (text(item) or "").lower() for item in (value if isinstance(value, list) else [None])
    )


def _time(value: object) -> str | None:
    """Return a time as it was written, None for null; what is no text is an empty one."""
    return None if value is None else text(value) or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargingLocation:
    """A place where smart charging may happen (documented). It has no name, only an address.

    Coordinates are in degrees. `zone` is not Jedlix's: it is the name that Home Assistant has for the place.
    """

    id: str
    user_id: str | None = None
    street: str | None = None
    house_number: str | None = None
    city: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    zone: str | None = None
    tariff_details: TariffDetails | None = None

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Read one location; raises BadAnswer when it has no id."""
        fields = Fields(data)
        address, coordinates = fields.get("address"), fields.get("coordinates")
        parts = Fields(address if isinstance(address, dict) else {})
        position = Fields(coordinates if isinstance(coordinates, dict) else {})
        return cls(
            id=fields.required_id("id", "charginglocationid"),
            user_id=text(fields.get("userid")),
            street=text(parts.get("street")),
            house_number=text(parts.get("housenumber")),
            city=text(parts.get("city")),
            latitude=number(position.get("latitude")),
            longitude=number(position.get("longitude")),
            tariff_details=TariffDetails.from_json(fields.get("tariffdetails")),
        )

    @property
    def label(self) -> str | None:
        """Return the known parts of the address on one line. It is a person's: no recorder keeps it."""
        street = " ".join(part for part in (self.street, self.house_number) if part)
        return ", ".join(part for part in (street, self.city) if part) or None

    @property
    def name(self) -> str | None:
        """Return the zone of Home Assistant, else the city: a name that no recorder need leave out."""
        return self.zone or self.city
