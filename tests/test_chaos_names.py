"""The chaos run's judgement of what entities are called, and of their ids."""

from typing import Any, Final

import pytest

from harness.chaos.names import wrong_names
from harness.entities import Device, Entity

DEVICE: Final = Device("d", "Citroën ë-C4", ())
NAMES: Final = {
    "sensor": {"range": {"name": "Range"}},
    "time": {"ready_by_days": {"name": "Ready by on {days}"}},
}


def wrong(entity_id: str, name: str | None, key: str = "range") -> list[str]:
    states: dict[str, Any] = {entity_id: {"attributes": {"friendly_name": name}}}
    entity = Entity(entity_id, key, DEVICE.device_id, enabled=True, category=None)
    return list(wrong_names([entity], [DEVICE], states, NAMES))


@pytest.mark.parametrize(
    ("entity_id", "name", "count"),
    [
        ("sensor.citroen_e_c4_range", "Citroën ë-C4 Range", 0),
        ("sensor.citroen_e_c4_2_range", "Citroën ë-C4 Range", 0),
        ("sensor.citroen_e_c4_range_2", "Citroën ë-C4 Range", 1),
        ("sensor.citroen_e_c4_reichweite", "Citroën ë-C4 Range", 1),
        ("sensor.range", "Citroën ë-C4 Range", 1),
        ("sensor.citroen_e_c4_range", "Range", 1),
        ("sensor.citroen_e_c4_range", "Citroën ë-C4 Battery level", 1),
        ("sensor.range", None, 2),
    ],
)
def test_an_entity_is_called_after_its_device_and_what_it_shows(
    entity_id: str, name: str | None, count: int
) -> None:
    assert len(wrong(entity_id, name)) == count


def test_a_name_that_depends_on_the_days_is_not_judged() -> None:
    assert not wrong("time.citroen_e_c4_ready_by_monday", "Citroën ë-C4 Ready by", "ready_by_days")


def test_what_is_disabled_has_no_state_and_is_not_judged() -> None:
    entity = Entity("sensor.x", "range", DEVICE.device_id, enabled=False, category=None)
    assert not list(wrong_names([entity], [DEVICE], {}, NAMES))
