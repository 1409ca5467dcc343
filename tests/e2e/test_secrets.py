"""Secrets: a day with every failure, with debug logging, and then no secret in any place."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
import json
from pathlib import Path
import re
from typing import Any, Final

import aiohttp
import pytest

from custom_components.jedlix.state.credentials import REQUESTED_AFTER
from harness.config_entries import set_options
from harness.config_folder import add_component
from harness.flows import CONFIG, DOMAIN, Flow, FlowFailed
from harness.home import Home
from harness.home_api import RestFailed
from harness.paths import IMMEDIATE_REPAIRS
from harness.websocket import CommandFailed, WebSocket
from simulator.app import Simulator
from simulator.settings import Settings

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400), pytest.mark.usefixtures("socket_enabled")]

SECRET: Final = "the-client-secret-of-the-day"
NEXT_SECRET: Final = "the-client-secret-after-that"
WRONG_SECRET: Final = "a-client-secret-that-is-wrong"
WRONG_API_KEY: Final = "an-api-key-that-is-wrong"
API_KEY: Final = "the-api-key-of-the-tenant"
WRONG_KEY: Final = "a-webhook-key-that-is-wrong"
DEBUGGED: Final = (
    "custom_components.jedlix",
    "aiohttp",
    "homeassistant.components.webhook",
    "homeassistant.config_entries",
)
AUTOMATION: Final = {
    "alias": "Keeper",
    "mode": "queued",
    "max": 100,
    "triggers": [
        {"trigger": "event", "event_type": "jedlix_event"},
        {"trigger": "event", "event_type": "jedlix_webhook"},
    ],
    "actions": [
        {
            "action": "persistent_notification.create",
            "data": {"message": "{{ trigger.event.event_type }} {{ trigger.event.data }}"},
        }
    ],
}
MORE: Final = "\ndiagnostics:\nsystem_health:\n"


@dataclass
class Search:
    """The texts of each place, and the secrets that must be in none of them."""

    places: dict[str, list[str]] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)

    def keep(self, place: str, found: Any) -> None:
        """Keep the text of a place, or the JSON of anything else."""
        text = found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)
        self.places.setdefault(place, []).append(text)

    def leaks(self, except_in: dict[str, tuple[str, ...]]) -> list[str]:
        """Return each secret in a place where it must not be, with the text around it."""
        found = []
        for place, texts in self.places.items():
            for name, secret in self.secrets.items():
                if name.startswith(except_in.get(place, ("-",))):
                    continue
                found += [
                    f"{name} in {place}: {text[max(0, at - 100) : at + 60]!r}"
                    for text in texts
                    if (at := text.find(secret)) >= 0
                ]
        return found


@dataclass
class Day:
    """One Home Assistant, one Jedlix, and what both have shown."""

    home: Home
    sim: Simulator
    socket: WebSocket
    http: aiohttp.ClientSession
    search: Search
    entry_id: str = ""

    async def ask(self, place: str, command: str, **fields: Any) -> Any:
        """Send a websocket command and keep the answer, or the refusal."""
        try:
            answer = await self.socket.call(command, **fields)
        except CommandFailed as err:
            self.search.keep(place, str(err))
            return None
        self.search.keep(place, answer)
        return answer

    async def act(self, domain: str, action: str, **data: Any) -> None:
        """Call an action and keep the answer."""
        await self.ask("answers", "call_service", domain=domain, service=action, service_data=data)

    async def deliver(self, webhook_id: str, key: str, body: bytes) -> int:
        """POST to the webhook and keep the answer."""
        url = f"{self.home.base_url}/api/webhook/{webhook_id}"
        headers = {"Authorization": f"Basic {key}"}
        async with self.http.post(url, data=body, headers=headers) as answer:
            self.search.keep("answers", await answer.text())
            return answer.status

    async def until(self, condition: Callable[[], Awaitable[object]]) -> None:
        """Wait until the condition is true."""
        async with asyncio.timeout(45):
            while not await condition():  # noqa: ASYNC110  other processes have no event
                await asyncio.sleep(0.1)

    async def state_is(self, *wanted: str) -> None:
        """Wait for a state of push."""

        async def is_so() -> bool:
            return (await self.state_of("sensor.", "_push_state")) in wanted

        await self.until(is_so)

    async def state_of(self, start: str, end: str) -> str | None:
        """Return the state of the entity whose id starts and ends like this."""
        for entity_id, state in (await self.home.api.states()).items():
            if entity_id.startswith(start) and entity_id.endswith(end):
                return str(state["state"])
        return None

    async def issue(self, start: str) -> str:
        """Wait for a repair and return its whole id."""

        async def find() -> str | None:
            issues = (await self.ask("repairs", "repairs/list_issues"))["issues"]
            return next((it["issue_id"] for it in issues if it["issue_id"].startswith(start)), None)

        await self.until(find)
        found = await find()
        assert found is not None
        return found

    async def requests(self) -> list[str]:
        """Return the ids of the requests for new credentials."""
        flows = await self.ask("answers", "config_entries/flow/progress")
        return [it["flow_id"] for it in flows if it["context"]["source"] == "reauth"]

    def learn_webhook(self, when: str) -> tuple[str, str]:
        """Return the webhook id and the key that Jedlix has, and search for them as well."""
        (url,) = {it.url for it in self.sim.webhooks.subscriptions.values()}
        (key,) = {it.api_key for it in self.sim.webhooks.subscriptions.values()}
        webhook_id = url.rpartition("/")[2]
        self.search.secrets |= {f"webhook key {when}": key, f"webhook id {when}": webhook_id}
        return webhook_id, key


def keep_answers(home: Home, search: Search) -> None:
    """Keep every answer over REST."""
    rest = home.api.rest

    async def kept(method: str, path: str, body: Any = None) -> Any:
        place = "states" if path == "states" else "answers"
        try:
            answer = await rest(method, path, body)
        except RestFailed as err:
            search.keep(place, str(err))
            raise
        search.keep(place, answer)
        return answer

    home.api.rest = kept  # type: ignore[method-assign]


@pytest.fixture
async def day(tmp_path: Path) -> AsyncIterator[Day]:
    """Return the beginning of the day: both run, and every event on the bus is kept."""
    sim = Simulator(Settings(client_secret=SECRET, api_key=API_KEY, retries=(0.2, 0.2)))
    await sim.start()
    home = Home(tmp_path / "config", log_levels=dict.fromkeys(DEBUGGED, "debug"))
    with (home.folder / "configuration.yaml").open("a") as configuration:
        configuration.write(MORE)
    add_component(home.folder, IMMEDIATE_REPAIRS)
    search = Search()
    keep_answers(home, search)
    async with aiohttp.ClientSession() as http, home, await home.api.websocket() as socket:
        everything = await socket.subscribe("subscribe_events")

        async def keep_events() -> None:
            async for received in everything:
                search.keep("events", received.event)

        listener = asyncio.create_task(keep_events())
        yield Day(home, sim, socket, http, search)
        listener.cancel()
    await sim.stop()


async def set_up(day: Day) -> None:
    """Add the integration, with a wrong secret first."""
    api, base = day.home.api, {"environment": "custom", "client_id": "me", "api_key": API_KEY}
    addresses = {"base_url": day.sim.url, "token_url": f"{day.sim.url}/oauth/token"}
    flow = await Flow.begin(api, CONFIG, DOMAIN)
    await flow.choose("user", "account")
    await flow.submit("account", base | {"client_secret": WRONG_SECRET})
    with pytest.raises(FlowFailed) as refused:
        await flow.submit("custom", addresses)
    day.search.keep("answers", str(refused.value))
    await flow.submit("account", base | {"client_secret": SECRET})
    await flow.submit("custom", addresses)
    await flow.submit("users", {"users": day.sim.user_ids})
    await flow.submit("webhook", {"callback": "custom", "callback_url": day.home.base_url})
    day.entry_id = str(flow.result()["result"]["entry_id"])
    await set_options(
        api, day.entry_id, event_types=["userCreated", *day.sim.settings.reported_events.values()]
    )

    async def all_there() -> bool:
        return len(day.sim.webhooks.subscriptions) == 1 + len(day.sim.settings.reported_events)

    await day.until(all_there)
    await api.rest("POST", "config/automation/config/keeper", AUTOMATION)


async def charge(day: Day) -> None:
    """Let the car come home, charge and leave."""
    (car,) = day.sim.vehicle_ids
    day.sim.plug(car)
    await day.state_is("healthy")
    day.sim.advance(12)
    day.sim.telemetry(car, battery_level=70)
    day.sim.unplug(car)

    async def session_ended() -> bool:
        return any('"session_ended"' in text for text in day.search.places.get("events", ()))

    await day.until(session_ended)
    await day.sim.delivered()


async def fail(day: Day) -> None:
    """Let deliveries, the API, commands and the registration fail, and use the repairs."""
    webhook_id, key = day.learn_webhook("old")
    assert await day.deliver(webhook_id, key, b"no JSON") == 400
    for _ in range(3):
        assert await day.deliver(webhook_id, WRONG_KEY, b"{}") == 401
    await day.issue("wrong_key")
    for fault in ({"api_429": 1.0, "retry_after": 1}, {"api_500": 1.0}, {"outage_seconds": 60.0}):
        day.sim.strike(fault)
        await day.act("jedlix", "catch_up")
        day.sim.strike(
            dict.fromkeys(fault, 0.0) | ({"retry_after": 0} if "api_429" in fault else {})
        )
    day.sim.strike({"token_expiry": True, "subscription_status": 400, "subscriptions_gone": True})
    await day.act("jedlix", "resubscribe")
    issue = await day.issue("subscription_rejected")
    day.sim.strike({"subscription_status": 0})
    fix = await day.home.api.rest(
        "POST", "repairs/issues/fix", {"handler": DOMAIN, "issue_id": issue}
    )
    path = f"repairs/issues/fix/{fix['flow_id']}"
    wrong = {"callback": "custom", "callback_url": "http://127.0.0.1:9"}
    assert (await day.home.api.rest("POST", path, wrong))["errors"]
    right = wrong | {"callback_url": day.home.base_url}
    assert (await day.home.api.rest("POST", path, right))["type"] == "create_entry"
    await day.state_is("waiting", "healthy")


async def refuse_credentials(day: Day) -> None:
    """Change the secret at Jedlix: it refuses the old one, until the request for a new one is answered."""
    day.sim.settings = replace(day.sim.settings, client_secret=NEXT_SECRET)
    day.sim.strike({"token_expiry": True})
    await day.act("jedlix", "catch_up")
    for _ in range(REQUESTED_AFTER.answers):
        assert await day.requests() == []
        await day.home.api.rest("POST", f"config/config_entries/entry/{day.entry_id}/reload")
    (request,) = await day.requests()
    flow = await Flow.resume(day.home.api, CONFIG, request)
    with pytest.raises(FlowFailed) as refused:
        await flow.submit(
            "reauth_confirm", {"client_secret": WRONG_SECRET, "api_key": WRONG_API_KEY}
        )
    day.search.keep("answers", str(refused.value))
    with pytest.raises(FlowFailed) as done:
        await flow.submit("reauth_confirm", {"client_secret": NEXT_SECRET})
    assert done.value.reason == "reauth_successful"
    await day.state_is("waiting", "healthy")
    assert await day.requests() == []


async def rotate(day: Day) -> None:
    """Reconfigure, which makes a new key and a new webhook."""
    flow = await Flow.begin(day.home.api, CONFIG, DOMAIN, entry_id=day.entry_id)
    await flow.choose("reconfigure", "credentials")
    with pytest.raises(FlowFailed) as refused:
        await flow.submit("credentials", {"client_id": "me", "client_secret": WRONG_SECRET})
    day.search.keep("answers", str(refused.value))
    flow = await Flow.begin(day.home.api, CONFIG, DOMAIN, entry_id=day.entry_id)
    await flow.choose("reconfigure", "push")
    with pytest.raises(FlowFailed) as done:
        await flow.submit("webhook", {"callback": "custom", "callback_url": day.home.base_url})
    assert done.value.reason == "reconfigure_successful"
    await day.state_is("waiting", "healthy")

    async def all_moved() -> bool:
        return len({it.api_key for it in day.sim.webhooks.subscriptions.values()}) == 1

    await day.until(all_moved)
    webhook_id, key = day.learn_webhook("new")
    assert key != day.search.secrets["webhook key old"]
    assert webhook_id != day.search.secrets["webhook id old"]
    await day.home.api.rest("POST", f"config/config_entries/entry/{day.entry_id}/reload")
    for disabled_by in ("user", None):
        await day.ask(
            "answers", "config_entries/disable", entry_id=day.entry_id, disabled_by=disabled_by
        )
    await day.state_is("waiting", "healthy")


async def visit_pages(day: Day) -> None:
    """Open every page that may show something of ours."""
    api, keep = day.home.api, day.search.keep
    keep("diagnostics", await api.rest("GET", f"diagnostics/config_entry/{day.entry_id}"))
    devices = await day.ask("registries", "config/device_registry/list")
    ours = [it["id"] for it in devices if day.entry_id in it["config_entries"]]
    assert len(ours) >= 2
    for device_id in ours:
        path = f"diagnostics/config_entry/{day.entry_id}/device/{device_id}"
        keep("diagnostics of devices", await api.rest("GET", path))
    await day.ask("registries", "config/entity_registry/list")
    await day.ask("registries", "config_entries/get")
    await day.ask("repairs", "repairs/list_issues")
    await day.ask("system log", "system_log/list")
    await day.ask("notifications", "persistent_notification/get")
    for run in await day.ask("traces", "trace/list", domain="automation"):
        await day.ask(
            "traces",
            "trace/get",
            domain="automation",
            item_id=run["item_id"],
            run_id=run["run_id"],
        )
    health = await day.socket.subscribe("system_health/info")
    async for received in health:
        keep("system health", received.event)
        if received.event["type"] == "finish":
            break
    await api.states()
    keep("requests at Jedlix", [f"{it.method} {it.path}" for it in day.sim.requests])


def read_files(day: Day) -> None:
    """Read the files: logs, stores and the database."""
    folder = day.home.folder
    for log in folder.glob("*.log*"):
        for line in log.read_text(errors="replace").splitlines():
            is_of_core = "[homeassistant.components.webhook]" in line
            day.search.keep("core's log of webhooks" if is_of_core else "logs", line)
    for database in folder.glob("*.db*"):
        day.search.keep("database", database.read_bytes().decode(errors="replace"))
    for store in (folder / ".storage").iterdir():
        named = {"core.config_entries": "config entries"}
        place = "our store" if store.name.startswith(DOMAIN) else named.get(store.name, "stores")
        day.search.keep(place, f"{store.name}: {store.read_text()}")


def expected_texts(day: Day) -> dict[str, tuple[str, ...]]:
    """Return what must be in each place, so that no place is searched too early or without content."""
    (user_id,), (car,) = day.sim.user_ids, day.sim.vehicle_ids
    return {
        "answers": ("invalid_auth", "HTTP 429", "HTTP 500", "HTTP 503"),
        "config entries": (NEXT_SECRET, API_KEY, day.search.secrets["webhook key new"]),
        "our store": (day.search.secrets["webhook id new"],),
        "stores": ("repairs.issue_registry", "core.entity_registry", "trace.saved_traces", car),
        "database": ("jedlix_event", car),
        "logs": (
            "DEBUG",
            "A delivery to the Jedlix webhook was refused (bad_body)",
            "Jedlix refuses to register the webhook",
            "(HTTP 500)",
        ),
        "core's log of webhooks": (day.search.secrets["webhook id new"],),
        "system log": ("A delivery to the Jedlix webhook was refused",),
        "events": ("jedlix_webhook", "jedlix_event", "session_ended", user_id),
        "states": ("_push_state", "healthy"),
        "notifications": ("jedlix_webhook", "jedlix_event", "session_ended"),
        "traces": ("jedlix_webhook", "payload", "sessionEnded"),
        "repairs": ("wrong_key", "subscription_rejected"),
        "registries": (car, "Jedlix"),
        "diagnostics": ("last_deliveries", "registration"),
        "diagnostics of devices": ("last_known_status", "registration"),
        "system health": ("push_state", '"finish"'),
        "requests at Jedlix": (user_id, "subscriptions", "/oauth/token"),
    }


async def test_a_day_with_every_failure_shows_no_secret(day: Day) -> None:
    await set_up(day)
    await charge(day)
    await fail(day)
    await refuse_credentials(day)
    await rotate(day)
    await charge(day)
    await visit_pages(day)
    await day.home.stop()
    read_files(day)

    search, secrets = day.search, day.search.secrets
    tokens = day.sim.tokens
    assert len(tokens.given) >= 4
    secrets |= {f"token {number}": token for number, token in enumerate(tokens.given)}
    secrets |= {
        "secret old": SECRET,
        "secret new": NEXT_SECRET,
        "secret wrong": WRONG_SECRET,
        "api key": API_KEY,
        "api key wrong": WRONG_API_KEY,
        "presented key": WRONG_KEY,
    }
    expected = expected_texts(day)
    assert expected.keys() == search.places.keys()
    for place, parts in expected.items():
        missing = [part for part in parts if not any(part in text for text in search.places[place])]
        assert not missing, f"{place} was not searched: {missing}"
    allowed = {
        "config entries": ("secret new", "api key", "webhook key new", "webhook id new"),
        "our store": ("webhook id new",),
        "core's log of webhooks": ("webhook id",),
    }
    leaks = search.leaks(allowed)
    assert not leaks, "\n".join(leaks)

    (home_place,) = day.sim.world.users[day.sim.user_ids[0]].locations
    where = {"street": home_place.street, "latitude": str(home_place.latitude)}
    named = {"answers", "registries", "config entries"}  # a person chooses a user by the address
    for place in search.places.keys() - named:
        for name, value in where.items():
            found = [text for text in search.places[place] if re.search(re.escape(value), text)]
            assert not found, f"the {name} is in {place}"
