"""What a user reads when a command or an action cannot be carried out, in words of the user's language."""

from typing import NoReturn

from homeassistant.exceptions import HomeAssistantError, ServiceValidationError

from .const import DOMAIN


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
