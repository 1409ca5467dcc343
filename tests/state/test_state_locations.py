"""Charging locations: one answer decides nothing, and what is gone is gone by evidence."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from custom_components.jedlix.api import (
    ChargingLocation,
    TariffDetails,
    TariffPrice,
    TariffType,
)
from custom_components.jedlix.api.reading import Incomplete
from custom_components.jedlix.state.locations import has_other_tariffs, with_locations
from custom_components.jedlix.state.serialization import snapshot_as_json, snapshot_from_json
from custom_components.jedlix.state.user_snapshot import UserSnapshot

NOW: Final = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
POLL: Final = timedelta(minutes=5)
SINGLE: Final = TariffDetails(
    tariffs=(TariffPrice(type=TariffType.STANDARD, price=0.3, currency="EUR"),)
)
HOME: Final = ChargingLocation(
    id="home", city="Utrecht", street="Kerkstraat", tariff_details=SINGLE
)
WORK: Final = ChargingLocation(id="work", city="Gent", zone="Work", latitude=51.05)
UNPRICED: Final = replace(HOME, tariff_details=None)
USER: Final = with_locations(UserSnapshot.unknown("anna", NOW), [HOME, WORK], NOW)


def test_locations_are_known_by_id_and_those_with_tariffs_by_themselves() -> None:
    assert USER.locations == {"home": HOME, "work": WORK}
    assert USER.priced_locations == {"home": HOME}
    assert USER.locations_read_at == NOW
    assert not USER.has_absent_location


@pytest.mark.parametrize(
    ("listed", "left"),
    [([WORK], {"work": WORK}), ([UNPRICED, WORK], {"home": UNPRICED, "work": WORK}), ([], {})],
)
def test_a_location_or_its_tariffs_are_gone_after_three_answers_over_fifteen_minutes(
    listed: list[ChargingLocation], left: dict[str, ChargingLocation]
) -> None:
    user = USER
    for number in range(1, 5):
        user = with_locations(user, listed, NOW + number * POLL)
        if number < 4:
            assert user.locations == USER.locations
            assert user.has_absent_location
            assert user.absent_since("home") == NOW + POLL
    assert user.locations == left
    assert user.absent_since("home") is None
    assert not user.has_absent_location


def test_an_answer_with_an_item_that_cannot_be_read_lacks_no_location() -> None:
    user = USER
    for number in range(1, 6):
        user = with_locations(user, Incomplete([UNPRICED]), NOW + number * POLL)
    assert user.locations == {"home": UNPRICED, "work": WORK}
    assert user.absent_since("work") is None


@pytest.mark.parametrize("read_at", [NOW, None])
def test_a_location_was_seen_last_when_the_locations_were_read_last(
    read_at: datetime | None,
) -> None:
    known = replace(USER, locations_read_at=read_at)
    user = with_locations(known, [WORK], NOW + POLL)
    assert user.absences["location home"].last_seen == (read_at or NOW + POLL)


def test_what_an_answer_names_again_was_never_gone() -> None:
    user = with_locations(USER, [UNPRICED], NOW + POLL)
    back = with_locations(user, [HOME, WORK], NOW + 2 * POLL)
    assert back.locations == USER.locations
    assert not back.absences


def test_other_tariffs_count_at_once_and_are_noticed() -> None:
    dearer = replace(
        HOME, tariff_details=TariffDetails(tariffs=(replace(SINGLE.tariffs[0], price=0.4),))
    )
    after = with_locations(USER, [dearer, WORK], NOW + POLL)
    assert after.priced_locations == {"home": dearer}
    assert has_other_tariffs(USER, after)
    assert not has_other_tariffs(after, with_locations(after, [dearer, WORK], NOW + 2 * POLL))
    assert not has_other_tariffs(UserSnapshot.unknown("anna", NOW), USER)


def test_the_store_keeps_tariffs_and_names_and_no_address() -> None:
    stored = snapshot_as_json(USER)
    again = snapshot_from_json(stored)
    assert again.locations == {
        "home": replace(HOME, street=None),
        "work": replace(WORK, latitude=None),
    }
    assert again.locations_read_at == NOW
    for secret in ("Kerkstraat", "51.05"):
        assert secret not in str(stored)
    damaged: dict[str, object] = dict(stored)
    damaged["locations"] = {"home": {"id": None}, "work": {"id": "work"}}
    assert snapshot_from_json(damaged).locations == {"work": ChargingLocation(id="work")}
