"""Names: what entities are called, and their ids, which automations use and which follow no language."""

from collections.abc import Iterator, Mapping, Sequence
import re
from typing import Any

from slugify import slugify

from ..entities import Device, Entity

type Names = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""The part of the translations about entities: by platform and key."""


def wrong_names(
    entities: Sequence[Entity],
    devices: Sequence[Device],
    states: Mapping[str, Any],
    names: Names,
) -> Iterator[str]:
    """Yield the entities that are not named after their device and what they show, or whose id is not.

    A second device of the same name has a number in its ids.
    """
    device_names = {device.device_id: device.name for device in devices}
    for entity in entities:
        device, state = device_names.get(entity.device_id or ""), states.get(entity.entity_id)
        if device is None or state is None:
            continue
        wanted = f"{device} {names[entity.domain][entity.key]['name']}"
        shown = state["attributes"].get("friendly_name")
        if "{" not in wanted and shown != wanted:
            yield f"{entity.entity_id} is called {shown}, not {wanted}"
        pattern = rf"{entity.domain}\.{slugify(device, separator='_')}(_\d+)?_{entity.key}"
        if "{" not in wanted and not re.fullmatch(pattern, entity.entity_id):
            yield f"{entity.entity_id} is the id of {wanted}"
