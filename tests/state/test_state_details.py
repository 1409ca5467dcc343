"""Details of a user's cars: a refused call is made again soon where it worked before."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, cast

import pytest

from custom_components.jedlix.api import (
    ChargeSettings,
    ChargingLocation,
    Forbidden,
    JedlixClient,
    Vehicle,
)
from custom_components.jedlix.api.offered import OfferedCalls
from custom_components.jedlix.api.reading import Incomplete
from custom_components.jedlix.state.details import DetailReader
from custom_components.jedlix.state.fetcher import Fetcher
from custom_components.jedlix.state.user_snapshot import UserSnapshot
from custom_components.jedlix.state.vehicle_snapshot import VehicleSnapshot

NOON: Final = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


class Refusing:
    """A tenant that refuses details."""

    async def charge_settings(self, *_: str) -> None:
        raise Forbidden("no settings today")

    async def user_locations(self, *_: str) -> None:
        raise Forbidden("no locations today")


class Unreadable:
    """A tenant of whose locations one cannot be read."""

    async def user_locations(self, *_: str) -> Incomplete[ChargingLocation]:
        return Incomplete()


def make_reader() -> DetailReader:
    """Return a reader of that tenant."""
    offered = OfferedCalls({}, lambda: NOON)
    fetcher = Fetcher(cast("JedlixClient", Refusing()), offered, dict)
    return DetailReader(fetcher, offered, zone_of=lambda _: None)


@pytest.mark.parametrize("is_known", [True, False])
async def test_settings_that_are_refused_stay_and_are_read_soon_where_they_were_known(
    *, is_known: bool
) -> None:
    settings = ChargeSettings(desired_battery_level=80, raw={}) if is_known else None
    car = VehicleSnapshot(
        vehicle=Vehicle(id="car", user_id="user"), known_since=NOON, settings=settings
    )
    user = UserSnapshot(user_id="user", vehicles={"car": car}, chargers={})
    reader = make_reader()
    assert reader.schedule.take_settings_due(user, (), NOON)
    assert await reader.with_settings(user, "car") == user
    assert reader.schedule.take_settings_due(user, (), NOON) is is_known


async def test_locations_that_are_refused_stay_and_are_read_soon() -> None:
    user = UserSnapshot(user_id="user", vehicles={}, chargers={}, locations={})
    reader = make_reader()
    assert reader.schedule.take_locations_due(user, NOON, polled=True)
    assert not reader.schedule.take_locations_due(user, NOON, polled=True)
    assert await reader.with_locations(user, lambda: NOON) == user
    assert reader.schedule.take_locations_due(user, NOON, polled=True)


async def test_locations_of_which_one_cannot_be_read_lack_none() -> None:
    offered = OfferedCalls({}, lambda: NOON)
    fetcher = Fetcher(cast("JedlixClient", Unreadable()), offered, dict)
    reader = DetailReader(fetcher, offered, zone_of=lambda _: None)
    home = ChargingLocation(id="home")
    user = UserSnapshot(user_id="user", vehicles={}, chargers={}, locations={"home": home})
    assert await reader.with_locations(user, lambda: NOON) == replace(user, locations_read_at=NOON)
