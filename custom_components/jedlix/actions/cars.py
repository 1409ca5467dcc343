"""Cars: the actions that command them."""

import asyncio
from collections.abc import Awaitable, Callable

from homeassistant.core import ServiceCall

from ..data import JedlixConfigEntry
from ..devices import DeviceKey
from ..errors import refuse
from ..state.days import WEEKDAYS
from .fields import DAYS, DURATION, ENABLED, LEVEL, TIME, UNTIL, moment_of
from .targets import cars_of


async def boost(call: ServiceCall) -> None:
    """Charge the cars of the target at once, or let Jedlix choose the time again."""
    await _command(
        call,
        lambda entry, key: entry.runtime_data.commands.boost(key, enabled=call.data[ENABLED]),
    )


async def pause_smart_charging(call: ServiceCall) -> None:
    """Pause smart charging of the cars of the target, until a moment where the call names one."""
    until, duration = moment_of(call, UNTIL), call.data.get(DURATION)
    if until is not None and duration is not None:
        refuse("one_end")

    async def pause(entry: JedlixConfigEntry, key: DeviceKey) -> None:
        now = entry.runtime_data.coordinator.now()
        end = until if duration is None else now + duration
        await entry.runtime_data.commands.set_smart_charging(key, enabled=False, until=end)

    await _command(call, pause)


async def resume_smart_charging(call: ServiceCall) -> None:
    """Resume smart charging of the cars of the target."""
    await _command(
        call,
        lambda entry, key: entry.runtime_data.commands.set_smart_charging(key, enabled=True),
    )


async def set_current_battery_level(call: ServiceCall) -> None:
    """Enter the battery level in % of the cars of the target."""
    level: int = call.data[LEVEL]
    if not 0 <= level <= 100:  # noqa: PLR2004  percent
        refuse("level_out_of_range", level=str(level))
    await _command(
        call, lambda entry, key: entry.runtime_data.commands.set_current_battery_level(key, level)
    )


async def set_ready_by(call: ServiceCall) -> None:
    """Set the time by which the cars of the target are ready, on some days or on all."""
    days = [WEEKDAYS.index(day) for day in call.data.get(DAYS, ())]
    await _command(
        call,
        lambda entry, key: entry.runtime_data.commands.set_ready_by(
            key, call.data[TIME], days or None
        ),
    )


async def _command(
    call: ServiceCall, do: Callable[[JedlixConfigEntry, DeviceKey], Awaitable[None]]
) -> None:
    """Run a command for all cars of the target side by side; raises the first error after all were tried."""
    cars = cars_of(call)
    results = await asyncio.gather(
        *(do(entry, key) for entry, key in cars.values()), return_exceptions=True
    )
    for result in results:
        if isinstance(result, BaseException):
            raise result
