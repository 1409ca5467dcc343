"""Listeners: callbacks that are called when something happens."""

from collections.abc import Callable
import logging

from homeassistant.core import CALLBACK_TYPE, callback

_LOGGER = logging.getLogger(__name__)


class Listeners[*Args]:
    """The listeners to one thing."""

    def __init__(self) -> None:
        """Start without a listener."""
        self._listeners: list[Callable[[*Args], bool | None]] = []

    @callback
    def add(self, listener: Callable[[*Args], bool | None]) -> CALLBACK_TYPE:
        """Add a listener; returns what removes it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    @callback
    def call(self, *args: *Args) -> bool:
        """Call each listener; returns whether any of them answers true.

        One that fails is logged, and the others are called all the same.
        """
        is_true = False
        for listener in tuple(self._listeners):
            try:
                is_true |= listener(*args) is True
            except Exception:
                # The listener is not logged: the text of an entity reads its state, which may have failed.
                _LOGGER.exception("A listener to a Jedlix change failed")
        return is_true
