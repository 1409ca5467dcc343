"""Client library for the Jedlix Smart Charging API. It imports nothing of Home Assistant."""

from .auth import TokenSource
from .client import JedlixClient
from .connect_session import ConnectSession
from .errors import (
    REFUSALS,
    AuthError,
    BadAnswer,
    Conflict,
    ConnectionFailed,
    Forbidden,
    JedlixError,
    NotFound,
    RateLimited,
    Rejected,
)
from .locations import ChargingLocation, TariffDetails, TariffInterval, TariffPrice, TariffType
from .models import (
    Charger,
    ChargeSettings,
    ChargeState,
    ChargeStatus,
    Refresh,
    Session,
    Subscription,
    Vehicle,
    WebhookMessage,
)

__all__ = [
    "REFUSALS",
    "AuthError",
    "BadAnswer",
    "ChargeSettings",
    "ChargeState",
    "ChargeStatus",
    "Charger",
    "ChargingLocation",
    "Conflict",
    "ConnectSession",
    "ConnectionFailed",
    "Forbidden",
    "JedlixClient",
    "JedlixError",
    "NotFound",
    "RateLimited",
    "Refresh",
    "Rejected",
    "Session",
    "Subscription",
    "TariffDetails",
    "TariffInterval",
    "TariffPrice",
    "TariffType",
    "TokenSource",
    "Vehicle",
    "WebhookMessage",
]
