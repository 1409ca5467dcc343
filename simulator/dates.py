"""Dates: how the API writes and reads times. All are UTC."""

from collections.abc import Callable
from datetime import UTC, datetime

type Style = Callable[[datetime], str]


def v1(moment: datetime) -> str:
    """Microseconds and no zone (SDK: the default of v1)."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06}"


def v1_seconds(moment: datetime) -> str:
    """Whole seconds and no zone (SDK: the charger state of v1)."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}"


def v2(moment: datetime) -> str:
    """Milliseconds and a Z (documented: v2 and the timestamps of webhooks)."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"


def read(text: object) -> datetime:
    """Read any ISO date-time; without a zone it is UTC. Raises ValueError in words."""
    try:
        moment = datetime.fromisoformat(text)  # type: ignore[arg-type]
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except TypeError, ValueError, OverflowError:
        raise ValueError(f"{text!r} is not a date-time such as 2026-01-31T11:43:02.164Z") from None
