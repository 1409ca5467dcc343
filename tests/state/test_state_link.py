"""Link and reports: what the API says of a car's link, what deliveries say, and what follows. Tables."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from custom_components.jedlix.api import Session, Vehicle, WebhookMessage
from custom_components.jedlix.state.changes import Change, ChangeType, compare
from custom_components.jedlix.state.link import LOSS_SHOWN_AFTER, Link, LinkRepair, LinkReport
from custom_components.jedlix.state.reports import (
    REPORT_COUNTS_FOR,
    Reports,
    car_of,
    change_of_report,
)
from custom_components.jedlix.state.serialization import snapshot_as_json, snapshot_from_json
from custom_components.jedlix.state.user_snapshot import UserSnapshot

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
CREDENTIALS, DISCONNECTED = "vehicleInvalidCredentials", "vehicleDisconnected"
CONNECTED = "vehicleConnected"
LINKED, LOST = True, False


def at(minutes: float) -> datetime:
    """Return a time, in minutes past noon."""
    return NOON + timedelta(minutes=minutes)


def message(event_type: str, user_id: str = "u", **more: Any) -> WebhookMessage:
    """Return a delivery."""
    data = {"eventType": event_type, "id": "e", "userId": user_id, **more}
    return WebhookMessage.from_json(data)


class Story:
    """One user with one car: answers of the API and deliveries, and the changes of the link."""

    def __init__(self, *, is_connected: bool | None) -> None:
        self.reports = Reports()
        self.user = UserSnapshot.unknown("u", NOON)
        self.answer(0, is_connected)

    def answer(self, minutes: float, is_connected: bool | None) -> list[tuple[str, Any]]:
        """Return the changes that an answer of the API brings, with their reasons."""
        cars = [Vehicle(id="v", user_id="u", is_connected=is_connected)]
        after = self.user.advance(cars, (), at(minutes))
        after = self.reports.apply(after, at(minutes))
        changes = compare(self.user, after, at(minutes))
        # A restart forgets nothing.
        self.user = snapshot_from_json(snapshot_as_json(after))
        self.reports = Reports.from_json(self.reports.as_json())
        return [(change.type.value, change.details.get("reason")) for change in changes]

    def deliver(self, minutes: float, event_type: str, **more: Any) -> None:
        """Let a delivery arrive."""
        self.reports.note(message(event_type, **more), self.user, at(minutes))

    @property
    def link(self) -> Link:
        """Return the link of the car."""
        return self.user.vehicles["v"].link


def test_a_loss_without_a_delivery_has_no_reason() -> None:
    story = Story(is_connected=True)
    assert story.answer(1, LOST) == [("vehicle_link_lost", None)]
    assert story.link.lost_at == at(1)
    assert story.answer(2, LOST) == []
    assert story.link.lost_at == at(1)
    assert story.answer(3, LINKED) == [("vehicle_link_restored", None)]
    assert story.link == Link(is_connected=True)


@pytest.mark.parametrize(
    ("event_types", "reason"),
    [
        ([CREDENTIALS], "credentials"),
        ([DISCONNECTED], "disconnected"),
        ([CREDENTIALS, DISCONNECTED], "credentials"),
        ([DISCONNECTED, CREDENTIALS], "credentials"),
        (["VehicleInvalidCredentials"], "credentials"),
    ],
)
def test_a_delivery_gives_the_reason(event_types: list[str], reason: str) -> None:
    story = Story(is_connected=True)
    for event_type in event_types:
        story.deliver(1, event_type, vehicleId="v")
    assert story.answer(1, LOST) == [("vehicle_link_lost", reason)]
    assert story.reports.links == {}


def test_the_api_decides_and_may_be_slower_than_the_delivery() -> None:
    story = Story(is_connected=True)
    story.deliver(1, CREDENTIALS)
    assert story.answer(1, LINKED) == []
    assert story.answer(30, LOST) == [("vehicle_link_lost", "credentials")]
    assert story.answer(31, LINKED) == [("vehicle_link_restored", None)]


def test_a_delivery_that_the_api_contradicts_for_an_hour_is_forgotten() -> None:
    story = Story(is_connected=True)
    story.deliver(1, CREDENTIALS)
    assert story.answer(1, LINKED) == []
    after = 2 + REPORT_COUNTS_FOR.total_seconds() / 60
    assert story.answer(after, LOST) == [("vehicle_link_lost", None)]
    assert story.reports.links == {}


def test_a_delivery_that_comes_after_a_newer_one_says_nothing_of_a_later_loss() -> None:
    story = Story(is_connected=True)
    story.deliver(2, CONNECTED, timestamp=at(2).isoformat())
    assert story.answer(2, LINKED) == []
    story.deliver(20, CREDENTIALS, timestamp=at(1).isoformat())  # read from the history
    assert story.answer(20, LINKED) == []
    story.deliver(30, DISCONNECTED, timestamp=at(30).isoformat())
    assert story.answer(30, LOST) == [("vehicle_link_lost", "disconnected")]
    story.deliver(31, CONNECTED, timestamp=at(29).isoformat())
    assert story.answer(31, None) == []


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_refused_credentials_explain_a_disconnection_in_either_order(
    order: tuple[int, int],
) -> None:
    story = Story(is_connected=True)
    event_types = {1: CREDENTIALS, 2: DISCONNECTED}
    for minutes in order:
        story.deliver(3, event_types[minutes], timestamp=at(minutes).isoformat())
    assert story.answer(3, LOST) == [("vehicle_link_lost", "credentials")]


def test_a_delivery_from_the_future_hides_no_later_one() -> None:
    story = Story(is_connected=True)
    story.deliver(1, CONNECTED, timestamp=at(500).isoformat())
    story.deliver(2, CREDENTIALS, timestamp=at(2).isoformat())
    assert story.answer(2, LOST) == [("vehicle_link_lost", "credentials")]


def test_a_reason_that_comes_later_changes_no_event() -> None:
    story = Story(is_connected=True)
    assert story.answer(1, LOST) == [("vehicle_link_lost", None)]
    story.deliver(2, DISCONNECTED)
    assert story.answer(2, LOST) == []
    assert story.link.reason is LinkReport.DISCONNECTED
    story.deliver(3, CREDENTIALS)
    story.answer(3, LOST)
    story.deliver(4, DISCONNECTED)
    story.answer(4, LOST)
    assert story.link.reason is LinkReport.CREDENTIALS
    assert story.link.lost_at == at(1)


def test_where_the_api_does_not_say_it_the_delivery_is_believed() -> None:
    story = Story(is_connected=None)
    assert story.answer(1, None) == []
    story.deliver(2, DISCONNECTED)
    assert story.answer(2, None) == [("vehicle_link_lost", "disconnected")]
    assert story.answer(500, None) == []
    story.deliver(501, CONNECTED)
    assert story.answer(501, None) == [("vehicle_link_restored", None)]


def test_a_car_that_was_never_connected_lost_nothing() -> None:
    story = Story(is_connected=None)
    assert story.answer(1, LOST) == []
    assert Story(is_connected=False).answer(1, LOST) == []


def test_a_delivery_about_another_car_or_nobody_is_no_report() -> None:
    story = Story(is_connected=True)
    story.deliver(1, CREDENTIALS, vehicleId="another")
    story.deliver(1, "sessionStarted", vehicleId="v")
    assert story.reports == Reports()
    story.deliver(1, CREDENTIALS)
    story.deliver(1, "userRemoved")
    story.reports.forget("u")
    assert story.reports == Reports()


def test_a_link_that_an_earlier_version_stored_is_what_the_api_said() -> None:
    story = Story(is_connected=False)
    stored: Any = snapshot_as_json(story.user)
    del stored["vehicles"]["v"]["link"]
    assert snapshot_from_json(stored).vehicles["v"].link == Link(is_connected=False)


@pytest.mark.parametrize(
    "damaged",
    [
        [],
        {"links": 1},
        {"links": [1, {}]},
        {"newest": [1, ["u", "v", True, "never"], ["u", "v", True]]},
        {"removed_users": {"u": "never"}},
        {"removed_users": {"u": ["2026-05-01T12:00:00Z", "never"]}},
    ],
)
def test_damaged_reports_are_left_out(damaged: Any) -> None:
    assert Reports.from_json(damaged or {}) == Reports()


def test_a_removed_user_is_published_once_the_api_confirms_it() -> None:
    story = Story(is_connected=True)
    assert story.reports.take_removed("u", at(1), is_known=False) is None
    story.deliver(1, "userRemoved", timestamp="2026-05-01T10:00:00Z")
    assert story.reports.take_removed("u", at(2), is_known=True) is None
    restored = Reports.from_json(story.reports.as_json())
    assert restored == story.reports
    removed = story.reports.take_removed("u", at(3), is_known=False)
    assert removed == Change(
        type=ChangeType.USER_REMOVED, user_id="u", occurred_at=at(-120), is_timed=True
    )
    assert story.reports.take_removed("u", at(4), is_known=False) is None
    story.deliver(5, "userRemoved")
    assert story.reports.take_removed("u", at(66), is_known=True) is None
    assert story.reports.take_removed("u", at(67), is_known=False) is None


def test_a_session_that_is_impossible() -> None:
    story = Story(is_connected=True)
    delivery = message("sessionImpossible", sessionId="s", timestamp="2026-05-01T12:01:00Z")
    change = change_of_report(delivery, story.user, at(2))
    assert change is not None
    assert (change.vehicle_id, change.session_id, change.occurred_at) == ("v", "s", at(1))
    assert change.details == {"battery_level": None, "desired_battery_level": None}
    assert change_of_report(message("sessionEnded"), story.user, at(2)) is None
    nobody = change_of_report(message("sessionImpossible", vehicleId="another"), story.user, at(2))
    assert nobody is not None
    assert (nobody.vehicle_id, nobody.session_id, nobody.occurred_at) == (None, None, at(2))


# -- a car that waits for its maker --------------------------------------------------------------------------

READY = "vehicleConnectionReadyToContinue"


@pytest.mark.parametrize(
    ("before", "answer", "after"),
    [
        # is_ready, (isConnected, connectionStatus), is_ready then
        (False, (False, "readyToContinue"), True),
        (False, (True, "ReadyToContinue"), True),
        (False, (False, None), False),
        (True, (False, None), True),
        (True, (None, None), True),
        (True, (True, None), False),
        (True, (False, "waiting"), False),
        (True, (True, "connected"), False),
    ],
)
def test_whether_linking_can_go_on(
    before: bool, answer: tuple[bool | None, str | None], after: bool
) -> None:
    link = Link(is_connected=False, lost_at=NOON, is_ready=before)
    is_connected, status = answer
    assert link.advance(at(1), is_connected=is_connected, status=status).is_ready == after


def test_a_delivery_says_that_linking_can_go_on_until_the_car_is_connected() -> None:
    story = Story(is_connected=False)
    story.deliver(1, READY)
    assert story.answer(1, LOST) == []
    assert story.link.is_ready
    assert story.reports.links == {}
    story.answer(500, LOST)
    assert story.link.is_ready
    story.answer(501, LINKED)
    assert not story.link.is_ready


def test_a_delivery_about_a_connected_car_waits_for_an_hour() -> None:
    story = Story(is_connected=True)
    story.deliver(1, READY)
    story.answer(1, LINKED)
    assert not story.link.is_ready
    story.answer(30, LOST)
    assert story.link.is_ready
    story = Story(is_connected=True)
    story.deliver(1, READY)
    story.answer(2 + REPORT_COUNTS_FOR.total_seconds() / 60, LOST)
    assert not story.link.is_ready


@pytest.mark.parametrize(
    ("link", "vehicle", "repair"),
    [
        ({"is_connected": True, "lost_at": None}, {}, None),
        ({"is_connected": None, "lost_at": None}, {}, None),
        ({}, {}, LinkRepair.LOST),
        ({"lost_at": None}, {}, LinkRepair.LOST),
        ({}, {"is_connectable": False}, LinkRepair.LOST_IN_APP),
        ({}, {"is_connectable": None}, LinkRepair.LOST_IN_APP),
        ({"lost_at": at(-29)}, {}, None),
        ({"lost_at": at(1)}, {}, LinkRepair.LOST),  # a time to come is not believed
        ({"lost_at": at(0), "reason": LinkReport.DISCONNECTED}, {}, LinkRepair.LOST),
        ({}, {"connection_status": "Waiting"}, None),
        ({}, {"connection_status": "else"}, LinkRepair.LOST),
        ({"is_ready": True}, {}, LinkRepair.READY),
        ({"is_ready": True, "is_connected": True}, {}, LinkRepair.READY),
    ],
)
def test_what_a_person_has_to_do(
    link: dict[str, Any], vehicle: dict[str, Any], repair: LinkRepair | None
) -> None:
    """Half an hour after Jedlix said that a car that can be linked is not connected."""
    usual: dict[str, Any] = {"is_connected": False, "lost_at": NOON - LOSS_SHOWN_AFTER}
    of_car: dict[str, Any] = {"id": "v", "user_id": "u", "is_connectable": True}
    car = Vehicle(**(of_car | vehicle))
    assert Link(**(usual | link)).repair(car, NOON) is repair


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ({"vehicleId": "second"}, "second"),
        ({"sessionId": "open"}, "second"),
        ({"sessionId": "ended"}, "second"),
        ({"sessionId": "stranger"}, None),
        ({}, None),
    ],
)
def test_a_delivery_names_one_of_two_cars_by_its_id_or_its_session(
    named: dict[str, Any], expected: str | None
) -> None:
    cars = [Vehicle(id=vehicle_id, user_id="u") for vehicle_id in ("first", "second")]
    sessions = [
        Session(id=name, user_id="u", vehicle_id="second", started_at=NOON, ended_at=ended_at)
        for name, ended_at in (("open", None), ("ended", at(5)))
    ]
    user = UserSnapshot.unknown("u", NOON).advance(cars, sessions, at(9))
    car = car_of(message("sessionUpdated", **named), user)
    assert (None if car is None else car.vehicle.id) == expected
