"""The drivers of the chaos run: which cars they choose for somebody who wants to move them."""

import asyncio
from typing import Any, cast

import pytest

from harness.chaos import drivers
from harness.chaos.car import Car
from harness.chaos.drivers import Drivers
from harness.chaos.timeline import Life, Timeline

FIRST, SECOND = "first", "second"


@pytest.fixture
def cars() -> dict[str, Car]:
    """Return two cars of which the first is plugged in."""
    return {
        name: Car(name, name, {}, is_plugged=name == FIRST, is_smart=True, is_linked=True)
        for name in (FIRST, SECOND)
    }


@pytest.fixture
def chooses(cars: dict[str, Car], monkeypatch: pytest.MonkeyPatch) -> Drivers:
    """Return the drivers of these cars, which never need a rest."""
    monkeypatch.setattr(drivers, "QUIET", -1.0)
    nothing = cast("Any", None)
    return Drivers(
        nothing, nothing, Timeline(lives=[Life(0.0, 0.0)]), cars, seed=1, is_strict=False
    )


async def test_several_cars_are_different_ones(chooses: Drivers) -> None:
    chooses.resting = {SECOND}
    picking = asyncio.create_task(chooses.pick_several(2))
    await asyncio.sleep(0.5)
    assert not picking.done()
    chooses.resting.clear()
    assert await picking == [FIRST, SECOND]


async def test_a_car_that_was_chosen_before_is_left_out(
    chooses: Drivers, cars: dict[str, Car]
) -> None:
    picking = asyncio.create_task(chooses.pick(but=[SECOND], is_plugged=False))
    await asyncio.sleep(0.5)
    assert not picking.done()
    cars[FIRST].is_plugged = False
    assert await picking == FIRST
