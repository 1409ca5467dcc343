"""Series: the hours of a car's energy, cost and savings, as sums that a repeated import never spoils."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple, Self
from zlib import crc32

from ..api import BadAnswer, Session
from ..api.reading import Fields, Json, integer, moment
from .hours import Flow, by_hour

ENERGY: Final = "energy"
COST: Final = "cost"
SAVINGS: Final = "savings"

# A smaller difference is one of rounding.
_SAME: Final = 1e-6


class SeriesKey(NamedTuple):
    """What a series is about. Energy has no currency."""

    kind: str
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class ImportMark:
    """How far a car is imported: all that ended before `until`, and the remembered sessions as they were.

    `stale` are the hours of sessions that were corrected or deleted since.
    """

    until: datetime
    fingerprint: int
    stale: frozenset[datetime] = frozenset()

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Read one from the store; raises BadAnswer when it is not one."""
        fields = Fields(data)
        until, fingerprint = moment(fields.get("until")), integer(fields.get("fingerprint"))
        if until is None or fingerprint is None:
            raise BadAnswer("a stored mark of an import without a time")
        hours = fields.get("stale")
        stale = (moment(hour) for hour in (hours if isinstance(hours, list) else ()))
        return cls(until, fingerprint, frozenset(hour for hour in stale if hour is not None))

    def as_json(self) -> dict[str, Json]:
        """Return one for the store."""
        stale: list[Json] = [hour.isoformat() for hour in sorted(self.stale)]
        return {"until": self.until.isoformat(), "fingerprint": self.fingerprint, "stale": stale}


def fingerprint_of(sessions: Mapping[str, object]) -> int:
    """Return a number that differs when any of the sessions does, or what is known of it by its id.

    It is the same after a restart.
    """
    return crc32(repr(sorted(sessions.items(), key=lambda item: item[0])).encode())


class Row(NamedTuple):
    """One hour of a series: its start in UTC, its amount, and the sum of all amounts up to its end."""

    start: datetime
    amount: float
    total: float


type Hours = dict[datetime, float]


def series_of(sessions: Iterable[tuple[Session, Flow]]) -> dict[SeriesKey, Hours]:
    """Return the amount of each hour, by series. The sessions are given with when their energy flowed.

    Money without a currency is left out.
    """
    found: defaultdict[SeriesKey, Hours] = defaultdict(dict)
    for session, flow in sessions:
        for kind, amount in _figures(session):
            key = SeriesKey(kind, None if kind == ENERGY else session.currency)
            if amount is not None and (kind == ENERGY or key.currency is not None):
                hours = found[key]
                for hour, part in by_hour(amount, flow).items():
                    hours[hour] = hours.get(hour, 0.0) + part
    return dict(found)


def unknown_hours(sessions: Iterable[tuple[Session, Flow]]) -> dict[str, set[datetime]]:
    """Return the hours of sessions of which Jedlix does not report a figure, by the kind of the figure."""
    unknown: defaultdict[str, set[datetime]] = defaultdict(set)
    for session, flow in sessions:
        for kind, amount in _figures(session):
            if amount is None:
                unknown[kind] |= by_hour(0.0, flow).keys()
    return unknown


def _figures(session: Session) -> tuple[tuple[str, float | None], ...]:
    return (ENERGY, session.energy_kwh), (COST, session.cost), (SAVINGS, session.savings)


def changed_rows(
    rows: Sequence[Row],
    base: float,
    amounts: Mapping[datetime, float],
    keeps: Callable[[Row], bool],
) -> list[Row]:
    """Return the rows to write, in order: those from the first that changes on, none where nothing does.

    `rows` are the present ones from some hour on, and `base` is the sum before them. `amounts` are the new
    ones. An hour that has no amount any more gets 0, except where `keeps` says that its amount stays.
    """
    present = {row.start: row for row in rows}
    wanted = {
        **{row.start: row.amount if keeps(row) else 0.0 for row in rows},
        **amounts,
    }
    total, changed = base, list[Row]()
    for hour in sorted(wanted):
        total += wanted[hour]
        row, before = Row(hour, wanted[hour], total), present.get(hour)
        is_same = before is not None and (
            abs(before.amount - row.amount) < _SAME and abs(before.total - row.total) < _SAME
        )
        if changed or not is_same:
            changed.append(row)
    return changed
