"""Webhook history: deliveries that were missed are published once, late and in order."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
import gc
import logging
import time
from typing import Any, cast

from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import EVENT_HOMEASSISTANT_STARTED
from homeassistant.core import CoreState, HomeAssistant, callback
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.jedlix.api import ConnectionFailed, JedlixClient, WebhookMessage
from custom_components.jedlix.api.offered import OfferedCalls
from custom_components.jedlix.const import EVENT_WEBHOOK
from custom_components.jedlix.publisher import Publisher, Source
from custom_components.jedlix.push.backlog import MAX_HELD
from custom_components.jedlix.push.history import MAX_DELIVERY_DELAY, WebhookHistory
from custom_components.jedlix.push.record import PushRecord
from simulator.app import Simulator
from tests.commanding import poll
from tests.servers import closed_port
from tests.simulators import StartSimulator
from tests.tools import Clock, make_entry, record_events, set_up, set_up_with_push, state_of, until


async def unload(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Stop: until the next start each delivery is answered with 503."""
    await hass.config_entries.async_unload(entry.entry_id)


async def load(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Start again."""
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()


def deliver(sim: Simulator, event_type: str, minutes_ago: float, **payload: object) -> str:
    """Let Jedlix deliver something of some minutes ago; returns its id."""
    at = sim.now() - timedelta(minutes=minutes_ago)
    event = sim.webhooks.publish(event_type, sim.user_ids[0], at, payload)
    return str(event.message["id"])


@pytest.mark.usefixtures("all_enabled")
async def test_deliveries_missed_while_home_assistant_was_down_are_published_late_once_and_in_order(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    recorded = record_events(hass)
    known = deliver(sim, "userCreated", 3)
    await until(hass, lambda: recorded.webhooks)
    await unload(hass, entry)
    second = deliver(sim, "vehicleConnectionReadyToContinue", 1, vehicleId=sim.vehicle_ids[0])
    first = deliver(sim, "sessionUpdated", 2)
    await sim.delivered()
    await load(hass, entry)
    assert [item["event_id"] for item in recorded.webhooks] == [known, first, second]
    assert [(item["source"], item["late"]) for item in recorded.webhooks[1:]] == [
        ("history", True)
    ] * 2
    change = recorded.changes[-1]
    assert (change["type"], change["source"]) == ("vehicle_ready_to_continue", "history")
    assert change["late"]
    # The event entity has the first one, which was not late.
    assert state_of(hass, "_webhook", "event") != "unknown"
    for _ in range(2):
        await hass.config_entries.async_reload(entry.entry_id)
        await hass.async_block_till_done()
    assert len(recorded.webhooks) == 3


@pytest.mark.parametrize(("minutes", "late"), [(0, False), (120, True)])
async def test_users_whom_the_history_names_are_refreshed_and_old_news_changes_no_state(
    hass: HomeAssistant,
    sim: Simulator,
    entry: MockConfigEntry,
    clock: Clock,
    minutes: int,
    late: bool,
) -> None:
    vehicle = sim.vehicle_ids[0]
    await unload(hass, entry)
    sim.plug(vehicle)
    sim.unplug(vehicle)
    await sim.delivered()
    clock.go_on(timedelta(minutes=minutes))
    recorded = record_events(hass)
    await load(hass, entry)
    assert recorded.types == ["session_started", "session_ended"]
    assert {(item["source"], item["late"]) for item in recorded.changes} == {("history", late)}
    assert state_of(hass, f"{vehicle}_charge_state") == "disconnected"
    assert state_of(hass, f"{vehicle}_session", "sensor") == "none"


async def test_without_a_history_the_sessions_are_published_and_the_log_has_one_line(
    hass: HomeAssistant,
    sim: Simulator,
    entry: MockConfigEntry,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    sim.strike({"absent": ["webhook_history", "subscriptions", "unsubscribe"]})
    await unload(hass, entry)
    sim.plug(sim.vehicle_ids[0])
    sim.unplug(sim.vehicle_ids[0])
    await sim.delivered()
    clock.go_on(timedelta(hours=2))
    recorded = record_events(hass)
    await load(hass, entry)
    assert recorded.types == ["session_started", "session_ended"]
    assert {(item["source"], item["late"]) for item in recorded.changes} == {("poll", True)}
    assert not recorded.webhooks
    # One refusal decides nothing; several over some time do, and the log says so once.
    assert "does not offer webhook_history" not in caplog.text
    for _ in range(3):
        clock.go_on(timedelta(minutes=10))
        await hass.config_entries.async_reload(entry.entry_id)
        await hass.async_block_till_done()
    assert caplog.text.count("does not offer webhook_history") == 1
    sim.requests.clear()
    await hass.config_entries.async_reload(entry.entry_id)
    assert not any(request.path.startswith("/api/v1/webhooks/events") for request in sim.requests)


async def test_a_history_that_cannot_be_read_is_read_later_even_after_a_restart(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    await unload(hass, entry)
    missed = deliver(sim, "userCreated", 1)
    await sim.delivered()
    recorded = record_events(hass)

    async def away(*_: object) -> AsyncIterator[tuple[WebhookMessage, ...]]:
        raise ConnectionFailed("away")
        yield ()

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(JedlixClient, "webhook_history_pages", away)
        await load(hass, entry)
        await poll(hass, entry)
        await unload(hass, entry)
        await load(hass, entry)
    assert not recorded.webhooks
    await poll(hass, entry)
    assert [item["event_id"] for item in recorded.webhooks] == [missed]
    sim.requests.clear()
    await poll(hass, entry)
    assert len(recorded.webhooks) == 1
    assert not any(request.path.startswith("/api/v1/webhooks/events") for request in sim.requests)


@pytest.mark.parametrize("away", ["Jedlix", "the machine"])
async def test_after_an_outage_the_history_is_read(
    hass: HomeAssistant, sim: Simulator, home: object, clock: Clock, away: str
) -> None:
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    if away == "Jedlix":
        sim.strike({"outage_seconds": 60.0})
        await poll(hass, entry)
        sim.strike({"outage_seconds": 0.0})
    else:
        clock.go_on(timedelta(hours=2))
    sim.webhooks.create("userCreated", closed_port(), "another key", is_active=True)
    missed = deliver(sim, "userCreated", 0)
    recorded = record_events(hass)
    await poll(hass, entry)
    assert [item["event_id"] for item in recorded.webhooks] == [missed]
    sim.requests.clear()
    await poll(hass, entry)
    assert not any(request.path.startswith("/api/v1/webhooks/events") for request in sim.requests)


@pytest.mark.usefixtures("all_enabled")
async def test_catching_up_finds_what_was_never_delivered(
    hass: HomeAssistant,
    start_simulator: StartSimulator,
    callback_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("custom_components.jedlix.state.refresh_queue.MIN_INTERVAL", 0.02)
    sim = await start_simulator(users=7, history_days=0)
    entry = await set_up_with_push(hass, sim, callback_url)
    coordinator = entry.runtime_data.coordinator
    for vehicle in sim.vehicle_ids[:6]:
        sim.plug(vehicle)
    await sim.delivered()
    await poll(hass, entry)
    await until(hass, lambda: not coordinator._queue._requested_again)
    recorded, began = record_events(hass), dt_util.utcnow()
    sim.strike({"drop": 1.0})
    sim.unplug(sim.vehicle_ids[0])
    before = len(sim.requests)
    await coordinator.poll.catch_up(began - timedelta(minutes=5))
    await hass.async_block_till_done()
    assert recorded.types == ["session_ended", "unplugged"]
    assert {(item["source"], item["late"]) for item in recorded.changes} == {("history", False)}
    assert {item["vehicle_id"] for item in recorded.changes} == {sim.vehicle_ids[0]}
    asked = " ".join(request.path for request in list(sim.requests)[before:])
    assert [user_id for user_id in sim.user_ids if user_id in asked] == [sim.user_ids[0]]


async def at_once() -> None:
    """Nothing that is published waits."""


def history_of(
    client: object,
    publish: Callable[[WebhookMessage], tuple[str, ...]],
    published: Callable[[], Awaitable[object]] = at_once,
    record: PushRecord | None = None,
) -> WebhookHistory:
    """Return the history that a client reads."""
    return WebhookHistory(
        cast("JedlixClient", client),
        OfferedCalls({}, dt_util.utcnow),
        record or PushRecord(schedule_save=lambda: None),
        publish,
        published,
    )


async def test_ten_thousand_missed_deliveries_do_not_block_the_event_loop(
    hass: HomeAssistant,
) -> None:
    """Measured between two turns of other tasks, in the time of this thread alone."""
    now = dt_util.utcnow()
    messages = [
        WebhookMessage.from_json(
            {
                "eventType": "sessionStarted",
                "id": f"e-{number}",
                "timestamp": (now - timedelta(seconds=number)).isoformat(),
                "userId": "u",
                "vehicleId": "v",
            }
        )
        for number in range(10_000)
    ]

    class Client:
        async def webhook_history_pages(
            self, *_: object
        ) -> AsyncIterator[tuple[WebhookMessage, ...]]:
            for start in range(0, len(messages), 100):
                await asyncio.sleep(0)
                yield tuple(messages[start : start + 100])

    recorded = record_events(hass)
    publisher = Publisher(hass, "an entry")
    await publisher.release()

    def publish(message: WebhookMessage) -> tuple[str, ...]:
        publisher.publish_delivery(message, Source.HISTORY, followed=True, late=True)
        return ("u",)

    record = PushRecord(schedule_save=lambda: None)
    history = history_of(Client(), publish, publisher.released.wait, record)
    longest = 0.0
    gc.freeze()  # objects of other tests are not collected now
    publishing = asyncio.create_task(history.publish_since(now - timedelta(days=1), now))
    while not publishing.done():
        began = time.thread_time()
        await asyncio.sleep(0)
        longest = max(longest, time.thread_time() - began)
    await publishing
    assert history.take_users() == {"u"}
    assert history.take_users() == set()
    assert longest < 0.02
    assert [item["event_id"] for item in recorded.webhooks] == [f"e-{n}" for n in range(10_000)][
        ::-1
    ]
    assert len(record.inbox) == 10_000


class _Payload(dict[str, Any]):
    """A message as it came; `alive` is how many there are, and `most` how many there were at once."""

    alive = most = 0

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        _Payload.alive += 1
        _Payload.most = max(_Payload.most, _Payload.alive)

    def __del__(self) -> None:
        _Payload.alive -= 1


class _LongHistory:
    """A client with a history of one message each five seconds, of a tenant that does not filter by time.

    `calls` is how many pages were read.
    """

    def __init__(self, total: int, now: datetime) -> None:
        self.times = [now - timedelta(seconds=5 * number) for number in range(total)]
        self.calls = 0

    async def webhook_history_pages(
        self, _since: datetime, _until: datetime
    ) -> AsyncIterator[tuple[WebhookMessage, ...]]:
        for start in range(0, len(self.times), 100):
            self.calls += 1
            yield tuple(
                WebhookMessage(
                    "any", str(n), "u", at, is_test=False, payload=_Payload({"id": n, "a": [None]})
                )
                for n, at in enumerate(self.times[start : start + 100], start)
            )


def noting_in(published: list[WebhookMessage]) -> Callable[[WebhookMessage], tuple[str, ...]]:
    """Return what publishes by noting, of nobody whom the entry follows."""

    def publish(message: WebhookMessage) -> tuple[str, ...]:
        published.append(message)
        return ()

    return publish


async def test_of_a_long_history_most_is_held_compressed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each message is published once, as it was and in order, and each page is read once."""
    total, now = 3 * MAX_HELD, dt_util.utcnow()
    client, published = _LongHistory(total, now), list[WebhookMessage]()
    monkeypatch.setattr(_Payload, "most", 0)
    history = history_of(client, noting_in(published))
    await history.publish_since(now - timedelta(days=7), now)
    assert [message.id for message in published] == [str(n) for n in reversed(range(total))]
    assert published[0] == WebhookMessage(
        "any",
        str(total - 1),
        "u",
        client.times[-1],
        is_test=False,
        payload={"id": total - 1, "a": [None]},
    )
    assert client.calls == total / 100
    assert _Payload.most <= 1.1 * MAX_HELD


async def test_what_was_delivered_long_before_is_not_published_again() -> None:
    """The inbox remembers so many; a tenant that does not filter by time lists older ones, too."""
    now, published = dt_util.utcnow(), list[WebhookMessage]()
    client = _LongHistory(40_000, now)
    history = history_of(client, noting_in(published))
    await history.publish_since(now - timedelta(hours=1), now)
    oldest = now - timedelta(hours=1) - MAX_DELIVERY_DELAY
    recent = [str(n) for n, at in enumerate(client.times) if at >= oldest]
    assert [message.id for message in published] == recent[::-1]


async def test_while_home_assistant_starts_only_a_part_of_a_long_history_waits(
    hass: HomeAssistant,
) -> None:
    """The rest is published once the automations are there, and nothing is lost."""
    total, now = 25_000, dt_util.utcnow()
    publisher, is_waiting = Publisher(hass, "an entry"), asyncio.Event()
    published, passed_on = list[int](), 0
    hass.bus.async_listen(
        EVENT_WEBHOOK, callback(lambda event: published.append(int(event.data["event_id"])))
    )

    def publish(message: WebhookMessage) -> tuple[str, ...]:
        nonlocal passed_on
        passed_on += 1
        publisher.publish_delivery(message, Source.HISTORY, followed=False, late=True)
        return ()

    async def released() -> None:
        is_waiting.set()
        await publisher.released.wait()

    history = history_of(_LongHistory(total, now), publish, released)
    reading = asyncio.create_task(history.publish_since(now - timedelta(days=7), now))
    noted = asyncio.create_task(is_waiting.wait())
    await asyncio.wait([reading, noted], return_when=asyncio.FIRST_COMPLETED)
    assert published == []
    assert passed_on == MAX_HELD
    assert not history.is_read
    await publisher.release()
    await reading
    assert published == [*reversed(range(total))]
    assert history.is_read


async def test_what_is_missed_while_the_history_is_read_is_read_afterwards() -> None:
    now = dt_util.utcnow()
    record, reads = PushRecord(schedule_save=lambda: None), 0

    class Client:
        async def webhook_history_pages(
            self, *_: object
        ) -> AsyncIterator[tuple[WebhookMessage, ...]]:
            nonlocal reads
            reads += 1
            if reads == 1:
                history.note_missed(now)
            yield ()

    history = history_of(Client(), lambda _: (), record=record)
    history.note_missed(now - timedelta(hours=5))
    await history.publish_missed(now)
    assert record.missed_since == now
    await history.publish_missed(now)
    assert (record.missed_since, reads) == (None, 2)


async def test_what_cannot_wait_for_the_end_of_a_start_is_read_from_the_history_afterwards(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest of a long history, and a delivery for which there is no room: Jedlix gets 503 for it."""
    monkeypatch.setattr("custom_components.jedlix.push.backlog.MAX_HELD", 1)
    monkeypatch.setattr("custom_components.jedlix.api.transport.PAGE_SIZE", 1)
    monkeypatch.setattr("custom_components.jedlix.publisher.MAX_WAITING", 1)
    monkeypatch.setattr("custom_components.jedlix.poll.FIRST_REFRESH_TIMEOUT", 0.5)
    await unload(hass, entry)
    sim.strike({"drop": 1})  # else Jedlix tries again while Home Assistant starts
    missed = [deliver(sim, "userCreated", minutes) for minutes in (3, 2, 1)]
    await sim.delivered()
    recorded = record_events(hass)
    hass.set_state(CoreState.starting)
    await load(hass, entry)
    push, record = entry.runtime_data.push, entry.runtime_data.store.push
    await until(hass, lambda: missed[0] in record.inbox)
    assert missed[1] not in record.inbox
    assert record.missed_since is not None
    sim.strike({"drop": 0})
    missed.append(deliver(sim, "userCreated", 0))
    await until(hass, lambda: "not_ready" in [arrival.verdict for arrival in push.arrivals])
    sim.strike({"drop": 1})
    assert recorded.webhooks == []
    hass.set_state(CoreState.running)
    hass.bus.async_fire(EVENT_HOMEASSISTANT_STARTED)
    await until(hass, lambda: len(recorded.webhooks) == 3)
    assert record.missed_since is not None
    await poll(hass, entry)
    assert record.missed_since is None
    assert [item["event_id"] for item in recorded.webhooks] == missed


async def published_of(
    *messages: dict[str, object], meanwhile: Callable[[PushRecord], object] = lambda _: None
) -> list[str]:
    """Return the ids of what is published of a history that is one page; `meanwhile` follows the page."""
    now = dt_util.utcnow()
    page = tuple(
        WebhookMessage.from_json({"eventType": "any", "timestamp": now.isoformat()} | message)
        for message in messages
    )
    record, published = PushRecord(schedule_save=lambda: None), list[WebhookMessage]()

    class Client:
        async def webhook_history_pages(
            self, *_: object
        ) -> AsyncIterator[tuple[WebhookMessage, ...]]:
            yield page
            meanwhile(record)

    history = history_of(Client(), noting_in(published), record=record)
    await history.publish_since(now - timedelta(days=1), now)
    return [message.id for message in published]


async def test_what_is_delivered_while_the_history_is_read_is_published_once() -> None:
    assert await published_of(
        {"id": "first"},
        {"id": "second"},
        meanwhile=lambda record: record.inbox.add("second", time.time()),
    ) == ["first"]


async def test_test_messages_of_the_history_are_not_published() -> None:
    assert await published_of({"id": "test", "isTest": True}, {"id": "real", "isTest": False}) == [
        "real"
    ]


async def test_a_history_that_fails_after_it_answered_counts_as_unread() -> None:
    now = dt_util.utcnow()
    pages = iter([(WebhookMessage.from_json({"id": "any", "eventType": "any"}),)])

    class Client:
        async def webhook_history_pages(
            self, *_: object
        ) -> AsyncIterator[tuple[WebhookMessage, ...]]:
            if (page := next(pages, None)) is None:
                raise ConnectionFailed("away")
            yield page

    history = history_of(Client(), lambda _: ())
    await history.publish_since(now - timedelta(days=1), now)
    assert history.is_read
    with pytest.raises(ConnectionFailed):
        await history.publish_since(now - timedelta(days=1), now)
    assert not history.is_read


async def test_what_was_published_before_a_set_up_failed_is_not_published_again(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    await unload(hass, entry)
    deliver(sim, "userCreated", 1)
    await sim.delivered()
    recorded = record_events(hass)
    sim.strike({"forbidden": ["vehicles"]})
    await load(hass, entry)
    assert len(recorded.webhooks) == 1
    await hass.config_entries.async_reload(entry.entry_id)
    sim.strike({"forbidden": []})
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.LOADED
    assert len(recorded.webhooks) == 1
