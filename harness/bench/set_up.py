"""Set-up: what a house and a fleet cost at the start and in memory, compared with entities of core."""

import asyncio
from collections.abc import Sequence
import time

from .figures import Figures
from .testbed import SESSION_STARTED, TEMPLATES, Account, Testbed

_TEMPLATES_PER_CAR = (
    ("sensor", "battery", 'device_class: battery, unit_of_measurement: "%", state: "{{ 50 }}"'),
    ("sensor", "range", 'device_class: distance, unit_of_measurement: km, state: "{{ 200 }}"'),
    ("binary_sensor", "plugged_in", 'device_class: plug, state: "{{ false }}"'),
)
"""A car as somebody would write it without an integration."""
_QUIET = 5.0
"""Seconds without a call after which a restart is over."""


async def measure_adding(
    testbed: Testbed, figures: Figures, users: list[str], label: str
) -> Account:
    """Add users as a person would, and measure time, calls, memory, and the file on the disk."""
    before = await testbed.ask("memory")
    last = await testbed.last_request()
    began = time.monotonic()
    account = await testbed.add_account(label, users)
    figures.add(f"add_{label}_s", [time.monotonic() - began])
    figures.add(f"add_{label}_calls", [len(await testbed.simulator.requests(last))])
    figures.add(f"add_{label}_kib", [await testbed.ask("memory") - before])
    figures.add(f"entities_{label}", [await testbed.ask("entities", entry_id=account.entry_id)])
    await testbed.subscribe_to_everything(account)
    store = testbed.home.folder / ".storage" / f"jedlix.{account.entry_id}"
    figures.add(f"store_{label}_kib", [store.stat().st_size / 1024])
    return account


async def measure_set_up(
    testbed: Testbed, figures: Figures, account: Account, label: str, *, rounds: int
) -> None:
    """Load an entry several times, as a restart does."""
    costs, calls = [], []
    for _ in range(rounds):
        last = await testbed.last_request()
        costs.append(await testbed.ask("set_up", entry_id=account.entry_id))
        calls.append(len(await testbed.simulator.requests(last)))
    figures.add(f"setup_{label}_ready_s", [cost["ready"] for cost in costs])
    figures.add(f"setup_{label}_all_looked_at_s", [cost["time"] for cost in costs])
    figures.add(f"setup_{label}_cpu_s", [cost["process"] for cost in costs])
    figures.add(f"setup_{label}_calls", calls)
    figures.add(f"setup_{label}_loop_blocked_ms", [cost["blocked"] * 1000 for cost in costs])


async def measure_waits(
    testbed: Testbed, figures: Figures, account: Account, *, rounds: int
) -> None:
    """Load an entry whose users are stored, while the API hangs: how long that takes."""
    await testbed.simulator.set_faults(kind="hang")
    waits = [await testbed.ask("set_up_time", entry_id=account.entry_id) for _ in range(rounds)]
    await testbed.simulator.clear_faults()
    figures.add("setup_waits_ms", [seconds * 1000 for seconds in waits])
    await testbed.ask("set_up", entry_id=account.entry_id)
    await testbed.ask("settle", entry_id=account.entry_id)


async def measure_restart(
    testbed: Testbed, figures: Figures, accounts: Sequence[Account], label: str
) -> None:
    """Restart Home Assistant right after a poll, and count the calls of the accounts until none follows.

    As in any fleet, there was a delivery lately. Only then does the webhook history say what was missed.
    """
    for account in accounts:
        await testbed.simulator.deliver(account.users[0], SESSION_STARTED, 1)
        await testbed.ask("poll", entry_id=account.entry_id)
    last = await testbed.last_request()
    await testbed.restart()
    for account in accounts:
        await testbed.ask("settle", entry_id=account.entry_id)
    before, calls = -1, 0
    while calls != before:
        await asyncio.sleep(_QUIET)
        before, calls = calls, len(await testbed.simulator.requests(last))
    figures.add(f"restart_{label}_calls", [calls])


async def compare_set_up_with_templates(
    testbed: Testbed, figures: Figures, fleet: Account, *, rounds: int
) -> None:
    """Set up the fleet and as many devices of core's template entities in turn; compare per entity.

    Only the event loop's thread counts. Other threads read the file of templates and write the registry,
    which is no part of a set-up.
    """
    cars = len(fleet.users)
    entities = await testbed.ask("entities", entry_id=fleet.entry_id)
    ours, theirs = [], []
    for _ in range(rounds):
        cost = await testbed.ask("set_up", entry_id=fleet.entry_id)
        ours.append(cost["loop"] / entities)
        _write_templates(testbed, cars)
        cost = await testbed.ask("reload_templates")
        theirs.append(cost["loop"] / (cars * len(_TEMPLATES_PER_CAR)))
        _write_templates(testbed, 0)
        await testbed.ask("reload_templates")
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    figures.add(f"setup_{cars}_cars_vs_{cars}_template_devices", ratios)
    figures.add("setup_us_per_entity", [seconds * 1e6 for seconds in ours])
    figures.add("setup_us_per_template_entity", [seconds * 1e6 for seconds in theirs])


def _write_templates(testbed: Testbed, cars: int) -> None:
    lines = [
        f"- {domain}: [{{name: Car {car} {name}, unique_id: car_{car}_{name}, {rest}}}]"
        for car in range(cars)
        for domain, name, rest in _TEMPLATES_PER_CAR
    ]
    path = testbed.home.folder / TEMPLATES
    path.write_text("\n".join(lines or ["[]"]) + "\n", encoding="utf-8")
