"""History of sessions: the calendar's answer and the statistics of a run's recorder, against the truth."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
import math
import time
from typing import Any

from ..entities import find, our_devices, our_entities
from ..home import Home
from ..home_api import RestFailed
from .answers import shorter_period
from .shown import texts_of_this_checkout
from .truth import Session, Truth, seconds

PERIOD = timedelta(days=10)
HOUR = 3600.0
ASKED = 60.0
"""Seconds since the calendar was asked."""
CLOSE = 0.005
_SERIES = {
    "session_energy": ("energy_kwh", "history_energy", "kWh"),
    "session_cost_in_eur": ("cost", "history_cost", "EUR"),
    "session_savings_in_eur": ("savings", "history_savings", "EUR"),
}
"""By the end of their id: the figure, the key of the name among the texts, and the unit."""
_UNIT_CLASSES = {"kWh": "energy"}
"""By the unit: what the Energy dashboard needs to convert it."""


async def wrong_calendars(home: Home, truth: Truth, followed: frozenset[str]) -> list[str]:
    """Return what is wrong in the calendars of the cars; then have each write its state, places included."""
    async with await home.api.websocket() as socket:
        devices, entities = await our_devices(socket), await our_entities(socket)
    now = datetime.now(UTC)
    streets = {place["id"]: place["street"] for user in truth.users for place in user["locations"]}
    wrong, calendars = [], []
    for car_id, car in truth.cars.items():
        if car["user_id"] not in followed:
            continue
        device = next((item for item in devices if item.is_for(car_id)), None)
        of_car = [item for item in entities if device and item.device_id == device.device_id]
        calendar = find(of_car, "calendar", "sessions")
        if calendar is None:
            wrong.append(f"{car_id}: no calendar")
            continue
        calendars.append(calendar.entity_id)
        sessions = truth.sessions_of.get(car_id, ())
        for begin in filter(None, (now - PERIOD, shorter_period(sessions))):
            period = f"start={_text(begin)}&end={_text(now + timedelta(hours=1))}"
            meant = [item for item in sessions if item.end > begin.timestamp()]
            try:
                events = await home.api.rest("GET", f"calendars/{calendar.entity_id}?{period}")
            except RestFailed as err:
                wrong.append(f"{car_id}: {err}")
                continue
            wrong += [
                f"calendar of {car_id}: {line}"
                for line in wrong_events(events, meant, streets, truth)
            ]
    await home.api.call_action("homeassistant", "update_entity", entity_id=calendars)
    return wrong


def wrong_events(
    events: Sequence[Mapping[str, Any]],
    sessions: Sequence[Session],
    streets: Mapping[str, str],
    truth: Truth,
) -> Iterator[str]:
    """Yield what is wrong in the answer of a calendar that means these sessions."""
    if len(events) != len(sessions):
        yield f"{len(events)} events, {len(sessions)} sessions"
        return
    texts = texts_of_this_checkout()
    for event, session in zip(events, sessions, strict=True):
        facts = session.facts
        is_over = facts["ended_at"] is not None
        yield from _wrong_times(event, session)
        wanted = {"summary": ["mart" if facts["is_managed"] else "nmanaged"], "description": []}
        if not truth.is_strict and is_over:
            energy = f"{facts['energy_kwh']:.1f} kWh"
            wanted["summary"].append(energy)
            amounts = [
                texts[name].format(amount=f"{facts[name]:.2f} EUR") for name in ("cost", "savings")
            ]
            wanted["description"] += [energy, *amounts]
        for name, parts in wanted.items():
            if missing := [part for part in parts if part not in (event.get(name) or "")]:
                yield f"{name} {event.get(name)!r} lacks {missing}"
        if (place := facts["charging_location_id"]) and streets.get(place, "") not in str(
            event.get("location")
        ):
            yield f"location {event.get('location')!r}"


def _wrong_times(event: Mapping[str, Any], session: Session) -> Iterator[str]:
    """Yield what is wrong with the id, the start and the end of an event."""
    facts = session.facts
    if event["uid"] != session.id:
        yield f"{event['uid']}, not {session.id}"
    if abs(seconds(event["start"]["dateTime"]) - session.start) > 1.0:
        yield f"start {event['start']}, not {facts['started_at']}"
    is_over, end = facts["ended_at"] is not None, seconds(event["end"]["dateTime"])
    if is_over and abs(end - session.end) > 1.0:
        yield f"end {event['end']}, not {facts['ended_at']}"
    if not is_over and end < time.time() - ASKED:
        yield f"end {event['end']}, but it is running"


async def wrong_statistics(
    home: Home, truth: Truth, followed: frozenset[str], added_at: float
) -> list[str]:
    """Return what is wrong in the statistics, hour by hour; `added_at` is when the account was added."""
    if truth.is_strict:
        return []
    wrong = []
    texts = texts_of_this_checkout()
    async with await home.api.websocket() as socket:
        listed = {
            item["statistic_id"]: (
                item["name"],
                item["statistics_unit_of_measurement"],
                item["unit_class"],
            )
            for item in await socket.call("recorder/list_statistic_ids", statistic_type="sum")
        }
        for car_id, car in truth.cars.items():
            if car["user_id"] not in followed:
                continue
            base = f"jedlix:{car['user_id']}_{car_id}".replace("-", "_")
            ended = [item for item in truth.sessions_of.get(car_id, ()) if item.facts["ended_at"]]
            ids = {f"{base}_{series}": figure for series, (figure, _, _) in _SERIES.items()}
            for series, (_, text, unit) in _SERIES.items():
                name = texts[text].format(car=f"{car['brand']} {car['model']}")
                shown = listed.get(f"{base}_{series}")
                expected = name, unit, _UNIT_CLASSES.get(unit)
                if ended and shown != expected:
                    wrong.append(f"{base}_{series}: {shown}, not {expected}")
            answer = await socket.call(
                "recorder/statistics_during_period",
                start_time=_text(datetime.now(UTC) - PERIOD),
                statistic_ids=list(ids),
                period="hour",
                types=["state", "sum"],
            )
            for statistic_id, figure in ids.items():
                rows = answer.get(statistic_id, [])
                lines = wrong_rows(rows, ended, figure, added_at)
                wrong += [f"{statistic_id}: {line}" for line in lines]
    return wrong


def wrong_rows(
    rows: Sequence[Mapping[str, Any]],
    ended: Sequence[Session],
    figure: str,
    added_at: float = -math.inf,
) -> Iterator[str]:
    """Yield what is wrong.

    When energy flowed in a session that began after the account was added is not judged, only that it did by
    its end. In an earlier one it flowed evenly, for all that Home Assistant knows.
    """
    by_hour = {row["start"] / 1000: row for row in rows}
    earlier = [item for item in ended if item.start < added_at]
    hours = {hour for item in earlier for hour in _hours_of(item)}
    total = 0.0
    for begin in sorted(hours | by_hour.keys()):
        name = f"{datetime.fromtimestamp(begin, UTC):%d %H:%M}"
        if (row := by_hour.get(begin)) is not None:
            before, total = total, row["sum"] or 0.0
            if abs(total - before - (row["state"] or 0.0)) > CLOSE:
                yield f"sum of {name}: {total} after {before}, with {row['state']}"
                return
        end = begin + HOUR
        over = sum(item.facts[figure] for item in ended if item.end < end)
        over += sum(
            item.facts[figure] * (end - item.start) / (item.end - item.start)
            for item in earlier
            if item.start < end <= item.end
        )
        under_way = [
            item.facts[figure]
            for item in ended
            if item.start < end <= item.end and item not in earlier
        ]  # savings may be negative
        least = over + sum(amount for amount in under_way if amount < 0)
        most = over + sum(amount for amount in under_way if amount > 0)
        if not least - CLOSE <= total <= most + CLOSE:
            yield f"sum of {name}: {total}, not between {least:.3f} and {most:.3f}"
            return
    if abs(total - (whole := sum(item.facts[figure] for item in ended))) > CLOSE:
        yield f"the last sum: {total}, not {whole:.3f}"


def _hours_of(session: Session) -> Iterator[float]:
    """Yield the hours that a session has a part of, by their start."""
    begin = session.start // HOUR * HOUR
    while begin < session.end:
        yield begin
        begin += HOUR


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")
