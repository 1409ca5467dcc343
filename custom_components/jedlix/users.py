"""Users of a tenant: finds those that can be followed, with labels by which a person knows them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from .api import JedlixClient, JedlixError

MAX_PAGES: Final = 10
# For the labels of one list, cars are read of so many users, for so many seconds: a person waits for them.
MAX_USERS_WITH_CARS: Final = 100
SECONDS_FOR_CARS: Final = 4.0
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


async def find_users(
    client: JedlixClient,
    known_cars: dict[str, tuple[str, ...]] | None = None,
    *,
    without: Collection[str] = (),
) -> dict[str, TenantUser]:
    """Return the users whom the tenant's locations and sessions name (documented lists), by id.

    A list that the tenant does not offer is left out, and so are the users of `without`. The newest pages are
    enough to choose from; other users can be entered by id. Cars are read of some users, first of those who
    are not in `known_cars`, the names of each user's cars, which is filled: in a large tenant, each time some
    more.
    """
    known_cars = {} if known_cars is None else known_cars
    found: dict[str, TenantUser] = {}
    with suppress(JedlixError):
        async for location in _first_pages(client.location_pages()):
            if location.user_id:
                found.setdefault(location.user_id, TenantUser(location.user_id, location.label))
    with suppress(JedlixError):
        async for session in _first_pages(client.session_pages()):
            if session.user_id:
                found.setdefault(session.user_id, TenantUser(session.user_id))
    for user_id in without:
        found.pop(user_id, None)
    to_read = sorted(found, key=known_cars.__contains__)[:MAX_USERS_WITH_CARS]
    with suppress(TimeoutError):
        async with asyncio.timeout(SECONDS_FOR_CARS):
            await _read_cars(client, to_read, known_cars)
    return {
        user_id: replace(user, cars=known_cars.get(user_id, ())) for user_id, user in found.items()
    }


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
    client: JedlixClient,
    user_ids: list[str],
    was_read: Callable[[float], None] = lambda _: None,
) -> dict[str, tuple[str, ...] | JedlixError]:
    """Return for each user the names of the cars that have one, or the error of the call.

    `was_read` is called after each call, with which part of them was made.
    """
    names: dict[str, tuple[str, ...]] = {}
    failures = await _read_cars(client, user_ids, names, was_read)
    return {user_id: failures.get(user_id) or names[user_id] for user_id in user_ids}


async def _read_cars(
    client: JedlixClient,
    user_ids: list[str],
    names: dict[str, tuple[str, ...]],
    was_read: Callable[[float], None] = lambda _: None,
) -> dict[str, JedlixError]:
    """Note the names of each user's cars, as soon as they are read; returns the errors of the other calls."""
    slots, failures = asyncio.Semaphore(MAX_CONCURRENT_CALLS), dict[str, JedlixError]()

    async def read(user_id: str) -> None:
        async with slots:
            try:
                cars = await client.vehicles(user_id)
                names[user_id] = tuple(car.name for car in cars if car.name is not None)
            except JedlixError as err:
                failures[user_id] = err
            was_read((len(names) + len(failures)) / len(user_ids))

    await asyncio.gather(*(read(user_id) for user_id in user_ids))
    return failures
