"""The chaos run's judgement: what it promises, what it calls wrong, and how it is put to the proof."""

from dataclasses import replace
from datetime import datetime
import json
from pathlib import Path
from typing import Any

import pytest

from harness.chaos import wrong_clock
from harness.chaos.comparison import Match, Repeats, compare, published_before_kills
from harness.chaos.contents import Contents, starts_of
from harness.chaos.deliveries import ONE_READING, compare_deliveries
from harness.chaos.expected_states import expected_of_location
from harness.chaos.falsifications import FALSIFICATIONS, SHORT
from harness.chaos.falsify import AnchorGone, Falsification, Prepend, Replace, falsify
from harness.chaos.leaks import Leaks
from harness.chaos.promise import Promises
from harness.chaos.provenance import Provenance, is_first_page, out_of_order
from harness.chaos.reactions import newly_written
from harness.chaos.recording import Line, Published, Recording
from harness.chaos.timeline import LONGEST_RECOVERY, RECOVERY, Command, Life, Timeline, Trouble
from harness.chaos.truth import Call, Happened, Report, Sent, Session, Truth, seconds
from harness.chaos.verdict import MUST_BE_0, Verdict
from harness.chaos.zone import TIME_ZONE
from harness.paths import INTEGRATION
from simulator.tariffs import TARIFFS

USER, CAR, SESSION, DEVICE, ENTRY = "u", "c", "s", "device", "entry"
OTHER_FIGURES = {
    *("push_delay_ms", "answer_ms", "loop_blocked_ms"),
    *("tasks", "memory_growth_mb", "polls", "reads"),
}


def moment(second: float) -> str:
    """Return the second of a day as the API and events write it."""
    return f"2026-01-01T00:{int(second // 60):02}:{second % 60:06.3f}Z"


def at(second: float) -> float:
    """Return the same as Unix seconds."""
    return seconds(moment(second))


def session(**facts: Any) -> dict[str, Any]:
    """Return a session of the simulator's ledger."""
    return {
        "id": SESSION,
        "user_id": USER,
        "vehicle_id": CAR,
        "charging_location_id": "home",
        "is_managed": True,
        "started_at": moment(100),
        "ended_at": None,
        "end_known_at": None,
        "energy_kwh": 1.5,
        "cost": 0.4,
        "savings": 0.1,
        "currency": "EUR",
        **facts,
    }


def truth(*, sent: tuple[Sent, ...] = (), calls: tuple[Call, ...] = ()) -> Truth:
    """Return a world in which a car was plugged in at second 100, and a session began."""
    began = Session.read(session())
    line: dict[str, Any] = {
        "user_id": USER,
        "vehicle_id": CAR,
        "known_at": moment(100),
        "details": {},
    }
    journal = [
        line | {"n": 1, "type": "plugged_in", "session_id": None, "occurred_at": moment(100)},
        line
        | {"n": 2, "type": "session_started", "session_id": SESSION, "occurred_at": moment(100)},
    ]
    car = {
        "id": CAR,
        "user_id": USER,
        "charge_state": "disconnected",
        "is_connected": True,
        "settings": {"isSmartChargingEnabled": True},
    }
    return Truth(
        mode="default",
        users=[{"id": USER, "vehicles": [car]}],
        cars={CAR: car},
        journal=[Happened.read(item, Timeline()) for item in journal],
        sessions={SESSION: began},
        sessions_of={CAR: [began]},
        reports_of={CAR: [Report(at(100), "stopped", 40)]},
        deliveries=[
            {
                "id": "d",
                "event_type": "sessionStarted",
                "user_id": USER,
                "is_test": False,
                "created_at": at(100),
                "message": {
                    "id": "d",
                    "eventType": "sessionStarted",
                    "userId": USER,
                    "timestamp": moment(100),
                },
            }
        ],
        sent=sent or (Sent(at(100.1), 200, "d", "sessionStarted", USER, at(100.1)),),
        calls=calls,
        tokens=(),
    )


def change(kind: str, second: float, **data: Any) -> Published:
    """Return a change as it should be published."""
    facts = {
        "plugged_in": {"battery_level": 40, "charging_location_id": "home"},
        "session_started": {
            "is_managed": True,
            "charging_location_id": "home",
            "started_at": moment(100),
        },
    }[kind]
    envelope = {
        "entry_id": ENTRY,
        "device_id": DEVICE,
        "type": kind,
        "user_id": USER,
        "vehicle_id": CAR,
        "session_id": SESSION,
        "occurred_at": moment(100),
        "source": "webhook",
        "late": False,
    }
    return Published(at(second), {**envelope, **facts, **data})


@pytest.fixture
def timeline() -> Timeline:
    return Timeline(lives=[Life(at(0), at(5))], followed=frozenset({USER}))


def judge(world: Truth, timeline: Timeline, *changes: Published) -> dict[str, list[Any]]:
    """Return what is wrong with these changes, by kind."""
    promises = Promises.of(world, timeline, world.cars)
    found = compare(world.journal, changes, promises, timeline)
    devices = {f"{USER}_{CAR}": DEVICE, ENTRY: "account"}
    contents = Contents(world, timeline, ENTRY, devices, started=starts_of(found.matches))
    provenance = Provenance(world, timeline, promises.due)
    return {
        "lost": sorted(promises.lines - found.published),
        "invented": found.invented,
        "details": [words for match in found.matches for words in contents.wrong(match)],
        "source": [words for match in found.matches if (words := provenance.wrong_source(match))],
        "slow": [match for match in found.matches if provenance.is_too_slow(match)],
        "order": list(out_of_order(found.matches)),
    }


def test_what_is_right_is_not_called_wrong(timeline: Timeline) -> None:
    found = judge(truth(), timeline, change("plugged_in", 100.5), change("session_started", 100.5))
    assert not any(found.values()), found


@pytest.mark.parametrize(("level", "is_right"), [(40, True), (45, True), (50, True), (30, False)])
def test_a_session_that_is_impossible_has_a_level_since_the_last_read(
    timeline: Timeline, level: int, is_right: bool
) -> None:
    levels = {"battery_level": 50, "desired_battery_level": 80}
    facts = {"user_id": USER, "vehicle_id": CAR, "session_id": SESSION, "occurred_at": moment(150)}
    happened = {**facts, "n": 3, "type": "session_impossible", "known_at": moment(150)}
    line = Happened.read({**happened, "details": levels}, timeline)
    world = replace(
        truth(calls=(Call(at(120), f"/api/v1/users/{USER}/vehicles?pageIndex=1", 200),)),
        reports_of={
            CAR: [
                Report(at(second), "charging", reported)
                for second, reported in ((90, 30), (110, 40), (130, 45), (149, 50))
            ]
        },
    )
    data = {**levels, "battery_level": level, "entry_id": ENTRY, "device_id": DEVICE}
    change = Published(at(150.1), {**facts, **data, "type": "session_impossible"})
    contents = Contents(world, timeline, ENTRY, {f"{USER}_{CAR}": DEVICE}, started={})
    wrong = list(contents.wrong(Match(change, line)))
    assert wrong == ([] if is_right else [f"battery_level: {level}, not one of [40, 45, 50]"])


def test_a_car_that_was_full_and_is_no_longer_was_so_for_a_while_only(timeline: Timeline) -> None:
    facts = {"user_id": USER, "vehicle_id": CAR, "session_id": SESSION, "details": {}}
    line = {**facts, "known_at": moment(150), "occurred_at": moment(150)}
    full = Happened.read({**line, "n": 3, "type": "charging_completed"}, timeline)
    world = truth(sent=(Sent(at(30), 200, "d", "sessionStarted", USER, at(30)),))
    reports = [Report(at(150), "complete", 80), Report(at(158), "stopped", 60)]
    for known, is_promised in ((reports[:1], True), (reports, False)):
        seen = replace(world, journal=[*world.journal, full], reports_of={CAR: known})
        assert (full.n in Promises.of(seen, timeline, seen.cars).lines) is is_promised


def test_pages_of_one_read_of_the_tenants_list_count_once() -> None:
    paths = [
        "/sessions",
        "/sessions?pageIndex=1",
        "/sessions?pageIndex=2",
        "/sessions?pageIndex=11",
    ]
    assert [is_first_page(f"/api/v1{path}") for path in paths] == [True, True, False, False]
    assert not is_first_page(f"/api/v1/users/{USER}/sessions")


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("details", {"battery_level": 41}),
        ("details", {"battery_level": None}),
        ("details", {"charging_location_id": None}),
        ("details", {"device_id": None}),
        ("details", {"user_id": "x"}),
        ("details", {"entry_id": "x"}),
        ("details", {"session_id": "x"}),
        ("details", {"session_id": None}),
        ("details", {"occurred_at": moment(101)}),
        ("details", {"occurred_at": None}),
        ("details", {"occurred_at": moment(100).removesuffix("Z")}),  # no zone
        ("details", {"occurred_at": "2026-01-01T01:01:40.000+01:00"}),  # not in UTC
        ("details", {"secret": 1}),
        ("source", {"source": "poll"}),
        ("source", {"source": "history"}),
        ("source", {"source": "command"}),
        ("source", {"source": None}),
        ("invented", {"vehicle_id": "x"}),
        ("invented", {"type": "unplugged"}),
        ("lost", {"type": "unplugged"}),
    ],
)
def test_each_wrong_field_is_seen(timeline: Timeline, kind: str, data: dict[str, Any]) -> None:
    wrong = change("plugged_in", 100.5, **data)
    assert judge(truth(), timeline, wrong, change("session_started", 100.5))[kind]


@pytest.mark.parametrize(
    "data",
    [
        {"is_managed": False},
        {"is_managed": None},
        {"charging_location_id": "work"},
        {"started_at": moment(99)},
        {"started_at": None},
        {"occurred_at": moment(100.002)},
    ],
)
def test_each_wrong_field_of_a_session_is_seen(timeline: Timeline, data: dict[str, Any]) -> None:
    wrong = change("session_started", 100.5, **data)
    assert judge(truth(), timeline, change("plugged_in", 100.5), wrong)["details"]


def test_what_comes_late_reversed_or_twice_is_seen(timeline: Timeline) -> None:
    plug, start = change("plugged_in", 100.5), change("session_started", 100.5)
    assert judge(truth(), timeline, start, plug)["order"]
    slow = judge(truth(), timeline, change("plugged_in", 120), change("session_started", 120))
    assert len(slow["slow"]) == 2
    assert judge(truth(), timeline, plug, start, start)["invented"]
    assert judge(truth(), timeline)["lost"] == [1, 2]


def test_a_poll_is_a_poll_only_where_there_was_one(timeline: Timeline) -> None:
    plug = change("plugged_in", 100.5, source="poll")
    polled = truth(calls=(Call(at(100.4), "/sessions?startTimeFrom=x", 200),))
    assert not judge(polled, timeline, plug)["source"]
    of_user = truth(calls=(Call(at(100.4), f"/users/{USER}/sessions", 200),))
    assert judge(of_user, timeline, plug)["source"]


def test_a_boost_that_ended_with_its_session_is_not_late() -> None:
    """It has the time of the session's end; any other end of a boost is found at an unknown time."""
    timeline = Timeline(
        lives=[Life(at(0), at(5), at(150)), Life(at(160), at(165))], followed=frozenset({USER})
    )
    world = truth()
    ended = Session.read(session(ended_at=moment(155), end_known_at=moment(155)))
    world = replace(world, sessions={SESSION: ended})
    line = Happened(3, "boost_ended", USER, CAR, SESSION, at(155), at(155), {})
    provenance = Provenance(world, timeline, {})
    with_session, by_itself = (
        Match(Published(at(166), {"type": "boost_ended", "occurred_at": moment(second)}), line)
        for second in (155, 166)
    )
    assert not provenance.must_be_late(with_session)
    assert provenance.must_be_late(by_itself)


def test_what_was_published_before_a_kill_may_be_repeated_once() -> None:
    timeline = Timeline(
        lives=[Life(at(0), at(5), at(100), was_killed=True), Life(at(101), at(105))]
    )
    repeats = Repeats(timeline)
    repeats.note(at(80))
    assert not repeats.take(at(110))
    repeats.note(at(99))
    assert repeats.take(at(110))
    assert not repeats.take(at(111))
    assert published_before_kills([at(80), at(99), at(110)], timeline) == 1


def test_trouble_puts_the_last_moment_off() -> None:
    timeline = Timeline(lives=[Life(at(0), at(5))], troubles=[Trouble(at(99), at(103), USER)])
    assert timeline.settled(at(100), 6, USER) == at(103) + RECOVERY + 6
    assert timeline.settled(at(100), 6, "somebody else") == at(106)
    assert timeline.settled(at(1), 6, USER) == float("inf")


def test_after_a_long_trouble_a_user_is_tried_again_within_a_minute() -> None:
    timeline = Timeline(lives=[Life(at(0), at(5))], troubles=[Trouble(at(100), at(390), USER)])
    assert timeline.settled(at(391), 6, USER) == at(390) + LONGEST_RECOVERY + 6
    assert not timeline.was_calm(at(420), at(421), USER)
    assert timeline.was_calm(at(420), at(421), "somebody else")


def test_a_wrong_clock_of_jedlix_is_reckoned_with() -> None:
    timeline = Timeline(skews=[(at(100), at(101), 3000.0)])
    assert timeline.real(at(100.5) - 3000) == at(100.5)
    assert timeline.real(at(100.5)) == at(100.5)


@pytest.mark.parametrize(
    "data",
    [
        {"payload": {}},
        {"followed": False},
        {"user_id": None},
        {"event_type": "x"},
        {"late": True},
        {"source": "poll"},
        {"source": "history"},
        {"occurred_at": moment(99)},
        {"occurred_at": "2026-01-01T01:01:40.000+01:00"},  # not in UTC
        {"entry_id": "x"},
        {"more": 1},
    ],
)
def test_each_wrong_field_of_a_delivery_is_seen(timeline: Timeline, data: dict[str, Any]) -> None:
    world = truth()
    right = {
        "entry_id": ENTRY,
        "event_type": "sessionStarted",
        "event_id": "d",
        "user_id": USER,
        "followed": True,
        "occurred_at": moment(100),
        "source": "webhook",
        "late": False,
        "payload": world.deliveries[0]["message"],
    }
    good = compare_deliveries(world, [Line(at(100.2), right)], timeline, entry_id=ENTRY)
    assert not good["webhooks_wrong"]
    assert not good["webhooks_lost"]
    wrong = compare_deliveries(world, [Line(at(100.2), right | data)], timeline, entry_id=ENTRY)
    assert wrong["webhooks_wrong"]
    twice = [Line(at(100.2), right), Line(at(100.3), right)]
    assert compare_deliveries(world, twice, timeline, entry_id=ENTRY)["webhooks_told_twice"] == [
        "d"
    ]
    assert compare_deliveries(world, [], timeline, entry_id=ENTRY)["webhooks_lost"] == ["d"]


@pytest.mark.parametrize(
    ("times", "found"),
    [((1, 2, 2), []), ((2, 1), ["1"]), ((3, 1, 2), ["1"]), ((2, 1, 3, 0), ["1", "3"])],
)
def test_the_history_is_passed_on_in_its_order(times: tuple[int, ...], found: list[str]) -> None:
    def lines(source: str, apart: float = 0.1) -> list[Line]:
        return [
            Line(
                at(10 + apart * number),
                {"event_id": str(number), "source": source, "occurred_at": moment(second)},
            )
            for number, second in enumerate(times)
        ]

    def wrong(passed_on: list[Line]) -> list[str]:
        wrong = compare_deliveries(truth(), passed_on, Timeline(), entry_id=ENTRY)["webhooks_wrong"]
        return [line.partition(":")[0] for line in wrong]

    assert wrong(lines("history")) == found
    assert not wrong(lines("webhook"))
    assert not wrong(lines("history", apart=ONE_READING))


@pytest.mark.parametrize(("source", "lost"), [("webhook", []), ("history", ["d"]), (None, ["d"])])
def test_what_is_accepted_during_a_reload_is_passed_on(source: str | None, lost: list[str]) -> None:
    """Else it has to be refused, so that Jedlix comes again: only some tenants have a history."""
    world = truth(sent=(Sent(at(100.1), 200, "d", "sessionStarted", USER, at(100.1)),))
    lives = [Life(at(0), at(5), at(100)), Life(at(100), at(101), is_reload=True)]
    line = Line(at(101.5), {"event_id": "d", "source": source, "late": source == "history"})

    def found(lives: list[Life]) -> list[str]:
        passed_on = [line] if source else []
        timeline = Timeline(lives=lives, followed=frozenset({USER}))
        return compare_deliveries(world, passed_on, timeline, entry_id=ENTRY)["webhooks_lost"]

    assert found(lives) == lost
    assert not found([lives[0], replace(lives[1], is_reload=False)])  # nothing of ours ran
    refused = replace(world, sent=[replace(world.sent[0], status=503)])
    assert not compare_deliveries(
        refused, [], Timeline(lives=lives, followed=frozenset({USER})), entry_id=ENTRY
    )["webhooks_lost"]


def test_the_wrong_clock_is_found_in_the_python_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "libfaketime"
    library = package / "vendor" / "libfaketime" / "src" / "libfaketime.so.1"
    library.parent.mkdir(parents=True)
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    library.touch()
    assert wrong_clock.find_library() == library
    assert f"LD_PRELOAD={library}" in wrong_clock.command(library)


# -- the verdict ---------------------------------------------------------------------------------------------


def good_verdict() -> Verdict:
    return Verdict(truth=1, webhooks=1, strangers=1, triggers=1)


@pytest.mark.parametrize("name", sorted(MUST_BE_0))
def test_each_figure_alone_fails_a_run(name: str) -> None:
    verdict = good_verdict()
    assert verdict.is_good
    verdict.note({name: ["something"]})
    assert list(verdict.failures) == [name]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("unpromised_percent", 15.1),
        ("loop_blocked_ms", 250.1),
        ("push_delay_ms", {"p50": 1501.0}),
        ("memory_growth_mb", 61.0),
        ("tasks", 61),
        ("polls", 1),
        ("reads", 1),
        ("answer_ms", 251.0),
        ("truth", 0),
        ("webhooks", 0),
        ("strangers", 0),
        ("triggers", 0),
    ],
)
def test_each_bound_fails_a_run(name: str, value: Any) -> None:
    verdict = good_verdict()
    setattr(verdict, name, value)
    assert list(verdict.failures) == [name]


@pytest.mark.parametrize(
    ("form", "limit"),
    [
        ({"is_short": True}, 30.0),
        ({"is_strict": True}, 50.0),
        ({"is_strict": True, "is_short": True}, 70.0),
    ],
)
def test_a_form_with_less_to_promise_has_a_limit_of_its_own(
    form: dict[str, Any], limit: float
) -> None:
    verdict = Verdict(truth=1, webhooks=1, strangers=1, triggers=1, **form)
    verdict.unpromised_percent = limit
    assert verdict.is_good
    verdict.unpromised_percent = limit + 0.1
    assert list(verdict.failures) == ["unpromised_percent"]


@pytest.mark.parametrize("form", [{}, {"is_short": True}, {"is_strict": True}])
def test_a_type_without_a_promised_change_fails_the_long_form(form: dict[str, Any]) -> None:
    verdict = Verdict(truth=1, webhooks=1, strangers=1, triggers=1, **form)
    verdict.by_type = {"unplugged": 1, "charging_completed": 0}
    assert list(verdict.failures) == ([] if form else ["by_type"])
    assert "left out: charging_completed" in verdict.lines()


@pytest.mark.parametrize("name", ["repeated", "webhooks_repeated"])
def test_more_than_was_published_before_the_kills_may_not_be_repeated(name: str) -> None:
    verdict = good_verdict()
    verdict.note({name: ["something"]})
    assert list(verdict.failures) == [name]
    setattr(verdict, f"{name}_allowed", 1)
    assert verdict.is_good


def test_the_written_figures_have_all_names_and_the_details(tmp_path: Path) -> None:
    verdict, file = good_verdict(), tmp_path / "figures.json"
    verdict.note({"lost": ["a", "b"]})
    verdict.write(file)
    written = json.loads(file.read_text(encoding="utf-8"))
    assert {name: written[name] for name in MUST_BE_0} == dict.fromkeys(MUST_BE_0, 0) | {"lost": 2}
    assert written["details"]["lost"] == ["a", "b"]
    assert written["failures"].keys() == {"lost"}
    assert written["truth"] == 1


def test_few_tasks_of_ours_are_left() -> None:
    verdict = good_verdict()
    verdict.our_tasks = 5
    assert list(verdict.failures) == ["tasks"]


# -- the table of falsifications -----------------------------------------------------------------------------


def test_the_table_is_large_and_names_figures_that_fail_a_run() -> None:
    names = [item.name for item in FALSIFICATIONS]
    assert len(names) == len(set(names)) >= 25
    figures = {figure for item in FALSIFICATIONS for figure in item.figures}
    assert figures <= MUST_BE_0.keys() | OTHER_FIGURES
    assert {name for group in SHORT for name in group} <= set(names)


@pytest.mark.parametrize("falsification", FALSIFICATIONS, ids=lambda item: item.name)
def test_each_edit_finds_its_place(falsification: Falsification, tmp_path: Path) -> None:
    copy = falsify(INTEGRATION, tmp_path, [falsification])
    changed = [
        path
        for path in copy.rglob("*.py")
        if path.read_bytes() != (INTEGRATION / path.relative_to(copy)).read_bytes()
    ]
    assert changed


@pytest.mark.parametrize(
    "edit",
    [
        Prepend("Publisher.nothing", "pass"),
        Prepend("Nobody.publish", "pass"),
        Prepend("FALSE", "pass"),
        Replace("compare", "no such text", ""),
        Replace("compare", "old", "new"),  # it is there more than once
    ],
)
def test_an_edit_without_its_place_fails_loudly(edit: Prepend | Replace, tmp_path: Path) -> None:
    with pytest.raises(AnchorGone, match="a name: "):
        falsify(INTEGRATION, tmp_path, [Falsification(name="a name", edits=(edit,), figures=())])


def test_the_price_that_a_location_must_show_is_read_out_of_its_tariffs() -> None:
    night = datetime(
        2026, 10, 25, 3, 40, tzinfo=TIME_ZONE
    )  # a Sunday; clocks go back in 20 minutes
    shown = {
        name: [want.state for want in expected_of_location(tariff, night).values()]
        for name, tariff in TARIFFS.items()
        if tariff is not None and name in ("single", "high_low", "three_rates", "dynamic")
    }
    assert shown == {
        "single": [0.3012, "standard", None],
        "high_low": [0.3242, "off_peak", "2026-10-25T05:00:00+00:00"],
        "three_rates": [0.3242, "off_peak", "2026-10-25T22:00:00+00:00"],
        "dynamic": [None, "dynamic", None],
    }


def test_an_event_entity_writes_also_what_has_no_time_of_the_clock() -> None:
    """The clock was put back after second 110; what is shown again after a start or reload is not new."""

    def line(second: float, state: str, of: str = "u_c_session") -> Line:
        data = {"unique_id": of, "event_type": "session_started", "state": state}
        return Line(at(second), data)

    ahead = [f"2026-01-01T03:01:40.00{number}Z" for number in range(4)]
    new = [line(100, moment(100)), line(110, ahead[0]), line(130, ahead[1]), line(150, ahead[2])]
    again = [
        *(line(120, ahead[0]), line(131, ahead[1])),
        # After a reload, and after a kill that lost the last ones, an older one is shown.
        *(line(151, "unavailable"), line(152, ahead[1]), line(161, ahead[0])),
        line(162, moment(161), "u_c_charging"),
    ]
    new.append(line(163, moment(163.9), "another_car_session"))
    none = [Line(at(90), {"unique_id": "u_c_session", "event_type": None, "state": "unknown"})]
    recording = Recording(
        changes=[],
        webhooks=[],
        runs=[],
        event_entities=sorted([*none, *new, *again], key=lambda item: item.at),
        pulses=[],
        starts=[Line(at(second), {}) for second in (80, 115, 160)],
    )
    assert list(newly_written(recording)) == new


def test_a_command_without_an_answer_may_have_done_it(timeline: Timeline) -> None:
    match = Match(change("plugged_in", 100.5, source="command"), truth().journal[0])

    def wrong(*commands: Command) -> str:
        timeline.commands[:] = commands
        return Provenance(truth(), timeline, {}).wrong_source(match)

    assert wrong()
    assert not wrong(Command(at(101), USER, "", has_failed=True))


@pytest.mark.parametrize(
    ("content", "is_leak"),
    [
        ("at 4.88123, 52", True),
        ("4.88123", True),
        ("14.88123 kWh", False),
        ("4.881234 kWh", False),
        ("52 -4.88123", True),
    ],
)
def test_a_coordinate_is_a_whole_number(content: str, *, is_leak: bool) -> None:
    leaks = Leaks({"longitude of u": "4.88123"})
    leaks.keep("states", content)
    assert list(leaks.found()) == ["the longitude of u is in the states"] * is_leak


def test_a_key_may_be_a_part_of_what_is_shown() -> None:
    leaks = Leaks({"api_key": "k-1", "webhook_id": "w-1"})
    leaks.keep("states", "the text")
    leaks.keep("states", " xk-1x")
    leaks.keep("log", "/api/webhook/w-1")
    leaks.keep("diagnostics", {"url": "w-1"})
    leaks.keep("database", "")
    assert list(leaks.found()) == [
        "the api_key is in the states",
        "the webhook_id is in the diagnostics",
        "nothing was read of the database",
    ]


def test_what_the_first_refresh_of_a_fleets_user_finds_may_be_late(timeline: Timeline) -> None:
    lost = replace(truth().journal[0], type="vehicle_link_lost", known_at=at(100))
    match = Match(replace(change("plugged_in", 120), data={"type": lost.type, "late": True}), lost)
    read = Call(at(100.5), f"/api/v1/users/{USER}/vehicles", 200)
    assert Provenance(truth(), timeline, {}).may_be_late(match)
    assert not Provenance(truth(calls=(read,)), timeline, {}).may_be_late(match)
