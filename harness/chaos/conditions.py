"""Conditions: each of ours, asked at the end about each car and about all, against what the entities show."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..entities import our_entities
from ..flows import DOMAIN
from ..home import Home
from ..websocket import CommandFailed, WebSocket
from .automations import CONDITIONS
from .truth import Truth

_ASKED = {item.name: item for item in CONDITIONS.values()}
_UNKNOWN = (None, "unknown", "unavailable")


async def wrong_conditions(
    home: Home, truth: Truth, devices: Mapping[str, str], followed: frozenset[str]
) -> list[str]:
    """Return the conditions that are met although the entities show something else, or the other way round.

    Each is asked about each car, and about all together. A charger is no car: nothing is true of it, not even
    of all cars that it means.
    """
    wrong = []
    states = await home.api.states()
    async with await home.api.websocket() as socket:
        entities = await our_entities(socket)
        shown_by: dict[str, dict[str, str | None]] = {}
        for user in truth.users:
            if user["id"] not in followed:
                continue
            for member in (*user["vehicles"], *user["chargers"]):
                device_id = devices[f"{user['id']}_{member['id']}"]
                is_car = member in user["vehicles"]
                shown = {
                    f"{item.domain} {item.key}": states.get(item.entity_id, {}).get("state")
                    for item in entities
                    if is_car and item.device_id == device_id
                }
                if is_car:
                    shown_by[device_id] = shown
                for name, condition in _ASKED.items():
                    expected = shown.get(condition.entity) == condition.state
                    given = await _is_met(socket, name, [device_id], "any" if is_car else "all")
                    if given is not expected:
                        wrong.append(f"{name} of {member['id']}: {given}, not {expected}")
        for name, condition in _ASKED.items():
            known = [shown.get(condition.entity) for shown in shown_by.values()]
            are_met = [state == condition.state for state in known if state not in _UNKNOWN]
            for behavior, expected in (("any", any(are_met)), ("all", all(are_met or [False]))):
                given = await _is_met(socket, name, [*shown_by], behavior)
                if given is not expected:
                    wrong.append(f"{name} of {behavior} of the cars: {given}, not {expected}")
    return wrong


async def _is_met(socket: WebSocket, name: str, device_ids: Sequence[str], behavior: str) -> Any:
    condition = {
        "condition": f"{DOMAIN}.{name}",
        "target": {"device_id": [*device_ids]},
        "options": {"behavior": behavior},
    }
    try:
        return (await socket.call("test_condition", condition=condition))["result"]
    except CommandFailed as err:
        return str(err)
