"""One call slips during one poll, in each way that the simulator knows."""

from collections.abc import Iterator
from typing import Any, Final

from aiohttp import ClientTimeout
import pytest

from custom_components.jedlix.api import http
from tests.slips.conftest import Begin
from tests.slips.stories import tries

type Answer = dict[str, Any]

# Each kind of answer, and the forms of it that differ for whoever reads it.
COMMON: Final[dict[str, Answer]] = {
    "404": {"kind": "status", "status": 404},
    "503": {"kind": "status", "status": 503},
    "html": {"kind": "html"},
    "empty_list": {"kind": "empty_list"},
    "empty_object": {"kind": "empty_object"},
    "truncated": {"kind": "truncated"},
    "unauthorized": {"kind": "unauthorized"},
}
RARE: Final[dict[str, Answer]] = {
    **{
        f"{status}": {"kind": "status", "status": status}
        for status in (204, 400, 401, 403, 405, 500)
    },
    "404 of a proxy": {"kind": "status", "status": 404, "problem": False},
    "html 403": {"kind": "html", "status": 403},
    "hang": {"kind": "hang"},
    "slow": {"kind": "slow", "delay_seconds": 0.05},
    "truncated JSON": {"kind": "truncated", "closes_connection": False},
    "redirect": {"kind": "redirect"},
    "429": {"kind": "retry_after", "wait_seconds": 1},
    "503, date": {"kind": "retry_after", "status": 503, "form": "date", "wait_seconds": 60},
}
OF_TOKEN: Final[dict[str, Answer]] = {
    "403": {"kind": "status", "status": 403},
    "refused 400": {"kind": "token_refused", "status": 400},
    "refused 401": {"kind": "token_refused"},
    "refused 403": {"kind": "token_refused", "status": 403},
    "refused without words": {"kind": "token_refused", "names_client": False},
}
SLIPS: Final = {
    "vehicles": COMMON | RARE,
    "user_sessions": COMMON | RARE,
    "sessions": COMMON,
    "charge_settings": COMMON,
    "chargers": COMMON,
    "token": COMMON | OF_TOKEN,
}


def slips() -> Iterator[Any]:
    """Yield each answer at each call."""
    for endpoint, answers in SLIPS.items():
        for form, answer in answers.items():
            yield pytest.param(endpoint, answer, id=f"{endpoint} {form}")


@tries(
    *(2, 4, 5, 6),
    kinds=tuple({answer["kind"] for answers in SLIPS.values() for answer in answers.values()}),
)
@pytest.mark.parametrize(("endpoint", "answer"), slips())
async def test_a_slip_of_one_call_during_one_poll(
    begin: Begin, monkeypatch: pytest.MonkeyPatch, endpoint: str, answer: Answer
) -> None:
    if answer["kind"] == "hang":
        monkeypatch.setattr(http, "TIMEOUT", ClientTimeout(total=0.4))
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


@tries(2, 4, 5, kinds=("status", "html", "empty_object", "truncated", "redirect", "retry_after"))
@pytest.mark.parametrize("endpoint", ["vehicles", "all"])
@pytest.mark.parametrize(
    "answer",
    [
        {"kind": "status", "status": 500},
        {"kind": "html"},
        {"kind": "empty_object"},
        {"kind": "truncated", "percent": 0},
        {"kind": "redirect"},
        {"kind": "retry_after", "wait_seconds": 30},
    ],
    ids=lambda answer: answer["kind"],
)
async def test_a_slip_of_hours(begin: Begin, endpoint: str, answer: Answer) -> None:
    house = await begin()
    session = await house.in_session()
    endpoints = "all" if endpoint == "all" else [endpoint]
    house.fault(endpoints=endpoints, **answer)
    await house.poll(times=3)
    house.unplug()
    house.nothing_is_gone()
    await house.poll(minutes=60)
    house.plug()
    await house.poll(minutes=60)
    assert not house.is_available()
    house.nothing_is_gone()
    house.calm()
    await house.poll()
    assert house.published("session_ended") == [("session_ended", session)]
    await house.ends_well()
