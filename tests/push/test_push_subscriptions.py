"""Subscriptions: ours at Jedlix become the wanted ones, whatever was there and whatever the tenant offers."""

from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
import logging
from typing import Any, Final
from unittest.mock import patch

from aiohttp.test_utils import TestClient
from homeassistant.core import HomeAssistant
import pytest

from custom_components.jedlix.api import (
    BadAnswer,
    Conflict,
    ConnectionFailed,
    Forbidden,
    JedlixClient,
    JedlixError,
    RateLimited,
    Rejected,
    Subscription,
)
from custom_components.jedlix.data import make_client
from custom_components.jedlix.push.subscriptions import (
    HeldSubscription,
    HeldSubscriptions,
    hash_of_key,
    reconcile,
    register,
    replace,
    unsubscribe_all,
)
from simulator.app import Simulator
from simulator.event_types import REPORTED_EVENTS
from tests.tools import WEBHOOK_ID, WEBHOOK_KEY, make_entry

WANTED: Final = ("userCreated", "vehicleConnectionReadyToContinue", "sessionStarted")
UNREACHABLE: Final = f"http://127.0.0.1:9/api/webhook/{WEBHOOK_ID}"
PATH: Final = "/api/v1/webhooks/subscriptions"
LIST: Final = "GET 200"
NO_LIST: Final = "GET 404"
REPLACED: Final = ("POST 201", "DELETE 204")


@dataclass
class Tenant:
    """A tenant of Jedlix, and our subscriptions in it."""

    sim: Simulator
    client: JedlixClient
    home: str
    held: HeldSubscriptions = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Return our URL; Home Assistant answers 200 there even without a handler."""
        return f"{self.home}/api/webhook/{WEBHOOK_ID}"

    @property
    def held_by_jedlix(self) -> list[tuple[str, str, str, bool]]:
        """Return what Jedlix holds: event type, URL, key, whether it is active."""
        return sorted(
            (item.event_type, item.url, item.api_key, item.is_active)
            for item in self.sim.webhooks.subscriptions.values()
        )

    def ours(self, *types: str, url: str | None = None, key: str = WEBHOOK_KEY) -> list[Any]:
        """Return what Jedlix holds when it holds ours and nothing else."""
        return sorted((event_type, url or self.url, key, True) for event_type in types or WANTED)

    async def reconcile(self, *types: str, **options: Any) -> list[str]:
        """Make a pass and return the calls that it made."""
        before = len(self.sim.requests)
        self.refused = await reconcile(
            self.client,
            self.held,
            event_types=types or WANTED,
            **{"url": self.url, "key": WEBHOOK_KEY, "webhook_id": WEBHOOK_ID} | options,
        )
        return self._calls(before)

    async def unsubscribe_all(self) -> list[str]:
        """Delete all of ours and return the calls that it made."""
        before = len(self.sim.requests)
        await unsubscribe_all(self.client, self.held, WEBHOOK_ID)
        return self._calls(before)

    def _calls(self, before: int) -> list[str]:
        return [
            f"{request.method} {request.status}"
            for request in list(self.sim.requests)[before:]
            if request.path.startswith(PATH)
        ]


type StartTenant = Callable[..., Awaitable[Tenant]]


@pytest.fixture
def start_tenant(
    hass: HomeAssistant,
    home: TestClient[Any, Any],
    callback_url: str,
    start_simulator: Callable[..., Awaitable[Simulator]],
) -> StartTenant:
    """Return a function that starts a tenant with these settings of the simulator."""

    async def start(**settings: object) -> Tenant:
        sim = await start_simulator(history_days=0, **settings)
        return Tenant(sim, make_client(hass, make_entry(sim, callback_url).data), callback_url)

    return start


@pytest.fixture
async def tenant(start_tenant: StartTenant) -> Tenant:
    """Return a tenant that offers every call."""
    return await start_tenant()


@pytest.fixture
async def strict(start_tenant: StartTenant) -> Tenant:
    """Return a tenant that offers only the documented call: to subscribe."""
    return await start_tenant(mode="strict", event_types=REPORTED_EVENTS)


# -- what is wanted is subscribed --------------------------------------------------------------------------


async def test_each_type_is_subscribed_once_and_a_second_pass_only_reads(tenant: Tenant) -> None:
    assert await tenant.reconcile() == [LIST, *["POST 201"] * 3]
    assert tenant.held_by_jedlix == tenant.ours()
    assert tenant.held.keys() == set(WANTED)
    assert {held.id for held in tenant.held.values()} == set(tenant.sim.webhooks.subscriptions)
    for _ in range(2):
        assert await tenant.reconcile() == [LIST]
    assert tenant.refused == {}
    assert tenant.held_by_jedlix == tenant.ours()


@pytest.mark.parametrize(
    ("event_type", "url"),
    [
        (str.upper, str),
        (str, lambda url: f"{url}/"),
        (str, lambda url: url.replace("http://", "HTTP://")),
    ],
)
async def test_a_list_in_another_spelling_has_nothing_made_again(
    tenant: Tenant, event_type: Callable[[str], str], url: Callable[[str], str]
) -> None:
    await tenant.reconcile()
    listed = [
        Subscription(id=item.id, event_type=event_type(name), endpoint_url=url(item.url))
        for name, item in tenant.held.items()
    ]
    with patch.object(JedlixClient, "subscriptions", return_value=listed):
        assert await tenant.reconcile() == []
        # One that leads elsewhere is not ours.
        listed[0] = Subscription(id="x", event_type="userCreated", endpoint_url="http://[other")
        assert await tenant.reconcile() == ["POST 201"]


async def test_without_a_list_the_stored_subscriptions_are_known(strict: Tenant) -> None:
    assert await strict.reconcile() == [NO_LIST, *["POST 201"] * 3]
    assert await strict.reconcile() == [NO_LIST]
    assert strict.held_by_jedlix == strict.ours()
    # After a restart they come from the store.
    strict.held = {
        key: HeldSubscription.from_json(held.as_json()) for key, held in strict.held.items()
    }
    assert await strict.reconcile() == [NO_LIST]


async def test_a_type_that_is_wanted_twice_is_subscribed_once(tenant: Tenant) -> None:
    await tenant.reconcile("userCreated", "userCreated")
    assert tenant.held_by_jedlix == tenant.ours("userCreated")


@pytest.mark.parametrize(
    "change", [{"url": "MOVED"}, {"key": "another-key"}, {"renew": True}], ids=str
)
async def test_a_moved_url_a_new_key_or_a_renewal_replaces_ours(
    tenant: Tenant, change: dict[str, Any]
) -> None:
    await tenant.reconcile()
    ids = set(tenant.sim.webhooks.subscriptions)
    if "url" in change:
        change = {"url": f"{tenant.url}?moved"}
    assert await tenant.reconcile(**change) == [LIST, *REPLACED * 3]
    now = {name: value for name, value in change.items() if name != "renew"}
    assert tenant.held_by_jedlix == tenant.ours(**now)
    assert not set(tenant.sim.webhooks.subscriptions) & ids
    assert {held.url for held in tenant.held.values()} == {now.get("url", tenant.url)}
    assert await tenant.reconcile(**now) == [LIST]


async def test_one_type_is_written_again_and_the_others_stay(tenant: Tenant) -> None:
    await tenant.reconcile()
    others = [name for name in WANTED if name != "userCreated"]
    url, key = f"{tenant.url}?moved", "another key"
    await register(
        tenant.client,
        tenant.held,
        event_type="userCreated",
        url=url,
        key=key,
        webhook_id=WEBHOOK_ID,
    )
    assert tenant.held_by_jedlix == sorted(
        [*tenant.ours(*others), *tenant.ours("userCreated", url=url, key=key)]
    )
    assert {name: held.url for name, held in tenant.held.items()} == {
        "userCreated": url,
        **dict.fromkeys(others, tenant.url),
    }


async def test_a_type_that_is_no_longer_wanted_is_deleted(tenant: Tenant) -> None:
    await tenant.reconcile()
    assert await tenant.reconcile("userCreated") == [LIST, *["DELETE 204"] * 2]
    assert tenant.held_by_jedlix == tenant.ours("userCreated")
    assert tenant.held.keys() == {"userCreated"}


# -- what Jedlix holds -------------------------------------------------------------------------------------


async def test_the_subscriptions_of_others_are_left_alone(tenant: Tenant) -> None:
    others = f"{tenant.home}/api/webhook/somebody-else"
    for event_type in (*WANTED, "sessionEnded"):
        await tenant.client.subscribe(event_type, others, "their-key")
    theirs = tenant.held_by_jedlix
    await tenant.reconcile()
    await tenant.reconcile(renew=True)
    await tenant.reconcile("userCreated", url=f"{tenant.url}?moved")
    assert [item for item in tenant.held_by_jedlix if item[1] == others] == theirs
    await tenant.unsubscribe_all()
    assert tenant.held_by_jedlix == theirs


async def test_more_of_ours_than_wanted_are_deleted(tenant: Tenant) -> None:
    for url in (f"{tenant.url}?old", tenant.url, tenant.url):
        await tenant.client.subscribe("userCreated", url, WEBHOOK_KEY)
    await tenant.client.subscribe("sessionEnded", tenant.url, WEBHOOK_KEY)
    await tenant.reconcile()
    assert tenant.held_by_jedlix == tenant.ours()
    assert await tenant.reconcile() == [LIST]


async def test_an_inactive_subscription_is_replaced(tenant: Tenant) -> None:
    await tenant.reconcile()
    tenant.sim.strike({"subscriptions_inactive": True})
    assert {active for *_, active in tenant.held_by_jedlix} == {False}
    assert await tenant.reconcile() == [LIST, *REPLACED * 3]
    assert tenant.held_by_jedlix == tenant.ours()


async def test_a_subscription_that_is_gone_is_made_again(tenant: Tenant) -> None:
    await tenant.reconcile()
    await tenant.reconcile()
    tenant.sim.strike({"subscriptions_gone": True})
    assert await tenant.reconcile() == [LIST, *["POST 201"] * 3]
    assert tenant.held_by_jedlix == tenant.ours()


@pytest.mark.parametrize("path", [f"/api/webhook/{WEBHOOK_ID}", "/api/webhook/cloudhook"])
async def test_without_a_store_ours_are_known_by_their_url(tenant: Tenant, path: str) -> None:
    """The webhook id does not stand in the URL of a cloudhook."""
    url = tenant.home + path
    await tenant.reconcile(url=url)
    tenant.held.clear()
    # Their key is not known, so they are written again.
    assert await tenant.reconcile(url=url) == [LIST, *REPLACED * 3]
    assert tenant.held_by_jedlix == tenant.ours(url=url)


async def test_one_at_an_old_cloudhook_is_known_from_the_store(tenant: Tenant) -> None:
    old = f"{tenant.home}/api/webhook/old-cloudhook"
    await tenant.reconcile(url=old)
    await tenant.reconcile()
    assert tenant.held_by_jedlix == tenant.ours()


# -- what Jedlix refuses -----------------------------------------------------------------------------------


async def test_a_type_that_is_not_offered_does_not_stop_the_others(tenant: Tenant) -> None:
    calls = await tenant.reconcile("userCreated", "noSuchType", "sessionStarted")
    assert calls == [LIST, "POST 201", "POST 400", "POST 201"]
    assert list(tenant.refused) == ["noSuchType"]
    assert "noSuchType" in str(tenant.refused["noSuchType"])
    assert tenant.held.keys() == {"userCreated", "sessionStarted"}
    assert tenant.held_by_jedlix == tenant.ours("userCreated", "sessionStarted")


async def test_a_renewal_that_is_refused_leaves_what_works(tenant: Tenant) -> None:
    await tenant.reconcile()
    await tenant.reconcile()
    held = dict(tenant.held)
    tenant.sim.faults.subscription_status = 422
    assert await tenant.reconcile(renew=True) == [LIST, *["POST 422"] * 3]
    assert tenant.refused.keys() == set(WANTED)
    assert tenant.held_by_jedlix == tenant.ours()
    assert tenant.held == held
    tenant.sim.faults.subscription_status = 0
    assert await tenant.reconcile() == [LIST]


async def test_a_url_that_is_refused_is_not_held(tenant: Tenant) -> None:
    await tenant.reconcile()
    await tenant.reconcile(url=UNREACHABLE)
    assert tenant.refused.keys() == set(WANTED)
    assert tenant.held == {}
    await tenant.reconcile()
    assert tenant.held_by_jedlix == tenant.ours()


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"subscription_status": 400}, Rejected),
        ({"subscription_status": 422}, Rejected),
        ({"subscription_status": 409}, Conflict),
        ({"forbidden": ["subscribe"]}, Forbidden),
    ],
)
async def test_the_kind_of_refusal_is_returned(
    tenant: Tenant, fault: dict[str, Any], kind: type[JedlixError]
) -> None:
    tenant.sim.strike(fault)
    assert len(await tenant.reconcile()) == 1 + len(WANTED)
    assert [type(error) for error in tenant.refused.values()] == [kind] * len(WANTED)
    assert tenant.held == {}


@pytest.mark.parametrize("error", [Rejected("pageIndex?"), BadAnswer("not a list")])
async def test_a_list_that_is_not_understood_is_no_list(tenant: Tenant, error: Exception) -> None:
    await tenant.reconcile()
    with patch.object(tenant.client, "subscriptions", side_effect=error):
        assert await tenant.reconcile() == []
    assert tenant.held_by_jedlix == tenant.ours()


# -- what the tenant does not offer ------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["absent", "forbidden"])
async def test_without_a_delete_the_old_one_stays_and_that_is_no_error(
    tenant: Tenant, fault: str
) -> None:
    setattr(tenant.sim.faults, fault, ["unsubscribe"])
    await tenant.reconcile()
    await tenant.reconcile("userCreated")
    assert tenant.held_by_jedlix == tenant.ours()
    assert tenant.held.keys() == {"userCreated"}
    await tenant.unsubscribe_all()


async def test_a_delete_that_is_refused_is_no_error(tenant: Tenant) -> None:
    await tenant.reconcile()
    with patch.object(tenant.client, "unsubscribe", side_effect=Conflict("in use")) as call:
        await tenant.reconcile("userCreated")
    assert call.await_count == 2
    assert tenant.held.keys() == {"userCreated"}


async def test_without_a_list_alone_the_stored_subscriptions_are_moved_and_deleted(
    tenant: Tenant,
) -> None:
    tenant.sim.faults.absent = ["subscriptions"]
    await tenant.reconcile()
    moved = f"{tenant.url}?moved"
    assert await tenant.reconcile(url=moved) == [NO_LIST, *REPLACED * 3]
    assert tenant.held_by_jedlix == tenant.ours(url=moved)
    assert await tenant.reconcile("userCreated", url=moved) == [NO_LIST, *["DELETE 204"] * 2]
    assert await tenant.unsubscribe_all() == [NO_LIST, "DELETE 204"]
    assert tenant.held_by_jedlix == []


async def test_a_strict_tenant_gets_new_ones_at_a_moved_url(strict: Tenant) -> None:
    await strict.reconcile()
    moved = f"{strict.url}?moved"
    await strict.reconcile(url=moved)
    assert strict.held_by_jedlix == sorted([*strict.ours(), *strict.ours(url=moved)])
    assert await strict.reconcile(url=moved) == [NO_LIST]


async def test_a_subscription_without_an_id_is_made_again_at_a_renewal(strict: Tenant) -> None:
    def without_id(event_type: str, url: str, _key: str) -> Subscription:
        return Subscription(event_type=event_type, endpoint_url=url)

    with patch.object(strict.client, "subscribe", side_effect=without_id) as call:
        await strict.reconcile()
        assert await strict.reconcile() == [NO_LIST]
        assert call.await_count == 3
        await strict.reconcile(renew=True)
        assert call.await_count == 6
    assert {held.id for held in strict.held.values()} == {None}
    assert await strict.unsubscribe_all() == [NO_LIST]  # nothing has an id to delete


# -- passes that end early ---------------------------------------------------------------------------------


@pytest.mark.parametrize("made", [0, 1, 2])
async def test_a_pass_that_ends_early_keeps_what_it_made(strict: Tenant, made: int) -> None:
    subscribe = strict.client.subscribe
    left = iter(range(made))

    async def fail_later(event_type: str, url: str, key: str) -> Subscription:
        if next(left, None) is None:
            raise ConnectionFailed("away")
        return await subscribe(event_type, url, key)

    with (
        patch.object(strict.client, "subscribe", side_effect=fail_later),
        pytest.raises(ConnectionFailed),
    ):
        await strict.reconcile()
    assert list(strict.held) == list(WANTED[:made])
    assert await strict.reconcile() == [NO_LIST, *["POST 201"] * (3 - made)]
    assert strict.held_by_jedlix == strict.ours()


async def test_a_pass_ends_where_jedlix_asks_to_wait_also_at_an_optional_type(
    strict: Tenant,
) -> None:
    """One whose creation fails counts as refused; one for which it is too early does not."""
    optional = set(WANTED)
    for error, is_refused in (
        (ConnectionFailed("away"), True),
        (RateLimited("later", None), False),
    ):
        answers = [error, *[Subscription(event_type="any", endpoint_url=strict.url)] * 2]
        with (
            patch.object(strict.client, "subscribe", side_effect=answers),
            nullcontext() if is_refused else pytest.raises(RateLimited),
        ):
            await strict.reconcile(optional=optional)
            assert strict.refused == {WANTED[0]: error}
        strict.held.clear()


async def test_a_pass_that_ends_early_at_a_delete_is_finished_by_the_next(tenant: Tenant) -> None:
    await tenant.reconcile()
    with (
        patch.object(tenant.client, "unsubscribe", side_effect=ConnectionFailed("away")),
        pytest.raises(ConnectionFailed),
    ):
        await tenant.reconcile("userCreated")
    assert tenant.held.keys() == set(WANTED)
    await tenant.reconcile("userCreated")
    assert tenant.held_by_jedlix == tenant.ours("userCreated")
    assert tenant.held.keys() == {"userCreated"}


# -- all are deleted ---------------------------------------------------------------------------------------


async def test_unsubscribing_deletes_all_of_ours(tenant: Tenant) -> None:
    await tenant.reconcile()
    assert await tenant.unsubscribe_all() == [LIST, *["DELETE 204"] * 3]
    assert tenant.held_by_jedlix == []
    assert await tenant.unsubscribe_all() == [LIST]


async def test_unsubscribing_at_a_tenant_without_a_delete_is_no_error(strict: Tenant) -> None:
    await strict.reconcile()
    assert await strict.unsubscribe_all() == [NO_LIST, *["DELETE 404"] * 3]
    assert strict.held_by_jedlix == strict.ours()


async def test_no_key_is_logged(tenant: Tenant, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "custom_components.jedlix")
    await tenant.reconcile("userCreated", "noSuchType")
    assert WEBHOOK_KEY not in caplog.text


# -- lists that prove nothing ------------------------------------------------------------------------------


async def test_an_empty_list_counts_once_if_it_named_ours_before(tenant: Tenant) -> None:
    """What Jedlix lost is made again; a list that stays empty then makes nothing a second time."""
    await tenant.reconcile()
    assert await tenant.reconcile() == [LIST]
    tenant.sim.strike({"subscriptions_gone": True})
    assert await tenant.reconcile() == [LIST, *["POST 201"] * 3]
    assert await tenant.reconcile() == [LIST]
    tenant.sim.strike({"kind": "empty_list", "endpoints": ["subscriptions"]})
    assert await tenant.reconcile() == [LIST, *["POST 201"] * 3]
    for _ in range(2):
        assert await tenant.reconcile() == [LIST]
    tenant.sim.clear_faults()
    # The list works again: what it names twice is deleted.
    assert await tenant.reconcile() == [LIST, *["DELETE 204"] * 3]
    assert tenant.held_by_jedlix == tenant.ours()


async def test_a_list_that_names_only_others_counts_no_more_than_an_empty_one(
    tenant: Tenant,
) -> None:
    tenant.sim.webhooks.create("userCreated", "https://other.example", "k", is_active=True)
    await tenant.reconcile()
    ours = tenant.held.copy()
    for number, item in enumerate(list(tenant.sim.webhooks.subscriptions.values())):
        if number:
            tenant.sim.webhooks.delete(item)
    assert await tenant.reconcile() == [LIST]
    assert tenant.held == ours


# -- the store ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "held",
    [
        HeldSubscription("https://a", "hash", "id"),
        HeldSubscription("https://a", "hash"),
        HeldSubscription("https://a", "hash", "id", is_listed=True),
    ],
)
def test_the_store_keeps_a_subscription(held: HeldSubscription) -> None:
    assert HeldSubscription.from_json(held.as_json()) == held


def test_without_a_stored_hash_the_key_counts_as_changed() -> None:
    assert HeldSubscription.from_json({"url": "https://a"}) == HeldSubscription(
        "https://a", "", None
    )


@pytest.mark.parametrize("damaged", [None, [], "https://a", {}, {"url": None}, {"url": {}}])
def test_a_damaged_subscription_is_not_read(damaged: object) -> None:
    with pytest.raises(BadAnswer):
        HeldSubscription.from_json(damaged)


def test_a_hash_distinguishes_keys_and_hides_them() -> None:
    assert hash_of_key("one") == hash_of_key("one") != hash_of_key("two")
    assert "one" not in hash_of_key("one")
    assert len(hash_of_key("x" * 1000)) == 16


async def test_what_cannot_be_made_again_is_not_held(start_tenant: StartTenant) -> None:
    tenant = await start_tenant()
    await tenant.reconcile("userCreated")
    tenant.sim.strike({"subscription_status": 409})
    is_replaced = await replace(
        tenant.client,
        tenant.held,
        gives_way="userCreated",
        event_type="sessionStarted",
        url=tenant.url,
        key=WEBHOOK_KEY,
    )
    assert (is_replaced, tenant.held, tenant.held_by_jedlix) == (False, {}, [])
