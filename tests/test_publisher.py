"""Publisher: what waits until Home Assistant has started, whose device a change names, what is cut."""

from datetime import UTC, datetime
from typing import Any, Final

from homeassistant.core import Context, Event, HomeAssistant
from homeassistant.helpers import device_registry as dr
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.jedlix.api import WebhookMessage
from custom_components.jedlix.const import DOMAIN, EVENT_LOGBOOK_LINE
from custom_components.jedlix.devices import identifier_of
from custom_components.jedlix.publisher import MAX_PAYLOAD_BYTES, Publisher, Source
from custom_components.jedlix.state.changes import Change, ChangeType
from tests.tools import record_events

NOON: Final = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
KEY: Final = ("u", "car")


def plugged_in(vehicle_id: str | None = "car") -> Change:
    return Change(type=ChangeType.PLUGGED_IN, user_id="u", vehicle_id=vehicle_id, occurred_at=NOON)


def ready(**payload: object) -> WebhookMessage:
    """Return a delivery that reports a change by itself."""
    return WebhookMessage.from_json(
        {
            "eventType": "vehicleConnectionReadyToContinue",
            "id": "d",
            "userId": "u",
            "vehicleId": "car",
            **payload,
        }
    )


async def test_what_was_found_before_the_release_is_published_then_in_its_order(
    hass: HomeAssistant,
) -> None:
    recorded, heard = record_events(hass), list[object]()
    publisher = Publisher(hass, "entry")

    def listen(change: Change, _: Context) -> None:
        heard.append(change.type)

    stop = publisher.listen_to_changes(KEY, listen)
    publisher.listen_to_deliveries(lambda data, _: heard.append(data["event_type"]))
    publisher.publish(plugged_in(), Source.POLL, late=False)
    publisher.publish_delivery(ready(), Source.WEBHOOK, followed=True, late=False)
    await hass.async_block_till_done()
    assert not publisher.published
    assert [recorded.changes, recorded.webhooks, heard] == [[], [], []]
    await publisher.release()
    await hass.async_block_till_done()
    assert publisher.published == {"changes": 2, "deliveries": 1}
    assert recorded.types == ["plugged_in", "vehicle_ready_to_continue"]
    assert [item["source"] for item in recorded.changes] == ["poll", "webhook"]
    assert heard == [
        *(ChangeType.PLUGGED_IN, "vehicleConnectionReadyToContinue"),
        ChangeType.VEHICLE_READY_TO_CONTINUE,
    ]
    # A late one is for the bus only, and who has stopped hears nothing.
    heard.clear()
    publisher.publish_delivery(ready(), Source.HISTORY, followed=True, late=True)
    stop()
    publisher.publish(plugged_in(), Source.POLL, late=False)
    await hass.async_block_till_done()
    assert not heard
    assert [item["late"] for item in recorded.changes] == [False, False, True, False]


@pytest.mark.parametrize(
    ("is_written", "late", "lines"), [(True, False, 0), (None, False, 1), (True, True, 1)]
)
async def test_the_logbook_has_a_line_of_its_own_for_what_no_event_entity_writes(
    hass: HomeAssistant, is_written: bool | None, late: bool, lines: int
) -> None:
    recorded, found = record_events(hass), list[Event[Any]]()
    hass.bus.async_listen(EVENT_LOGBOOK_LINE, found.append)
    publisher = Publisher(hass, "entry")
    publisher.listen_to_changes(KEY, lambda _change, _context: is_written)
    publisher.listen_to_changes(KEY, lambda _change, _context: None)
    await publisher.release()
    publisher.publish(plugged_in(), Source.POLL, late=late)
    await hass.async_block_till_done()
    line = {"device_id": None, "type": "plugged_in", "late": late}
    assert [event.data for event in found] == [line] * lines
    assert len(recorded.changes) == 1


async def test_a_change_names_the_device_of_its_car_or_of_the_account(hass: HomeAssistant) -> None:
    entry = MockConfigEntry(domain=DOMAIN)
    entry.add_to_hass(hass)
    account, car = (
        dr.async_get(hass).async_get_or_create(
            config_entry_id=entry.entry_id, identifiers={(DOMAIN, identifier)}
        )
        for identifier in (entry.entry_id, identifier_of(KEY))
    )
    recorded, publisher = record_events(hass), Publisher(hass, entry.entry_id)
    await publisher.release()
    for vehicle_id in ("car", "another", None):
        publisher.publish(plugged_in(vehicle_id), Source.POLL, late=False)
    await hass.async_block_till_done()
    assert [item["device_id"] for item in recorded.changes] == [car.id, account.id, account.id]


async def test_of_a_payload_that_is_too_large_the_short_fields_stay(hass: HomeAssistant) -> None:
    """A key of 64 characters is short, and a value of 256 bytes."""
    recorded, publisher = record_events(hass), Publisher(hass, "entry")
    await publisher.release()
    short = {"k" * 64: 1, "text": "x" * 254}
    long = {"k" * 65: 1, "long": "x" * 255, "body": "x" * MAX_PAYLOAD_BYTES}
    message = ready(**short, **long)
    publisher.publish_delivery(message, Source.WEBHOOK, followed=True, late=False)
    await hass.async_block_till_done()
    payload = recorded.webhooks[0]["payload"]
    assert payload["truncated"] is True
    assert payload.items() > short.items()
    assert payload.keys().isdisjoint(long)
