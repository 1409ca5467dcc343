"""The chaos run's judgement of conditions: each says what the entities of a car show."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, Self

import pytest

from harness.chaos.conditions import wrong_conditions
from tests.chaos_world import EMPTY

CAR, CHARGER = "u_c", "u_p"
SHOWN = {
    "binary_sensor plugged_in": "on",
    "binary_sensor charging": "off",
    "sensor charge_state": "stopped",
    "binary_sensor smart_session": "on",
    "switch smart_charging": "off",
    "binary_sensor at_known_location": "unknown",
    "binary_sensor vehicle_link": "on",
}
MET = {"is_plugged_in", "is_smart_session", "is_smart_charging_off"}


OTHER = "u_o"
SHOWN_BY_OTHER = SHOWN | {
    "binary_sensor plugged_in": "off",
    "binary_sensor smart_session": "off",
    "switch smart_charging": "unavailable",
}
MET_BY_OTHER = {"is_unplugged"}
ANY_MET = MET | MET_BY_OTHER
ALL_MET = {"is_smart_charging_off"}
"""Of two cars: of one it is not known whether smart charging is off."""


class FakeHome:
    """A Home Assistant with cars and a charger, which meets these conditions, by their target."""

    def __init__(self, met: Mapping[str, set[str]]) -> None:
        self.api = self
        self._met = met

    async def websocket(self) -> Self:
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        pass

    async def states(self) -> dict[str, Any]:
        return {
            _id(name, device_id): {"state": state}
            for device_id, shown in ((CAR, SHOWN), (OTHER, SHOWN_BY_OTHER))
            for name, state in shown.items()
        }

    async def call(self, command: str, **data: Any) -> Any:
        if command == "test_condition":
            condition = data["condition"]
            name = condition["condition"].removeprefix("jedlix.")
            targets = condition["target"]["device_id"]
            meant = targets[0] if len(targets) == 1 else condition["options"]["behavior"]
            return {"result": name in self._met[meant]}
        return [
            {
                "entity_id": _id(name, device_id),
                "translation_key": name.split()[1],
                "device_id": device_id,
                "unique_id": name,
                "disabled_by": None,
                "entity_category": None,
                "hidden_by": None,
                "platform": "jedlix",
            }
            for device_id in (CAR, OTHER)
            for name in SHOWN
        ]


def _id(name: str, device_id: str) -> str:
    return f"{name.replace(' ', '.')}_{device_id}"


RIGHT: Final = {
    CAR: MET,
    OTHER: MET_BY_OTHER,
    CHARGER: set[str](),
    "any": ANY_MET,
    "all": ALL_MET,
}


@pytest.mark.parametrize(
    ("met", "wrong"),
    [
        ({}, []),
        ({CAR: MET | {"is_charged"}}, ["is_charged of c: True, not False"]),
        ({CAR: MET - {"is_plugged_in"}}, ["is_plugged_in of c: False, not True"]),
        ({CHARGER: {"is_unplugged"}}, ["is_unplugged of p: True, not False"]),
        ({"any": ALL_MET | MET}, ["is_unplugged of any of the cars: False, not True"]),
        (
            {"all": ALL_MET | {"is_plugged_in"}},
            ["is_plugged_in of all of the cars: True, not False"],
        ),
        ({"all": set[str]()}, ["is_smart_charging_off of all of the cars: False, not True"]),
    ],
)
async def test_each_wrong_condition_is_seen(met: Mapping[str, set[str]], wrong: list[str]) -> None:
    user = {"id": "u", "vehicles": [{"id": "c"}, {"id": "o"}], "chargers": [{"id": "p"}]}
    world = replace(EMPTY, users=[user, {"id": "stranger"}])
    home: Any = FakeHome({**RIGHT, **met})
    devices = {name: name for name in (CAR, OTHER, CHARGER)}
    assert await wrong_conditions(home, world, devices, frozenset({"u"})) == wrong
