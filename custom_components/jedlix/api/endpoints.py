"""Endpoint table: name, method, path and evidence of every call. No other module knows a path.

Evidence levels: documented (developer.jedlix.com), sdk (source of the official SDKs), reported (public code
that copies Jedlix's webhook model: names likely, not confirmed), assumed (inferred by analogy: the tenant may
not offer it, and a caller must handle `NotFound`). For a tenant with other paths, `JedlixClient` gets another
table; no logic changes.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Evidence(StrEnum):
    """How we know that an endpoint, a field or an event type exists."""

    DOCUMENTED = "documented"
    SDK = "sdk"
    REPORTED = "reported"
    ASSUMED = "assumed"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One call: `path` is a format string relative to the base URL."""

    method: str
    path: str
    evidence: Evidence

    @property
    def is_of_user(self) -> bool:
        """Return whether the call is about one user, so that a user's own token is good for it."""
        return "{user_id}" in self.path


_USER: Final = "/api/v1/users/{user_id}"
_VEHICLE: Final = _USER + "/vehicles/{vehicle_id}"

type Endpoints = dict[str, Endpoint]

ENDPOINTS: Final[Endpoints] = {
    # Vehicles, chargers, locations.
    "vehicles": Endpoint("GET", _USER + "/vehicles", Evidence.DOCUMENTED),
    "chargers": Endpoint("GET", _USER + "/chargers", Evidence.SDK),
    "user_locations": Endpoint("GET", _USER + "/charging-locations", Evidence.SDK),
    "locations": Endpoint("GET", "/api/v2/charging-locations", Evidence.DOCUMENTED),
    # Sessions.
    "sessions": Endpoint("GET", "/api/v2/sessions", Evidence.DOCUMENTED),
    "user_sessions": Endpoint("GET", _USER + "/sessions", Evidence.ASSUMED),  # A4
    "session": Endpoint("GET", _USER + "/sessions/{session_id}", Evidence.ASSUMED),  # A4
    "session_settings": Endpoint(
        "PATCH", _USER + "/sessions/{session_id}/settings", Evidence.ASSUMED
    ),  # A5
    "financials": Endpoint("GET", _USER + "/financials", Evidence.ASSUMED),  # A7
    # Charge settings and state refresh.
    "charge_settings": Endpoint("GET", _VEHICLE + "/charge-settings", Evidence.ASSUMED),  # A3
    "update_charge_settings": Endpoint(
        "PATCH", _VEHICLE + "/charge-settings", Evidence.ASSUMED
    ),  # A3
    "request_refresh": Endpoint("POST", _VEHICLE + "/charge-state/refresh", Evidence.ASSUMED),  # A6
    "refresh_status": Endpoint("GET", _VEHICLE + "/charge-state/refresh", Evidence.ASSUMED),  # A6
    # Linking a car at its maker.
    "connect_vehicle": Endpoint("POST", _USER + "/vehicles/connect-sessions", Evidence.DOCUMENTED),
    "reconnect_vehicle": Endpoint("POST", _VEHICLE + "/connect-sessions", Evidence.SDK),
    "connect_sessions": Endpoint("GET", _USER + "/connect-sessions", Evidence.SDK),
    "connect_session": Endpoint(
        "GET", _USER + "/connect-sessions/{connect_session_id}", Evidence.DOCUMENTED
    ),
    # Webhooks. The records of subscriptions and of the history are reported, these calls are not.
    "subscribe": Endpoint("POST", "/api/v1/webhooks/subscriptions", Evidence.DOCUMENTED),
    "subscriptions": Endpoint("GET", "/api/v1/webhooks/subscriptions", Evidence.ASSUMED),  # A10
    "unsubscribe": Endpoint(
        "DELETE", "/api/v1/webhooks/subscriptions/{subscription_id}", Evidence.ASSUMED
    ),  # A10
    "webhook_history": Endpoint("GET", "/api/v1/webhooks/events", Evidence.ASSUMED),  # A11
}
