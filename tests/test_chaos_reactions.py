"""The chaos run's judgement of reactions: automations, event entities, and the states behind a change."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

import pytest

from harness.chaos import automations
from harness.chaos.reactions import FIGURES, WITHIN, check
from harness.chaos.recording import Line, Published, Recording
from harness.chaos.timeline import Life, Timeline

USER, CAR, OTHER, DEVICE, ONE_TYPE = "u", "c", "other", "d", "sessionStarted"
BEGAN: Final = 1_767_225_600.0
SHOWN: Final = {
    "binary_sensor plugged_in": "on",
    "binary_sensor charging": "on",
    "sensor charge_state": "charging",
}


def moment(second: float) -> str:
    return f"2026-01-01T00:00:{second:06.3f}+00:00"


def change(kind: str = "charging_started", car: str = CAR, **data: Any) -> Published:
    facts = {
        "entry_id": "entry",
        "device_id": DEVICE,
        "type": kind,
        "user_id": USER,
        "vehicle_id": car,
        "session_id": "s",
        "occurred_at": moment(29),
        "source": "webhook",
        "late": False,
        "battery_level": 40,
        **data,
    }
    return Published(BEGAN + 30, facts, dict(SHOWN))


def runs_of(published: Published, *variants: str, after: float = 0.01) -> list[Line]:
    """Return runs of the automations of a change, with what the trigger gives them."""
    return [
        Line(
            published.at + after,
            {name: published.data.get(name, "") for name in automations.FIELDS}
            | {"name": f"{published.type} {variant}"},
        )
        for variant in variants
    ]


def written(published: Published, **data: Any) -> Line:
    """Return what the event entity writes of a change."""
    left_out = ("entry_id", "device_id", "type", "user_id", "vehicle_id", "source", "late")
    facts = {name: value for name, value in published.data.items() if name not in left_out}
    shown = {
        "unique_id": f"{published.user_id}_{published.vehicle_id}_charging",
        "state": moment(30),
        "event_type": published.type,
        "friendly_name": "Charging",
        **facts,
        **data,
    }
    return Line(published.at, shown)


def webhook(**data: Any) -> Line:
    facts = {
        "entry_id": "entry",
        "event_id": "e",
        "event_type": ONE_TYPE,
        "user_id": USER,
        "followed": True,
        "occurred_at": moment(29),
        "source": "webhook",
        "late": False,
        "payload": {"id": "e"},
        **data,
    }
    return Line(BEGAN + 30, facts)


def webhook_runs(delivery: Line, *variants: str) -> list[Line]:
    shown = {"payload.id": delivery.data["payload"]["id"], **delivery.data}
    return [
        Line(
            delivery.at,
            {name: shown[name] for name in automations.WEBHOOK_FIELDS}
            | {"name": f"{automations.WEBHOOKS} {variant}"},
        )
        for variant in variants
    ]


def webhook_written(delivery: Line, **data: Any) -> Line:
    facts = {name: delivery.data[name] for name in ("event_id", "user_id", "occurred_at")}
    kind = delivery.data["event_type"]
    shown = {
        "unique_id": "entry_webhook",
        "state": moment(30),
        "event_type": kind,
        "webhook_type": kind,
        **facts,
        **data,
    }
    return Line(delivery.at, shown)


def recording(
    *,
    changes: list[Published] | None = None,
    webhooks: list[Line] | None = None,
    runs: list[Line] | None = None,
    event_entities: list[Line] | None = None,
) -> Recording:
    return Recording(
        changes=changes or [],
        webhooks=webhooks or [],
        runs=runs or [],
        event_entities=event_entities or [],
        pulses=[],
        starts=[Line(BEGAN - 60, {})],
    )


def wrong(
    found: Recording, *, ended: float = 90.0, moved_in: Sequence[tuple[float, str]] = ()
) -> dict[str, int]:
    """Return the figures that are not 0; Home Assistant was up until a second."""
    timeline = Timeline(
        lives=[Life(BEGAN - 60, BEGAN - 50, BEGAN + ended)], moved_in=list(moved_in)
    )
    result = check(found, timeline, {CAR: USER, OTHER: USER}, CAR, ONE_TYPE)
    return {name: len(result[name]) for name in FIGURES if result[name]}


ALL_RUNS: Final = (automations.TIMELY, automations.ALL, automations.ONE_CAR)


def right(published: Published, *variants: str) -> Recording:
    return recording(
        changes=[published],
        runs=runs_of(published, *(variants or ALL_RUNS)),
        event_entities=[] if published.is_late else [written(published)],
    )


@pytest.mark.parametrize(
    ("published", "variants", "figures"),
    [
        (change(), ALL_RUNS, {}),
        (change(), ALL_RUNS[1:], {"triggers_missed": 1}),
        (change(), (*ALL_RUNS, automations.ALL), {"triggers_wrong": 1}),
        (change(car=OTHER), ALL_RUNS[:2], {}),
        (change(car=OTHER), ALL_RUNS, {"triggers_wrong": 1}),  # the target is another car
        (change(late=True), ALL_RUNS[1:], {}),
        (change(late=True), ALL_RUNS, {"triggers_wrong": 1}),  # it asked for no late changes
        (change(late=True), ALL_RUNS[2:], {"triggers_missed": 1}),
    ],
)
def test_an_automation_runs_once_for_what_it_asked_for(
    published: Published, variants: tuple[str, ...], figures: dict[str, int]
) -> None:
    assert wrong(right(published, *variants)) == figures


@pytest.mark.parametrize("field", automations.FIELDS)
def test_each_field_that_a_trigger_does_not_give_is_seen(field: str) -> None:
    published = change()
    published.data.setdefault(field, "x")
    found = right(published)
    found.runs[0].data[field] = "another" if field == "type" else ""
    assert wrong(found)["triggers_missed"] == 1


def test_a_field_without_a_value_is_given_as_none() -> None:
    published = change(session_id=None)
    found = right(published)
    assert not wrong(found)
    found.runs[0].data["session_id"] = ""  # a template finds nothing there
    assert wrong(found) == {"triggers_missed": 1, "triggers_wrong": 1}


def test_an_automation_that_runs_seconds_later_has_not_run() -> None:
    published = change()
    found = recording(
        changes=[published],
        runs=runs_of(published, *ALL_RUNS, after=WITHIN + 0.1),
        event_entities=[written(published)],
    )
    assert wrong(found) == {"triggers_missed": 3, "triggers_wrong": 3}


@pytest.mark.parametrize("trigger", sorted(automations.CONDITIONS))
def test_the_automation_for_one_car_heeds_its_condition(trigger: str) -> None:
    condition = automations.CONDITIONS[trigger]
    published = change(trigger)
    for state in (condition.state, "unknown"):
        published.shown[condition.entity] = state
        runs = recording(changes=[published], runs=runs_of(published, *ALL_RUNS))
        is_met = (state == condition.state) is condition.is_met
        assert wrong(runs).get("triggers_wrong", 0) == (not is_met)
        runs = recording(changes=[published], runs=runs_of(published, *ALL_RUNS[:2]))
        assert wrong(runs).get("triggers_missed", 0) == is_met


@pytest.mark.parametrize(("ended", "is_excused"), [(30.05, True), (30.2, False), (29.9, False)])
def test_a_kill_may_come_before_the_event_on_the_bus(ended: float, *, is_excused: bool) -> None:
    lines = [written(change()), webhook_written(webhook())]
    killed = Timeline(lives=[Life(BEGAN - 60, BEGAN - 50, BEGAN + ended, was_killed=True)])
    found = check(recording(event_entities=lines), killed, {CAR: USER}, CAR, ONE_TYPE)
    assert len(found["event_entities_wrong"]) == (0 if is_excused else 2)


def test_what_comes_of_a_change_names_it_as_its_cause() -> None:
    published = replace(change(), context="cause")
    found = right(published)
    assert wrong(found) == {"triggers_wrong": 3, "event_entities_wrong": 1}
    named = recording(
        changes=[published],
        runs=[replace(run, context="own", parent="cause") for run in found.runs],
        event_entities=[replace(found.event_entities[0], context="cause")],
    )
    assert not wrong(named)


@pytest.mark.parametrize(
    ("moved", "car", "variants", "figures"),
    [
        (20, OTHER, ALL_RUNS, {}),
        (20, OTHER, ALL_RUNS[:2], {"triggers_missed": 1}),
        (20, CAR, ALL_RUNS[:2], {}),
        (20, CAR, ALL_RUNS, {"triggers_wrong": 1}),
        (40, CAR, ALL_RUNS, {}),
        (40, OTHER, ALL_RUNS, {"triggers_wrong": 1}),
        (31, CAR, ALL_RUNS, {}),  # in the moment of the move, either is right
        (31, CAR, ALL_RUNS[:2], {}),
        (31, OTHER, ALL_RUNS, {}),
        (31, OTHER, ALL_RUNS[:2], {}),
    ],
)
def test_automations_for_an_area_follow_who_moves_in(
    moved: float, car: str, variants: tuple[str, ...], figures: dict[str, int]
) -> None:
    found = right(change(car=car), *variants)
    assert wrong(found, moved_in=[(BEGAN + moved, OTHER)]) == figures


@pytest.mark.parametrize(
    ("second", "is_wrong"), [(30, True), (-47, False), (88, False), (-60, False)]
)
def test_event_entities_are_always_available(second: float, *, is_wrong: bool) -> None:
    """Around the beginning and the end of a life, an entity may be unavailable."""
    line = written(change(), state="unavailable")
    found = recording(event_entities=[replace(line, at=BEGAN + second)])
    assert bool(wrong(found)) is is_wrong
    reload = Timeline(lives=[Life(0, 1, line.at), Life(line.at, line.at + 1, is_reload=True)])
    found = recording(event_entities=[line])
    assert not check(found, reload, {CAR: USER}, CAR, ONE_TYPE)["event_entities_wrong"]


def test_nothing_is_asked_of_automations_at_the_end_of_a_life() -> None:
    assert not wrong(recording(changes=[change()]), ended=29.5)
    found = recording(changes=[change()])
    assert wrong(found) == {"triggers_missed": 3, "event_entities_missed": 1}


def without_time(line: Line) -> None:
    del line.data["occurred_at"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda line: line.data.update(battery_level=41),
        lambda line: line.data.update(event_type="plugged_in"),
        lambda line: line.data.update(unique_id=f"{USER}_{OTHER}_charging"),
        lambda line: line.data.update(unique_id=f"{USER}_{CAR}_session"),
        lambda line: line.data.update(more=1),
        without_time,
    ],
)
def test_each_wrong_attribute_of_an_event_entity_is_seen(spoil: Callable[[Line], None]) -> None:
    found = right(change())
    spoil(found.event_entities[0])
    assert wrong(found) == {"event_entities_missed": 1, "event_entities_wrong": 1}


def test_an_event_entity_writes_nothing_late_and_nothing_twice() -> None:
    late = change(late=True)
    found = right(late, *ALL_RUNS[1:])
    found.event_entities.append(written(late))
    assert wrong(found) == {"event_entities_wrong": 1}
    found = right(change())
    found.event_entities.append(written(change(), state=moment(31)))
    assert wrong(found) == {"event_entities_wrong": 1}


@pytest.mark.parametrize(
    ("shown", "is_behind"),
    [
        ({}, False),
        ({"sensor charge_state": "stopped"}, True),
        ({"binary_sensor charging": "off"}, True),
    ],
)
def test_states_are_written_before_a_change_is_published(
    shown: dict[str, str], *, is_behind: bool
) -> None:
    published = change()
    published.shown.update(shown)
    found = right(published)
    if "binary_sensor charging" in shown:  # its condition is not met
        found = right(published, *ALL_RUNS[:2])
    assert wrong(found) == ({"states_behind": 1} if is_behind else {})
    paused = replace(change("charging_paused"), at=published.at + 0.05)
    paused.shown.update({"sensor charge_state": "stopped", "binary_sensor charging": "off"})
    both = recording(changes=[published, paused])
    assert "states_behind" not in wrong(both)  # the same refresh found both


def test_an_event_entity_is_written_before_the_change_is_published() -> None:
    found = right(change())
    found.event_entities[0] = replace(found.event_entities[0], at=BEGAN + 30.001)
    assert wrong(found) == {"states_behind": 1}


BOTH: Final = (automations.ALL, automations.ONE_TYPE)


@pytest.mark.parametrize(
    ("delivery", "variants", "figures"),
    [
        (webhook(), BOTH, {}),
        (webhook(), BOTH[:1], {"triggers_missed": 1}),
        (webhook(), BOTH[1:], {"triggers_missed": 1}),
        (webhook(), (*BOTH, automations.ALL), {"triggers_wrong": 1}),
        (webhook(event_type="userUpdated"), BOTH[:1], {}),
        (webhook(event_type="userUpdated"), BOTH, {"triggers_wrong": 1}),
        (webhook(late=True), BOTH[:1], {}),
        (webhook(late=True), BOTH, {"triggers_wrong": 1}),  # it asked for no late deliveries
        (webhook(late=True), (), {"triggers_missed": 1}),
    ],
)
def test_an_automation_runs_once_for_a_delivery(
    delivery: Line, variants: tuple[str, ...], figures: dict[str, int]
) -> None:
    found = recording(
        webhooks=[delivery],
        runs=webhook_runs(delivery, *variants),
        event_entities=[] if delivery.data["late"] else [webhook_written(delivery)],
    )
    assert wrong(found) == figures


@pytest.mark.parametrize("field", automations.WEBHOOK_FIELDS)
def test_each_field_of_a_delivery_that_a_trigger_does_not_give_is_seen(field: str) -> None:
    delivery = webhook()
    runs = webhook_runs(delivery, *BOTH)
    runs[0].data[field] = ""
    found = recording(webhooks=[delivery], runs=runs, event_entities=[webhook_written(delivery)])
    assert wrong(found) == {"triggers_missed": 1, "triggers_wrong": 1}


@pytest.mark.parametrize(
    "data",
    [
        {"event_type": "other"},
        {"webhook_type": "other"},
        {"event_id": "x"},
        {"user_id": "x"},
        {"occurred_at": moment(1)},
    ],
)
def test_each_wrong_attribute_of_a_written_delivery_is_seen(data: dict[str, str]) -> None:
    delivery = webhook()
    found = recording(
        webhooks=[delivery],
        runs=webhook_runs(delivery, *BOTH),
        event_entities=[webhook_written(delivery, **data)],
    )
    assert wrong(found) == {"event_entities_missed": 1, "event_entities_wrong": 1}


def test_a_late_delivery_is_not_written() -> None:
    delivery = webhook(late=True, source="history")
    runs = webhook_runs(delivery, automations.ALL)
    assert not wrong(recording(webhooks=[delivery], runs=runs))
    found = recording(webhooks=[delivery], runs=runs, event_entities=[webhook_written(delivery)])
    assert wrong(found) == {"event_entities_wrong": 1}
