"""Listeners: each is called until it is removed, whatever the others do."""

import pytest

from custom_components.jedlix.listeners import Listeners


def test_each_listener_is_called_with_the_news_in_the_order_of_addition() -> None:
    listeners: Listeners[str, int] = Listeners()
    calls: list[tuple[str, str, int]] = []
    for name in ("first", "second"):
        listeners.add(lambda word, number, name=name: calls.append((name, word, number)))  # type: ignore[misc]
    listeners.call("news", 1)
    assert calls == [("first", "news", 1), ("second", "news", 1)]


def test_a_listener_may_be_removed_while_it_is_called() -> None:
    """An entity that is removed because of a change stops listening during the call."""
    listeners: Listeners[()] = Listeners()
    calls: list[str] = []

    def called_once() -> None:
        calls.append("once")
        remove()

    remove = listeners.add(called_once)
    listeners.add(lambda: calls.append("always"))
    listeners.call()
    listeners.call()
    assert calls == ["once", "always", "always"]


def test_a_listener_that_fails_is_logged_and_the_others_are_called(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A state that cannot be written must not take the change along."""
    listeners: Listeners[str] = Listeners()
    calls: list[str] = []

    def fail(news: str) -> None:
        raise KeyError(news)

    listeners.add(fail)
    listeners.add(calls.append)
    listeners.call("news")
    assert calls == ["news"]
    assert caplog.text.count("A listener to a Jedlix change failed") == 1
    assert "KeyError: 'news'" in caplog.text
