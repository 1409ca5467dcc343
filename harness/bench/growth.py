"""What a house and a fleet cost at the start and in memory, beside entities of core."""

import time

from .figures import Figures
from .stage import TEMPLATES, Account, Stage

_KINDS = (
    ("sensor", "battery", 'device_class: battery, unit_of_measurement: "%", state: "{{ 50 }}"'),
    ("sensor", "range", 'device_class: distance, unit_of_measurement: km, state: "{{ 200 }}"'),
    ("binary_sensor", "plugged_in", 'device_class: plug, state: "{{ false }}"'),
)
"""What somebody would write who has only templates."""


async def measure_growth(stage: Stage, figures: Figures, users: list[str], label: str) -> Account:
    """Add users as a person would, and note time, calls, memory, and what is kept on the disk."""
    before, last, began = await stage.ask("memory"), await stage.last_request(), time.monotonic()
    account = await stage.add_account(label, users)
    figures.add(f"add_{label}_s", [time.monotonic() - began])
    figures.add(f"add_{label}_calls", [len(await stage.requests(last))])
    figures.add(f"add_{label}_kib", [await stage.ask("memory") - before])
    figures.add(f"entities_{label}", [await stage.ask("entities", entry_id=account.entry_id)])
    await stage.ask_for_all_types(account)
    store = stage.home.folder / ".storage" / f"jedlix.{account.entry_id}"
    figures.add(f"store_{label}_kib", [store.stat().st_size / 1024])
    return account


async def measure_set_up(
    stage: Stage, figures: Figures, account: Account, label: str, *, rounds: int
) -> None:
    """Load an entry anew again and again, as a restart does."""
    costs, calls = [], []
    for _ in range(rounds):
        last = await stage.last_request()
        costs.append(await stage.ask("set_up", entry_id=account.entry_id))
        calls.append(len(await stage.requests(last)))
    figures.add(f"setup_{label}_ready_s", [cost["ready"] for cost in costs])
    figures.add(f"setup_{label}_all_looked_at_s", [cost["time"] for cost in costs])
    figures.add(f"setup_{label}_cpu_s", [cost["process"] for cost in costs])
    figures.add(f"setup_{label}_calls", calls)
    figures.add(f"setup_{label}_loop_blocked_ms", [cost["blocked"] * 1000 for cost in costs])


async def measure_set_up_beside_templates(
    stage: Stage, figures: Figures, fleet: Account, *, rounds: int
) -> None:
    """Set up the fleet and as many devices of core's template entities in turn; compare per entity.

    Of both, what the event loop's thread did: reading their file, and writing the registry that changed
    with them, is no set-up, and other threads do it.
    """
    cars = len(fleet.users)
    entities = await stage.ask("entities", entry_id=fleet.entry_id)
    ours, theirs = [], []
    for _ in range(rounds):
        cost = await stage.ask("set_up", entry_id=fleet.entry_id)
        ours.append(cost["loop"] / entities)
        _write_templates(stage, cars)
        cost = await stage.ask("reload_templates")
        theirs.append(cost["loop"] / (cars * len(_KINDS)))
        _write_templates(stage, 0)
        await stage.ask("reload_templates")
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    figures.add(f"setup_{cars}_cars_vs_{cars}_template_devices", ratios)
    figures.add("setup_us_per_entity", [seconds * 1e6 for seconds in ours])
    figures.add("setup_us_per_template_entity", [seconds * 1e6 for seconds in theirs])


def _write_templates(stage: Stage, cars: int) -> None:
    lines = [
        f"- {domain}: [{{name: Car {car} {name}, unique_id: car_{car}_{name}, {rest}}}]"
        for car in range(cars)
        for domain, name, rest in _KINDS
    ]
    path = stage.home.folder / TEMPLATES
    path.write_text("\n".join(lines or ["[]"]) + "\n", encoding="utf-8")
