"""Errors of the Jedlix API: callers catch `JedlixError`, or the subclass that they can handle."""

from typing import Final


class JedlixError(Exception):
    """Anything that keeps a call to Jedlix from giving its answer."""


class AuthError(JedlixError):
    """The credentials are not accepted (401). One such answer does not prove that they are wrong."""


class TokenRefused(AuthError):
    """The token address refuses the client in so many words (400, 401 or 403 with an OAuth error)."""


class TokenForbidden(TokenRefused):
    """The token address knows the client and does not allow it this audience (403)."""


class Forbidden(JedlixError):
    """The credentials are right, but the plan or scope does not allow this call (403, SDK)."""


class NotFound(JedlixError):
    """No such user, vehicle or session, or the tenant does not offer the endpoint (404, 405, 410, 501).

    `is_answer` says that Jedlix itself said so, by its problem JSON. Otherwise something in between may be
    broken.
    """

    def __init__(self, message: str, *, is_answer: bool = False) -> None:
        """Keep whether Jedlix said so."""
        super().__init__(message)
        self.is_answer = is_answer


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
