"""Anything posted to the webhook over HTTP: no 5xx, no error in the log, and no car changes.

A usual run makes a few hundred requests; `JEDLIX_FUZZ=10000` makes ten thousand.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass
import logging
import os
from typing import Any, Final

from aiohttp import ClientError, web
from aiohttp.test_utils import TestClient
from homeassistant.core import HomeAssistant
from hypothesis import Phase, given, settings, strategies as st
import orjson
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.jedlix.const import DOMAIN
from custom_components.jedlix.push.handler import MAX_BODY_BYTES
from simulator.app import Simulator
from tests.push.deliveries import ODD_BODIES, ODD_BYTES, PATH
from tests.tools import WEBHOOK_KEY, record_events

REQUESTS: Final = int(os.environ.get("JEDLIX_FUZZ", "300"))
KEY: Final = f"Basic {WEBHOOK_KEY}"
FIELDS: Final = (
    "eventType",
    "id",
    "eventId",
    "tenant",
    "timestamp",
    "userId",
    "isTest",
    "vehicleId",
)

pytestmark = pytest.mark.timeout(600)


@dataclass(frozen=True)
class FuzzedRequest:
    """A request to the webhook."""

    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


# -- the requests ------------------------------------------------------------------------------------------

GOOD: Final = (
    b'{"eventType": "userCreated", "id": "1", "userId": "u", "timestamp": "2026-11-24T12:00:00Z"}'
)
CORPUS: Final = (
    *(body for body, _ in ODD_BODIES.values()),
    *(body for body, *_ in ODD_BYTES.values()),
    b"{" * 50_000,
    b"[" * 60_000,
    b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    GOOD + b"\0",
    b'{"eventType": "a", "id": NaN}',
    b'{"eventType": "a", "id": ' + b"9" * 5000 + b"}",
    b'{"eventType": "\\ud800", "id": "\\udfff"}',
    b'{"eventType": "a", "eventType": "b", "id": "1", "id": "2", "Id": 3, "ID": null}',
    b'{"eventType": "a", "id": "", "userId": {}, "timestamp": 1e300, "isTest": "perhaps"}',
    b'{"eventType": "a", "timestamp": "9999-99-99T99:99:99Z"}',
    b'{"eventType": "a", "timestamp": -99999999999999999999}',
    b'{"eventType": "' + b"x" * 60_000 + b'", "id": "1"}',
    *(b"x" * size for size in (MAX_BODY_BYTES, MAX_BODY_BYTES + 1, 4 * MAX_BODY_BYTES)),
)

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=20)
    | st.sampled_from(("2026-11-24T12:00:00Z", "2026-11-24T12:00:00.123456789+25:00", "0", "true")),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=10,
)
envelopes = st.dictionaries(st.sampled_from(FIELDS), json_values, max_size=8)
good_envelopes = st.builds(
    lambda number, more: more | {"eventType": "sessionStarted", "id": str(number)},
    st.integers(0, 10**6),
    envelopes,
)


def dump(value: Any) -> bytes:
    """Return a value as JSON, or as text where JSON cannot hold it."""
    try:
        return orjson.dumps(value)
    except TypeError, ValueError:
        return repr(value).encode("utf-8", "replace")


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Return a good body that is damaged somewhere."""
    place, junk = draw(st.integers(0, len(GOOD))), draw(st.binary(max_size=6))
    return GOOD[:place] + junk + GOOD[place + draw(st.integers(0, 5)) :]


bodies = (
    st.sampled_from(CORPUS)
    | st.binary(max_size=200)
    | json_values.map(dump)
    | envelopes.map(dump)
    | good_envelopes.map(dump)
    | damaged()
)
header_text = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"))
header_lists = st.tuples(
    st.sampled_from(
        (
            *((("Authorization", KEY),),) * 6,
            (),
            (("Authorization", "Basic"),),
            (("Authorization", f"Basic {WEBHOOK_KEY}x"),),
            (("Authorization", WEBHOOK_KEY),),
            (("Authorization", "Basic x"), ("Authorization", KEY)),
            (("Authorization", KEY), ("Authorization", "Basic x")),
            (("Authorization", f"Basic {'x' * 5000}"),),
        )
    )
    | header_text.map(lambda text: (("Authorization", f"Basic {text.strip()}"),)),
    st.sampled_from(
        (
            (),
            (("Content-Type", "application/json"),),
            (("Content-Type", "application/json; charset=nowhere"),),
            (("Content-Type", "text/plain; charset=utf-16"),),
            (("Content-Type", "multipart/form-data"),),
            (("Content-Type", ";;;"),),
        )
    ),
    st.sampled_from(
        (
            *((),) * 4,
            (("Content-Encoding", "gzip"),),
            (("Content-Encoding", "deflate"),),
            (("Content-Encoding", "br"),),
            (("Content-Encoding", "nothing"),),
        )
    ),
).map(lambda parts: tuple(header for part in parts for header in part))


def generate_requests(count: int) -> list[FuzzedRequest]:
    """Return the corpus with the right key, plain and as gzip, and then so many generated requests."""
    made = [
        FuzzedRequest(body, (("Authorization", KEY), *more))
        for body in CORPUS
        for more in ((), (("Content-Encoding", "gzip"),))
    ]

    @settings(max_examples=count, phases=[Phase.generate], database=None)
    @given(bodies, header_lists)
    def make(body: bytes, headers: tuple[tuple[str, str], ...]) -> None:
        made.append(FuzzedRequest(body, headers))

    make()
    return made


# -- the webhook -------------------------------------------------------------------------------------------


def states_of_cars(hass: HomeAssistant) -> dict[str, object]:
    """Return all states but those of the account, which counts deliveries."""
    return {
        state.entity_id: (state.state, dict(state.attributes), state.last_changed)
        for state in hass.states.async_all()
        if not state.entity_id.partition(".")[2].startswith(DOMAIN)
    }


async def send(home: TestClient[web.Request, web.Application], request: FuzzedRequest) -> int | str:
    """Send a request on its own connection; returns the status, or how the connection ended."""
    headers = [("Connection", "close"), *request.headers]
    try:
        async with asyncio.timeout(10):
            async with home.post(
                PATH, data=request.body, headers=headers, skip_auto_headers=["Content-Type"]
            ) as answer:
                await answer.read()
                return answer.status
    except (ClientError, OSError) as err:
        return type(err).__name__


async def test_whatever_is_posted_to_the_webhook_nothing_breaks_and_no_car_changes(
    hass: HomeAssistant,
    sim: Simulator,
    entry: MockConfigEntry,
    home: TestClient[web.Request, web.Application],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    recorded, before = record_events(hass), states_of_cars(hass)
    assert any(sim.vehicle_ids[0] for _ in before)
    answers: Counter[int | str] = Counter()
    for request in generate_requests(REQUESTS):
        status = await send(home, request)
        answers[status] += 1
        assert status in (200, 400, 401, 413), (status, request)
    await hass.async_block_till_done()
    assert states_of_cars(hass) == before
    assert not [it for it in recorded.changes if it["vehicle_id"] in sim.vehicle_ids]
    # aiohttp itself logs a body that is not encoded as it says
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [record.name for record in errors if record.name != "aiohttp.server"] == []
    assert min(answers[status] for status in (200, 400, 401, 413)) > 1, answers
    # The webhook still works.
    last = FuzzedRequest(GOOD.replace(b'"1"', b'"last"'), (("Authorization", KEY),))
    assert await send(home, last) == 200
    await hass.async_block_till_done()
    assert recorded.webhooks[-1]["event_id"] == "last"
