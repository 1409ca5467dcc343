"""The chaos run's judgement of what changes say: each field of each type, and what may not be known."""

from dataclasses import replace
from typing import Any, Final

import pytest

from harness.chaos.comparison import Match
from harness.chaos.contents import CALM, MARGIN, Contents, starts_of
from harness.chaos.recording import Published
from harness.chaos.timeline import Life, Timeline, Trouble
from harness.chaos.truth import Happened, Report, Sent, Session, seconds
from tests.chaos_world import EMPTY

USER, CAR, SESSION, DEVICE, ENTRY, ACCOUNT = "u", "c", "s", "device", "entry", "account"


def moment(second: float) -> str:
    return f"2026-01-01T00:{int(second // 60):02}:{second % 60:06.3f}Z"


def at(second: float) -> float:
    return seconds(moment(second))


def session(**facts: Any) -> Session:
    """Return a session from second 100 to second 200."""
    return Session.read(
        {
            "id": SESSION,
            "user_id": USER,
            "vehicle_id": CAR,
            "charging_location_id": "home",
            "is_managed": True,
            "started_at": moment(100),
            "ended_at": moment(200),
            "end_known_at": moment(200),
            "energy_kwh": 1.5,
            "cost": 0.4,
            "savings": 0.1,
            "currency": "EUR",
            **facts,
        }
    )


NO_DELIVERY: Final[tuple[Sent, ...]] = ()


def contents(
    *sessions: Session,
    mode: str = "default",
    sent: tuple[Sent, ...] = NO_DELIVERY,
    reports: tuple[Report, ...] = (),
    troubles: tuple[Trouble, ...] = (),
) -> Contents:
    truth = replace(
        EMPTY,
        mode=mode,
        sessions={item.id: item for item in sessions},
        sessions_of={CAR: sessions},
        reports_of={CAR: reports},
        sent=sent,
    )
    timeline = Timeline(lives=[Life(at(0), at(5))], troubles=list(troubles))
    devices = {f"{USER}_{CAR}": DEVICE, ENTRY: ACCOUNT}
    return Contents(truth, timeline, ENTRY, devices, started={SESSION: at(100.5)})


def match(kind: str, known: float, seen: float, *, details: Any = (), **data: Any) -> Match:
    """Return a change that Jedlix knew at one second, and that was published at another."""
    of_session = SESSION if kind.startswith("session_") else None
    line = Happened(
        1, kind, USER, CAR, data.pop("of", of_session), at(known), at(known), dict(details)
    )
    facts = {
        "entry_id": ENTRY,
        "device_id": DEVICE,
        "type": kind,
        "user_id": USER,
        "vehicle_id": CAR,
        "session_id": of_session,
        "occurred_at": moment(known),
        "source": "webhook",
        "late": False,
        **data,
    }
    return Match(Published(at(seen), facts), line)


def fields(judge: Contents, found: Match) -> list[str]:
    """Return the fields that are wrong."""
    return [words.partition(":")[0] for words in judge.wrong(found)]


ENDED: Final = {
    "is_managed": True,
    "charging_location_id": "home",
    "started_at": moment(100),
    "ended_at": moment(200),
    "energy_kwh": 1.5,
    "cost": 0.4,
    "savings": 0.1,
    "currency": "EUR",
}


@pytest.mark.parametrize("kind", ["session_ended", "session_settled"])
@pytest.mark.parametrize("field", [None, *ENDED, "corrected"])
def test_each_wrong_field_of_an_ended_session_is_seen(kind: str, field: str | None) -> None:
    data = ENDED | ({"corrected": False} if kind == "session_settled" else {})
    assert fields(contents(session()), match(kind, 200, 200.5, **data)) == []
    if field is not None:
        wrong = match(kind, 200, 200.5, **data, **({} if field in data else {field: True}))
        wrong.change.data[field] = "x" if isinstance(data.get(field), str) else 7
        assert fields(contents(session()), wrong)


def test_a_strict_tenant_has_no_figures() -> None:
    known = {name: value for name, value in ENDED.items() if name.endswith(("_at", "_id"))}
    found = match("session_ended", 200, 200.5, is_managed=True, **known)
    assert fields(contents(session(), mode="strict"), found) == []
    figures = {"energy_kwh", "cost", "savings", "currency"}
    assert {*fields(contents(session()), found)} == figures


@pytest.mark.parametrize(
    ("kind", "details", "wrong"),
    [
        ("session_became_smart", {"previous_session_id": "before"}, {"previous_session_id": "x"}),
        ("smart_charging_enabled", {"resumes_at": None}, {"resumes_at": moment(7)}),
        ("smart_charging_disabled", {"resumes_at": moment(900)}, {"resumes_at": None}),
    ],
)
def test_what_the_journal_says_of_a_change_is_compared(
    kind: str, details: dict[str, Any], wrong: dict[str, Any]
) -> None:
    judge = contents()
    assert fields(judge, match(kind, 150, 150.2, details=details, **details)) == []
    assert fields(judge, match(kind, 150, 150.2, details=details, **wrong)) == [*wrong]


@pytest.mark.parametrize(
    ("second", "late", "is_right"),
    [
        (150, False, True),
        (150.4, False, True),
        (150 - MARGIN + 0.1, False, True),
        (150 - MARGIN - 0.1, False, False),
        (150 - MARGIN - 0.1, True, True),  # the end of a gap
        (134, True, False),
        (150.6, False, False),
    ],
)
def test_a_change_without_its_own_time_was_found_between_knowing_and_publishing(
    second: float, *, late: bool, is_right: bool
) -> None:
    found = match("vehicle_link_restored", 150, 150.5, occurred_at=moment(second), late=late)
    assert (fields(contents(), found) == []) is is_right


def test_a_boost_also_ends_with_its_session() -> None:
    found = match("boost_ended", 250, 250.5, of=SESSION, session_id=SESSION)
    found.change.data["occurred_at"] = moment(200)
    assert fields(contents(session()), found) == []
    found.change.data["occurred_at"] = moment(201)
    assert fields(contents(session()), found) == ["occurred_at"]
    found = match("boost_ended", 200, 200.5, of=SESSION, session_id=SESSION)
    assert fields(contents(session()), found) == []
    found.change.data["occurred_at"] = moment(200.5)  # when it was found
    assert fields(contents(session()), found) == ["occurred_at"]


REPORTS: Final = (
    Report(at(90), "disconnected", 30),
    Report(at(110), "charging", 40),
    Report(at(120), "charging", 41),
    Report(at(130), "stopped", 42),
)


@pytest.mark.parametrize(
    ("known", "seen", "occurred", "level", "wrong"),
    [
        (110, 110.5, 110, 40, []),
        (110, 120.5, 120, 41, []),  # it was read at the next report
        (110, 110.5, 120, 41, ["occurred_at"]),  # nobody can have read that yet
        (120, 120.5, 110, 40, ["occurred_at"]),  # that was before
        (110, 130.5, 130, 42, ["occurred_at"]),  # the car no longer charged
        (110, 110.5, 110, 41, ["battery_level"]),
        (110, 110.5, 110, None, ["battery_level"]),
        (110, 110.5, 110, True, ["battery_level"]),
    ],
)
def test_a_change_of_state_bears_the_time_and_level_of_a_report(
    known: float, seen: float, occurred: float, level: int | None, wrong: list[str]
) -> None:
    found = match(
        *("charging_started", known, seen),
        occurred_at=moment(occurred),
        battery_level=level,
        session_id=SESSION,
    )
    assert fields(contents(session(), reports=REPORTS), found) == wrong


@pytest.mark.parametrize(
    ("known", "given", "is_right"),
    [
        (150, SESSION, True),
        (150, None, False),
        (150, "x", False),
        (100, None, True),  # the session was not listed yet
        (199.9, None, True),  # it ended before the car was read
        (250, None, True),
        (250, SESSION, False),
    ],
)
def test_a_change_names_the_session_that_was_running(
    known: float, given: str | None, *, is_right: bool
) -> None:
    found = match("vehicle_link_restored", known, known + 0.2, session_id=given, of="")
    found = replace(found, line=replace(found.line, session_id=None, type="plugged_in"))
    names = [name for name in fields(contents(session()), found) if name == "session_id"]
    assert (names == []) is is_right


@pytest.mark.parametrize(("published", "is_right"), [(149.9, False), (150.3, True)])
def test_a_change_before_the_start_of_its_session_was_published_may_name_none(
    published: float, *, is_right: bool
) -> None:
    found = match("charging_paused", 150, 150.2, session_id=None, of="")
    found = replace(found, line=replace(found.line, session_id=SESSION))
    judge = replace(contents(session()), started={SESSION: at(published)})
    assert ("session_id" not in fields(judge, found)) is is_right


@pytest.mark.parametrize(
    ("kind", "known", "place", "is_right"),
    [
        ("plugged_in", 150, "home", True),
        ("plugged_in", 150, "work", False),
        ("plugged_in", 150, None, False),
        ("plugged_in", 100, None, True),  # the session was not listed yet
        ("unplugged", 200.1, "home", True),
        ("unplugged", 200.1, None, False),
    ],
)
def test_a_plug_has_the_place_of_its_session(
    kind: str, known: float, place: str | None, *, is_right: bool
) -> None:
    found = match(kind, known, known + 0.2, charging_location_id=place)
    names = fields(contents(session()), found)
    assert ("charging_location_id" not in names) is is_right


def sent(second: float, event_type: str, status: int = 200) -> Sent:
    return Sent(at(second), status, "d", event_type, USER, at(second))


LOST = "vehicleInvalidCredentials"
SAID: Final = {"reason": "credentials"}


@pytest.mark.parametrize(
    ("deliveries", "source", "given", "is_right"),
    [
        ((sent(150.1, LOST),), "webhook", "credentials", True),
        ((sent(150.1, LOST),), "webhook", "disconnected", False),
        ((sent(150.1, LOST),), "webhook", None, False),
        ((sent(150.1, LOST, 401),), "webhook", None, True),  # it was not accepted
        ((sent(150.1, "userUpdated"),), "webhook", None, True),  # nothing said why
        ((sent(150.1, "userUpdated"),), "webhook", "disconnected", False),
        ((sent(150.1, "userUpdated"), sent(150.4, LOST)), "webhook", None, True),  # too late
        ((sent(150.1, "userUpdated"), sent(150.2, LOST)), "webhook", None, False),
        ((sent(150.1, LOST, 401),), "history", None, False),  # the history has it all the same
        ((), "poll", None, True),
    ],
)
def test_a_lost_link_has_the_reason_that_a_delivery_says(
    deliveries: tuple[Sent, ...], source: str, given: str | None, *, is_right: bool
) -> None:
    found = match("vehicle_link_lost", 150, 150.5, details=SAID, reason=given, source=source)
    assert (fields(contents(sent=deliveries), found) == []) is is_right


def test_levels_are_not_judged_after_trouble() -> None:
    details = {"battery_level": 40, "desired_battery_level": 80}
    wrong = match("session_impossible", 150, 150.2, details=details, battery_level=1)
    assert fields(contents(reports=REPORTS), wrong) == ["desired_battery_level", "battery_level"]
    trouble = Trouble(at(150 - CALM + 10), at(95), USER)
    assert fields(contents(reports=REPORTS, troubles=(trouble,)), wrong) == []


@pytest.mark.parametrize(("seen", "is_judged"), [(110, True), (100.5 + MARGIN, False)])
def test_levels_are_judged_once_a_session_began_in_calm(seen: float, *, is_judged: bool) -> None:
    """Trouble was over when its start was published: the settings are read then."""
    details = {"battery_level": 40, "desired_battery_level": 80}
    given = details | {"desired_battery_level": 20}
    found = match("session_impossible", seen - 0.2, seen, details=details, **given)
    found_wrong = fields(contents(session(), troubles=(Trouble(at(80), at(90)),)), found)
    assert ("desired_battery_level" in found_wrong) is is_judged
    found_wrong = fields(contents(session(), troubles=(Trouble(at(80), at(95)),)), found)
    assert found_wrong == []


def test_the_desired_level_is_not_documented() -> None:
    details = {"battery_level": 42, "desired_battery_level": 80}
    given = details | {"desired_battery_level": None}
    found = match("session_impossible", 150, 150.2, details=details, **given)
    assert fields(contents(mode="strict", reports=REPORTS), found) == []
    assert fields(contents(reports=REPORTS), found) == ["desired_battery_level"]


def test_a_new_user_has_no_car_and_the_device_of_the_account() -> None:
    found = match("user_created", 150, 150.2, vehicle_id=None)
    line = replace(found.line, vehicle_id="")
    right = Match(Published(found.change.at, found.change.data | {"device_id": ACCOUNT}), line)
    assert fields(contents(), right) == []
    assert fields(contents(), replace(found, line=line)) == ["device_id"]
    named = Published(right.change.at, right.change.data | {"vehicle_id": CAR})
    assert fields(contents(), Match(named, line)) == ["vehicle_id"]


def test_the_start_of_a_session_is_known_once_it_was_published() -> None:
    began, ended = match("session_started", 100, 100.4), match("session_ended", 200, 201)
    assert starts_of([began, ended]) == {SESSION: at(100.4)}
