"""Dashboard that stays open after the day: the cars, what happens to them, and the account."""

from collections.abc import Sequence
from typing import Any

from ..entities import Device, Entity, find
from ..websocket import WebSocket

URL_PATH = "jedlix-demo"

_FIRST = (
    "charge_state",
    "battery_level",
    "plugged_in",
    "charging",
    "session",
    "smart_session",
    "range",
)
"""The first tiles of a car; the others follow in the registry's order."""

_HIDDEN = ("refresh", "smart_charging_resumes_at")
"""Entities of which a tile would show nothing."""

_PLOTTED = ("battery_level", "charge_state", "session")

_ONLY_OF_CARS = ("binary_sensor", "plugged_in")
"""The entity that only a car has."""

_WIDE = {"grid_options": {"columns": "full"}}
_TALL = {"grid_options": {"columns": "full", "rows": 8}}

_TRY = """\
Plug the car in and out on [the simulator's page]({simulator}) and watch this one.
Or make an automation: *Settings, Automations, Create*, trigger **Jedlix**.
"""


async def make_dashboard(
    socket: WebSocket,
    devices: Sequence[Device],
    entities: Sequence[Entity],
    *,
    first: str,
    simulator: str,
    hours: float = 0.2,
) -> None:
    """Create the dashboard `/jedlix-demo`; the car with the id `first` comes first.

    The graphs show the last `hours`.
    """
    await socket.call(
        "lovelace/dashboards/create",
        url_path=URL_PATH,
        title="Jedlix",
        icon="mdi:ev-station",
        mode="storage",
        show_in_sidebar=True,
        require_admin=False,
    )
    devices = sorted(devices, key=lambda device: not device.is_for(first))
    entities = [entity for entity in entities if entity.enabled]
    config = dashboard(devices, entities, simulator, hours)
    await socket.call("lovelace/config/save", url_path=URL_PATH, config=config)


def dashboard(
    devices: Sequence[Device], entities: Sequence[Entity], simulator: str, hours: float
) -> dict[str, Any]:
    """Return the configuration: a section for each device and one for the events."""
    of = {
        device.device_id: [entity for entity in entities if entity.device_id == device.device_id]
        for device in devices
    }
    cars = [device for device in devices if find(of[device.device_id], *_ONLY_OF_CARS)]
    others = [device for device in devices if device not in cars and of[device.device_id]]
    of_cars = [entity for device in cars for entity in of[device.device_id]]
    sections = [
        *(_car(device, of[device.device_id], hours) for device in cars[:1]),
        _events(of_cars, simulator),
        *(_car(device, of[device.device_id], hours) for device in cars[1:]),
        *(_list(device, of[device.device_id]) for device in others),
    ]
    view = {"title": "Cars", "path": "cars", "type": "sections", "max_columns": 4}
    return {"title": "Jedlix", "views": [{**view, "sections": sections}]}


def _car(device: Device, entities: Sequence[Entity], hours: float) -> dict[str, Any]:
    def place(entity: Entity) -> int:
        return _FIRST.index(entity.key) if entity.key in _FIRST else len(_FIRST)

    shown = [
        entity
        for entity in sorted(entities, key=place)
        if entity.domain not in {"event", "calendar"}
        and (entity.category is None or entity.domain == "time")
        and entity.key not in _HIDDEN
    ]
    plotted = [_row(entity) for key in _PLOTTED if (entity := find(shown, "sensor", key))]
    history = {"type": "history-graph", "entities": plotted, "hours_to_show": hours}
    return _section(
        device.name,
        "mdi:car-electric",
        *({"type": "tile", **_row(entity)} for entity in shown),
        *([history | _WIDE] if plotted else []),
    )


def _events(entities: Sequence[Entity], simulator: str) -> dict[str, Any]:
    events = [entity.entity_id for entity in entities if entity.domain == "event"]
    calendars = [entity.entity_id for entity in entities if entity.domain == "calendar"]
    logbook = {"type": "logbook", "target": {"entity_id": events}, "hours_to_show": 24}
    calendar = {"type": "calendar", "entities": calendars, "initial_view": "listWeek"}
    return _section(
        "What happens",
        "mdi:timeline-text",
        {"type": "markdown", "content": _TRY.format(simulator=simulator)} | _WIDE,
        *([logbook | _TALL] if events else []),
        *([calendar | _TALL] if calendars else []),
    )


def _list(device: Device, entities: Sequence[Entity]) -> dict[str, Any]:
    rows = [_row(entity) for entity in entities]
    return _section(
        device.name, "mdi:cloud-check-variant", {"type": "entities", "entities": rows} | _WIDE
    )


def _section(title: str, icon: str, *cards: dict[str, Any]) -> dict[str, Any]:
    heading = {"type": "heading", "heading": title, "icon": icon}
    return {"type": "grid", "cards": [heading, *cards]}


def _row(entity: Entity) -> dict[str, Any]:
    """Return a row with the entity's own name: the name of the car is in the heading."""
    return {"entity": entity.entity_id, "name": {"type": "entity"}}
