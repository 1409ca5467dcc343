"""Dialogs as a browser shows and answers them, and what the tests of the flows share."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
import json
from pathlib import Path
import socket
from typing import Any, Final, Self, cast

from aiohttp import ClientSession, web
from homeassistant.config_entries import SOURCE_REAUTH, SOURCE_RECONFIGURE, SOURCE_USER, ConfigEntry
from homeassistant.const import CONF_WEBHOOK_ID
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowManager, FlowResultType
from homeassistant.helpers import config_validation as cv
import probatio
import pytest

from custom_components.jedlix.api import JedlixClient
from custom_components.jedlix.const import CONF_WEBHOOK_KEY, DOMAIN, SUBENTRY_USER, USER_CREATED
from simulator.app import Simulator
from simulator.messages import Subscription

TEXTS: Final[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "custom_components/jedlix/translations/en.json").read_text()
)
_SECRETS: Final = ("client_secret", "api_key")


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten what the integration waits for, so that a refusal is not tried again for seconds."""
    defaults = cast("dict[str, Any]", JedlixClient.__init__.__kwdefaults__)
    monkeypatch.setitem(defaults, "back_off", ())
    monkeypatch.setattr("custom_components.jedlix.push.connection_test.TEST_MESSAGE_TIMEOUT", 0.1)


@dataclass(kw_only=True)
class Dialog:
    """One dialog. Each thing that it shows must have its texts, and must not show a secret."""

    hass: HomeAssistant
    flows: FlowManager[Any, Any, Any]
    texts: Mapping[str, Any]
    result: Any = None
    told: set[str] = field(default_factory=set)
    """The secrets that were entered."""

    @classmethod
    async def set_up(cls, hass: HomeAssistant) -> Self:
        """Open "Add integration"."""
        dialog = cls(hass=hass, flows=hass.config_entries.flow, texts=TEXTS["config"])
        return await dialog._open(DOMAIN, {"source": SOURCE_USER})

    @classmethod
    async def reconfigure(cls, hass: HomeAssistant, entry: ConfigEntry) -> Self:
        """Open "Reconfigure" of an entry."""
        dialog = cls(hass=hass, flows=hass.config_entries.flow, texts=TEXTS["config"])
        dialog._know_secrets_of(entry)
        return await dialog._open(
            DOMAIN, {"source": SOURCE_RECONFIGURE, "entry_id": entry.entry_id}
        )

    @classmethod
    async def reauth(cls, hass: HomeAssistant, entry: ConfigEntry) -> Self:
        """Open the request to log in again, which must be waiting."""
        flows = hass.config_entries.flow
        waiting = [flow for flow in flows.async_progress() if flow["handler"] == DOMAIN]
        assert [flow["context"]["source"] for flow in waiting] == [SOURCE_REAUTH]
        dialog = cls(hass=hass, flows=flows, texts=TEXTS["config"])
        dialog._know_secrets_of(entry)
        return await dialog._take(await flows.async_configure(waiting[0]["flow_id"]))

    @classmethod
    async def add_user(cls, hass: HomeAssistant, entry: ConfigEntry) -> Self:
        """Open "Add user" of an entry."""
        dialog = cls(
            hass=hass,
            flows=hass.config_entries.subentries,
            texts=TEXTS["config_subentries"][SUBENTRY_USER],
        )
        dialog._know_secrets_of(entry)
        return await dialog._open((entry.entry_id, SUBENTRY_USER), {"source": SOURCE_USER})

    @classmethod
    async def options(cls, hass: HomeAssistant, entry: ConfigEntry) -> Self:
        """Open the options of an entry."""
        dialog = cls(hass=hass, flows=hass.config_entries.options, texts=TEXTS["options"])
        dialog._know_secrets_of(entry)
        return await dialog._open(entry.entry_id, {})

    def _know_secrets_of(self, entry: ConfigEntry) -> None:
        values = (entry.data.get(key) for key in (*_SECRETS, CONF_WEBHOOK_KEY))
        self.told |= {value for value in values if value}

    async def _open(self, handler: Any, context: dict[str, Any]) -> Self:
        return await self._take(await self.flows.async_init(handler, context=context))

    # -- what it shows -------------------------------------------------------------------------------------

    @property
    def type(self) -> FlowResultType:
        """Return what the dialog shows."""
        return cast("FlowResultType", self.result["type"])

    @property
    def step(self) -> str:
        """Return the step of the form that is shown."""
        assert self.type is FlowResultType.FORM, self.result
        return cast("str", self.result["step_id"])

    @property
    def errors(self) -> dict[str, str]:
        """Return the errors of the form that is shown."""
        assert self.type is FlowResultType.FORM, self.result
        return cast("dict[str, str]", self.result["errors"] or {})

    @property
    def placeholders(self) -> dict[str, str]:
        """Return what is filled into the texts of the form."""
        return cast("dict[str, str]", self.result["description_placeholders"])

    @property
    def reason(self) -> str:
        """Return why the dialog ended without an entry."""
        assert self.type is FlowResultType.ABORT, self.result
        return cast("str", self.result["reason"])

    @property
    def fields(self) -> dict[str, dict[str, Any]]:
        """Return the fields of the form, as they go to the browser."""
        listed = probatio.to_field_list(
            self.result["data_schema"], custom_serializer=cv.custom_serializer
        )
        return {item["name"]: item for item in cast("list[dict[str, Any]]", listed)}

    @property
    def shown(self) -> dict[str, Any]:
        """Return the values that the browser fills in: what is suggested, else the default."""
        values = {
            name: (item.get("description") or {}).get("suggested_value", item.get("default"))
            for name, item in self.fields.items()
        }
        return {name: value for name, value in values.items() if value is not None}

    def labels(self, name: str) -> dict[str, str]:
        """Return the labels of a select field by value."""
        options = self.fields[name]["selector"]["select"]["options"]
        return {item["value"]: item["label"] for item in options}

    @property
    def entry(self) -> ConfigEntry:
        """Return the entry that the dialog made."""
        assert self.type is FlowResultType.CREATE_ENTRY, self.result
        return cast("ConfigEntry", self.result["result"])

    # -- what a person does --------------------------------------------------------------------------------

    async def submit(self, **answers: Any) -> Self:
        """Change some fields, send the form and wait for what comes; an emptied field is not sent."""
        await self.send(**answers)
        while self.type is FlowResultType.SHOW_PROGRESS:
            await self.look_again()
        return self

    async def send(self, **answers: Any) -> Self:
        """Send the form as `submit`, but do not wait for a progress to end."""
        self.told |= {answers[name] for name in _SECRETS if answers.get(name)}
        filled = {
            name: value
            for name, value in (self.shown | answers).items()
            if value is not None and value != ""
        }
        return await self._take(await self.flows.async_configure(self.result["flow_id"], filled))

    async def look_again(self) -> Self:
        """Wait until a progress has ended, and ask what comes after it."""
        await self.hass.async_block_till_done()
        return await self._take(await self.flows.async_configure(self.result["flow_id"]))

    async def close(self) -> None:
        """Close the dialog with the cross."""
        self.flows.async_abort(self.result["flow_id"])
        await self.hass.async_block_till_done()

    async def _take(self, result: Any) -> Self:
        self.result = result
        if self.type is FlowResultType.FORM:
            self._check_form()
        elif self.type is FlowResultType.SHOW_PROGRESS:
            assert result["progress_action"] in self.texts["progress"]
        elif self.type is FlowResultType.ABORT and result.get("translation_domain") is None:
            assert self.reason in self.texts["abort"]
        if self.type in (FlowResultType.ABORT, FlowResultType.CREATE_ENTRY):
            await self.hass.async_block_till_done()
        return self

    def _check_form(self) -> None:
        """Check that a form has a text for all that it shows, and shows no secret."""
        texts = self.texts["step"][self.step]
        assert set(self.fields) == set(texts["data"]) == set(texts["data_description"])
        assert texts["title"]
        assert set(self.errors) <= {"base", *self.fields}
        assert set(self.errors.values()) <= set(self.texts.get("error", ()))
        visible = [*self.shown.values(), *(self.result["description_placeholders"] or {}).values()]
        assert not self.told.intersection(map(str, visible))
        assert not set(self.shown) & set(_SECRETS)


# -- the way through the set-up ----------------------------------------------------------------------------


def credentials(**more: Any) -> dict[str, Any]:
    """Return the answers of the first step for a simulator."""
    return {
        "environment": "custom",
        "client_id": "client",
        "client_secret": "secret",
        "api_key": "key",
        **more,
    }


def addresses(sim: Simulator) -> dict[str, str]:
    """Return the answers of the step `custom` for a simulator."""
    return {"base_url": sim.url, "token_url": f"{sim.url}/oauth/token"}


async def to_custom(hass: HomeAssistant) -> Dialog:
    """Open the dialog and go to the addresses."""
    dialog = await (await Dialog.set_up(hass)).submit(**credentials())
    assert dialog.step == "custom"
    return dialog


async def to_users(hass: HomeAssistant, sim: Simulator) -> Dialog:
    """Open the dialog and go to the choice of users."""
    dialog = await (await to_custom(hass)).submit(**addresses(sim))
    assert dialog.step == "users", dialog.result
    return dialog


async def to_webhook(hass: HomeAssistant, sim: Simulator) -> Dialog:
    """Open the dialog, choose all users and go to push."""
    dialog = await (await to_users(hass, sim)).submit(users=sim.user_ids)
    assert dialog.step == "webhook", dialog.result
    return dialog


# -- the world around it -----------------------------------------------------------------------------------


def subscriptions(sim: Simulator, event_type: str | None = None) -> list[Subscription]:
    """Return the subscriptions at the simulator, of one type or all."""
    return [
        item
        for item in sim.webhooks.subscriptions.values()
        if event_type in (None, item.event_type)
    ]


def doors(hass: HomeAssistant) -> set[str]:
    """Return the webhook ids of the doors of ours that are open."""
    return {
        webhook_id
        for webhook_id, door in hass.data.get("webhook", {}).items()
        if door.domain == DOMAIN
    }


def door_of(entry: ConfigEntry) -> tuple[str, dict[str, str]]:
    """Return path and headers with which Jedlix calls an entry."""
    key: str = entry.data[CONF_WEBHOOK_KEY]
    return f"/api/webhook/{entry.data[CONF_WEBHOOK_ID]}", {"Authorization": f"Basic {key}"}


def message(event_id: str, **more: Any) -> dict[str, Any]:
    """Return a delivery that names nobody we follow."""
    return {
        "eventType": USER_CREATED,
        "id": event_id,
        "tenant": "t",
        "userId": "somebody-else",
        "isTest": False,
        **more,
    }


def closed_port() -> str:
    """Return an address at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


@asynccontextmanager
async def listening(
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> AsyncIterator[str]:
    """Have something else listen; yields its address."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def reverse_proxy(
    behind: str, refuses: Callable[[str], bool] = lambda _path: False
) -> AsyncIterator[str]:
    """Have another address lead to the same place, except for paths that it refuses; yields it."""
    async with ClientSession() as http:

        async def forward(request: web.Request) -> web.Response:
            if refuses(request.path):
                return web.Response(status=400)
            async with http.request(
                request.method,
                behind + request.path_qs,
                data=await request.read(),
                headers={
                    name: request.headers[name]
                    for name in ("Authorization", "Content-Type")
                    if name in request.headers
                },
            ) as answer:
                return web.Response(status=answer.status, body=await answer.read())

        async with listening(forward) as address:
            yield address
