"""Dialogs as a browser shows and answers them, and the way through the set-up."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
import json
from pathlib import Path
from typing import Any, Final, Self, cast

from homeassistant.components.repairs import repairs_flow_manager
from homeassistant.config_entries import (
    SOURCE_REAUTH,
    SOURCE_RECONFIGURE,
    SOURCE_USER,
    ConfigEntry,
    ConfigEntryState,
)
from homeassistant.const import CONF_WEBHOOK_ID
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowManager, FlowResultType
from homeassistant.helpers.data_entry_flow import FlowManagerIndexView

from custom_components.jedlix.const import CONF_WEBHOOK_KEY, DOMAIN, SUBENTRY_USER, USER_CREATED
from simulator.app import Simulator
from simulator.messages import Subscription
from tests.tools import until

TEXTS: Final[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "custom_components/jedlix/translations/en.json").read_text()
)
_SECRETS: Final = ("client_secret", "api_key")
# Fields that not every form of a step has.
_SHOWN_AT_TIMES: Final = {
    "account": {"remove_api_key"},
    "user": {"users", "all_users"},
    "users": {"all_users"},
}


@dataclass(kw_only=True)
class Dialog:
    """One dialog. Everything that it shows must have its texts, and must not show a secret."""

    hass: HomeAssistant
    flows: FlowManager[Any, Any, Any]
    texts: Mapping[str, Any]
    result: Any = None
    secrets: set[str] = field(default_factory=set)

    @classmethod
    async def set_up(cls, hass: HomeAssistant) -> Self:
        """Open "Add integration"."""
        dialog = cls(hass=hass, flows=hass.config_entries.flow, texts=TEXTS["config"])
        return await dialog._open(DOMAIN, {"source": SOURCE_USER})

    @classmethod
    async def reconfigure(cls, hass: HomeAssistant, entry: ConfigEntry) -> Self:
        """Open "Reconfigure" of an entry."""
        dialog = cls(hass=hass, flows=hass.config_entries.flow, texts=TEXTS["config"])
        context = {"source": SOURCE_RECONFIGURE, "entry_id": entry.entry_id}
        return await dialog._of(entry)._open(DOMAIN, context)

    @classmethod
    async def reauth(cls, hass: HomeAssistant, entry: ConfigEntry) -> Self:
        """Open the request for new credentials, which must be the only one."""
        dialog = cls(hass=hass, flows=hass.config_entries.flow, texts=TEXTS["config"])
        (flow,) = dialog.flows.async_progress()
        assert (flow["handler"], flow["context"]["source"]) == (DOMAIN, SOURCE_REAUTH)
        return await dialog._of(entry)._show(await dialog.flows.async_configure(flow["flow_id"]))

    @classmethod
    async def add_user(cls, hass: HomeAssistant, entry: ConfigEntry) -> Self:
        """Open "Add user" of an entry."""
        texts = TEXTS["config_subentries"][SUBENTRY_USER]
        dialog = cls(hass=hass, flows=hass.config_entries.subentries, texts=texts)
        handler = (entry.entry_id, SUBENTRY_USER)
        return await dialog._of(entry)._open(handler, {"source": SOURCE_USER})

    @classmethod
    async def link(cls, hass: HomeAssistant, entry: ConfigEntry, user_id: str) -> Self:
        """Press the gear on a user's row."""
        texts = TEXTS["config_subentries"][SUBENTRY_USER]
        dialog = cls(hass=hass, flows=hass.config_entries.subentries, texts=texts)
        (subentry_id,) = (
            key for key, item in entry.subentries.items() if item.unique_id == user_id
        )
        context = {"source": SOURCE_RECONFIGURE, "subentry_id": subentry_id}
        return await dialog._of(entry)._open((entry.entry_id, SUBENTRY_USER), context)

    @classmethod
    async def options(cls, hass: HomeAssistant, entry: ConfigEntry) -> Self:
        """Open the options of an entry."""
        dialog = cls(hass=hass, flows=hass.config_entries.options, texts=TEXTS["options"])
        return await dialog._of(entry)._open(entry.entry_id, {})

    @classmethod
    async def repair(
        cls, hass: HomeAssistant, entry: ConfigEntry, repair: str, of: str = ""
    ) -> Self:
        """Open the dialog of a repair; `of` is the identifier of the car that it is about."""
        flows = repairs_flow_manager(hass)
        assert flows is not None
        dialog = cls(hass=hass, flows=flows, texts=TEXTS["issues"][repair]["fix_flow"])
        issue = {"issue_id": "_".join(filter(None, (repair, entry.entry_id, of)))}
        # Home Assistant 2026.9 reads the id from the data, earlier versions from the context.
        return await dialog._of(entry)._open(DOMAIN, issue, data=issue)

    def _of(self, entry: ConfigEntry) -> Self:
        """Note the secrets of the entry, which no form may show."""
        values = (entry.data.get(key) for key in (*_SECRETS, CONF_WEBHOOK_KEY))
        self.secrets |= {value for value in values if value}
        return self

    async def _open(self, handler: Any, context: dict[str, Any], data: Any = None) -> Self:
        return await self._show(await self.flows.async_init(handler, context=context, data=data))

    # -- what it shows -------------------------------------------------------------------------------------

    @property
    def type(self) -> FlowResultType:
        """Return the kind of what is shown: a form, a progress or the end."""
        return cast("FlowResultType", self.result["type"])

    @property
    def step(self) -> str:
        """Return the step of the form that is shown."""
        assert self.type is FlowResultType.FORM, self.result
        return cast("str", self.result["step_id"])

    @property
    def choices(self) -> list[str]:
        """Return the options of the menu that is shown."""
        assert self.type is FlowResultType.MENU, self.result
        return cast("list[str]", self.result["menu_options"])

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
        sent = FlowManagerIndexView(self.flows)._prepare_result_json(self.result)
        return {item["name"]: item for item in sent["data_schema"]}

    @property
    def shown(self) -> dict[str, Any]:
        """Return the values that the browser fills in: what is suggested, else the default."""
        return _shown(self.fields.values())

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
        """Change some fields, send the form, and wait for the end of a progress."""
        await self.send(**answers)
        while self.type is FlowResultType.SHOW_PROGRESS:
            await self.after_progress()
        return self

    async def send(self, **answers: Any) -> Self:
        """Change some fields and send the form. An empty field is not sent."""
        self.secrets |= {answers[name] for name in _SECRETS if answers.get(name)}
        filled = _filled(self.fields.values(), answers)
        return await self._show(await self.flows.async_configure(self.result["flow_id"], filled))

    async def choose(self, option: str) -> Self:
        """Choose an option of the menu."""
        assert option in self.choices
        flow_id, chosen = self.result["flow_id"], {"next_step_id": option}
        return await self._show(await self.flows.async_configure(flow_id, chosen))

    async def after_progress(self) -> Self:
        """Wait for the end of a progress, and show the next step."""
        await self.hass.async_block_till_done()
        return await self.ask()

    async def ask(self) -> Self:
        """Ask for what is to be shown now, as the browser does once it hears that the flow has changed."""
        return await self._show(await self.flows.async_configure(self.result["flow_id"]))

    @property
    def external_page(self) -> str:
        """Return the address of the page that the dialog opens."""
        assert self.type is FlowResultType.EXTERNAL_STEP, self.result
        assert self.texts["step"][self.result["step_id"]]["description"]
        return cast("str", self.result["url"])

    async def come_back(self) -> Self:
        """Go on after the page has led back to Home Assistant."""
        return await self._show(await self.flows.async_configure(self.result["flow_id"]))

    async def close(self) -> None:
        """Close the dialog with the cross."""
        self.flows.async_abort(self.result["flow_id"])
        await self.hass.async_block_till_done()

    async def _show(self, result: Any) -> Self:
        self.result = result
        if self.type is FlowResultType.FORM:
            self._check_form()
        elif self.type is FlowResultType.MENU:
            texts = self.texts["step"][result["step_id"]]
            assert set(self.choices) == set(texts["menu_options"])
            assert set(self.choices) == set(texts["menu_option_descriptions"])
        elif self.type is FlowResultType.SHOW_PROGRESS:
            assert result["progress_action"] in self.texts["progress"]
        elif self.type is FlowResultType.ABORT and result.get("translation_domain") is None:
            assert self.reason in self.texts["abort"]
        elif self.type is FlowResultType.CREATE_ENTRY and result.get("description"):
            assert result["description"] in self.texts["create_entry"]
        if self.type in (FlowResultType.ABORT, FlowResultType.CREATE_ENTRY):
            await self.hass.async_block_till_done()
        return self

    def _check_form(self) -> None:
        """Check that a form has a text for all that it shows, and shows no secret."""
        texts = self.texts["step"][self.step]
        sections = {name for name, item in self.fields.items() if item.get("type") == "expandable"}
        data = set(texts.get("data", ()))
        shown = set(self.fields) - sections
        assert shown <= data == set(texts.get("data_description", ()))
        assert data - shown <= _SHOWN_AT_TIMES.get(self.step, set())
        for name in sections:
            section = texts["sections"][name]
            shown = {item["name"] for item in self.fields[name]["schema"]}
            assert shown <= set(section["data"]) == set(section["data_description"])
            assert section["name"]
        assert texts["title"]
        assert set(self.errors) <= {"base", *self.fields}
        assert set(self.errors.values()) <= set(self.texts.get("error", ()))
        visible = [*self.shown.values(), *(self.result["description_placeholders"] or {}).values()]
        assert not self.secrets.intersection(map(str, visible))
        assert not set(self.shown) & set(_SECRETS)


def _shown(fields: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the values that the browser fills in; those of a section are in a dict of their own."""
    values: dict[str, Any] = {}
    for item in fields:
        if item.get("type") == "expandable":
            values[item["name"]] = _shown(item["schema"])
            continue
        value = (item.get("description") or {}).get("suggested_value", item.get("default"))
        if value is not None:
            values[item["name"]] = value
    return values


def _filled(fields: Iterable[Mapping[str, Any]], answers: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is sent after some fields were changed, in sections as well. An empty one is not sent."""
    values: dict[str, Any] = {}
    for item in fields:
        name = item["name"]
        if item.get("type") == "expandable":
            values[name] = _filled(item["schema"], answers)
            continue
        value = answers.get(name, _shown([item]).get(name))
        if value is not None and value != "":
            values[name] = value
    return values


# -- the way through the steps -----------------------------------------------------------------------------


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


async def to_account(hass: HomeAssistant) -> Dialog:
    """Open the dialog and choose the account of a supplier or fleet."""
    return await (await Dialog.set_up(hass)).choose("account")


async def to_custom(hass: HomeAssistant) -> Dialog:
    """Open the dialog and go to the addresses."""
    dialog = await (await to_account(hass)).submit(**credentials())
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


async def to_callback(hass: HomeAssistant, entry: ConfigEntry) -> Dialog:
    """Open "Reconfigure" and go to the callback; nothing has to be typed again."""
    dialog = await (await Dialog.reconfigure(hass, entry)).choose("push")
    # "Automatic" would find no address, which does not matter here.
    assert (dialog.step, dialog.errors) == ("webhook", {})
    return dialog


async def wait_until_connected(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Wait until an entry is loaded and its webhook is registered."""

    def is_settled() -> bool:
        return entry.state is ConfigEntryState.LOADED and entry.runtime_data.push.state in (
            "waiting",
            "limited",
            "healthy",
        )

    await until(hass, is_settled)


def label_of(sim: Simulator, user_id: str) -> str:
    """Return the label of a user: the car, the address and the beginning of the id."""
    user = sim.world.users[user_id]
    car, home = user.vehicle, user.locations[0]
    assert car is not None
    return (
        f"{car.brand} {car.model} · {home.street} {home.house_number}, {home.city} · {user_id[:8]}"
    )


# -- subscriptions, webhooks and deliveries ----------------------------------------------------------------


def change_secret(sim: Simulator, secret: str) -> None:
    """Have Jedlix accept another secret from now on, and no earlier token."""
    sim.settings = replace(sim.settings, client_secret=secret)
    sim.strike({"token_expiry": True})


def subscriptions(sim: Simulator, event_type: str | None = None) -> list[Subscription]:
    """Return the subscriptions at the simulator, of one type or all."""
    return [
        item
        for item in sim.webhooks.subscriptions.values()
        if event_type in (None, item.event_type)
    ]


def webhook_ids(hass: HomeAssistant) -> set[str]:
    """Return the webhook ids that the integration has registered at Home Assistant."""
    return {
        webhook_id
        for webhook_id, handler in hass.data.get("webhook", {}).items()
        if handler.domain == DOMAIN
    }


def call_of(entry: ConfigEntry) -> tuple[str, dict[str, str]]:
    """Return the path and the headers with which Jedlix calls an entry."""
    headers = {"Authorization": f"Basic {entry.data[CONF_WEBHOOK_KEY]}"}
    return f"/api/webhook/{entry.data[CONF_WEBHOOK_ID]}", headers


def message(event_id: str, **more: Any) -> dict[str, Any]:
    """Return a delivery about a user who is not followed."""
    return {"eventType": USER_CREATED, "id": event_id, "tenant": "t", "userId": "other", **more}
