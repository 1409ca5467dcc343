"""Listeners: callbacks that are called when something happens."""

from collections.abc import Callable
import logging

from homeassistant.core import CALLBACK_TYPE, callback

_LOGGER = logging.getLogger(__name__)


class Listeners[*Args]:
    """The listeners to one thing."""

    def __init__(self) -> None:
        """Start without a listener."""
        self._listeners: list[Callable[[*Args], None]] = []

    @callback
    def add(self, listener: Callable[[*Args], None]) -> CALLBACK_TYPE:
        """Add a listener; returns what removes it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    @callback
    def call(self, *args: *Args) -> None:
        """Call each listener. One that fails is logged, and the others are called all the same."""
        for listener in tuple(self._listeners):
            try:
                listener(*args)
            except Exception:
                # The listener is not logged: the text of an entity reads its state, which may have failed.
                _LOGGER.exception("A listener to a Jedlix change failed")
