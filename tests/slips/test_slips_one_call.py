"""One call slips during one poll, or for hours, in each way that the simulator knows."""

from collections.abc import Iterator
from typing import Any, Final

from aiohttp import ClientTimeout
import pytest

from custom_components.jedlix import coordinator
from custom_components.jedlix.api import http
from tests.slips.conftest import Begin
from tests.slips.stories import tries

# Each kind of answer, in the forms that differ for whoever reads it.
ANSWERS: Final[dict[str, dict[str, Any]]] = {
    **{
        f"{status}": {"kind": "status", "status": status}
        for status in (400, 401, 403, 404, 405, 500, 503)
    },
    "404 without a problem": {"kind": "status", "status": 404, "problem": False},
    "204": {"kind": "status", "status": 204},
    "html": {"kind": "html"},
    "html 403": {"kind": "html", "status": 403},
    "empty_list": {"kind": "empty_list"},
    "empty_object": {"kind": "empty_object"},
    "hang": {"kind": "hang"},
    "slow": {"kind": "slow", "delay_seconds": 0.05},
    "truncated": {"kind": "truncated"},
    "truncated JSON": {"kind": "truncated", "closes_connection": False},
    "redirect": {"kind": "redirect"},
    "429": {"kind": "retry_after", "wait_seconds": 1},
    "503, date": {"kind": "retry_after", "status": 503, "form": "date", "wait_seconds": 60},
    "unauthorized": {"kind": "unauthorized"},
}
TOKEN_ANSWERS: Final[dict[str, dict[str, Any]]] = {
    "refused 400": {"kind": "token_refused", "status": 400},
    "refused 401": {"kind": "token_refused"},
    "refused 403": {"kind": "token_refused", "status": 403},
    "refused without words": {"kind": "token_refused", "names_client": False},
}
# The reads of a poll, and those beside it.
READS: Final = ("vehicles", "user_sessions", "sessions", "charge_settings", "chargers")
KINDS: Final = (*ANSWERS, *TOKEN_ANSWERS)


def slips() -> Iterator[Any]:
    """Yield each answer at each read, and each answer of the token address."""
    for endpoint in READS:
        for name, answer in ANSWERS.items():
            yield pytest.param(endpoint, answer, id=f"{endpoint} {name}")
    for name, answer in (ANSWERS | TOKEN_ANSWERS).items():
        yield pytest.param("token", answer, id=f"token {name}")


@pytest.fixture(autouse=True)
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a call that hangs be given up soon."""
    monkeypatch.setattr(http, "TIMEOUT", ClientTimeout(total=0.3))
    monkeypatch.setattr(coordinator, "FIRST_REFRESH_TIMEOUT", 2.0)


@tries(
    *(2, 4, 5, 6),
    kinds=tuple({answer["kind"] for answer in (ANSWERS | TOKEN_ANSWERS).values()}),
)
@pytest.mark.parametrize(("endpoint", "answer"), slips())
async def test_a_slip_of_one_call_during_one_poll(
    begin: Begin, endpoint: str, answer: dict[str, Any]
) -> None:
    house = await begin()
    await house.in_session()
    house.sim.strike({"token_expiry": endpoint == "token"})
    slip = house.fault(endpoints=[endpoint], **answer)
    await house.poll()
    house.nothing_is_gone()
    house.unplug()
    house.plug()
    await house.poll()
    house.end_fault(slip)
    await house.ends_well()
