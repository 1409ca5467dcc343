"""Inbox: a delivery is new once, for as long as Jedlix may send it again."""

from collections.abc import Iterator
from unittest.mock import patch

from hypothesis import given, strategies as st
import orjson
import pytest

from custom_components.jedlix.push import inbox as module
from custom_components.jedlix.push.inbox import MAX_ID_LENGTH, Inbox

DAY = 86_400.0
NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("days_later", "is_new"), [(0, False), (1, False), (7, False), (7.9, False), (8, True)]
)
def test_a_delivery_is_new_once_in_eight_days(days_later: float, is_new: bool) -> None:
    inbox = Inbox()
    assert inbox.add("e-1", NOW)
    later = NOW + days_later * DAY
    inbox.add("another", later)  # a new delivery makes the inbox forget the oldest
    assert inbox.add("e-1", later) is is_new


def test_ids_are_compared_as_they_are() -> None:
    inbox = Inbox()
    assert all(inbox.add(delivery_id, NOW) for delivery_id in ("e-1", "E-1", "e-1 ", "é", ""))
    assert len(inbox) == 5


def test_a_long_id_is_remembered_short_and_is_not_another() -> None:
    inbox, start = Inbox(), "x" * 100_000
    assert inbox.add(start + "1", NOW)
    assert inbox.add(start + "2", NOW)
    assert not inbox.add(start + "1", NOW)
    assert start + "2" in inbox
    assert inbox.add("\ud800" * 100, NOW)  # half a character is no reason to fail
    assert all(len(delivery_id) <= MAX_ID_LENGTH for delivery_id in inbox.as_json())
    again = Inbox(inbox.as_json())
    assert not again.add(start + "2", NOW)


def test_a_long_id_that_an_earlier_version_stored_is_still_known() -> None:
    long = "x" * (MAX_ID_LENGTH + 1)
    inbox = Inbox({long: NOW})
    assert not inbox.add(long, NOW)


def test_a_repeated_delivery_is_not_remembered_longer() -> None:
    inbox = Inbox()
    inbox.add("e-1", NOW)
    assert not inbox.add("e-1", NOW + 7 * DAY)
    assert inbox.as_json() == {"e-1": int(NOW)}


def test_the_oldest_are_forgotten_when_there_are_too_many() -> None:
    with patch.object(module, "MAX_DELIVERIES", 3):
        inbox = Inbox()
        for number in range(5):
            assert inbox.add(str(number), NOW)
        assert list(inbox.as_json()) == ["2", "3", "4"]
        assert inbox.add("0", NOW)


def test_a_stored_delivery_is_not_new() -> None:
    seen = {"e-1": NOW}
    inbox = Inbox(seen)
    assert not inbox.add("e-1", NOW + 1)
    assert inbox.add("e-2", NOW + 1)
    assert seen == {"e-1": NOW}  # the inbox keeps its own copy


def test_a_clock_that_is_set_back_makes_no_delivery_new_again() -> None:
    inbox = Inbox()
    assert inbox.add("e-1", NOW)
    assert inbox.add("e-2", NOW - 30 * DAY)
    assert not inbox.add("e-1", NOW - 30 * DAY)
    assert not inbox.add("e-2", NOW)


@pytest.fixture(scope="module", autouse=True)
def small_inbox() -> Iterator[None]:
    """Lower the limit, so that the properties reach it."""
    with patch.object(module, "MAX_DELIVERIES", 20):
        yield


steps = st.lists(
    st.tuples(
        st.integers(0, 40).map(str),
        st.floats(0, 3 * DAY, allow_nan=False),
        st.booleans(),  # whether Home Assistant restarts before
    ),
    min_size=25,
    max_size=100,
)


@given(steps)
def test_no_delivery_is_new_twice_while_it_is_remembered(
    steps: list[tuple[str, float, bool]],
) -> None:
    """The model: a delivery is known when it was accepted in the last days and is among the last few."""
    inbox, now = Inbox(), NOW
    accepted: list[tuple[str, float]] = []
    for delivery_id, pause, restarts in steps:
        now += pause
        if restarts:
            inbox = Inbox(orjson.loads(orjson.dumps(inbox.as_json())))
        is_new = inbox.add(delivery_id, now)
        recent = [known for known, at in accepted[-20:] if at > now - 7 * DAY]
        assert not (is_new and delivery_id in recent)
        assert is_new or delivery_id in [known for known, _ in accepted]
        if is_new:
            accepted.append((delivery_id, now))
        assert len(inbox) <= 20
        assert all(at > now - 8 * DAY - 1 for at in inbox.as_json().values()) or not is_new


SHORT_IDS = st.text(min_size=1, max_size=MAX_ID_LENGTH)


@given(st.dictionaries(SHORT_IDS, st.integers(0, 2**33), max_size=20))
def test_the_store_keeps_ids_times_and_order(seen: dict[str, int]) -> None:
    inbox = Inbox(dict(seen))
    restored = Inbox(orjson.loads(orjson.dumps(inbox.as_json())))
    assert list(restored.as_json().items()) == list(seen.items())
