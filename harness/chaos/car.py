"""Car: what its driver knows of it."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(slots=True)
class Car:
    """A car as its driver knows it. `entities` are its entities in Home Assistant by platform and key."""

    user_id: str
    device_id: str
    entities: Mapping[str, str]
    is_plugged: bool
    is_smart: bool
    is_linked: bool
