"""Answers: what `get_sessions`, `get_costs` and `get_prices` answer."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from ..flows import DOMAIN
from ..home import Home
from ..home_api import RestFailed
from .tariffs import only_type, wrong_slots
from .truth import EXACT, Session, Truth, moment, seconds
from .zone import TIME_ZONE, is_local

PERIOD = timedelta(days=10)
PRICES_FOR = timedelta(days=2)
PRICED_IN = ("EUR", "EUR/kWh")
JUST_BEFORE = 1.0
"""Seconds before the newest session at which the shorter period begins: the one before may be over."""
UNSURE = 2.0
"""Seconds from that moment within which no other session may end: a calendar knows whole seconds."""
JUST_AFTER = timedelta(minutes=5)
"""So long after midnight, nobody knows which day an answer means."""
_SESSION = ("is_managed", "charging_location_id", "vehicle_id")
_FIGURES = ("energy_kwh", "cost", "savings", "currency")
_KINDS = ("smart_sessions", "unmanaged_sessions")

type Period = Mapping[str, str]
"""What a call says of its period."""
type Check = Callable[[Mapping[str, Any], Sequence[Session], Truth], Iterable[str]]


async def wrong_answers(
    home: Home, truth: Truth, devices: Mapping[str, str], followed: frozenset[str]
) -> list[str]:
    """Return what is wrong in the answers about the cars and about the charging locations."""
    wrong = []
    now = datetime.now(UTC)
    for car_id, car in truth.cars.items():
        if car["user_id"] not in followed:
            continue
        device_id = devices[f"{car['user_id']}_{car_id}"]
        sessions = truth.sessions_of.get(car_id, ())
        since, over = now - PERIOD, [item for item in sessions if item.facts["ended_at"]]
        calls: list[tuple[str, Sequence[Period], Check, Sequence[Session]]] = [
            ("get_sessions", [_period(since, now)], wrong_sessions, sessions),
            ("get_costs", [_period(since, now)], wrong_costs, sessions),
        ]
        if (newest_from := shorter_period(sessions)) is not None:
            newest = [item for item in sessions if item.end > newest_from.timestamp()]
            # A person writes local times.
            local = _period(
                *(it.astimezone(TIME_ZONE).replace(tzinfo=None) for it in (newest_from, now))
            )
            calls.append(("get_sessions", [local], wrong_sessions, newest))
        if over and not truth.is_strict:
            calls.append(("get_costs", cut(since, sessions, over[-1], now), wrong_costs, over))
        midnight = now.astimezone(TIME_ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
        if now - midnight > JUST_AFTER:
            of_today = [item for item in sessions if item.end > midnight.timestamp()]
            calls.append(("get_sessions", [{"period": "today"}], wrong_sessions, of_today))
        for action, periods, check, meant in calls:
            try:
                answers = [await _ask(home, action, device_id, period) for period in periods]
            except RestFailed as err:
                wrong.append(f"{action} of {car_id}: {err}")
                continue
            joined = {
                key: [item for answer in answers for item in answer[key]] for key in answers[0]
            }
            wrong += [f"{action} of {car_id}: {line}" for line in check(joined, meant, truth)]
    return wrong


def _period(begin: datetime, end: datetime) -> Period:
    return {"start": begin.isoformat(), "end": end.isoformat()}


def cut(
    begin: datetime, sessions: Sequence[Session], ended: Session, now: datetime
) -> Sequence[Period]:
    """Return two periods with a bound in the middle of a session. A running session comes after both."""
    middle = datetime.fromtimestamp((ended.start + ended.end) / 2, UTC)
    running = (item.facts["started_at"] for item in sessions if not item.facts["ended_at"])
    end = datetime.fromtimestamp(seconds(next(running, now.isoformat())), UTC)
    return _period(begin, middle), _period(middle, end)


def shorter_period(sessions: Sequence[Session]) -> datetime | None:
    """Return when a period begins that has the newest session, None where there is no sure one."""
    if not sessions:
        return None
    begin = sessions[-1].start - JUST_BEFORE
    is_unsure = any(abs(session.end - begin) < UNSURE for session in sessions[:-1])
    return None if is_unsure else datetime.fromtimestamp(begin, UTC)


async def wrong_prices(
    home: Home, truth: Truth, devices: Mapping[str, str], followed: frozenset[str]
) -> list[str]:
    """Return what is wrong in the answers of `get_prices`."""
    wrong = []
    begin = datetime.now(UTC).replace(second=0, microsecond=0)
    period = {"start": begin.isoformat(), "end": (begin + PRICES_FOR).isoformat()}
    for user in truth.users:
        wrong += await _wrong_places(home, user, devices, followed, period)
        for place in user["locations"]:
            name, tariff = f"{user['id']}_{place['id']}", place["tariff_details"]
            if user["id"] not in followed or tariff is None:
                continue
            try:
                answer = await _ask(home, "get_prices", devices[name], period)
            except RestFailed as err:
                if only_type(tariff) != "dynamic":  # without any price, the answer is an error
                    wrong.append(f"get_prices of {name}: {err}")
                continue
            lines = wrong_slots(answer["prices"], tariff, begin, begin + PRICES_FOR)
            wrong += [f"get_prices of {name}: {line}" for line in lines]
            if (shown := (answer["currency"], answer["unit"])) != PRICED_IN:
                wrong.append(f"get_prices of {name}: {shown}, not {PRICED_IN}")
    return wrong


async def _wrong_places(
    home: Home,
    user: Mapping[str, Any],
    devices: Mapping[str, str],
    followed: frozenset[str],
    period: Period,
) -> list[str]:
    """Return what is wrong where a car is asked for prices: it stands for the locations of its user."""
    if user["id"] not in followed:
        return []
    priced = [
        devices[f"{user['id']}_{place['id']}"]
        for place in user["locations"]
        if (tariff := place["tariff_details"]) is not None and only_type(tariff) != "dynamic"
    ]
    if not priced:
        return []
    own = devices[f"{user['id']}_{user['vehicles'][0]['id']}"]
    try:
        answer = await _answers(home, "get_prices", own, period)
    except RestFailed as err:
        return [f"get_prices of the car of {user['id']}: {err}"]
    missing = set(priced) - {device for device, item in answer.items() if item["prices"]}
    return [f"get_prices of the car of {user['id']}: no {device}" for device in sorted(missing)]


async def _ask(home: Home, action: str, device_id: str, period: Period) -> Any:
    return (await _answers(home, action, device_id, period))[device_id]


async def _answers(home: Home, action: str, device_id: str, period: Period) -> Any:
    """Return what an action answers about what a device means, by device."""
    path = f"services/{DOMAIN}/{action}?return_response"
    answer = await home.api.rest("POST", path, {**period, "device_id": device_id})
    return answer["service_response"]


def wrong_sessions(
    answer: Mapping[str, Any], sessions: Sequence[Session], truth: Truth
) -> Iterator[str]:
    """Yield what is wrong in an answer of `get_sessions` that means these sessions."""
    given = {item["session_id"]: item for item in answer["sessions"]}
    if given.keys() != {session.id for session in sessions}:
        yield f"{sorted(given)}, not {sorted(session.id for session in sessions)}"
        return
    starts = [moment(item["started_at"]) for item in answer["sessions"]]
    if starts != sorted(starts):
        yield f"the oldest is not the first: {[item['started_at'] for item in answer['sessions']]}"
    places = truth.place_names
    for session in sessions:
        item, facts = given[session.id], session.facts
        names = _SESSION if truth.is_strict or not facts["ended_at"] else (*_SESSION, *_FIGURES)
        wanted = {name: facts[name] for name in names}
        if not truth.is_strict:
            wanted["charging_location"] = places.get(facts["charging_location_id"])
        for name, value in wanted.items():
            if item.get(name) != value:
                yield f"{name} of {session.id}: {item.get(name)!r}, not {value!r}"
        for name in ("started_at", "ended_at"):
            is_same = item.get(name) is None if facts[name] is None else True
            if facts[name] is not None:
                is_same = abs(moment(item.get(name)) - moment(facts[name])) < EXACT
            if not (is_same and is_local(item.get(name))):
                yield f"{name} of {session.id}: {item.get(name)}, not {facts[name]} in local time"


def wrong_costs(
    answer: Mapping[str, Any], sessions: Sequence[Session], truth: Truth
) -> Iterator[str]:
    """Yield what is wrong where all sessions have ended: a running one has figures that grow."""
    if truth.is_strict or any(session.facts["ended_at"] is None for session in sessions):
        return
    currencies = {session.facts["currency"] for session in sessions}
    if given := {item["currency"] for item in answer["costs"]} ^ currencies:
        yield f"currencies: {sorted(map(str, given))} too much or missing"
    kinds = Counter(_KINDS[not session.facts["is_managed"]] for session in sessions)
    for name, count in {
        "sessions": len(sessions),
        **{kind: kinds[kind] for kind in _KINDS},
    }.items():
        if (shown := sum(item[name] for item in answer["costs"])) != count:
            yield f"{shown} {name}, not {count}"
    for name, digits in (("energy_kwh", 0.0011), ("cost", 0.011), ("savings", 0.011)):
        amount = sum(item[name] or 0.0 for item in answer["costs"])
        total = sum(session.facts[name] for session in sessions)
        if abs(amount - total) > digits:
            yield f"{name}: {amount}, not {total:.3f}"
