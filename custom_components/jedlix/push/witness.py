"""What came to the door while Jedlix was asked to register it: this tells why a registration was refused."""

from ..api import Conflict, JedlixError, Rejected, WebhookMessage


class Witness:
    """Counts the test messages and the wrong keys of one attempt."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self.tests = 0
        self.wrong_keys = 0

    def reset(self) -> None:
        """Begin a new attempt."""
        self.tests = self.wrong_keys = 0

    def saw_test(self, _message: WebhookMessage) -> None:
        """Note that Jedlix's test message arrived with our key."""
        self.tests += 1

    def saw_wrong_key(self) -> None:
        """Note that something arrived with another key."""
        self.wrong_keys += 1

    def reason(self, err: JedlixError) -> str:
        """Return why Jedlix refused: a key of the translations.

        Documented is only that a 400 means that the endpoint could not be reached; the rest follows from what
        the door saw meanwhile.
        """
        if isinstance(err, Conflict):
            return "slot_taken"
        if self.tests or not isinstance(err, Rejected):
            return "rejected"
        return "wrong_key" if self.wrong_keys else "not_reachable"
