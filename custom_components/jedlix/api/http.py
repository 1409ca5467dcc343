"""HTTP exchange: one request, its answer, and the error that its status stands for."""

from codecs import BOM_UTF8
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
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

_ERROR_BY_STATUS: Final[dict[int, type[JedlixError]]] = {
    HTTPStatus.UNAUTHORIZED: AuthError,
    HTTPStatus.FORBIDDEN: Forbidden,
    HTTPStatus.NOT_FOUND: NotFound,
    HTTPStatus.METHOD_NOT_ALLOWED: NotFound,
    HTTPStatus.GONE: NotFound,
    HTTPStatus.NOT_IMPLEMENTED: NotFound,
    HTTPStatus.CONFLICT: Conflict,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer whose body was read to its end."""

    status: int
    body: bytes
    retry_after: str | None
    date: str | None = None

    @property
    def _fields(self) -> Fields:
        """Return the fields of the body, none where it is no JSON object."""
        try:
            return Fields(orjson.loads(self.body.removeprefix(BOM_UTF8)))
        except orjson.JSONDecodeError, BadAnswer:
            return Fields({})

    @property
    def kind(self) -> str:
        """Return the kind of the body: empty, problem JSON (SDK), JSON, HTML or something else."""
        body = self.body.removeprefix(BOM_UTF8).strip()
        if not body:
            return "empty"
        if body.startswith(b"<"):
            return "HTML"
        if self.status >= HTTPStatus.BAD_REQUEST and self.is_problem:
            return "problem JSON"
        return "JSON" if body[:1] in (b"{", b"[") else "something else"

    @property
    def is_problem(self) -> bool:
        """Return whether the body is Jedlix's problem JSON (SDK)."""
        return self._fields.get("title", "detail", "type") is not None

    @property
    def oauth_error(self) -> str | None:
        """Return the error of a token address (inferred: OAuth), None where the body is something else."""
        return text(self._fields.get("error"))

    def problem(self, secrets: Collection[str] = ()) -> str | None:
        """Return the words of an error answer: problem details (SDK) or an OAuth error (inferred).

        They are shown and logged, so they are one line, and the secrets that were sent are replaced.
        """
        words = text(self._fields.get("detail", "title", "errordescription", "error", "message"))
        if words is None:
            return None
        words = " ".join(words.split())
        for secret in sorted(filter(None, secrets), key=len, reverse=True):
            words = words.replace(secret, "…")
        return words[:MAX_PROBLEM_LENGTH]

    def raise_unless_ok(self, secrets: Collection[str] = ()) -> None:
        """Raise the JedlixError that this status stands for; no text of it contains a secret."""
        if self.status < HTTPStatus.MULTIPLE_CHOICES:
            return
        words = f"{self.problem(secrets) or 'no reason given'} (HTTP {self.status})"
        wait = parse_retry_after(self.retry_after, self.date)
        is_busy = self.status == HTTPStatus.SERVICE_UNAVAILABLE and wait is not None
        if self.status == HTTPStatus.TOO_MANY_REQUESTS or is_busy:
            raise RateLimited(words, wait)
        error = _ERROR_BY_STATUS.get(self.status)
        if error is NotFound:
            raise NotFound(words, is_answer=self.is_problem)
        if self.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise ConnectionFailed(words)
        if self.status < HTTPStatus.BAD_REQUEST:
            raise BadAnswer(f"the address redirects elsewhere (HTTP {self.status})")
        raise (error or Rejected)(words)


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
            headers = response.headers
            return Answer(
                response.status, bytes(body), headers.get("Retry-After"), headers.get("Date")
            )
    except TimeoutError as err:
        raise ConnectionFailed("no answer within 15 seconds") from err
    except (ClientError, OSError, UnicodeError, ValueError) as err:
        raise ConnectionFailed(str(err) or type(err).__name__) from err


def parse_retry_after(header: str | None, answered_at: str | None = None) -> float | None:
    """Return the seconds of a Retry-After header, which holds seconds or a date (RFC 9110).

    A date is compared with that of the answer, so that our clock does not matter.
    """
    if header is None:
        return None
    if (seconds := number(header)) is not None:
        return max(0.0, seconds)
    if (date := _date(header)) is None:
        return None
    return max(0.0, (date - (_date(answered_at) or datetime.now(UTC))).total_seconds())


def _date(header: str | None) -> datetime | None:
    try:
        date = parsedate_to_datetime(header or "")
    except ValueError:
        return None
    return date.replace(tzinfo=UTC) if date.tzinfo is None else date
