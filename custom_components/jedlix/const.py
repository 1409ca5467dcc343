"""Constants that more than one module uses: domain, configuration keys, defaults, bus events."""

from typing import Final

DOMAIN: Final = "jedlix"
MANUFACTURER: Final = "Jedlix"

# entry data
CONF_ENVIRONMENT: Final = "environment"
CONF_BASE_URL: Final = "base_url"
CONF_TOKEN_URL: Final = "token_url"  # noqa: S105  the name of a field
CONF_AUDIENCE: Final = "audience"
CONF_AUTHORIZE_URL: Final = "authorize_url"
CONF_SCOPE: Final = "scope"
CONF_LOG_IN: Final = "log_in"
CONF_CALLBACK: Final = "callback"
CONF_CALLBACK_URL: Final = "callback_url"
CONF_WEBHOOK_KEY: Final = "webhook_key"

# subentries: one per followed user
SUBENTRY_USER: Final = "user"
CONF_USERS: Final = "users"
CONF_USER_ID: Final = "user_id"

# options
CONF_EVENT_TYPES: Final = "event_types"
CONF_POLL_MINUTES: Final = "poll_minutes"
DEFAULT_POLL_MINUTES: Final = 5
CONF_FIND_EVENT_TYPES: Final = "find_event_types"
CONF_FOLLOW_NEW_USERS: Final = "follow_new_users"
CONF_IMPORT_ENERGY: Final = "import_energy"

# events on the bus
EVENT_WEBHOOK: Final = "jedlix_webhook"
EVENT_CHANGE: Final = "jedlix_event"
# Only the logbook reads it.
EVENT_LOGBOOK_LINE: Final = "jedlix_logbook_line"

# The only two event types that Jedlix's documentation names.
USER_CREATED: Final = "userCreated"
VEHICLE_READY: Final = "vehicleConnectionReadyToContinue"
DOCUMENTED_EVENT_TYPES: Final = (USER_CREATED, VEHICLE_READY)
