"""Errors in words of the user's language: those of commands and actions, and those of forms."""

from typing import NoReturn

from homeassistant.exceptions import HomeAssistantError, ServiceValidationError

from .api import AuthError, Conflict, ConnectionFailed, Forbidden, JedlixError, NotFound, Rejected
from .api.errors import TokenForbidden, TokenRefused
from .api.user_token import NoJwt, NoUserClaim
from .const import DOMAIN


def refuse(translation_key: str, **placeholders: str) -> NoReturn:
    """Raise the error for something that the user asked for and cannot have."""
    raise ServiceValidationError(
        translation_domain=DOMAIN,
        translation_key=translation_key,
        translation_placeholders=placeholders,
    )


def failure(translation_key: str, **placeholders: str) -> HomeAssistantError:
    """Return the error for something that failed at Jedlix or on the way."""
    return HomeAssistantError(
        translation_domain=DOMAIN,
        translation_key=translation_key,
        translation_placeholders=placeholders,
    )


def failure_of(err: JedlixError) -> HomeAssistantError:
    """Return the error for a call that failed."""
    match err:
        case AuthError():
            return failure("auth_failed")
        case NotFound() | Forbidden():
            return failure("not_offered")
        case Rejected():
            return failure("command_refused", error=str(err))
    return failure("command_failed", error=str(err))


def account_form_error(err: JedlixError) -> str:
    """Return the form error, a key of the translations, for credentials that were tried."""
    match err:
        case TokenForbidden() | Forbidden():
            return "forbidden"
        case AuthError():
            return "invalid_auth"
        case ConnectionFailed():
            return "cannot_connect"
    return "not_jedlix"  # something else answers, or not as Jedlix does


def provider_form_error(err: JedlixError) -> str:
    """Return the form error, a key of the translations, for a log-in that gave no token for Jedlix."""
    match err:
        case TokenRefused():
            return "provider_refused"
        case ConnectionFailed():
            return "provider_away"
        case NoJwt():
            return "no_jwt"
        case NoUserClaim():
            return "no_user_claim"
    return "no_token_address"


def driver_form_error(err: JedlixError) -> str:
    """Return the form error, a key of the translations, for a driver whose token was tried."""
    match err:
        case AuthError():
            return "token_not_accepted"
        case Forbidden():
            return "scope_missing"
    return user_form_error(err)


def user_form_error(err: JedlixError) -> str:
    """Return the form error, a key of the translations, for a user who cannot be followed.

    Jedlix may refuse an id that is no UUID before it looks for the user (inferred).
    """
    return "unknown_user" if isinstance(err, NotFound | Rejected) else account_form_error(err)


def link_form_error(err: JedlixError) -> str:
    """Return why linking a car cannot begin, a key of the translations."""
    match err:
        case Conflict():
            return "link_conflict"
        case NotFound() | Forbidden():
            return "link_not_offered"
        case Rejected():
            return "link_refused"
        case AuthError():
            return "invalid_auth"
    return account_form_error(err)
