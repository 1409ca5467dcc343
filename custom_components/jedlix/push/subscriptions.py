"""Subscriptions: makes ours at Jedlix equal to the wanted ones, and never touches another party's.

Only creating one is documented, so a new address or key is a new subscription. List and delete are assumed
(A10). Where the tenant does not offer them, the subscriptions that we remember count.
"""

from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
import logging
from typing import Self

from yarl import URL

from ..api import (
    REFUSALS,
    BadAnswer,
    Conflict,
    ConnectionFailed,
    Forbidden,
    JedlixClient,
    JedlixError,
    NotFound,
    RateLimited,
    Rejected,
    Subscription,
)
from ..api.reading import Fields, Json, boolean, text

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HeldSubscription:
    """A subscription that we made: its URL, the hash of its key, and its id where Jedlix gave one.

    `is_listed` says that Jedlix's list has named it.
    """

    url: str
    key_hash: str
    id: str | None = None
    is_listed: bool = False

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Read one from the store; raises BadAnswer when it is not one."""
        fields = Fields(data)
        return cls(
            url=fields.required_id("url"),
            key_hash=text(fields.get("keyhash")) or "",
            id=text(fields.get("id")),
            is_listed=boolean(fields.get("islisted")) is True,
        )

    def as_json(self) -> dict[str, Json]:
        """Return one for the store."""
        return {
            "url": self.url,
            "key_hash": self.key_hash,
            "id": self.id,
            "is_listed": self.is_listed,
        }


# by event type: Jedlix takes one type per subscription (documented)
type HeldSubscriptions = dict[str, HeldSubscription]


def hash_of_key(key: str) -> str:
    """Return a hash of a key. It shows whether the key changed and nothing else."""
    return sha256(key.encode()).hexdigest()[:16]


async def reconcile(
    client: JedlixClient,
    held: HeldSubscriptions,
    *,
    event_types: Iterable[str],
    url: str,
    key: str,
    webhook_id: str,
    renew: bool = False,
    optional: Collection[str] = (),
    is_lost: Callable[[str], bool] = lambda _: False,
) -> dict[str, JedlixError]:
    """Subscribe each event type once at this URL with this key, and drop ours that are no longer wanted.

    `held` is what we have made. It is kept up to date step by step, so that nothing is forgotten when the
    pass ends early. `renew` writes all of them again, also those that look right. Returns the types that
    Jedlix refused; they do not stop the others. Where Jedlix fails at one that is `optional`, that counts as
    refused; two in a row are an outage. `is_lost` says of a URL that it is ours and leads nowhere any more.
    Raises what the API raises when it cannot be reached.
    """
    wanted = list(dict.fromkeys(event_types))
    ours = await _ours(client, held, webhook_id, url, is_lost)
    refused: dict[str, JedlixError] = {}
    failed: JedlixError | None = None
    key_hash = hash_of_key(key)
    for event_type in wanted:
        known = held.get(event_type)
        same_key = known is not None and known.key_hash == key_hash and not renew
        matches = [item for item in ours if item.event_type == event_type]
        keep = next((item for item in matches if item.endpoint_url == url and item.is_active), None)
        try:
            if keep is None or not same_key:
                keep = await _write(client, held, matches, event_type=event_type, url=url, key=key)
                ours = [item for item in ours if item not in matches]
        except (*REFUSALS, ConnectionFailed) as err:
            if isinstance(err, ConnectionFailed):
                if event_type not in optional or failed is not None or isinstance(err, RateLimited):
                    raise
                failed = err
            refused[event_type] = err
            if keep is None:
                held.pop(event_type, None)
                continue
            # A subscription that could not be renewed may still work, so it stays.
        else:
            failed = None
            is_listed = known is not None and known.is_listed and matches != []
            held[event_type] = HeldSubscription(url, key_hash, keep.id, is_listed=is_listed)
        ours = [item for item in ours if item.id != keep.id or item.event_type != event_type]
    await unsubscribe(client, ours)
    for event_type in held.keys() - set(wanted):
        del held[event_type]
    return refused


async def register(
    client: JedlixClient,
    held: HeldSubscriptions,
    *,
    event_type: str,
    url: str,
    key: str,
    webhook_id: str,
) -> None:
    """Write the subscription of one type again, at this URL with this key; raises what the API raises."""
    ours = await _ours(client, held, webhook_id, url)
    matches = [item for item in ours if item.event_type == event_type]
    made = await _write(client, held, matches, event_type=event_type, url=url, key=key)
    held[event_type] = HeldSubscription(url, hash_of_key(key), made.id)


async def give_up(
    client: JedlixClient, held: HeldSubscriptions, webhook_id: str, event_type: str
) -> None:
    """Delete our subscriptions of one type, as far as they can be found and deleted."""
    ours = await _ours(client, held, webhook_id)
    await unsubscribe(client, [item for item in ours if item.event_type == event_type])
    held.pop(event_type, None)


async def replace(
    client: JedlixClient,
    held: HeldSubscriptions,
    *,
    gives_way: str,
    event_type: str,
    url: str,
    key: str,
) -> bool:
    """Subscribe a type in the place of another that we hold; returns whether that worked.

    Where it did not, the other one is made again.
    """
    known = held[gives_way]
    if known.id is None or not await _deleted(client, known.id):
        return False
    del held[gives_way]
    for wanted in (event_type, gives_way):
        with suppress(*REFUSALS):
            made = await client.subscribe(wanted, url, key)
            held[wanted] = HeldSubscription(url, hash_of_key(key), made.id)
            break
    return event_type in held


async def unsubscribe(client: JedlixClient, subscriptions: Iterable[Subscription]) -> list[str]:
    """Delete subscriptions that we made; returns the event types of those that may be left.

    One that is gone, or cannot be deleted, is no error.
    """
    left = []
    for item in subscriptions:
        is_deleted = False
        if item.id is not None:
            with suppress(Rejected):
                is_deleted = await _deleted(client, item.id)
        if not is_deleted:
            left.append(item.event_type)
    return left


async def unsubscribe_all(
    client: JedlixClient, held: HeldSubscriptions, webhook_id: str
) -> list[str]:
    """Delete all our subscriptions at Jedlix that can be found; returns the event types that may be left."""
    return await unsubscribe(client, await _ours(client, held, webhook_id))


async def _ours(
    client: JedlixClient,
    held: HeldSubscriptions,
    webhook_id: str,
    url: str | None = None,
    is_lost: Callable[[str], bool] = lambda _: False,
) -> list[Subscription]:
    """Return our subscriptions as Jedlix lists them, or as we remember them where it offers no list.

    A list without any of ours counts only if it has named one that we hold: a wrong address may answer with
    an empty one. What is then made again was not listed yet, so a second such list counts no more.

    Ours are those that we remember by URL or id, that lead to our URL, or that lead to us and nowhere. One
    with our webhook id at another address belongs to another copy of this Home Assistant, and is left
    alone.
    """
    try:
        listed = [_as_held(item, held) for item in await client.subscriptions()]
    except REFUSALS:
        return _remembered(held)
    urls = {url, *(known.url for known in held.values())}
    ids = {known.id for known in held.values() if known.id is not None}
    ours = [
        item
        for item in listed
        if item.endpoint_url in urls
        or item.id in ids
        or (url is not None and item.endpoint_url.startswith(url))
        or is_lost(item.endpoint_url)
    ]
    for item in listed:
        if webhook_id in item.endpoint_url and item not in ours:
            _LOGGER.info(
                "Jedlix delivers %s to another Home Assistant with the same webhook; it is left alone",
                item.event_type,
            )
    if not ours and not any(known.is_listed for known in held.values()):
        return _remembered(held)
    for event_type in held.keys() & {item.event_type for item in ours}:
        known = held[event_type]
        held[event_type] = HeldSubscription(known.url, known.key_hash, known.id, is_listed=True)
    return ours


def _as_held(item: Subscription, held: HeldSubscriptions) -> Subscription:
    """Return a listed subscription as we wrote it, where Jedlix only spells its type or URL otherwise."""
    for event_type, known in held.items():
        is_same_type = item.event_type.casefold() == event_type.casefold()
        if is_same_type and _address(item.endpoint_url) == _address(known.url):
            return Subscription(
                id=item.id, event_type=event_type, endpoint_url=known.url, is_active=item.is_active
            )
    return item


def _address(url: str) -> object:
    """Return where a URL leads to: host in any case, with or without the usual port and a last `/`."""
    try:
        parsed = URL(url)
    except ValueError:
        return url
    return parsed.scheme, parsed.host, parsed.port, parsed.path.rstrip("/"), parsed.query_string


def _remembered(held: HeldSubscriptions) -> list[Subscription]:
    return [
        Subscription(id=known.id, event_type=event_type, endpoint_url=known.url)
        for event_type, known in held.items()
    ]


async def _write(
    client: JedlixClient,
    held: HeldSubscriptions,
    matches: list[Subscription],
    *,
    event_type: str,
    url: str,
    key: str,
) -> Subscription:
    """Create a subscription, and delete ours that it replaces."""
    try:
        made = await client.subscribe(event_type, url, key)
    except Conflict:
        if not matches:
            raise
        # A tenant may allow one subscription per type, and then our own is in the way.
        held.pop(event_type, None)
        await unsubscribe(client, matches)
        return await client.subscribe(event_type, url, key)
    # An answer without an id may mean the subscription that was there.
    replaced = [item for item in matches if item.id != made.id]
    await unsubscribe(
        client, [item for item in replaced if made.id is not None or item.endpoint_url != url]
    )
    return made


async def _deleted(client: JedlixClient, subscription_id: str) -> bool:
    """Delete a subscription; returns whether the tenant offers that and knows it."""
    try:
        await client.unsubscribe(subscription_id)
    except NotFound, Forbidden, BadAnswer:
        return False
    return True
