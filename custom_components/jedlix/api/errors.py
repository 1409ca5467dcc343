"""What can go wrong at Jedlix, as one tree: callers catch `JedlixError` or the branch they can mend."""

from typing import Final


class JedlixError(Exception):
    """Anything that keeps a call to Jedlix from giving its answer."""


class AuthError(JedlixError):
    """The credentials are wrong or revoked (401 from the API, 400 or 401 from the token address)."""


class Forbidden(JedlixError):
    """The credentials are right, the plan or scope does not allow this one call (403, SDK)."""


class NotFound(JedlixError):
    """No such user, vehicle or session, or the tenant lacks the endpoint (404, 405)."""


class Rejected(JedlixError):
    """Jedlix understood the call and refuses it (400, 422). The message is Jedlix's own words."""


class Conflict(Rejected):
    """The call contradicts what is there already (409, SDK)."""


class ConnectionFailed(JedlixError):
    """No answer, or a failure on Jedlix's side (time-out, network, 5xx). Worth another try later."""


class RateLimited(ConnectionFailed):
    """Too many calls (429). `retry_after` is in seconds, None where Jedlix did not say."""

    def __init__(self, message: str, retry_after: float | None) -> None:
        """Keep how long Jedlix wants us to wait."""
        super().__init__(message)
        self.retry_after = retry_after


class BadAnswer(JedlixError):
    """The answer is not what any reading of the API allows (not JSON, no id, wrong kind)."""


# What an assumed call brings where the tenant lacks it, or means something else by it.
REFUSALS: Final = (NotFound, Forbidden, Rejected, BadAnswer)
