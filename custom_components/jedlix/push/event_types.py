"""Event types that a tenant may accept beside the two that Jedlix documents. Pure.

That event types about sessions exist is likely (inferred): the documentation gives one as its example.
Their names are not known, so these are guesses of ours, spelled like the documented ones. Jedlix's answer
decides.
"""

from typing import Final

CANDIDATES: Final = (
    "sessionStarted",
    "sessionEnded",
    "chargeSessionStarted",
    "chargeSessionEnded",
    "chargingSessionStarted",
    "chargingSessionEnded",
    "smartChargingSessionStarted",
    "smartChargingSessionEnded",
    "vehicleConnected",
    "vehicleDisconnected",
    "vehicleAdded",
    "vehicleRemoved",
    "chargeStateChanged",
    "chargeSettingsChanged",
    "userDeleted",
)

# For each name that was tried: whether the tenant accepted it. As the store keeps it.
type TriedEventTypes = dict[str, bool]


def accepted(tried: TriedEventTypes) -> list[str]:
    """Return the event types that the tenant accepted."""
    return [name for name, is_accepted in tried.items() if is_accepted]


def untried(tried: TriedEventTypes) -> list[str]:
    """Return the candidates that were not tried yet."""
    return [name for name in CANDIDATES if name not in tried]


def forget_accepted(tried: TriedEventTypes) -> None:
    """Forget the accepted event types, so that they are no longer subscribed; refusals are remembered."""
    for name in accepted(tried):
        del tried[name]
