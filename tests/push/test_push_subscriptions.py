"""Jedlix's subscriptions become the wanted ones, whatever was there before and whatever the tenant lacks."""

from collections.abc import Awaitable, Callable
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
    Rejected,
    Subscription,
)
from custom_components.jedlix.data import make_client
from custom_components.jedlix.push.subscriptions import (
    Held,
    HeldSubscriptions,
    hash_of_key,
    reconcile,
    unsubscribe_all,
)
from simulator.app import Simulator
from tests.tools import WEBHOOK_ID, WEBHOOK_KEY, make_entry

WANTED: Final = ("userCreated", "vehicleConnectionReadyToContinue", "simSessionStarted")
UNREACHABLE: Final = f"http://127.0.0.1:9/api/webhook/{WEBHOOK_ID}"
PATH: Final = "/api/v1/webhooks/subscriptions"
LIST: Final = "GET 200"
NO_LIST: Final = "GET 404"


@dataclass
class Tenant:
    """Jedlix, and we as one of those who subscribe there."""

    sim: Simulator
    client: JedlixClient
    home: str
    held: HeldSubscriptions = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Our URL; Home Assistant answers 200 there even when nobody is at home."""
        return f"{self.home}/api/webhook/{WEBHOOK_ID}"

    @property
    def here(self) -> list[tuple[str, str, str, bool]]:
        """What Jedlix holds: event type, URL, key, whether it is active."""
        return sorted(
            (item.event_type, item.url, item.api_key, item.is_active)
            for item in self.sim.webhooks.subscriptions.values()
        )

    def ours(self, *types: str, url: str | None = None, key: str = WEBHOOK_KEY) -> list[Any]:
        """How `here` should look when there is nothing else."""
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
        return [
            f"{request.method} {request.status}"
            for request in list(self.sim.requests)[before:]
            if request.path.startswith(PATH)
        ]

    async def unsubscribe_all(self) -> list[str]:
        """Take everything back and return the calls that it took."""
        before = len(self.sim.requests)
        await unsubscribe_all(self.client, self.held, WEBHOOK_ID)
        return [
            f"{request.method} {request.status}"
            for request in list(self.sim.requests)[before:]
            if request.path.startswith(PATH)
        ]


type Begin = Callable[..., Awaitable[Tenant]]


@pytest.fixture
def begin(
    hass: HomeAssistant,
    home: TestClient[Any, Any],
    callback_url: str,
    start_simulator: Callable[..., Awaitable[Simulator]],
) -> Begin:
    """Return how to begin with a tenant whose simulator has these settings."""

    async def begin(**settings: object) -> Tenant:
        sim = await start_simulator(history_days=0, **settings)
        return Tenant(sim, make_client(hass, make_entry(sim, callback_url).data), callback_url)

    return begin


@pytest.fixture
async def tenant(begin: Begin) -> Tenant:
    """Return a tenant that has all that we assume."""
    return await begin()


@pytest.fixture
async def strict(begin: Begin) -> Tenant:
    """Return a tenant that has only what is documented: to subscribe."""
    return await begin(mode="strict")


# -- the good days -----------------------------------------------------------------------------------------


async def test_each_type_is_subscribed_once_and_a_second_pass_only_looks(tenant: Tenant) -> None:
    assert await tenant.reconcile() == [LIST, *["POST 201"] * 3]
    assert tenant.here == tenant.ours()
    assert tenant.held.keys() == set(WANTED)
    assert {held.id for held in tenant.held.values()} == set(tenant.sim.webhooks.subscriptions)
    for _ in range(2):
        assert await tenant.reconcile() == [LIST]
    assert tenant.refused == {}
    assert tenant.here == tenant.ours()


async def test_where_there_is_no_list_we_live_with_what_we_remember(strict: Tenant) -> None:
    assert await strict.reconcile() == [NO_LIST, *["POST 201"] * 3]
    assert await strict.reconcile() == [NO_LIST]
    assert strict.here == strict.ours()
    # after a restart the store is read from the disk
    strict.held = {key: Held.from_json(held.as_json()) for key, held in strict.held.items()}
    assert await strict.reconcile() == [NO_LIST]


async def test_a_type_that_is_wanted_twice_is_subscribed_once(tenant: Tenant) -> None:
    await tenant.reconcile("userCreated", "userCreated")
    assert tenant.here == tenant.ours("userCreated")


async def test_a_moved_url_moves_ours_in_their_place(tenant: Tenant) -> None:
    await tenant.reconcile()
    ids, moved = set(tenant.sim.webhooks.subscriptions), f"{tenant.url}?moved"
    assert await tenant.reconcile(url=moved) == [LIST, *["PUT 200"] * 3]
    assert tenant.here == tenant.ours(url=moved)
    assert set(tenant.sim.webhooks.subscriptions) == ids
    assert {held.url for held in tenant.held.values()} == {moved}


async def test_a_new_key_is_written(tenant: Tenant) -> None:
    await tenant.reconcile()
    assert await tenant.reconcile(key="another-key") == [LIST, *["PUT 200"] * 3]
    assert tenant.here == tenant.ours(key="another-key")
    assert await tenant.reconcile(key="another-key") == [LIST]


async def test_a_renewal_writes_also_what_looks_right(tenant: Tenant) -> None:
    await tenant.reconcile()
    assert await tenant.reconcile(renew=True) == [LIST, *["PUT 200"] * 3]
    assert tenant.here == tenant.ours()


async def test_what_is_no_longer_wanted_goes(tenant: Tenant) -> None:
    await tenant.reconcile()
    assert await tenant.reconcile("userCreated") == [LIST, *["DELETE 204"] * 2]
    assert tenant.here == tenant.ours("userCreated")
    assert tenant.held.keys() == {"userCreated"}


# -- what others did ---------------------------------------------------------------------------------------


async def test_what_belongs_to_others_is_left_alone(tenant: Tenant) -> None:
    others = f"{tenant.home}/api/webhook/somebody-else"
    for event_type in (*WANTED, "simSessionEnded"):
        await tenant.client.subscribe(event_type, others, "their-key")
    theirs = tenant.here
    await tenant.reconcile()
    await tenant.reconcile(renew=True)
    await tenant.reconcile("userCreated", url=f"{tenant.url}?moved")
    assert [item for item in tenant.here if item[1] == others] == theirs
    await tenant.unsubscribe_all()
    assert tenant.here == theirs


async def test_extra_ones_of_ours_go(tenant: Tenant) -> None:
    for url in (f"{tenant.url}?old", tenant.url, tenant.url):
        await tenant.client.subscribe("userCreated", url, WEBHOOK_KEY)
    await tenant.client.subscribe("simSessionEnded", tenant.url, WEBHOOK_KEY)
    await tenant.reconcile()
    assert tenant.here == tenant.ours()
    assert await tenant.reconcile() == [LIST]


async def test_an_inactive_one_is_renewed(tenant: Tenant) -> None:
    await tenant.reconcile()
    tenant.sim.strike({"subscriptions_inactive": True})
    assert {active for *_, active in tenant.here} == {False}
    assert await tenant.reconcile() == [LIST, *["PUT 200"] * 3]
    assert tenant.here == tenant.ours()


async def test_one_that_is_gone_is_made_again(tenant: Tenant) -> None:
    await tenant.reconcile()
    tenant.sim.strike({"subscriptions_gone": True})
    assert await tenant.reconcile() == [LIST, *["POST 201"] * 3]
    assert tenant.here == tenant.ours()


@pytest.mark.parametrize("path", [f"/api/webhook/{WEBHOOK_ID}", "/api/webhook/cloudhook"])
async def test_after_a_loss_of_memory_ours_are_known_by_their_url(
    tenant: Tenant, path: str
) -> None:
    """The webhook id does not stand in the URL of a cloudhook."""
    url = tenant.home + path
    await tenant.reconcile(url=url)
    tenant.held.clear()
    # with which key they were made is not known, so they are written anew
    assert await tenant.reconcile(url=url) == [LIST, *["PUT 200"] * 3]
    assert tenant.here == tenant.ours(url=url)


async def test_one_at_an_old_cloudhook_is_known_by_memory(tenant: Tenant) -> None:
    old = f"{tenant.home}/api/webhook/old-cloudhook"
    await tenant.reconcile(url=old)
    await tenant.reconcile()
    assert tenant.here == tenant.ours()


# -- what Jedlix refuses -----------------------------------------------------------------------------------


async def test_a_type_that_is_not_offered_does_not_stop_the_others(tenant: Tenant) -> None:
    calls = await tenant.reconcile("userCreated", "noSuchType", "simSessionStarted")
    assert calls == [LIST, "POST 201", "POST 400", "POST 201"]
    assert list(tenant.refused) == ["noSuchType"]
    assert "noSuchType" in str(tenant.refused["noSuchType"])
    assert tenant.held.keys() == {"userCreated", "simSessionStarted"}
    assert tenant.here == tenant.ours("userCreated", "simSessionStarted")


async def test_a_renewal_that_is_refused_leaves_what_works(tenant: Tenant) -> None:
    await tenant.reconcile()
    held = dict(tenant.held)
    tenant.sim.faults.subscription_status = 422
    assert await tenant.reconcile(renew=True) == [LIST, *["PUT 422"] * 3]
    assert tenant.refused.keys() == set(WANTED)
    assert tenant.here == tenant.ours()
    assert tenant.held == held
    tenant.sim.faults.subscription_status = 0
    assert await tenant.reconcile() == [LIST]


async def test_a_url_that_is_refused_is_not_held(tenant: Tenant) -> None:
    await tenant.reconcile()
    await tenant.reconcile(url=UNREACHABLE)
    assert tenant.refused.keys() == set(WANTED)
    assert tenant.held == {}
    await tenant.reconcile()
    assert tenant.here == tenant.ours()


@pytest.mark.parametrize(("status", "kind"), [(400, Rejected), (422, Rejected), (409, Conflict)])
async def test_the_refusal_is_told(tenant: Tenant, status: int, kind: type[Rejected]) -> None:
    tenant.sim.faults.subscription_status = status
    await tenant.reconcile("userCreated")
    assert type(tenant.refused["userCreated"]) is kind
    assert tenant.held == {}


async def test_a_plan_that_forbids_webhooks_is_told(tenant: Tenant) -> None:
    tenant.sim.faults.forbidden = ["subscribe"]
    await tenant.reconcile()
    assert {type(error) for error in tenant.refused.values()} == {Forbidden}
    assert tenant.held == {}


@pytest.mark.parametrize("error", [Rejected("pageIndex?"), BadAnswer("not a list")])
async def test_a_list_that_is_not_understood_is_no_list(tenant: Tenant, error: Exception) -> None:
    await tenant.reconcile()
    with patch.object(tenant.client, "subscriptions", side_effect=error):
        assert await tenant.reconcile() == []
    assert tenant.here == tenant.ours()


# -- what the tenant lacks ---------------------------------------------------------------------------------


@pytest.mark.parametrize("lack", ["absent", "forbidden"])
async def test_without_an_update_a_new_one_takes_the_place_of_the_old(
    tenant: Tenant, lack: str
) -> None:
    setattr(tenant.sim.faults, lack, ["update_subscription"])
    await tenant.reconcile()
    moved = f"{tenant.url}?moved"
    await tenant.reconcile(url=moved)
    assert tenant.here == tenant.ours(url=moved)
    await tenant.reconcile(url=moved, renew=True)
    assert tenant.here == tenant.ours(url=moved)
    assert await tenant.reconcile(url=moved) == [LIST]


@pytest.mark.parametrize("lack", ["absent", "forbidden"])
async def test_without_a_delete_the_old_one_stays_and_is_no_trouble(
    tenant: Tenant, lack: str
) -> None:
    setattr(tenant.sim.faults, lack, ["unsubscribe"])
    await tenant.reconcile()
    await tenant.reconcile("userCreated")
    assert tenant.here == tenant.ours()
    assert tenant.held.keys() == {"userCreated"}
    await tenant.unsubscribe_all()


async def test_a_delete_that_is_refused_is_no_trouble(tenant: Tenant) -> None:
    await tenant.reconcile()
    with patch.object(tenant.client, "unsubscribe", side_effect=Conflict("in use")) as asked:
        await tenant.reconcile("userCreated")
    assert asked.await_count == 2
    assert tenant.held.keys() == {"userCreated"}


async def test_a_tenant_that_only_lacks_the_list_is_moved_by_what_we_remember(
    tenant: Tenant,
) -> None:
    tenant.sim.faults.absent = ["subscriptions"]
    await tenant.reconcile()
    moved = f"{tenant.url}?moved"
    assert await tenant.reconcile(url=moved) == [NO_LIST, *["PUT 200"] * 3]
    assert tenant.here == tenant.ours(url=moved)
    assert await tenant.reconcile("userCreated", url=moved) == [NO_LIST, *["DELETE 204"] * 2]
    assert await tenant.unsubscribe_all() == [NO_LIST, "DELETE 204"]
    assert tenant.here == []


async def test_a_strict_tenant_gets_new_ones_at_a_moved_url(strict: Tenant) -> None:
    await strict.reconcile()
    moved = f"{strict.url}?moved"
    await strict.reconcile(url=moved)
    assert strict.here == sorted([*strict.ours(), *strict.ours(url=moved)])
    assert await strict.reconcile(url=moved) == [NO_LIST]


async def test_an_answer_without_an_id_is_lived_with(strict: Tenant) -> None:
    def nameless(event_type: str, url: str, _key: str) -> Subscription:
        return Subscription(event_type=event_type, endpoint_url=url)

    with patch.object(strict.client, "subscribe", side_effect=nameless) as asked:
        await strict.reconcile()
        assert await strict.reconcile() == [NO_LIST]
        assert asked.await_count == 3
        await strict.reconcile(renew=True)
        assert asked.await_count == 6
    assert {held.id for held in strict.held.values()} == {None}
    assert await strict.unsubscribe_all() == [NO_LIST]  # there is nothing that could be named


# -- what breaks off ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("survived", [0, 1, 2])
async def test_a_pass_that_breaks_off_forgets_nothing(strict: Tenant, survived: int) -> None:
    subscribe = strict.client.subscribe
    left = iter(range(survived))

    async def breaks(event_type: str, url: str, key: str) -> Subscription:
        if next(left, None) is None:
            raise ConnectionFailed("away")
        return await subscribe(event_type, url, key)

    with (
        patch.object(strict.client, "subscribe", side_effect=breaks),
        pytest.raises(ConnectionFailed),
    ):
        await strict.reconcile()
    assert list(strict.held) == list(WANTED[:survived])
    assert await strict.reconcile() == [NO_LIST, *["POST 201"] * (3 - survived)]
    assert strict.here == strict.ours()


async def test_a_pass_that_breaks_off_while_it_deletes_is_taken_up_again(tenant: Tenant) -> None:
    await tenant.reconcile()
    with (
        patch.object(tenant.client, "unsubscribe", side_effect=ConnectionFailed("away")),
        pytest.raises(ConnectionFailed),
    ):
        await tenant.reconcile("userCreated")
    assert tenant.held.keys() == set(WANTED)
    await tenant.reconcile("userCreated")
    assert tenant.here == tenant.ours("userCreated")
    assert tenant.held.keys() == {"userCreated"}


# -- the end -----------------------------------------------------------------------------------------------


async def test_everything_is_taken_back(tenant: Tenant) -> None:
    await tenant.reconcile()
    assert await tenant.unsubscribe_all() == [LIST, *["DELETE 204"] * 3]
    assert tenant.here == []
    assert await tenant.unsubscribe_all() == [LIST]


async def test_a_strict_tenant_keeps_them_and_that_is_no_trouble(strict: Tenant) -> None:
    await strict.reconcile()
    assert await strict.unsubscribe_all() == [NO_LIST, *["DELETE 404"] * 3]
    assert strict.here == strict.ours()


async def test_no_key_stands_in_the_log(tenant: Tenant, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "custom_components.jedlix")
    await tenant.reconcile("userCreated", "noSuchType")
    assert WEBHOOK_KEY not in caplog.text


# -- how the Store keeps one -------------------------------------------------------------------------------


@pytest.mark.parametrize("held", [Held("https://a", "print", "id"), Held("https://a", "print")])
def test_a_held_one_survives_the_store(held: Held) -> None:
    assert Held.from_json(held.as_json()) == held


def test_without_a_print_the_key_counts_as_another() -> None:
    assert Held.from_json({"url": "https://a"}) == Held("https://a", "", None)


@pytest.mark.parametrize("damaged", [None, [], "https://a", {}, {"url": None}, {"url": {}}])
def test_a_damaged_one_is_not_read(damaged: object) -> None:
    with pytest.raises(BadAnswer):
        Held.from_json(damaged)


def test_a_print_tells_keys_apart_and_nothing_else() -> None:
    assert hash_of_key("one") == hash_of_key("one") != hash_of_key("two")
    assert "one" not in hash_of_key("one")
    assert len(hash_of_key("x" * 1000)) == 16
