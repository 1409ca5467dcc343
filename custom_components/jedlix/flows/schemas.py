"""Schemas of the forms, readers of what is entered in them, and the environments that Jedlix documents."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from homeassistant.const import CONF_API_KEY, CONF_CLIENT_ID, CONF_CLIENT_SECRET
from homeassistant.data_entry_flow import SectionConfig, section
from homeassistant.helpers.selector import (
    BooleanSelector,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)
import voluptuous as vol
from yarl import URL

from ..api import Vehicle
from ..const import (
    CONF_AUDIENCE,
    CONF_AUTHORIZE_URL,
    CONF_BASE_URL,
    CONF_CALLBACK,
    CONF_CALLBACK_URL,
    CONF_ENVIRONMENT,
    CONF_EVENT_TYPES,
    CONF_FIND_EVENT_TYPES,
    CONF_FOLLOW_NEW_USERS,
    CONF_IMPORT_ENERGY,
    CONF_POLL_MINUTES,
    CONF_SCOPE,
    CONF_TOKEN_URL,
    CONF_USER_ID,
    CONF_USERS,
    DEFAULT_POLL_MINUTES,
)
from ..push.callback_url import Callback
from ..push.event_types import EVENT_TYPES
from ..users import TenantUser
from .event_types import groups_schema

PRODUCTION: Final = "production"
DEMO: Final = "demo"
CUSTOM: Final = "custom"

# Sections of the options.
GROUPS: Final = "groups"
ADVANCED: Final = "advanced"

# Hosts and token address are documented; that the demo's audience is its own URL is inferred.
ENVIRONMENTS: Final = {
    PRODUCTION: "https://smartcharging.jedlix.com",
    DEMO: "https://demo-smartcharging.jedlix.com",
}
TOKEN_URL: Final = "https://jedlix-b2e.eu.auth0.com/oauth/token"  # noqa: S105  an address, no secret

CONF_VEHICLE: Final = "vehicle"
CONF_ALL_USERS: Final = "all_users"

# What the eight scope names of the SDKs allow: reading, linking the car, and staying logged in (OAuth2).
DEFAULT_SCOPE: Final = (
    "offline_access read:vehicle read:charginglocations read:charger "
    "create:connectsession read:connectsession"
)

# What no form shows.
SECRETS: Final = frozenset({CONF_CLIENT_SECRET, CONF_API_KEY})

_REMOVE_API_KEY: Final = "remove_api_key"

_TEXT = TextSelector()
_URL = TextSelector(TextSelectorConfig(type=TextSelectorType.URL))
_SECRET = TextSelector(
    TextSelectorConfig(type=TextSelectorType.PASSWORD, autocomplete="current-password")
)

_MINUTES = NumberSelector(
    NumberSelectorConfig(
        min=1, max=60, step=1, unit_of_measurement="min", mode=NumberSelectorMode.BOX
    )
)


def _one_of(options: Iterable[str], translation_key: str) -> SelectSelector:
    return SelectSelector(
        SelectSelectorConfig(
            options=list(options),
            translation_key=translation_key,
            mode=SelectSelectorMode.LIST,
        )
    )


_ENVIRONMENT = _one_of((PRODUCTION, DEMO, CUSTOM), CONF_ENVIRONMENT)


def addresses_of(environment: str) -> dict[str, str]:
    """Return the addresses of an environment that Jedlix documents, as an entry's data have them."""
    base_url = ENVIRONMENTS[environment]
    return {CONF_BASE_URL: base_url, CONF_TOKEN_URL: TOKEN_URL, CONF_AUDIENCE: base_url}


def credentials_schema(*, has_secret: bool) -> vol.Schema:
    """Return the schema of the step `account`; once a secret was entered, what is left empty stays."""
    if has_secret:
        return environment_schema().extend(changed_credentials_schema().schema)
    return vol.Schema(
        {
            vol.Required(CONF_ENVIRONMENT, default=PRODUCTION): _ENVIRONMENT,
            vol.Required(CONF_CLIENT_ID): _TEXT,
            vol.Required(CONF_CLIENT_SECRET): _SECRET,
            vol.Optional(CONF_API_KEY): _SECRET,
        }
    )


def driver_schema() -> vol.Schema:
    """Return the schema of the step `driver`. What may be empty stays as it is when it is reconfigured."""
    return vol.Schema(
        {
            vol.Required(CONF_ENVIRONMENT, default=PRODUCTION): _ENVIRONMENT,
            vol.Optional(CONF_BASE_URL): _URL,
            vol.Required(CONF_AUTHORIZE_URL): _URL,
            vol.Required(CONF_TOKEN_URL): _URL,
            vol.Required(CONF_CLIENT_ID): _TEXT,
            vol.Optional(CONF_CLIENT_SECRET): _SECRET,
            vol.Optional(CONF_SCOPE): _TEXT,
            vol.Optional(CONF_AUDIENCE): _TEXT,
            vol.Optional(CONF_API_KEY): _SECRET,
        }
    )


def driver_data(known: Mapping[str, Any], user_input: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was entered in that form as an entry's data have it; `known` has the secrets that stay."""
    entered = {key: value for key, value in stripped(user_input).items() if value}
    environment = entered[CONF_ENVIRONMENT]
    return {
        CONF_ENVIRONMENT: environment,
        CONF_BASE_URL: ENVIRONMENTS.get(environment, entered.get(CONF_BASE_URL, "")).rstrip("/"),
        CONF_AUTHORIZE_URL: entered[CONF_AUTHORIZE_URL],
        CONF_TOKEN_URL: entered[CONF_TOKEN_URL],
        CONF_CLIENT_ID: entered[CONF_CLIENT_ID],
        CONF_CLIENT_SECRET: entered.get(CONF_CLIENT_SECRET) or known.get(CONF_CLIENT_SECRET),
        CONF_SCOPE: entered.get(CONF_SCOPE),
        CONF_AUDIENCE: entered.get(CONF_AUDIENCE),
        CONF_API_KEY: entered.get(CONF_API_KEY) or known.get(CONF_API_KEY),
        CONF_CALLBACK: Callback.NONE.value,
    }


def environment_schema() -> vol.Schema:
    """Return the schema of the step `environment`."""
    return vol.Schema({vol.Required(CONF_ENVIRONMENT, default=PRODUCTION): _ENVIRONMENT})


def custom_schema() -> vol.Schema:
    """Return the schema of the step `custom`."""
    return vol.Schema(
        {
            vol.Required(CONF_BASE_URL): _URL,
            vol.Required(CONF_TOKEN_URL): _URL,
            vol.Optional(CONF_AUDIENCE): _TEXT,
        }
    )


def users_schema(found: Mapping[str, TenantUser]) -> vol.Schema:
    """Return the schema of the step `users`: the users that were found, and any other by id."""
    return vol.Schema(_users_fields(found, takes_ids=True))


def user_schema(found: Mapping[str, TenantUser]) -> vol.Schema:
    """Return the schema of "Add user": the users that were found, where there are any, and one by id."""
    if not found:
        return vol.Schema({vol.Required(CONF_USER_ID): _TEXT})
    return vol.Schema({**_users_fields(found), vol.Optional(CONF_USER_ID): _TEXT})


def _users_fields(
    found: Mapping[str, TenantUser], *, takes_ids: bool = False
) -> dict[vol.Marker, Any]:
    """Return the list of users, first those whose cars are known, and the choice of all of several."""
    options = [
        SelectOptionDict(value=user.user_id, label=user.label)
        for user in sorted(found.values(), key=lambda user: (not user.cars, user.label))
    ]
    users = SelectSelector(
        SelectSelectorConfig(
            options=options,
            multiple=True,
            custom_value=takes_ids,
            mode=SelectSelectorMode.DROPDOWN,
        )
    )
    fields: dict[vol.Marker, Any] = {vol.Required(CONF_USERS, default=[]): users}
    if len(found) > 1:
        fields[vol.Required(CONF_ALL_USERS, default=False)] = BooleanSelector()
    return fields


def webhook_schema() -> vol.Schema:
    """Return the schema of a callback."""
    return vol.Schema(
        {
            vol.Required(CONF_CALLBACK, default=Callback.AUTO.value): _one_of(
                [way.value for way in Callback], CONF_CALLBACK
            ),
            vol.Optional(CONF_CALLBACK_URL): _URL,
        }
    )


def callback_data(user_input: Mapping[str, Any]) -> dict[str, str | None]:
    """Return the choice of that form as an entry's data have it."""
    url = (user_input.get(CONF_CALLBACK_URL) or "").strip().rstrip("/")
    return {CONF_CALLBACK: user_input[CONF_CALLBACK], CONF_CALLBACK_URL: url or None}


def reauth_schema() -> vol.Schema:
    """Return the schema of the step `reauth_confirm`: what is left empty stays."""
    return vol.Schema(
        {
            vol.Optional(CONF_CLIENT_SECRET): _SECRET,
            vol.Optional(CONF_API_KEY): _SECRET,
            vol.Required(_REMOVE_API_KEY, default=False): BooleanSelector(),
        }
    )


def changed_credentials_schema() -> vol.Schema:
    """Return the schema of the step `credentials`: what is left empty stays."""
    return vol.Schema({vol.Required(CONF_CLIENT_ID): _TEXT, **reauth_schema().schema})


def changed_credentials(
    known: Mapping[str, Any], user_input: Mapping[str, Any]
) -> dict[str, str | None]:
    """Return the known credentials, with what was entered in a form in their place."""
    entered = {key: value for key, value in stripped(user_input).items() if value}
    credentials = {
        key: known.get(key) for key in (CONF_CLIENT_ID, CONF_CLIENT_SECRET, CONF_API_KEY)
    }
    if entered.pop(_REMOVE_API_KEY, False):
        credentials[CONF_API_KEY] = None
    return credentials | entered


def options_schema(event_types: Iterable[str], states: Mapping[str, str]) -> vol.Schema:
    """Return the schema of the options, in the order of use.

    Event types can be chosen from those that are known, and any other by name; `states` is what Jedlix said
    of each group of them. With a default of its own, the frontend would not show the defaults in a section.
    """
    known = (item.name for item in EVENT_TYPES)
    chosen = SelectSelector(
        SelectSelectorConfig(
            options=list(dict.fromkeys([*known, *event_types])),
            multiple=True,
            custom_value=True,
            mode=SelectSelectorMode.DROPDOWN,
        )
    )
    return vol.Schema(
        {
            vol.Required(CONF_IMPORT_ENERGY, default=True): BooleanSelector(),
            vol.Required(CONF_FOLLOW_NEW_USERS, default=False): BooleanSelector(),
            vol.Required(CONF_POLL_MINUTES, default=DEFAULT_POLL_MINUTES): _MINUTES,
            vol.Required(CONF_FIND_EVENT_TYPES, default=False): BooleanSelector(),
            vol.Optional(GROUPS): section(groups_schema(states)),
            vol.Optional(ADVANCED): section(
                vol.Schema({vol.Optional(CONF_EVENT_TYPES, default=list(event_types)): chosen}),
                SectionConfig(collapsed=True),
            ),
        }
    )


def driver_options_schema() -> vol.Schema:
    """Return the schema of the options of a driver's log-in."""
    return vol.Schema(
        {
            vol.Required(CONF_IMPORT_ENERGY, default=True): BooleanSelector(),
            vol.Required(CONF_POLL_MINUTES, default=DEFAULT_POLL_MINUTES): _MINUTES,
        }
    )


def found_schema(states: Mapping[str, str]) -> vol.Schema:
    """Return the schema of the form that shows what Jedlix said of the event types."""
    return vol.Schema({vol.Optional(GROUPS): section(groups_schema(states))})


def vehicle_schema(cars: Mapping[str, Vehicle]) -> vol.Schema:
    """Return the schema of the choice among a user's cars, by id."""
    options = [SelectOptionDict(value=key, label=car.name or key) for key, car in cars.items()]
    chosen = SelectSelector(SelectSelectorConfig(options=options, mode=SelectSelectorMode.LIST))
    return vol.Schema({vol.Required(CONF_VEHICLE): chosen})


def stripped(user_input: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was entered, without the spaces around it that copying adds."""
    return {
        key: value.strip() if isinstance(value, str) else value for key, value in user_input.items()
    }


def account_title(data: Mapping[str, Any]) -> str:
    """Return the title of an account: Jedlix, with the environment where it is not production."""
    environment = data[CONF_ENVIRONMENT]
    if environment == PRODUCTION:
        return "Jedlix"
    return (
        f"Jedlix {DEMO}" if environment == DEMO else f"Jedlix {URL(data[CONF_BASE_URL]).authority}"
    )
