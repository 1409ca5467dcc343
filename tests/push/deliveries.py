"""Deliveries of the tests: what Jedlix posts, what somebody else might post, and the answer to it."""

from dataclasses import dataclass
import gzip
from typing import Any, Final

from aiohttp.test_utils import TestClient
import orjson

from tests.tools import WEBHOOK_ID, WEBHOOK_KEY

PATH: Final = f"/api/webhook/{WEBHOOK_ID}"
RIGHT_KEY: Final = {
    "Authorization": f"Basic {WEBHOOK_KEY}",
    "Content-Type": "application/json",
}
MESSAGE: Final = {
    "eventType": "userCreated",
    "id": "11111111-2222-3333-4444-555555555555",
    "tenant": "t",
    "timestamp": "2030-01-01T12:00:00.000Z",
    "userId": "u-1",
    "isTest": False,
}
"""The documented sample's envelope."""


def message(**changes: object) -> bytes:
    """Return the body of a delivery with these fields changed; None leaves a field out."""
    fields = MESSAGE | changes
    return orjson.dumps({key: value for key, value in fields.items() if value is not None})


def message_with(field: bytes) -> bytes:
    """Return the body of a delivery with another field as raw JSON."""
    return message()[:-1] + b"," + field + b"}"


@dataclass
class Answer:
    """The answer that the sender of a delivery gets."""

    status: int
    body: str


async def post(home: TestClient[Any, Any], body: Any, headers: dict[str, str]) -> Answer:
    """Post a delivery as Jedlix does."""
    async with home.post(PATH, data=body, headers=headers) as answer:
        return Answer(answer.status, await answer.text())


ODD_BODIES: Final[dict[str, tuple[bytes, int]]] = {
    "empty": (b"", 400),
    "no JSON": (b"hello", 400),
    "a form": (b"eventType=userCreated&id=1", 400),
    "cut off": (message()[:-1], 400),
    "two objects": (message() * 2, 400),
    "an array": (b"[" + message() + b"]", 400),
    "a string": (b'"userCreated"', 400),
    "a number": (b"1", 400),
    "null": (b"null", 400),
    "an empty object": (b"{}", 400),
    "no event type": (message(eventType=None), 400),
    "an empty event type": (message(eventType=" "), 400),
    "an event type that is an object": (message(eventType={}), 400),
    "NaN": (message_with(b'"x":NaN'), 400),
    "an infinite number": (message_with(b'"x":1e999'), 400),
    "half a character": (message_with(b'"x":"\\ud800"'), 400),
    "nested too deep": (message_with(b'"x":' + b"[" * 5000 + b"]" * 5000), 400),
    "nested deeper than can be passed on": (message_with(b'"x":' + b"[" * 250 + b"]" * 250), 400),
    "nested deep": (message_with(b'"x":' + b"[" * 240 + b"]" * 240), 200),
    "a huge number": (message_with(b'"x":1234567890123456789012345678901234567890'), 200),
    "a null byte": (message_with(b'"x":"\\u0000"'), 200),
    "fields of the wrong kind": (message(userId=[1], timestamp={"a": 1}, isTest="perhaps"), 200),
    "one field twice": (message_with(b'"userId":"u-2"'), 200),
    "blanks around it": (b"\r\n " + message() + b"\n", 200),
}
"""By name: the body, and the status of the answer."""

ODD_BYTES: Final[dict[str, tuple[bytes, dict[str, str], int]]] = {
    "bad UTF-8": (message_with(b'"x":"\xff"'), {}, 400),
    "UTF-8 of half a character": (message_with(b'"x":"\xed\xa0\x80"'), {}, 400),
    "UTF-16": (message().decode().encode("utf-16"), {}, 400),
    "UTF-8 with a byte order mark": (b"\xef\xbb\xbf" + message(), {}, 200),
    "bytes": (bytes(range(256)), {}, 400),
    "gzip that says so": (gzip.compress(message()), {"Content-Encoding": "gzip"}, 200),
    "gzip that does not say so": (gzip.compress(message()), {}, 400),
    "says gzip and is none": (message(), {"Content-Encoding": "gzip"}, 400),
    "says an unknown charset": (message(), {"Content-Type": "text/x; charset=no"}, 200),
    "a bomb": (gzip.compress(b" " * 10_000_000), {"Content-Encoding": "gzip"}, 413),
}
"""By name: a body that is no text, further headers, and the status of the answer."""
