"""Data of a loaded entry, and the API client that an entry's data describe."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.const import (
    CONF_API_KEY,
    CONF_CLIENT_ID,
    CONF_CLIENT_SECRET,
    CONF_TOKEN,
    __version__,
)
from homeassistant.core import HassJob, HomeAssistant
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.util import dt as dt_util
from homeassistant.util.json import JsonObjectType

from .api import JedlixClient, TokenSource
from .api.clock import JedlixClock
from .api.gate import CallGate
from .api.shapes import event_type_name
from .api.token_address import Auth
from .api.user_token import UserToken, UserTokenSource
from .commands import Commands
from .const import CONF_AUDIENCE, CONF_BASE_URL, CONF_TOKEN_URL, CONF_USER_ID
from .coordinator import JedlixCoordinator
from .push.health import PushState
from .session_history import SessionHistory
from .state.departure_times import departure_times
from .statistics import StatisticsImport
from .store import JedlixStore
from .token_file import TokenFile
from .webhook import JedlixPush

# How Jedlix may recognise the caller in its traces (header: SDK).
_CLIENT_NAME: Final = "home-assistant-jedlix"

type JedlixConfigEntry = ConfigEntry[JedlixData]


@dataclass(frozen=True, slots=True, kw_only=True)
class JedlixData:
    """The parts of a loaded entry. A driver's log-in has no push: webhooks are the tenant's."""

    client: JedlixClient
    store: JedlixStore
    coordinator: JedlixCoordinator
    commands: Commands
    session_history: SessionHistory
    statistics: StatisticsImport
    push: JedlixPush | None
    # the subentry of each followed user
    subentry_of: dict[str, str]
    # the entry's data, options and title in use
    loaded_with: tuple[Mapping[str, Any], Mapping[str, Any], str]
    # the cars that the list of users has shown, by user
    car_names: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def api_report(self) -> JsonObjectType:
        """Return what the tenant's API is like, without anybody's data.

        A user may have added names of event types; what does not look like one is not shown.
        """
        record = self.store.push
        return {
            "push_state": (PushState.OFF if self.push is None else self.push.state).value,
            "event_types": {
                "accepted": [event_type_name(name) for name in record.subscriptions],
                "refused": {
                    event_type_name(name): refusal.reason.value
                    for name, refusal in record.refused_types.items()
                },
            },
            "departure_times": dict(self._departure_times()),
            **self.client.report.as_json(self.coordinator.offered),
        }

    def _departure_times(self) -> Counter[str]:
        """Return of how many cars the departure times were recognized, and of how many not, by the reason."""
        found = (departure_times(car.settings) for car in self.coordinator.fleet.vehicles.values())
        return Counter(
            "recognized" if times.refusal is None else times.refusal.value for times in found
        )


def is_driver(data: Mapping[str, Any]) -> bool:
    """Return whether an entry's data are of a driver's log-in, not of an account of a supplier or fleet."""
    return CONF_TOKEN in data


async def load_client(hass: HomeAssistant, entry: JedlixConfigEntry) -> JedlixClient:
    """Return the client of an entry that is set up. Only this one renews the tokens of a driver's log-in."""
    if not is_driver(entry.data):
        return make_client(hass, entry.data)
    file = TokenFile(hass, entry.entry_id)
    token = await file.latest(entry.data[CONF_TOKEN])
    source = _user_tokens(hass, entry.data, token, file.keep)
    entry.async_on_unload(source.close)
    # While Home Assistant stops, it writes files at the very end only: a kill before would lose new tokens.
    entry.async_on_unload(hass.async_add_shutdown_job(HassJob(source.close)))
    return make_client(hass, entry.data, source)


def client_of(hass: HomeAssistant, entry: JedlixConfigEntry) -> JedlixClient:
    """Return the client with which an entry is loaded, else a new one."""
    if entry.state is ConfigEntryState.LOADED:
        return entry.runtime_data.client
    return make_client(hass, entry.data)


def make_client(
    hass: HomeAssistant, data: Mapping[str, Any], auth: Auth | None = None
) -> JedlixClient:
    """Return a client for the credentials and addresses of an entry's data.

    For a driver's log-in it uses the tokens that the log-in gave, and does not renew them.
    """
    session = async_get_clientsession(hass)
    if auth is None and is_driver(data):
        auth = _user_tokens(hass, data, UserToken.from_json(data[CONF_TOKEN]))
    return JedlixClient(
        session,
        base_url=data[CONF_BASE_URL],
        auth=auth
        or TokenSource(
            session,
            token_url=data[CONF_TOKEN_URL],
            client_id=data[CONF_CLIENT_ID],
            client_secret=data[CONF_CLIENT_SECRET],
            audience=data[CONF_AUDIENCE],
        ),
        user_id=data.get(CONF_USER_ID),
        api_key=data.get(CONF_API_KEY),
        client_name=_CLIENT_NAME,
        client_version=__version__,
        clock=JedlixClock(lambda: dt_util.utcnow()),  # noqa: PLW0108  the function may be replaced
        gate=CallGate(clock=lambda: dt_util.utcnow().timestamp()),
    )


def _user_tokens(
    hass: HomeAssistant,
    data: Mapping[str, Any],
    token: UserToken,
    keep: Callable[[UserToken], Awaitable[None]] | None = None,
) -> UserTokenSource:
    return UserTokenSource(
        async_get_clientsession(hass),
        token_url=data[CONF_TOKEN_URL],
        client_id=data[CONF_CLIENT_ID],
        client_secret=data[CONF_CLIENT_SECRET],
        token=token,
        keep=keep,
    )
