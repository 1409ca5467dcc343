"""Answers: a session in local time, and costs by currency."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from homeassistant.core import HomeAssistant

from custom_components.jedlix.actions.answers import costs_as_json, session_as_json
from custom_components.jedlix.api import ChargingLocation, Session
from custom_components.jedlix.periods import Period
from custom_components.jedlix.state.hours import Interval, flow_of

FULL: Final = Session(
    id="1",
    user_id="user",
    vehicle_id="car",
    is_managed=True,
    charging_location_id="home",
    started_at=datetime(2026, 7, 1, 18, 0, tzinfo=UTC),
    ended_at=datetime(2026, 7, 2, 6, 30, tzinfo=UTC),
    energy_kwh=20.25,
    cost=4.1,
    savings=1.234,
    currency="EUR",
)


async def test_a_session_is_returned_in_local_time(hass: HomeAssistant) -> None:
    await hass.config.async_set_time_zone("Europe/Amsterdam")
    assert session_as_json(FULL) == {
        "session_id": "1",
        "vehicle_id": "car",
        "is_managed": True,
        "charging_location_id": "home",
        "charging_location": None,
        "started_at": "2026-07-01T20:00:00+02:00",
        "ended_at": "2026-07-02T08:30:00+02:00",
        "energy_kwh": 20.25,
        "cost": 4.1,
        "savings": 1.234,
        "currency": "EUR",
    }
    home = ChargingLocation(id="home", street="Kerkstraat", city="Utrecht")
    assert session_as_json(FULL, home) == session_as_json(FULL) | {"charging_location": "Utrecht"}
    assert session_as_json(Session(id="2")) == dict.fromkeys(session_as_json(FULL)) | {
        "session_id": "2"
    }


def test_costs_are_totals_by_currency() -> None:
    """What a session charged before the period counts in the period before."""
    july = datetime(2026, 7, 1, tzinfo=UTC)
    over = datetime(2026, 7, 1, 4, tzinfo=UTC)
    sessions = [
        replace(FULL, id="before", started_at=july - timedelta(hours=4), ended_at=over),
        replace(
            FULL,
            id="long before",
            started_at=july - timedelta(hours=4),
            ended_at=july,
            currency="NOK",
        ),
        FULL,
        replace(FULL, id="2", is_managed=False, cost=0.2, savings=None),
        replace(FULL, id="3", currency="SEK", energy_kwh=None),
        Session(id="4", started_at=FULL.started_at),
    ]
    parts = [
        (session, flow_of(session.started_at or july, session.ended_at or july))
        for session in sessions
    ]
    period = Period(july, july + timedelta(days=31))
    columns = ("currency", "sessions", "smart_sessions", "unmanaged_sessions")
    figures = ("energy_kwh", "cost", "savings")
    assert [tuple(total.items()) for total in costs_as_json(parts, period)] == [
        tuple(zip(columns + figures, row, strict=True))
        for row in (
            ("EUR", 2, 1, 1, 50.625, 6.35, 1.85),
            ("SEK", 1, 1, 0, None, 4.1, 1.23),
            (None, 1, 0, 0, None, None, None),
        )
    ]
    assert costs_as_json([], period) == []


def test_costs_are_of_what_began_or_flowed_in_the_period() -> None:
    """A session across its beginning counts there; one before it, or from its very end on, does not."""
    begin = datetime(2026, 7, 2, tzinfo=UTC)
    period = Period(begin, begin + timedelta(days=1))

    def totals(*hours: tuple[float, float]) -> list[tuple[object, object]]:
        """Return the number of sessions and the energy, of sessions that began and ended at these hours."""
        sessions = []
        for began, ended in hours:
            start, end = (begin + timedelta(hours=hour) for hour in (began, ended))
            session = replace(FULL, started_at=start, ended_at=end, energy_kwh=20.2501)
            sessions.append((session, flow_of(start, end)))
        return [(it["sessions"], it["energy_kwh"]) for it in costs_as_json(sessions, period)]

    across, before, after = (-6, 6.5), (-200, -190), (24, 25)
    part = round(20.2501 * 6.5 / 12.5, 3)
    assert totals(across) == totals(across, before, after) == [(0, part)]
    assert totals(before) == totals(after) == totals(before, after) == []
    # One that began in it and charged after it.
    start, over = begin + timedelta(hours=23), begin + timedelta(hours=26)
    session = replace(FULL, started_at=start, ended_at=over)
    flow = flow_of(start, over, [Interval(period.end, over)])
    (total,) = costs_as_json([(session, flow)], period)
    assert (total["sessions"], total["energy_kwh"]) == (1, 0)
