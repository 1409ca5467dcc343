"""Errors of the Jedlix API: callers catch `JedlixError`, or the subclass that they can handle."""

from typing import Final


class JedlixError(Exception):
    """Anything that keeps a call to Jedlix from giving its answer."""


class AuthError(JedlixError):
    """The credentials are wrong or revoked (401 from the API, 400 or 401 from the token address)."""


class Forbidden(JedlixError):
    """The credentials are right, but the plan or scope does not allow this call (403, SDK)."""


class NotFound(JedlixError):
    """No such user, vehicle or session, or the tenant does not offer the endpoint (404, 405, 410)."""


class Rejected(JedlixError):
    """Jedlix understood the call and refuses it (400, 422). The message is in Jedlix's own words."""


class Conflict(Rejected):
    """The call contradicts what is there already (409, SDK)."""


class ConnectionFailed(JedlixError):
    """No answer, or a failure on Jedlix's side (time-out, network, 5xx). A later try may succeed."""


class RateLimited(ConnectionFailed):
    """Too many calls (429). `retry_after` is in seconds, None where Jedlix did not say."""

    def __init__(self, message: str, retry_after: float | None) -> None:
        """Keep how long Jedlix wants us to wait."""
        super().__init__(message)
        self.retry_after = retry_after


class BadAnswer(JedlixError):
    """The answer does not fit any reading of the API (not JSON, no id, wrong kind)."""


# The errors of an assumed call that the tenant does not offer, or by which it means something else.
REFUSALS: Final = (NotFound, Forbidden, Rejected, BadAnswer)
