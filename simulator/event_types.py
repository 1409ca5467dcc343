"""Event types: the names under which the simulated tenant reports what happens."""

from collections.abc import Mapping
from typing import Final

DOCUMENTED_EVENTS: Final = {
    "user_created": "userCreated",
    "ready_to_continue": "vehicleConnectionReadyToContinue",
}
"""The two event types whose names are documented, by the kind of signal."""

REPORTED_EVENTS: Final = {
    "session_started": "sessionStarted",
    "session_ended": "sessionEnded",
    "session_updated": "sessionUpdated",
    "session_impossible": "sessionImpossible",
    "vehicle_updated": "vehicleUpdated",
    "vehicle_invalid_credentials": "vehicleInvalidCredentials",
    "vehicle_connected": "vehicleConnected",
    "vehicle_disconnected": "vehicleDisconnected",
    "vehicle_removed": "vehicleRemoved",
    "vehicle_selected": "vehicleSelected",
    "charger_connected": "chargerConnected",
    "charger_disconnected": "chargerDisconnected",
    "charger_invalid_credentials": "chargerInvalidCredentials",
    "user_updated": "userUpdated",
    "user_removed": "userRemoved",
    "utility_contract_created": "utilityContractCreated",
    "utility_contract_updated": "utilityContractUpdated",
    "utility_contract_removed": "utilityContractRemoved",
    "utility_contract_invalidated": "utilityContractInvalidated",
}
"""Names seen in public code that copies Jedlix's webhook model; camelCase on the wire is inferred."""

NEVER_SENT: Final = frozenset(
    kind
    for kind in REPORTED_EVENTS
    if kind.startswith(("charger_", "utility_")) or kind == "user_updated"
)
"""Kinds that can be subscribed, and that nothing in the simulated world causes."""

_PARTIAL: Final = (
    "session_started",
    "session_ended",
    "session_impossible",
    "vehicle_invalid_credentials",
    "vehicle_connected",
    "vehicle_disconnected",
    "vehicle_removed",
    "user_removed",
)
PARTIAL_LIMIT: Final = 6
"""How many subscriptions a tenant of the partial mode may have."""

_OF_MODE: Final[Mapping[str, Mapping[str, str]]] = {
    "strict": {},
    "partial": {kind: REPORTED_EVENTS[kind] for kind in _PARTIAL},
}


def reported_events_of(mode: str) -> dict[str, str]:
    """Return the reported event types that a tenant of this mode has, by the kind of signal."""
    return dict(_OF_MODE.get(mode, REPORTED_EVENTS))


def pascal_case(name: str) -> str:
    """Return a name as the code that it was seen in spells it: `SessionStarted`."""
    return name[:1].upper() + name[1:]
