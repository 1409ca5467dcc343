"""Offered calls: which calls of the endpoint table this tenant has, as far as its answers show.

Most calls are assumed, and a tenant may lack some of the documented ones. A call that is not offered is not
made again, until the entry is loaded again.
"""

from collections import Counter
import logging
from typing import Final

from .errors import JedlixError

_LOGGER = logging.getLogger(__name__)

# One car may lack what others have. After so many refusals without an answer the tenant lacks the call.
REFUSALS_BEFORE_NOT_OFFERED: Final = 5
# An assumed path that lies under another assumed path cannot be right where that one is wrong.
_LIES_UNDER: Final = {"session_settings": "user_sessions"}


class OfferedCalls:
    """The calls of one tenant, by their names in the endpoint table."""

    def __init__(self) -> None:
        """Start with every call offered."""
        self._not_offered: set[str] = set()
        self._answered: set[str] = set()
        self._refusals: Counter[str] = Counter()

    def is_offered(self, name: str) -> bool:
        """Return whether the tenant has a call, as far as is known."""
        return name not in self._not_offered and _LIES_UNDER.get(name) not in self._not_offered

    def note_answer(self, name: str) -> None:
        """Note that the tenant answered a call."""
        self._answered.add(name)

    def note_refusal_of_one(self, name: str, err: JedlixError) -> None:
        """Note that the tenant refused a call for one car or user; several refusals count for all."""
        self._refusals[name] += 1
        if self._refusals[name] >= REFUSALS_BEFORE_NOT_OFFERED:
            self.note_refusal(name, err)

    def note_refusal(self, name: str, err: JedlixError) -> None:
        """Note that the tenant refused a call. One that was answered before stays offered."""
        if name not in self._answered:
            self.note_not_offered(name, err)

    def note_not_offered(self, name: str, err: JedlixError) -> None:
        """Note that the tenant does not have a call; one line in the log says so."""
        if name not in self._not_offered:
            self._not_offered.add(name)
            _LOGGER.info("This Jedlix tenant does not offer %s: %s", name, err)
