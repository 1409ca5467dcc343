"""Which text of the forms tells what went wrong at Jedlix."""

from .api import AuthError, ConnectionFailed, Forbidden, JedlixError, NotFound, Rejected


def account_error(err: JedlixError) -> str:
    """Return the key of the text that says what went wrong with the credentials."""
    if isinstance(err, AuthError):
        return "invalid_auth"
    if isinstance(err, Forbidden):
        return "forbidden"
    # whatever else answers does not do so as Jedlix does
    return "cannot_connect" if isinstance(err, ConnectionFailed) else "not_jedlix"


def user_error(err: JedlixError) -> str:
    """Return the key of the text that says why a user cannot be followed.

    An id that is no UUID may be refused before anybody looks for the user (inferred).
    """
    return "unknown_user" if isinstance(err, NotFound | Rejected) else account_error(err)
