"""The door: verify, parse, remember, answer. What arrives is handled after it was answered.

Jedlix sends `Authorization: Basic <key>` with the raw key (documented) and nothing else proves who calls, so
the key is compared in constant time and before the body is read: a refusal costs next to nothing.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from enum import StrEnum
from hashlib import sha256
from hmac import compare_digest
from http import HTTPStatus
import logging
import time
from typing import Final, NamedTuple

from aiohttp.web import Request, RequestPayloadError, Response
from homeassistant.components import webhook
from homeassistant.core import HomeAssistant
import orjson

from ..api import BadAnswer, WebhookMessage
from ..api.reading import Fields, read_json, text
from ..const import DOMAIN
from .inbox import Inbox

_LOGGER = logging.getLogger(__name__)

LARGEST_BODY: Final = 64 * 1024
_REFUSALS_LOGGED_EVERY: Final = 300.0
# A line that has gone dead in the middle of a body is waited for this long (seconds).
_PATIENCE: Final = 30.0


class Refusal(StrEnum):
    """Why a delivery was not accepted."""

    WRONG_KEY = "wrong_key"
    BAD_BODY = "bad_body"
    TOO_LARGE = "too_large"
    TOO_SLOW = "too_slow"
    NOT_READY = "not_ready"


class Arrival(NamedTuple):
    """One of the last deliveries: when it came (seconds since the epoch), what it was, what became of it.

    `delay` is its age on arrival in seconds, by its own timestamp.
    """

    at: float
    event_type: str | None
    verdict: str
    delay: float | None


_ARRIVALS_KEPT: Final = 50

_STATUS: Final = {
    Refusal.WRONG_KEY: HTTPStatus.UNAUTHORIZED,
    Refusal.BAD_BODY: HTTPStatus.BAD_REQUEST,
    Refusal.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Refusal.TOO_SLOW: HTTPStatus.REQUEST_TIMEOUT,
    Refusal.NOT_READY: HTTPStatus.SERVICE_UNAVAILABLE,
}


class Door:
    """One webhook id. `deliver` gets each new message, `test` each test message, `refused` each refusal.

    Without `deliver` the door is only on trial, as the config flow needs it: test messages pass, everything
    else is asked to come back later.
    """

    def __init__(
        self,
        hass: HomeAssistant,
        webhook_id: str,
        key: str,
        *,
        inbox: Inbox | None = None,
        deliver: Callable[[WebhookMessage], None] | None = None,
        test: Callable[[WebhookMessage], None] | None = None,
        refused: Callable[[Refusal], None] | None = None,
    ) -> None:
        """Take the key; the door is shut until `open`."""
        self._hass = hass
        self._webhook_id = webhook_id
        self._key = key.encode()
        self._inbox = inbox if inbox is not None else Inbox()
        self._deliver = deliver
        self._test = test
        self._refused = refused
        self._log_refusals_from = 0.0
        self.arrivals: deque[Arrival] = deque(maxlen=_ARRIVALS_KEPT)

    def open(self) -> None:
        """Open the door, in the place of any other that had this webhook id, without a moment between."""
        webhook.async_unregister(self._hass, self._webhook_id)
        webhook.async_register(
            self._hass,
            DOMAIN,
            "Jedlix",
            self._webhook_id,
            self._handle,
            local_only=False,
            allowed_methods=("POST",),
        )

    def close(self) -> None:
        """Shut the door."""
        webhook.async_unregister(self._hass, self._webhook_id)

    async def _handle(self, _hass: HomeAssistant, _webhook_id: str, request: Request) -> Response:
        """Answer one request; whatever left here as an exception would become a silent 200."""
        try:
            return await self._answer(request)
        except Exception:
            _LOGGER.exception("A delivery could not be handled; Jedlix was answered 500")
            return Response(status=HTTPStatus.INTERNAL_SERVER_ERROR)

    async def _answer(self, request: Request) -> Response:
        if not self._is_jedlix(request.headers.get("Authorization", "")):
            return self._refuse(Refusal.WRONG_KEY)
        try:
            async with asyncio.timeout(_PATIENCE):
                body = await _read(request)
            if body is None:
                return self._refuse(Refusal.TOO_LARGE)
            message = _message(body)
        except TimeoutError:
            return self._refuse(Refusal.TOO_SLOW)
        except (RequestPayloadError, orjson.JSONDecodeError, BadAnswer) as err:
            return self._refuse(Refusal.BAD_BODY, str(err))
        now = time.time()
        if message.is_test:
            verdict = "test"
            if self._test is not None:
                self._test(message)
        elif self._deliver is None:
            return self._refuse(Refusal.NOT_READY)
        elif self._inbox.add(message.id, now):
            verdict = "accepted"
            self._hass.loop.call_soon(self._deliver, message)
        else:
            verdict = "duplicate"
        occurred_at = message.occurred_at
        delay = None if occurred_at is None else round(now - occurred_at.timestamp(), 3)
        self.arrivals.append(Arrival(now, message.event_type, verdict, delay))
        return Response(body=b"{}", content_type="application/json")

    def _is_jedlix(self, authorization: str) -> bool:
        scheme, _, key = authorization.partition(" ")
        matches = compare_digest(key.strip().encode("utf-8", "surrogatepass"), self._key)
        return matches and scheme.lower() == "basic"

    def _refuse(self, why: Refusal, words: str = "") -> Response:
        """Refuse; the log gets a line now and then, however many come."""
        self.arrivals.append(Arrival(time.time(), None, why, None))
        if self._refused is not None:
            self._refused(why)
        if (now := time.monotonic()) >= self._log_refusals_from:
            self._log_refusals_from = now + _REFUSALS_LOGGED_EVERY
            _LOGGER.warning("A delivery was refused (%s) %s", why, words)
        return Response(status=_STATUS[why])


async def _read(request: Request) -> bytes | None:
    """Read the body of a plain or a cloudhook request, None when it is larger than allowed."""
    stream = request.content
    body = bytearray()
    while chunk := await stream.read(LARGEST_BODY + 1 - len(body)):
        body += chunk
        if len(body) > LARGEST_BODY:
            return None
    return bytes(body)


def _message(body: bytes) -> WebhookMessage:
    """Read the envelope. A message without an id is known by its content, so that it is not lost."""
    data = read_json(body)
    try:
        return WebhookMessage.from_json(data)
    except BadAnswer:
        if not isinstance(data, dict) or text(Fields(data).get("id", "eventid")) is not None:
            raise
    # in front, where it goes before an `Id` that cannot be read
    return WebhookMessage.from_json({"id": None} | data | {"id": sha256(body).hexdigest()})
