"""Prices: the tariff of a charging location, its currency and unit, and all prices of a period."""

from homeassistant.util import dt as dt_util
from homeassistant.util.json import JsonObjectType

from .api import ChargingLocation
from .fleet import Fleet
from .periods import Period
from .state.tariff import Tariff, UnclearTariff


def tariff_of(location: ChargingLocation) -> Tariff | None:
    """Return the tariff of a location, None where there is none or it is not clear."""
    if location.tariff_details is None:
        return None
    try:
        return Tariff.recognize(location.tariff_details)
    except UnclearTariff:
        return None


def unit_of(tariff: Tariff | None, fleet: Fleet) -> tuple[str | None, str | None]:
    """Return currency and unit of a price; where Jedlix names none, it is that of the account's sessions.

    The unit is the one that the Energy dashboard wants, such as EUR/kWh.
    """
    currency = (None if tariff is None else tariff.currency) or fleet.currency
    return currency, None if currency is None else f"{currency}/kWh"


def prices_as_json(location: ChargingLocation, fleet: Fleet, period: Period) -> JsonObjectType:
    """Return the prices of a period as `get_prices` answers them: local times, one item for each change.

    There are none where the price is dynamic or the tariffs are not clear.
    """
    tariff = tariff_of(location)
    currency, unit = unit_of(tariff, fleet)
    slots = () if tariff is None else tariff.slots(*period, dt_util.get_default_time_zone())
    return {
        "currency": currency,
        "unit": unit,
        "prices": [
            {
                "start": dt_util.as_local(slot.start).isoformat(),
                "end": dt_util.as_local(slot.end).isoformat(),
                "price": slot.price,
                "tariff_type": slot.type.value,
            }
            for slot in slots
            if slot.price is not None
        ],
    }
