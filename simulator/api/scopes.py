"""Scopes: what a driver's access token must allow for a call. The eight names are the SDKs'.

That each call wants a scope is documented; which one is only known for these. Other calls want none here.
"""

SCOPES = {
    "vehicles": "read:vehicle",
    "vehicle": "read:vehicle",
    "delete_vehicle": "delete:vehicle",
    "connect_vehicle": "create:connectsession",
    "reconnect_vehicle": "create:connectsession",
    "connect_sessions": "read:connectsession",
    "connect_session": "read:connectsession",
    "user_locations": "read:charginglocations",
    "location": "read:charginglocations",
    "chargers": "read:charger",
    "location_chargers": "read:charger",
    "charger": "read:charger",
    "charger_state": "read:charger",
    "delete_charger": "delete:charger",
}
