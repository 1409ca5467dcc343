"""Handover: a session that Jedlix lists under another car of its user than before is that car's now.

A car may get another id with a new link to its maker, and a session without a vehicle id is given to the
likeliest car. What is known of the session goes with it, so that it is published once. The next answer
corrects a wrong one.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace

from .vehicle_snapshot import VehicleSnapshot, newest


def hand_over(
    cars: Mapping[str, VehicleSnapshot], owners: Mapping[str, str]
) -> dict[str, VehicleSnapshot]:
    """Return cars of which none has a session of another one; `owners` are vehicle ids by session id."""
    after = dict(cars)
    for session_id, owner in owners.items():
        for vehicle_id in cars:
            if vehicle_id != owner and session_id in (car := after[vehicle_id]).session_ids:
                after[vehicle_id] = without_sessions(car, {session_id})
                if session_id not in after[owner].session_ids:
                    after[owner] = _with_session(after[owner], session_id, car)
    return after


def without_sessions(car: VehicleSnapshot, session_ids: Collection[str]) -> VehicleSnapshot:
    """Return a car without anything that is known of these sessions."""
    if car.session_ids.isdisjoint(session_ids):
        return car
    ledger = car.ledger.without(session_ids)
    open_sessions = _others(car.open_sessions, session_ids)
    latest, plugged, boosted = car.latest_session, car.plug_session, car.boost_session_id
    if latest is not None and latest.id in session_ids:
        latest = newest([*ledger.listed.values(), *open_sessions.values()])
    return replace(
        car,
        open_sessions=open_sessions,
        ended_sessions=_others(car.ended_sessions, session_ids),
        estimated_ends=_others(car.estimated_ends, session_ids),
        entered_levels=_others(car.entered_levels, session_ids),
        latest_session=latest,
        plug_session=None if plugged is None or plugged.id in session_ids else plugged,
        boost_session_id=None if boosted in session_ids else boosted,
        ledger=ledger,
    )


def _with_session(
    car: VehicleSnapshot, session_id: str, former: VehicleSnapshot
) -> VehicleSnapshot:
    """Return a car with what its former car has of a session."""
    ledger = former.ledger
    return replace(
        car,
        open_sessions=_joined(car.open_sessions, former.open_sessions, session_id),
        ended_sessions=_joined(car.ended_sessions, former.ended_sessions, session_id),
        estimated_ends=_joined(car.estimated_ends, former.estimated_ends, session_id),
        entered_levels=_joined(car.entered_levels, former.entered_levels, session_id),
        boost_session_id=session_id
        if former.boost_session_id == session_id
        else car.boost_session_id,
        ledger=replace(
            car.ledger,
            listed=_joined(car.ledger.listed, ledger.listed, session_id),
            financials=_joined(car.ledger.financials, ledger.financials, session_id),
        ),
    )


def _others[T](values: Mapping[str, T], session_ids: Collection[str]) -> dict[str, T]:
    return {key: value for key, value in values.items() if key not in session_ids}


def _joined[T](values: Mapping[str, T], more: Mapping[str, T], key: str) -> Mapping[str, T]:
    """Return values with that of one key from others, where they have it."""
    return {**values, key: more[key]} if key in more else values
