"""Users of a tenant: finds those that can be followed, with labels by which a person knows them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from .api import JedlixClient, JedlixError

MAX_PAGES: Final = 10
# Up to this many users, the cars of each are read for the label.
MAX_USERS_WITH_CARS: Final = 20
MAX_CONCURRENT_CALLS: Final = 8


@dataclass(frozen=True, slots=True)
class TenantUser:
    """A user that was found, with the address and the cars by which a person knows them."""

    user_id: str
    place: str | None = None
    cars: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Return the cars, the address and the beginning of the id, as far as they are known."""
        parts = [", ".join(self.cars), self.place or ""]
        return " · ".join(part for part in (*parts, self.user_id[:8]) if part)


def normalize_user_id(user_id: str) -> str:
    """Return an entered id as Jedlix writes it: UUIDs in lower case (documented), other ids unchanged.

    Some databases show UUIDs in capitals. Jedlix may accept that, but its deliveries would name another id.
    """
    user_id = user_id.strip()
    try:
        is_uuid = str(UUID(user_id)) == user_id.lower()
    except ValueError:
        return user_id
    return user_id.lower() if is_uuid else user_id


async def find_users(client: JedlixClient) -> dict[str, TenantUser]:
    """Return the users whom the tenant's locations and sessions name (documented lists), by id.

    A list that the tenant does not offer is left out. The newest pages are enough to choose from; other
    users can be entered by id.
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
    if len(found) <= MAX_USERS_WITH_CARS:
        named = await cars_of_users(client, list(found))
        found = {
            user_id: TenantUser(
                user_id, user.place, cars if not isinstance(cars, JedlixError) else ()
            )
            for (user_id, user), cars in zip(found.items(), named.values(), strict=True)
        }
    return found


async def _first_pages[T](pages: AsyncIterator[tuple[T, ...]]) -> AsyncIterator[T]:
    """Yield the items of the newest pages."""
    pages_left = MAX_PAGES
    async for page in pages:
        for item in page:
            yield item
        pages_left -= 1
        if pages_left == 0:
            return


async def cars_of_users(
    client: JedlixClient, user_ids: list[str]
) -> dict[str, tuple[str, ...] | JedlixError]:
    """Return for each user the names of the cars that have one, or the error of the call."""
    slots = asyncio.Semaphore(MAX_CONCURRENT_CALLS)

    async def names(user_id: str) -> tuple[str, ...] | JedlixError:
        async with slots:
            try:
                cars = await client.vehicles(user_id)
                return tuple(car.name for car in cars if car.name is not None)
            except JedlixError as err:
                return err

    answers = await asyncio.gather(*(names(user_id) for user_id in user_ids))
    return dict(zip(user_ids, answers, strict=True))
