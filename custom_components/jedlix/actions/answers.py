"""Answers: sessions and costs as the actions return them."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from homeassistant.util import dt as dt_util
from homeassistant.util.json import JsonObjectType

from ..api import ChargingLocation, Session
from ..periods import Period
from ..state.hours import Flow, share


def session_as_json(session: Session, location: ChargingLocation | None = None) -> JsonObjectType:
    """Return a session as `get_sessions` answers it: local times, kWh, null for what Jedlix leaves out.

    `location` is where it was; an answer names it without the address.
    """
    return {
        "session_id": session.id,
        "vehicle_id": session.vehicle_id,
        "is_managed": session.is_managed,
        "charging_location_id": session.charging_location_id,
        "charging_location": None if location is None else location.name,
        "started_at": _local(session.started_at),
        "ended_at": _local(session.ended_at),
        "energy_kwh": session.energy_kwh,
        "cost": session.cost,
        "savings": session.savings,
        "currency": session.currency,
    }


def costs_as_json(sessions: Iterable[tuple[Session, Flow]], period: Period) -> list[JsonObjectType]:
    """Return totals by currency as `get_costs` answers them: energy in kWh, null where no figure is known.

    `sessions` come with when their energy flowed. By that their amounts are split at the bounds of the
    period. The numbers of sessions are of those that began in it. So the totals of months add up to that of
    the year.
    """
    by_currency: defaultdict[str | None, list[tuple[Session, float]]] = defaultdict(list)
    for session, flow in sessions:
        by_currency[session.currency].append((session, share(flow, *period)))
    return [
        {
            "currency": currency,
            "sessions": len(began),
            "smart_sessions": sum(session.is_managed is True for session in began),
            "unmanaged_sessions": sum(session.is_managed is False for session in began),
            "energy_kwh": _total(((item.energy_kwh, part) for item, part in parts), 3),
            "cost": _total(((item.cost, part) for item, part in parts), 2),
            "savings": _total(((item.savings, part) for item, part in parts), 2),
        }
        for currency, parts in by_currency.items()
        for began in [[item for item, _ in parts if _began_in(item, period)]]
        if began or any(part for _, part in parts)
    ]


def _local(moment: datetime | None) -> str | None:
    return None if moment is None else dt_util.as_local(moment).isoformat()


def _began_in(session: Session, period: Period) -> bool:
    return session.started_at is not None and period.start <= session.started_at < period.end


def _total(figures: Iterable[tuple[float | None, float]], digits: int) -> float | None:
    known = [figure * part for figure, part in figures if figure is not None]
    return round(sum(known), digits) if known else None
