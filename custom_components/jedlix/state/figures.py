"""Figures: the energy, cost and savings of a session or of several, as far as Jedlix has reported them."""

from collections.abc import Callable
from dataclasses import astuple, dataclass, fields, replace
from typing import Self

from ..api import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Energy in kWh, cost and savings in one currency; None is a figure that Jedlix has not reported."""

    energy_kwh: float | None = None
    cost: float | None = None
    savings: float | None = None

    @classmethod
    def of(cls, session: Session) -> Self:
        """Return the figures of a session."""
        return cls(energy_kwh=session.energy_kwh, cost=session.cost, savings=session.savings)

    @property
    def is_complete(self) -> bool:
        """Return whether Jedlix has reported all of the figures."""
        return None not in (self.energy_kwh, self.cost, self.savings)

    @property
    def is_empty(self) -> bool:
        """Return whether Jedlix has reported none of the figures."""
        return self.energy_kwh is self.cost is self.savings is None

    def contradicts(self, other: Self) -> bool:
        """Return whether a figure that both have differs."""
        return any(
            None not in pair and pair[0] != pair[1]
            for pair in zip(astuple(self), astuple(other), strict=True)
        )

    def times(self, factor: float) -> Self:
        """Return a part of these figures."""
        return self._map(lambda value: value * factor)

    def plus(self, other: Self) -> Self:
        """Return the sum of both; a figure that only one of them has is that one's."""
        return type(self)(
            energy_kwh=_sum(self.energy_kwh, other.energy_kwh),
            cost=_sum(self.cost, other.cost),
            savings=_sum(self.savings, other.savings),
        )

    def in_currency(self, own: str | None, wanted: str | None) -> Self:
        """Return these figures; money counts in the wanted currency, or where Jedlix names none."""
        return self if own in (None, wanted) else replace(self, cost=None, savings=None)

    def _map(self, change: Callable[[float], float]) -> Self:
        return type(self)(
            **{
                item.name: None if (value := getattr(self, item.name)) is None else change(value)
                for item in fields(self)
            }
        )


def completed(session: Session, financials: Session | None) -> Session:
    """Return a session with what it leaves out taken from its line in the financials."""
    if financials is None:
        return session
    return replace(
        session,
        energy_kwh=financials.energy_kwh if session.energy_kwh is None else session.energy_kwh,
        cost=financials.cost if session.cost is None else session.cost,
        savings=financials.savings if session.savings is None else session.savings,
        currency=session.currency or financials.currency,
    )


def without_amounts(session: Session) -> Session:
    """Return a session whose known figures are zero."""
    figures = Figures.of(session).times(0.0)
    return replace(
        session, energy_kwh=figures.energy_kwh, cost=figures.cost, savings=figures.savings
    )


def _sum(one: float | None, other: float | None) -> float | None:
    if one is None or other is None:
        return other if one is None else one
    return one + other
