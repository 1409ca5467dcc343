"""HTTP exchange: one request, its answer, and the error that its status stands for."""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
import re
from typing import Any, Final

from aiohttp import ClientError, ClientSession, ClientTimeout
import orjson

from .errors import (
    AuthError,
    BadAnswer,
    Conflict,
    ConnectionFailed,
    Forbidden,
    JedlixError,
    NotFound,
    RateLimited,
    Rejected,
)
from .reading import Fields, number, text

# As long as in the official SDKs (SDK).
TIMEOUT: Final = ClientTimeout(total=15)
# A page of 100 sessions has about 100 KiB. In memory, JSON may take twenty times its size.
MAX_ANSWER_BYTES: Final = 8 * 1024 * 1024
MAX_PROBLEM_LENGTH: Final = 300
# A refusal may quote what was sent. Keys, tokens and webhook ids look like this; words and UUIDs do not.
_SECRET_PATTERN: Final = re.compile(r"[\w-]{37,}|(?=\w*\d)\w{32,}")

_ERROR_BY_STATUS: Final[dict[int, type[JedlixError]]] = {
    HTTPStatus.UNAUTHORIZED: AuthError,
    HTTPStatus.FORBIDDEN: Forbidden,
    HTTPStatus.NOT_FOUND: NotFound,
    HTTPStatus.METHOD_NOT_ALLOWED: NotFound,
    HTTPStatus.GONE: NotFound,
    HTTPStatus.CONFLICT: Conflict,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer whose body was read to its end."""

    status: int
    body: bytes
    retry_after: str | None

    @property
    def problem(self) -> str | None:
        """Return the words of an error answer: problem details (SDK) or an OAuth error (inferred).

        They are shown and logged: one line, without anything that could be a secret.
        """
        try:
            fields = Fields(orjson.loads(self.body))
        except orjson.JSONDecodeError, BadAnswer:
            return None
        words = fields.get("detail", "title", "errordescription", "error", "message")
        if (read := text(words)) is None:
            return None
        return _SECRET_PATTERN.sub("…", " ".join(read.split()))[:MAX_PROBLEM_LENGTH]

    def raise_unless_ok(self) -> None:
        """Raise the JedlixError that this status stands for."""
        if self.status < HTTPStatus.MULTIPLE_CHOICES:
            return
        words = f"{self.problem or 'no reason given'} (HTTP {self.status})"
        if self.status == HTTPStatus.TOO_MANY_REQUESTS:
            raise RateLimited(words, parse_retry_after(self.retry_after))
        if self.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise ConnectionFailed(words)
        if self.status < HTTPStatus.BAD_REQUEST:
            raise BadAnswer(f"the address redirects elsewhere (HTTP {self.status})")
        raise _ERROR_BY_STATUS.get(self.status, Rejected)(words)


async def send(session: ClientSession, method: str, url: str, **options: Any) -> Answer:
    """Send one request and read its answer to the end.

    Raises ConnectionFailed when no answer comes within 15 s (SDK), BadAnswer when it is larger than 8 MiB.
    Redirects are not followed: the API has none, and a secret must not reach another host.
    """
    try:
        async with session.request(
            method, url, timeout=TIMEOUT, allow_redirects=False, **options
        ) as response:
            body = bytearray()
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > MAX_ANSWER_BYTES:
                    raise BadAnswer("the answer is larger than 8 MiB")
            return Answer(response.status, bytes(body), response.headers.get("Retry-After"))
    except TimeoutError as err:
        raise ConnectionFailed("no answer within 15 seconds") from err
    except (ClientError, OSError, UnicodeError, ValueError) as err:
        raise ConnectionFailed(str(err) or type(err).__name__) from err


def parse_retry_after(header: str | None) -> float | None:
    """Return the seconds of a Retry-After header, which holds seconds or a date (RFC 9110)."""
    if header is None:
        return None
    if (seconds := number(header)) is not None:
        return max(0.0, seconds)
    try:
        date = parsedate_to_datetime(header)
    except ValueError:
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max(0.0, (date - datetime.now(UTC)).total_seconds())
