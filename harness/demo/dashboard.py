"""The dashboard that stays open after the day: the cars, what happened, and how push is."""

from collections.abc import Sequence
from typing import Any

from ..entities import Device, Entity
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
"""The tiles of a car that come first; the others follow in the registry's order."""

_PLOTTED = ("battery_level", "charge_state", "session")

_TRY = """\
Plug the car in and out on [the simulator's page]({simulator}) and watch this one.
Or make an automation: *Settings, Automations, Create*, trigger **Jedlix**.
"""


async def make_dashboard(
    socket: WebSocket, devices: Sequence[Device], entities: Sequence[Entity], simulator: str
) -> None:
    """Create the dashboard `/jedlix-demo`."""
    await socket.call(
        "lovelace/dashboards/create",
        url_path=URL_PATH,
        title="Jedlix",
        icon="mdi:ev-station",
        mode="storage",
        show_in_sidebar=True,
        require_admin=False,
    )
    config = dashboard(devices, [entity for entity in entities if entity.enabled], simulator)
    await socket.call("lovelace/config/save", url_path=URL_PATH, config=config)


def dashboard(
    devices: Sequence[Device], entities: Sequence[Entity], simulator: str
) -> dict[str, Any]:
    """Return the dashboard's configuration: a section for each device, then the account's."""
    of = {
        device.device_id: [entity for entity in entities if entity.device_id == device.device_id]
        for device in devices
    }
    cars = [
        device for device in devices if any(_is(e, "battery_level") for e in of[device.device_id])
    ]
    others = [device for device in devices if device not in cars and of[device.device_id]]
    sections = [_car(device, of[device.device_id]) for device in cars]
    sections.append(_happenings(entities, simulator))
    sections += [_list(device, of[device.device_id]) for device in others]
    view = {"title": "Cars", "path": "cars", "type": "sections", "max_columns": 3}
    return {"title": "Jedlix", "views": [{**view, "sections": sections}]}


def _car(device: Device, entities: Sequence[Entity]) -> dict[str, Any]:
    def order(entity: Entity) -> int:
        return _FIRST.index(entity.key) if entity.key in _FIRST else len(_FIRST)

    shown = [e for e in sorted(entities, key=order) if e.domain not in {"event", "calendar"}]
    plotted = [_row(e) for key in _PLOTTED for e in shown if _is(e, key)]
    cards: list[dict[str, Any]] = [_heading(device.name, "mdi:car-electric")]
    cards += [{"type": "tile", **_row(entity)} for entity in shown]
    if plotted:
        cards.append({"type": "history-graph", "entities": plotted, "hours_to_show": 0.2, **_WIDE})
    return {"type": "grid", "cards": cards}


def _happenings(entities: Sequence[Entity], simulator: str) -> dict[str, Any]:
    told = [entity.entity_id for entity in entities if entity.domain == "event"]
    planned = [entity.entity_id for entity in entities if entity.domain == "calendar"]
    cards: list[dict[str, Any]] = [
        _heading("What happens", "mdi:timeline-text"),
        {"type": "markdown", "content": _TRY.format(simulator=simulator), **_WIDE},
    ]
    if told:
        logbook = {"type": "logbook", "target": {"entity_id": told}, "hours_to_show": 24}
        cards.append({**logbook, **_WIDE})
    if planned:
        calendar = {"type": "calendar", "entities": planned, "initial_view": "listWeek"}
        cards.append({**calendar, **_WIDE})
    return {"type": "grid", "cards": cards}


def _list(device: Device, entities: Sequence[Entity]) -> dict[str, Any]:
    shown = [_row(entity) for entity in entities]
    cards = [
        _heading(device.name, "mdi:cloud-check-variant"),
        {"type": "entities", "entities": shown, **_WIDE},
    ]
    return {"type": "grid", "cards": cards}


_WIDE = {"grid_options": {"columns": "full"}}


def _row(entity: Entity) -> dict[str, Any]:
    """Show an entity by its own name: the car's stands above them all."""
    return {"entity": entity.entity_id, "name": {"type": "entity"}}


def _heading(text: str, icon: str) -> dict[str, Any]:
    return {"type": "heading", "heading": text, "icon": icon}


def _is(entity: Entity, key: str) -> bool:
    return entity.key == key and entity.domain in {"sensor", "binary_sensor"}
