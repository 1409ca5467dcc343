"""Fields: the names of what a call may say, and the moments and periods that it means."""

from datetime import datetime, timedelta
from typing import Final

from homeassistant.core import ServiceCall
from homeassistant.util import dt as dt_util

from ..errors import refuse
from ..periods import Period, named_period, price_period

ENABLED: Final = "enabled"
UNTIL: Final = "until"
LEVEL: Final = "level"
START: Final = "start"
END: Final = "end"
TIME: Final = "time"
DAYS: Final = "days"
PERIOD: Final = "period"
DURATION: Final = "duration"
SINCE: Final = "since"

# Nobody plans for longer, and the answer stays small.
_LONGEST_PRICES: Final = timedelta(days=366)


def moment_of(call: ServiceCall, name: str) -> datetime | None:
    """Return a time of the call in UTC. Without a zone it is local."""
    moment: datetime | None = call.data.get(name)
    return None if moment is None else dt_util.as_utc(moment)


def period_of(call: ServiceCall, now: datetime) -> Period:
    """Return the period of a call. It is named, or it has a start or a duration, and perhaps an end."""
    name: str | None = call.data.get(PERIOD)
    duration: timedelta | None = call.data.get(DURATION)
    start, end = moment_of(call, START), moment_of(call, END)
    if [name, start, duration].count(None) != 2 or (name is not None and end is not None):  # noqa: PLR2004
        refuse("one_period")
    if name is not None:
        return Period(*map(dt_util.as_utc, named_period(name, dt_util.as_local(now))))
    end = end or now
    start = start or (end - (duration or timedelta(0)))
    if end <= start:
        refuse("end_before_start")
    return Period(start, end)


def price_period_of(call: ServiceCall) -> Period:
    """Return the period of prices that a call means, by the clock of Home Assistant."""
    period = price_period(
        dt_util.now(),
        name=call.data.get(PERIOD),
        start=moment_of(call, START),
        duration=call.data.get(DURATION),
        end=moment_of(call, END),
    )
    if period is None:
        refuse("one_price_period")
    period = Period(*map(dt_util.as_utc, period))
    if period.end <= period.start:
        refuse("end_before_start")
    if period.end - period.start > _LONGEST_PRICES:
        refuse("period_too_long", days=str(_LONGEST_PRICES.days))
    return period
