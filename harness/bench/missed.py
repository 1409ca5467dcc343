"""Ten thousand missed deliveries: how fast they are caught up with, and for how long the loop stands."""

import asyncio

from .figures import Figures
from .stage import Account, Stage, now


async def measure_catch_up(
    stage: Stage, figures: Figures, account: Account, *, missed: int, rounds: int
) -> None:
    """Let deliveries go missing, then catch up; beside it the same pages are read as plain JSON."""
    costs, plain = [], []
    for _ in range(rounds):
        since = now()
        await asyncio.sleep(0.01)
        await stage.deliver_unheard(account.users[0], missed)
        span = {"entry_id": account.entry_id, "since": since}
        plain.append(await stage.ask("read_history", **span, until=now()))
        costs.append(await stage.ask("catch_up", **span))
    pairs = list(zip(costs, plain, strict=True))
    figures.add("catch_up_per_s", [missed / cost["time"] for cost in costs])
    figures.add("catch_up_vs_json", [a["process"] / b["with_fetching"] for a, b in pairs])
    figures.add("catch_up_vs_json_in_memory", [a["process"] / b["process"] for a, b in pairs])
    figures.add("catch_up_us_per_delivery", [cost["process"] / missed * 1e6 for cost in costs])
    figures.add("loop_blocked_ms_catch_up", [cost["blocked"] * 1000 for cost in costs])
