"""Webhook handler: verifies, parses, remembers and answers a delivery. It is processed after the answer.

Jedlix sends `Authorization: Basic <key>` with the raw key (documented). Nothing else proves who calls. The
key is compared in constant time and before the body is read, so a refusal costs next to nothing.
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

from aiohttp import StreamReader
from aiohttp.web import Request, RequestPayloadError, Response
from homeassistant.components import webhook
from homeassistant.core import HomeAssistant
import orjson

from ..api import BadAnswer, WebhookMessage
from ..api.reading import read_json
from ..const import DOMAIN
from .inbox import Inbox

_LOGGER = logging.getLogger(__name__)

MAX_BODY_BYTES: Final = 64 * 1024
REFUSAL_LOG_INTERVAL: Final = 300.0
# How long the body may take to arrive, in seconds.
BODY_TIMEOUT: Final = 30.0


class Refusal(StrEnum):
    """Why a delivery was not accepted.

    NO_KEY: the header is missing, or has another scheme than Jedlix's. Something on the way has changed it.
    """

    NO_KEY = "no_key"
    WRONG_KEY = "wrong_key"
    BAD_BODY = "bad_body"
    TOO_LARGE = "too_large"
    TOO_SLOW = "too_slow"
    NOT_READY = "not_ready"


KEY_REFUSALS: Final = frozenset({Refusal.NO_KEY, Refusal.WRONG_KEY})


class RecentDelivery(NamedTuple):
    """One of the last deliveries.

    `at` is its arrival in seconds since the epoch, `verdict` what became of it, `delay` its age on arrival in
    seconds, by its own timestamp.
    """

    at: float
    event_type: str | None
    verdict: str
    delay: float | None


MAX_ARRIVALS: Final = 50

_STATUS: Final = {
    Refusal.NO_KEY: HTTPStatus.UNAUTHORIZED,
    Refusal.WRONG_KEY: HTTPStatus.UNAUTHORIZED,
    Refusal.BAD_BODY: HTTPStatus.BAD_REQUEST,
    Refusal.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Refusal.TOO_SLOW: HTTPStatus.REQUEST_TIMEOUT,
    Refusal.NOT_READY: HTTPStatus.SERVICE_UNAVAILABLE,
}


class WebhookHandler:
    """The handler of one webhook id.

    `on_delivery` gets each new message, `on_test` each test message, `on_refusal` each refusal. Without
    `on_delivery`, and while `is_ready` says that nothing can be taken, only test messages are accepted.
    Everything else is answered 503, so that Jedlix tries again later.
    """

    def __init__(
        self,
        hass: HomeAssistant,
        webhook_id: str,
        key: str,
        *,
        inbox: Inbox | None = None,
        on_delivery: Callable[[WebhookMessage], None] | None = None,
        on_test: Callable[[WebhookMessage], None] | None = None,
        on_refusal: Callable[[Refusal], None] | None = None,
        is_ready: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the key; nothing is answered before `register`."""
        self._hass = hass
        self._webhook_id = webhook_id
        self._key = key.encode()
        self._inbox = inbox if inbox is not None else Inbox()
        self._on_delivery = on_delivery
        self._on_test = on_test
        self._on_refusal = on_refusal
        self._is_ready = is_ready
        self._clock = clock
        self._next_refusal_log = 0.0
        self._is_registered = False
        self.arrivals: deque[RecentDelivery] = deque(maxlen=MAX_ARRIVALS)

    def register(self) -> None:
        """Register at Home Assistant, in the place of any other handler of this webhook id, without a gap."""
        self._is_registered = True
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

    def unregister(self) -> None:
        """Unregister: Home Assistant then answers by itself, with 200.

        A delivery whose body is still arriving is refused.
        """
        self._is_registered = False
        webhook.async_unregister(self._hass, self._webhook_id)

    async def _handle(self, _hass: HomeAssistant, _webhook_id: str, request: Request) -> Response:
        """Answer one request. An exception that left this method would become a silent 200."""
        try:
            return await self._answer(request)
        except Exception:
            _LOGGER.exception(
                "A delivery from Jedlix could not be handled and was answered with 500"
            )
            return Response(status=HTTPStatus.INTERNAL_SERVER_ERROR)

    async def _answer(self, request: Request) -> Response:
        if (why := self._refusal(request.headers.get("Authorization", ""))) is not None:
            return self._refuse(why)
        try:
            message = _message(await _read(request))
        except _TooLargeError:
            return self._refuse(Refusal.TOO_LARGE)
        except TimeoutError:
            return self._refuse(Refusal.TOO_SLOW)
        except (RequestPayloadError, orjson.JSONDecodeError, BadAnswer) as err:
            return self._refuse(Refusal.BAD_BODY, str(err))
        now = time.time()
        if message.is_test and self._is_registered:
            verdict = "test"
            if self._on_test is not None:
                self._on_test(message)
        elif self._on_delivery is None or not (self._is_registered and self._is_ready()):
            return self._refuse(Refusal.NOT_READY)
        elif self._inbox.add(message.id, now):
            verdict = "accepted"
            self._hass.loop.call_soon(self._on_delivery, message)
        else:
            verdict = "duplicate"
        occurred_at = message.occurred_at
        delay = None if occurred_at is None else round(now - occurred_at.timestamp(), 3)
        self.arrivals.append(RecentDelivery(now, message.event_type, verdict, delay))
        # Short, since Jedlix keeps it (reported). Unlike Home Assistant's own 200 for a webhook that it does
        # not know, it has a body, so the history shows who answered.
        return Response(body=b"{}", content_type="application/json")

    def _refusal(self, authorization: str) -> Refusal | None:
        """Return why a header does not show that Jedlix calls, None where it does."""
        scheme, _, key = authorization.partition(" ")
        if scheme.lower() != "basic" or not (key := key.strip()):
            return Refusal.NO_KEY
        matches = compare_digest(key.encode("utf-8", "surrogatepass"), self._key)
        return None if matches else Refusal.WRONG_KEY

    def _refuse(self, why: Refusal, words: str = "") -> Response:
        """Refuse a delivery; at most one line in the log every five minutes, no warning during a reload."""
        self.arrivals.append(RecentDelivery(time.time(), None, why, None))
        if self._on_refusal is not None:
            self._on_refusal(why)
        if (now := self._clock()) >= self._next_refusal_log:
            self._next_refusal_log = now + REFUSAL_LOG_INTERVAL
            level = logging.INFO if why is Refusal.NOT_READY else logging.WARNING
            _LOGGER.log(level, "A delivery to the Jedlix webhook was refused (%s) %s", why, words)
        return Response(status=_STATUS[why])


class _TooLargeError(Exception):
    """A body is larger than allowed."""


async def _read(request: Request) -> bytes:
    """Read the body of a plain or a cloudhook request; raises when it is larger than allowed, or too slow."""
    stream = request.content
    if isinstance(stream, StreamReader) and stream.is_eof():  # it is all there, as nearly always
        body = stream.read_nowait(MAX_BODY_BYTES + 1)
    else:
        body = b""
        async with asyncio.timeout(BODY_TIMEOUT):
            while chunk := await stream.read(MAX_BODY_BYTES + 1 - len(body)):
                body += chunk
    if len(body) > MAX_BODY_BYTES:
        raise _TooLargeError
    return body


def _message(body: bytes) -> WebhookMessage:
    """Read the envelope. A message without an id gets a hash of its content, so that it is not lost."""
    return WebhookMessage.from_json(read_json(body), fallback_id=lambda: sha256(body).hexdigest())
