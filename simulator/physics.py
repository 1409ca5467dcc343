"""Physics of charging: what a plugged-in car does, and when that may change. Pure functions."""

from . import prices
from .model import ChargeState, Vehicle

LEVEL_STEP = 5
"""A car reports its level each time it passes a multiple of this many percent."""

_TINY = 1e-6


def target(vehicle: Vehicle) -> int:
    """Level in percent at which charging is complete (documented: `desiredBatteryLevel`)."""
    return int(vehicle.settings["desiredBatteryLevel"])


def minimum(vehicle: Vehicle) -> int:
    """Level in percent up to which the car charges at once (documented; its name is A9)."""
    return min(int(vehicle.settings["minimumBatteryLevel"]), target(vehicle))


def is_boosted(vehicle: Vehicle) -> bool:
    """Whether the active session charges as soon as possible (documented)."""
    return vehicle.session is not None and vehicle.session.boost


def is_smart(vehicle: Vehicle) -> bool:
    """Whether the price decides: in control, not boosted, the minimum level reached."""
    return (
        vehicle.manageable and not is_boosted(vehicle) and vehicle.level >= minimum(vehicle) - _TINY
    )


def charge_state(vehicle: Vehicle, second: float) -> ChargeState:
    """Return what a plugged-in car does at a simulated second."""
    if vehicle.level >= target(vehicle) - _TINY:
        return ChargeState.COMPLETE
    if is_smart(vehicle) and not prices.is_cheap(second):
        return ChargeState.STOPPED
    return ChargeState.CHARGING


def percent_per_hour(vehicle: Vehicle) -> float:
    """How fast the battery fills."""
    return vehicle.charge_kw / vehicle.battery_kwh * 100


def next_moment(vehicle: Vehicle, second: float) -> float | None:
    """Return the simulated second of the car's next update, or None if nothing changes by itself."""
    if vehicle.state is ChargeState.STOPPED:
        return prices.next_hour(second)
    if vehicle.rate == 0:
        return None
    if vehicle.rate < 0:
        level = max(0.0, (vehicle.level - _TINY) // LEVEL_STEP * LEVEL_STEP)
        return None if level == vehicle.level else second + _seconds(vehicle, level)
    stops = [(vehicle.level + _TINY) // LEVEL_STEP * LEVEL_STEP + LEVEL_STEP, target(vehicle)]
    if vehicle.level < minimum(vehicle) - _TINY:
        stops.append(minimum(vehicle))
    return min(second + _seconds(vehicle, min(stops)), prices.next_hour(second))


def _seconds(vehicle: Vehicle, level: float) -> float:
    return (level - vehicle.level) / vehicle.rate * prices.HOUR


def settle(vehicle: Vehicle, second: float) -> None:
    """Move the battery to a simulated second, and count energy and money in the session.

    The call is made at each price hour, so that one price holds for the whole stretch. Savings are
    against the day's average price, and only smart sessions have any (both invented, A12).
    """
    gained = vehicle.rate * (second - vehicle.level_at) / prices.HOUR
    start, vehicle.level_at = vehicle.level_at, second
    gained = max(min(gained, 100.0 - vehicle.level), -vehicle.level)
    vehicle.level += gained
    if abs(vehicle.level - round(vehicle.level)) < _TINY:
        vehicle.level = float(round(vehicle.level))
    session = vehicle.session
    if session is None or gained <= 0:
        return
    energy = gained / 100 * vehicle.battery_kwh
    paid = prices.price(start)
    session.energy_kwh += energy
    session.cost += energy * paid
    if session.is_managed:
        session.savings += energy * (prices.AVERAGE - paid)
