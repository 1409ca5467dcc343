"""Event types that a tenant may have beside the two that Jedlix documents. Pure.

That session events exist is likely (inferred): the documentation motivates webhooks with one. Their names are
unknown, so these are guesses of ours, in the spelling of the documented ones. Jedlix's answer decides.
"""

from typing import Final

GUESSES: Final = (
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

# What came of each guess: true where the tenant took it. By name, as the Store keeps it.
type Guesses = dict[str, bool]


def found(guesses: Guesses) -> list[str]:
    """Return the types that the tenant took."""
    return [name for name, is_offered in guesses.items() if is_offered]


def untried(guesses: Guesses) -> list[str]:
    """Return the names that nobody has asked for yet."""
    return [name for name in GUESSES if name not in guesses]


def forget_found(guesses: Guesses) -> None:
    """Forget what was found, so that it is no longer wanted; what was refused stays known."""
    for name in found(guesses):
        del guesses[name]
