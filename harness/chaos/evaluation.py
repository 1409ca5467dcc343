"""Evaluation: what was published and what is shown, against the simulator's truth."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..entities import find, our_devices, our_entities
from ..home import Home
from ..process import ProcessFailed
from . import recording
from .comparison import compare, compare_deliveries
from .promise import Happened, Promises
from .timeline import Timeline
from .verdict import Verdict


def evaluate(
    verdict: Verdict,
    folder: Path,
    timeline: Timeline,
    deliveries: Sequence[Mapping[str, Any]],
    *,
    before: dict[str, Any],
    truth: dict[str, Any],
) -> Promises:
    """Fill in the verdict from the recording in `folder`; returns what was promised.

    `before` and `truth` are the answers of /control/truth at the beginning and now.
    """
    first = before["changes"][-1]["n"] if before["changes"] else 0
    journal = [Happened.read(line) for line in truth["changes"] if line["n"] > first]
    cars = {car["id"]: car for user in before["users"] for car in user["vehicles"]}
    is_strict = truth["mode"] == "strict"
    promises = Promises.of(journal, deliveries, timeline, cars, reports_settings=not is_strict)
    promised, published = promises.lines, recording.changes(folder)
    if late := recording.late_starts(folder):
        raise ProcessFailed(f"the recorder came after the integration in {late} starts")

    found = compare(journal, published, promises, timeline)
    lost = [line for line in journal if line.n in promised - found.published]
    unseeable = [line for line in journal if line.n not in promised | found.published]
    verdict.truth = len(promised)
    verdict.announced = len(promised & found.published)
    verdict.lost = len(lost)
    verdict.repeated = len(found.repeated)
    verdict.invented = len(found.invented)
    verdict.read_otherwise = len(found.read_otherwise)
    verdict.unpromised = len(found.published - promised)
    verdict.unseeable = dict(Counter(line.type for line in unseeable))
    verdict.by_source = dict(Counter(_source(change) for change in published))
    verdict.kills = len(timeline.kills)
    verdict.blocked_ms = recording.longest_block(folder, timeline)

    passed_on = recording.webhooks(folder)
    webhooks = compare_deliveries(deliveries, passed_on, timeline, has_history=not is_strict)
    verdict.webhooks = len(passed_on)
    verdict.webhooks_lost = len(webhooks.lost)
    verdict.webhooks_repeated = len(webhooks.repeated)
    verdict.webhooks_told_twice = len(webhooks.passed_on_twice)

    verdict.details |= {
        "lost": [_line(line) for line in lost],
        "repeated": [_change(change) for change in found.repeated],
        "invented": [_change(change) for change in found.invented],
        "read_otherwise": [_change(change) for change in found.read_otherwise],
        "webhooks_lost": list(webhooks.lost),
        "webhooks_told_twice": list(webhooks.passed_on_twice),
        "lives": [[life.began, life.ready, life.ended] for life in timeline.lives],
        "troubles": [list(each) for each in timeline.troubles],
    }
    return promises


async def wrong_states(home: Home, truth: dict[str, Any], promises: Promises) -> list[str]:
    """Return a line for each entity that does not show the truth, once nothing changes any more.

    Whether smart charging is on is left out where that was not certainly seen: it is read rarely.
    """
    async with await home.api.websocket() as socket:
        devices, entities = await our_devices(socket), await our_entities(socket)
    states = await home.api.states()
    device_of = {name: device.device_id for device in devices for name in device.identifiers}
    wrong = []
    for user in truth["users"]:
        for car in user["vehicles"]:
            device_id = device_of.get(f"{user['id']}_{car['id']}")
            of_car = [entity for entity in entities if device_id == entity.device_id]
            expected = _expected_states(car)
            if car["id"] in promises.unsure_settings:
                del expected["switch", "smart_charging"]
            for (domain, key), state in expected.items():
                entity = find(of_car, domain, key)
                shown = None if entity is None else states.get(entity.entity_id, {}).get("state")
                if shown != state:
                    wrong.append(f"{car['id']} {domain} {key}: {shown}, not {state}")
    return wrong


def _expected_states(car: dict[str, Any]) -> dict[tuple[str, str], str]:
    """Return what the entities of a car must show, by their domains and keys."""
    session = car["session"]
    kind = "none" if session is None else "smart" if session["is_managed"] else "unmanaged"
    states = {
        ("sensor", "charge_state"): car["charge_state"],
        ("sensor", "session"): kind,
        ("binary_sensor", "plugged_in"): _on(car["plugged_in"]),
        ("binary_sensor", "charging"): _on(car["charge_state"] == "charging"),
        ("binary_sensor", "smart_session"): _on(kind == "smart"),
        ("binary_sensor", "vehicle_link"): _on(car["is_connected"]),
        ("switch", "smart_charging"): _on(car["settings"]["isSmartChargingEnabled"]),
    }
    if car["reads_battery"]:
        states["sensor", "battery_level"] = str(car["battery_level"])
        states["sensor", "range"] = str(car["range"])
    return states


def _on(value: object) -> str:
    return "on" if value else "off"


def _source(change: recording.Published) -> str:
    return f"{change.data['source']}{' late' if change.data['late'] else ''}"


def _line(line: Happened) -> dict[str, Any]:
    names = ("n", "type", "vehicle_id", "session_id", "known_at")
    return {name: getattr(line, name) for name in names}


def _change(change: recording.Published) -> dict[str, Any]:
    return {"told_at": change.at, **change.data}
