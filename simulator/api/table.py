"""Table of endpoints: path, evidence, and the function that answers.

Assumptions (ours, not Jedlix's; section 6.2 of the API reference, and A12): A1 users, A3 charge settings,
A4 sessions of a user, A5 session settings, A6 refresh, A7 financials, A8 tariffs, A9 names in the charge
settings, A10 management of subscriptions, A11 history of events, A12 names of energy and money.
"""

from . import charging, fleet, push
from .http import Endpoint, Evidence

_D, _S, _A = Evidence.DOCUMENTED, Evidence.SDK, Evidence.ASSUMED

_USER = "/users/{user}"
_VEHICLE = _USER + "/vehicles/{vehicle}"
_SESSION = _USER + "/sessions/{session}"
_LOCATION = _USER + "/charging-locations/{location}"
_CHARGER = _LOCATION + "/chargers/{charger}"
_CONNECT = _USER + "/connect-sessions"
_SUBSCRIPTION = "/webhooks/subscriptions/{subscription}"

TABLE = (
    # users and vehicles
    Endpoint("create_user", "POST", "/users", _D, "answer A1", fleet.create_user),
    Endpoint("user", "GET", _USER, _A, "A1", fleet.get_user),
    Endpoint("vehicles", "GET", _USER + "/vehicles", _D, "", fleet.list_vehicles),
    Endpoint("vehicle", "GET", _VEHICLE, _S, "", fleet.get_vehicle),
    Endpoint("delete_vehicle", "DELETE", _VEHICLE, _S, "", fleet.delete_vehicle),
    Endpoint(
        "connect_vehicle",
        "POST",
        _USER + "/vehicles/connect-sessions",
        _D,
        "",
        fleet.connect_vehicle,
    ),
    Endpoint(
        "reconnect_vehicle", "POST", _VEHICLE + "/connect-sessions", _S, "", fleet.connect_vehicle
    ),
    Endpoint("connect_sessions", "GET", _CONNECT, _S, "", fleet.list_connect_sessions),
    Endpoint("connect_session", "GET", _CONNECT + "/{connect}", _D, "", fleet.get_connect_session),
    # locations and chargers
    Endpoint("locations", "GET", "/charging-locations", _D, "in v2", fleet.all_locations),
    Endpoint("user_locations", "GET", _USER + "/charging-locations", _S, "", fleet.list_locations),
    Endpoint("location", "GET", _LOCATION, _S, "", fleet.get_location),
    Endpoint("tariffs", "GET", _LOCATION + "/tariffs", _A, "A8", charging.tariffs),
    Endpoint("chargers", "GET", _USER + "/chargers", _S, "", fleet.list_chargers),
    Endpoint("location_chargers", "GET", _LOCATION + "/chargers", _S, "", fleet.list_chargers),
    Endpoint("charger", "GET", _CHARGER, _S, "", fleet.get_charger),
    Endpoint("charger_state", "GET", _CHARGER + "/state", _S, "", fleet.get_charger_state),
    Endpoint("delete_charger", "DELETE", _CHARGER, _S, "", fleet.delete_charger),
    # sessions
    Endpoint("sessions", "GET", "/sessions", _D, "in v2; names A4, A12", charging.all_sessions),
    Endpoint("user_sessions", "GET", _USER + "/sessions", _A, "A4", charging.list_sessions),
    Endpoint("session", "GET", _SESSION, _A, "A4", charging.get_session),
    *(
        Endpoint(
            "session_settings", method, _SESSION + "/settings", _A, "A5", charging.update_session
        )
        for method in ("PATCH", "POST", "PUT")
    ),
    Endpoint("financials", "GET", _USER + "/financials", _A, "A7, A12", charging.financials),
    # charge settings and refresh
    Endpoint(
        "charge_settings", "GET", _VEHICLE + "/charge-settings", _A, "A3, A9", charging.get_settings
    ),
    Endpoint(
        "create_charge_settings",
        "POST",
        _VEHICLE + "/charge-settings",
        _A,
        "A3, A9",
        charging.create_settings,
    ),
    Endpoint(
        "update_charge_settings",
        "PATCH",
        _VEHICLE + "/charge-settings",
        _A,
        "A3, A9",
        charging.update_settings,
    ),
    Endpoint(
        "request_refresh",
        "POST",
        _VEHICLE + "/charge-state/refresh",
        _A,
        "A6",
        charging.request_refresh,
    ),
    Endpoint(
        "refresh_status",
        "GET",
        _VEHICLE + "/charge-state/refresh",
        _A,
        "A6",
        charging.refresh_status,
    ),
    # webhooks
    Endpoint(
        "subscribe",
        "POST",
        "/webhooks/subscriptions",
        _D,
        "answer A10",
        push.create_subscription,
    ),
    Endpoint("subscriptions", "GET", "/webhooks/subscriptions", _A, "A10", push.list_subscriptions),
    Endpoint("subscription", "GET", _SUBSCRIPTION, _A, "A10", push.get_subscription),
    Endpoint("update_subscription", "PUT", _SUBSCRIPTION, _A, "A10", push.update_subscription),
    Endpoint("unsubscribe", "DELETE", _SUBSCRIPTION, _A, "A10", push.delete_subscription),
    Endpoint("webhook_history", "GET", "/webhooks/events", _A, "A11", push.list_events),
)
