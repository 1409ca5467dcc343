"""Who is in a tenant: finds the users that a set-up can follow, named so that a person knows them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from .api import JedlixClient, JedlixError

_MOST_PAGES: Final = 10
# Up to this many users, the car of each is looked up for the label.
_LOOK_UP_CARS: Final = 20
_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True)
class TenantUser:
    """A user that was found, with what a person may know them by."""

    user_id: str
    place: str | None = None
    cars: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Return the cars, the address and the beginning of the id, as far as they are known."""
        parts = [", ".join(self.cars), self.place or ""]
        return " · ".join(part for part in (*parts, self.user_id[:8]) if part)


def own_spelling(user_id: str) -> str:
    """Return an entered id as Jedlix writes it: UUIDs in lower case (documented), anything else as it is.

    Databases show them in capitals; Jedlix may accept that, but its deliveries would then name somebody else.
    """
    user_id = user_id.strip()
    try:
        is_uuid = str(UUID(user_id)) == user_id.lower()
    except ValueError:
        return user_id
    return user_id.lower() if is_uuid else user_id


async def find_users(client: JedlixClient) -> dict[str, TenantUser]:
    """Return the users whom the tenant's locations and sessions name (documented lists), by id.

    Both lists are only looked through for names: what a tenant does not offer is left out. The newest pages
    are enough to choose from; anybody else can be entered by id.
    """
    found: dict[str, TenantUser] = {}
    with suppress(JedlixError):
        async for location in _first_pages(client.location_pages()):
            if location.user_id:
                found.setdefault(location.user_id, TenantUser(location.user_id, location.label))
    with suppress(JedlixError):
        async for session in _first_pages(client.session_pages()):
            if session.user_id:
                found.setdefault(session.user_id, TenantUser(session.user_id))
    if len(found) <= _LOOK_UP_CARS:
        named = await check_users(client, list(found))
        found = {
            user_id: TenantUser(
                user_id, user.place, cars if not isinstance(cars, JedlixError) else ()
            )
            for (user_id, user), cars in zip(found.items(), named.values(), strict=True)
        }
    return found


async def _first_pages[T](pages: AsyncIterator[tuple[T, ...]]) -> AsyncIterator[T]:
    """Yield the items of the newest pages."""
    left = _MOST_PAGES
    async for page in pages:
        for item in page:
            yield item
        left -= 1
        if left == 0:
            return


async def check_users(
    client: JedlixClient, user_ids: list[str]
) -> dict[str, tuple[str, ...] | JedlixError]:
    """Return for each user the names of the cars that have one, or the error that asking for them brought."""
    slots = asyncio.Semaphore(_AT_ONCE)

    async def names(user_id: str) -> tuple[str, ...] | JedlixError:
        async with slots:
            try:
                cars = await client.vehicles(user_id)
                return tuple(car.name for car in cars if car.name is not None)
            except JedlixError as err:
                return err

    answers = await asyncio.gather(*(names(user_id) for user_id in user_ids))
    return dict(zip(user_ids, answers, strict=True))
