"""What a user reads when a command or an action cannot be carried out, in words of the user's language."""

from typing import TYPE_CHECKING, NoReturn

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError

from .api import AuthError, Forbidden, JedlixError, NotFound, Rejected
from .const import DOMAIN

if TYPE_CHECKING:
    from .runtime import JedlixConfigEntry


def refuse(translation_key: str, **placeholders: str) -> NoReturn:
    """Raise the error for what the user asked and cannot have."""
    raise ServiceValidationError(
        translation_domain=DOMAIN,
        translation_key=translation_key,
        translation_placeholders=placeholders,
    )


def failure(translation_key: str, **placeholders: str) -> HomeAssistantError:
    """Return the error for what is nobody's fault here."""
    return HomeAssistantError(
        translation_domain=DOMAIN,
        translation_key=translation_key,
        translation_placeholders=placeholders,
    )


def failure_of(
    hass: HomeAssistant, entry: JedlixConfigEntry, err: JedlixError
) -> HomeAssistantError:
    """Return the error for a call that failed; asks for new credentials where Jedlix refuses the old ones."""
    match err:
        case AuthError():
            entry.async_start_reauth(hass)
            return failure("auth_failed")
        case NotFound() | Forbidden():
            return failure("not_offered")
        case Rejected():
            return failure("command_refused", error=str(err))
    return failure("command_failed", error=str(err))
