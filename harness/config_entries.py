"""Config entries of the integration: added, configured and removed as a person would."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from .flows import CONFIG, DOMAIN, OPTIONS, Flow, FlowFailed
from .home_api import HomeApi
from .simulator import Simulator
from .websocket import WebSocket

_PATH = "config/config_entries/entry"
_PATIENCE = 120.0
"""Seconds within which an entry has to be loaded and subscribed."""


async def add_jedlix(
    api: HomeApi,
    jedlix: Mapping[str, Any],
    users: Sequence[str],
    *,
    callback: str = "custom",
    callback_url: str = "",
) -> str:
    """Add the integration through its real config flow; returns the entry's id.

    `jedlix` has the addresses and credentials, as the simulator's `info` gives them. The simulator calls Home
    Assistant at `callback_url`, without one at its address on this machine, or as `callback` says.
    Raises `FlowFailed`.
    """
    flow = await Flow.begin(api, CONFIG, DOMAIN)
    credentials = {name: jedlix[name] for name in ("client_id", "client_secret", "api_key")}
    await flow.choose("user", "account")
    await flow.submit("account", {"environment": "custom", **credentials})
    await flow.submit("custom", {name: jedlix[name] for name in ("base_url", "token_url")})
    await flow.submit("users", {"users": list(users)})
    url = {"callback_url": callback_url or api.base_url} if callback == "custom" else {}
    await flow.submit("webhook", {"callback": callback, **url})
    return str(flow.result()["result"]["entry_id"])


async def set_options(api: HomeApi, entry_id: str, **options: Any) -> None:
    """Change the named options; the others keep their values."""
    flow = await Flow.begin(api, OPTIONS, entry_id)
    await flow.submit("init", _filled(flow.fields, options))
    flow.result()


async def add_for_all_users(api: HomeApi, simulator: Simulator, **options: Any) -> None:
    """Add the integration for all users of the simulator, with these options and subscribed to everything.

    Raises `FlowFailed` when that does not succeed in time.
    """
    users = [user["id"] for user in await simulator.users()]
    entry_id = await add_jedlix(api, await simulator.info(), users)
    event_types = await simulator.event_types()
    await set_options(api, entry_id, event_types=event_types, **options)
    await until_subscribed(api, simulator, event_types)


async def until_subscribed(api: HomeApi, simulator: Simulator, event_types: Sequence[str]) -> None:
    """Wait until the entries are loaded and these event types are subscribed; else raises `FlowFailed`."""
    missing = set(event_types)
    try:
        async with asyncio.timeout(_PATIENCE):
            while missing := set(event_types) - await simulator.tested_types():  # noqa: ASYNC110
                await asyncio.sleep(0.2)
    except TimeoutError:
        names = ", ".join(sorted(missing))
        raise FlowFailed(f"not subscribed after {_PATIENCE:.0f} s: {names}") from None
    await until_loaded(api)


async def until_loaded(api: HomeApi) -> None:
    """Wait until the entries are loaded; raises `FlowFailed` when they are not in time."""
    try:
        async with asyncio.timeout(_PATIENCE):
            while not await are_loaded(api):  # noqa: ASYNC110
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise FlowFailed(f"the entry was not loaded after {_PATIENCE:.0f} s") from None


async def entries(api: HomeApi) -> list[dict[str, Any]]:
    """Return the config entries of the integration."""
    found: list[dict[str, Any]] = await api.rest("GET", f"{_PATH}?domain={DOMAIN}")
    return found


async def users_of_subentries(socket: WebSocket) -> dict[str, tuple[str, str]]:
    """Return the user of each subentry of the integration's entries, and its title."""
    users: dict[str, tuple[str, str]] = {}
    for entry in await socket.call("config_entries/get", domain=DOMAIN):
        subentries = await socket.call("config_entries/subentries/list", entry_id=entry["entry_id"])
        users |= {item["subentry_id"]: (item["unique_id"], item["title"]) for item in subentries}
    return users


async def remove(api: HomeApi, entry_id: str) -> None:
    """Remove an entry with everything that belongs to it."""
    await api.rest("DELETE", f"{_PATH}/{entry_id}")


async def remove_all(api: HomeApi) -> None:
    """Remove all entries of the integration."""
    for entry in await entries(api):
        await remove(api, entry["entry_id"])


async def are_loaded(api: HomeApi) -> bool:
    """Return whether there are entries of the integration, and all of them are loaded."""
    found = await entries(api)
    return bool(found) and all(entry["state"] == "loaded" for entry in found)


def _filled(fields: Sequence[Mapping[str, Any]], entered: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the form sends when somebody changes some fields, those of its sections included."""
    values: dict[str, Any] = {}
    for field in fields:
        name = field["name"]
        if name in entered:
            values[name] = entered[name]
            continue
        if field.get("type") == "expandable":
            values[name] = _filled(field["schema"], entered)
            continue
        suggested = (field.get("description") or {}).get("suggested_value")
        value = suggested if suggested is not None else field.get("default")
        if value is not None:
            values[name] = value
    return values
