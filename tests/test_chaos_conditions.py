"""The chaos run's judgement of conditions: each says what the entities of a car show."""

from dataclasses import replace
from typing import Any, Self

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


class FakeHome:
    """A Home Assistant with one car and one charger, which meets these conditions."""

    def __init__(self, met: dict[str, set[str]]) -> None:
        self.api = self
        self._met = met

    async def websocket(self) -> Self:
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        pass

    async def states(self) -> dict[str, Any]:
        return {name.replace(" ", "."): {"state": state} for name, state in SHOWN.items()}

    async def call(self, command: str, **data: Any) -> Any:
        if command == "test_condition":
            condition = data["condition"]
            name = condition["condition"].removeprefix("jedlix.")
            return {"result": name in self._met[condition["target"]["device_id"]]}
        return [
            {
                "entity_id": name.replace(" ", "."),
                "translation_key": name.split()[1],
                "device_id": CAR,
                "unique_id": name,
                "disabled_by": None,
                "entity_category": None,
                "hidden_by": None,
                "platform": "jedlix",
            }
            for name in SHOWN
        ]


@pytest.mark.parametrize(
    ("of_car", "of_charger", "wrong"),
    [
        (MET, set(), []),
        (MET | {"is_charged"}, set(), ["is_charged of c: True, not False"]),
        (MET - {"is_plugged_in"}, set(), ["is_plugged_in of c: False, not True"]),
        (MET, {"is_unplugged"}, ["is_unplugged of p: True, not False"]),
    ],
)
async def test_each_wrong_condition_is_seen(
    of_car: set[str], of_charger: set[str], wrong: list[str]
) -> None:
    user = {"id": "u", "vehicles": [{"id": "c"}], "chargers": [{"id": "p"}]}
    world = replace(EMPTY, users=[user, {"id": "stranger"}])
    home: Any = FakeHome({CAR: of_car, CHARGER: of_charger})
    devices = {CAR: CAR, CHARGER: CHARGER}
    assert await wrong_conditions(home, world, devices, frozenset({"u"})) == wrong
