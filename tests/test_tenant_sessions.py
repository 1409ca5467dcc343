"""Sessions of the tenant: how far its list is read, and which sessions it has for us."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from custom_components.jedlix.api import Session, Vehicle
from custom_components.jedlix.state.user_snapshot import UserSnapshot
from custom_components.jedlix.state.vehicle_snapshot import VehicleSnapshot
from custom_components.jedlix.tenant_sessions import TenantSessions

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
NEW = Session(id="new", user_id="ours", vehicle_id="car", started_at=NOON)
OF_A_STRANGER = Session(id="other", user_id="stranger", started_at=NOON)


@dataclass
class Fetcher:
    """A list of two sessions; it notes how it is asked."""

    sessions: tuple[Session, ...] | None = (NEW, OF_A_STRANGER)
    is_tenant_list_cut: bool = False
    asked: list[datetime] = field(default_factory=list)
    known: dict[str, bool] = field(default_factory=dict)

    async def tenant_sessions(
        self, since: datetime, is_known: Callable[[Session], bool], *, is_household: bool
    ) -> tuple[Session, ...] | None:
        assert is_household
        self.asked.append(since)
        return await self.new_sessions(is_known)

    async def new_sessions(self, is_known: Callable[[Session], bool]) -> tuple[Session, ...] | None:
        self.known = {session.id: is_known(session) for session in self.sessions or ()}
        return self.sessions


def sessions_of(
    fetcher: Fetcher, users: Mapping[str, UserSnapshot] | None = None, *, lists_tenant: bool = True
) -> TenantSessions:
    """Return the list, for one followed user."""
    parts: dict[str, Any] = {
        "store": SimpleNamespace(users=users or {}),
        "schedule": SimpleNamespace(followed=frozenset({"ours"}), is_household=True),
        "known": SimpleNamespace(lists_tenant=lists_tenant),
        "fetcher": fetcher,
    }
    return TenantSessions(**parts, now=lambda: NOON)


@pytest.mark.parametrize(("hours", "asked"), [(-2, -2), (0, 0), (2, 0)])
async def test_a_last_read_in_the_future_is_not_believed(hours: int, asked: int) -> None:
    """Jedlix's clock was ahead when the list was read last."""
    fetcher = Fetcher()
    found = await sessions_of(fetcher).since(NOON + timedelta(hours=hours))
    assert found == {"ours": [NEW]}
    assert fetcher.asked == [NOON + timedelta(hours=asked)]


async def test_only_sessions_of_followed_users_that_are_not_known_are_new() -> None:
    """A page without a new one is the last that is read."""
    car = VehicleSnapshot(vehicle=Vehicle(id="car", user_id="ours"), known_since=NOON)
    users = {
        user: UserSnapshot(user_id=user, vehicles={"car": car}) for user in ("ours", "stranger")
    }
    fetcher = Fetcher()
    assert await sessions_of(fetcher, users).newest() == {"ours": [NEW]}
    assert fetcher.known == {"new": False, "other": True}
    knows_it = replace(car, open_sessions={"new": NEW})
    users["ours"] = users["ours"].with_vehicle(knows_it)
    await sessions_of(fetcher, users).newest()
    assert fetcher.known == {"new": True, "other": True}


@pytest.mark.parametrize(
    ("lists_tenant", "is_cut", "names_all"),
    [(True, False, True), (True, True, False), (False, False, False)],
)
def test_a_list_that_is_cut_names_not_everybody(
    lists_tenant: bool, is_cut: bool, names_all: bool
) -> None:
    found = sessions_of(Fetcher(is_tenant_list_cut=is_cut), lists_tenant=lists_tenant)
    assert found.names_all is names_all


async def test_without_a_last_read_or_a_list_there_is_none() -> None:
    fetcher = Fetcher(sessions=None)
    assert await sessions_of(fetcher).since(None) == {}
    assert fetcher.asked == []
    assert await sessions_of(fetcher).since(NOON) is None
