"""Registration evidence: what arrives at the webhook while Jedlix registers it, and what a refusal means."""

from ..api import Conflict, JedlixError, Rejected, WebhookMessage
from .handler import KEY_REFUSALS, Refusal


class RegistrationEvidence:
    """What arrived at the webhook while Jedlix was asked to register it, and what a refusal then means.

    `tested_types` are the event types whose test message arrived with our key. `key_problem` is what was
    wrong with the key of a call, as a key of the translations.
    """

    def __init__(self) -> None:
        """Start with nothing."""
        self.tested_types: set[str] = set()
        self.key_problem: str | None = None

    def reset(self) -> None:
        """Start again, for another attempt."""
        self.tested_types.clear()
        self.key_problem = None

    @property
    def is_reached(self) -> bool:
        """Return whether a test message arrived with our key."""
        return bool(self.tested_types)

    def note_test(self, message: WebhookMessage) -> None:
        """Note that Jedlix's test message of an event type arrived with our key."""
        self.tested_types.add(message.event_type)

    def note_refusal(self, why: Refusal) -> None:
        """Note that something arrived and was refused: with another key, say, or without one."""
        if why in KEY_REFUSALS:
            self.key_problem = why.value

    def reason(self, err: JedlixError) -> str:
        """Return why Jedlix refused, as a key of the translations.

        Documented is only that a 400 means that the endpoint could not be reached. The rest follows from what
        arrived meanwhile.
        """
        if isinstance(err, Conflict):
            return "slot_taken"
        if self.is_reached or not isinstance(err, Rejected):
            return "rejected"
        return self.key_problem or "not_reachable"
