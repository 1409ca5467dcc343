"""Webhook subscriptions and the history of events."""

from urllib.parse import urlsplit

from aiohttp import web

from simulator.messages import Subscription

from . import shapes
from .http import Call, Problem


async def _tested(call: Call) -> tuple[str, str, str, bool]:
    """Check the documented body and call the endpoint, as Jedlix does before it answers."""
    webhooks, faults = call.cloud.webhooks, call.cloud.faults
    event_type, url, key = call.text("eventType"), call.text("endpointUrl"), call.text("apiKey")
    is_active = call.flag("isActive", default=True)
    if event_type not in webhooks.offered:  # assumed: how Jedlix answers is unknown
        offered = ", ".join(webhooks.offered)
        raise Problem(400, f"There is no event type {event_type!r}. Offered: {offered}.")
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise Problem(400, "endpointUrl must be an http or https address.")
    if trouble := await webhooks.test(event_type, url, key):
        raise Problem(400, trouble)
    if faults.subscription_status:
        raise Problem(faults.subscription_status, "The registration was refused (a fault).")
    return event_type, url, key, is_active


async def create_subscription(call: Call) -> web.Response:
    """Register a webhook (documented). The answer is assumed (A10)."""
    event_type, url, key, is_active = await _tested(call)
    if call.cloud.webhooks.is_full:  # assumed: whether Jedlix has a limit is unknown
        raise Problem(409, "There are as many subscriptions as this tenant may have.")
    subscription = call.cloud.webhooks.create(event_type, url, key, is_active=is_active)
    return call.one(shapes.subscription(subscription, call.style), 201)


async def list_subscriptions(call: Call) -> web.Response:
    """List the subscriptions of the tenant (A10)."""
    style = call.style
    subscriptions = list(call.cloud.webhooks.subscriptions.values())
    return call.many(subscriptions, lambda item: shapes.subscription(item, style))


def _subscription(call: Call) -> Subscription:
    subscription_id = call.request.match_info["subscription"].lower()
    subscription = call.cloud.webhooks.subscriptions.get(subscription_id)
    if subscription is None:
        raise Problem(404, f"There is no subscription {subscription_id}.")
    return subscription


async def get_subscription(call: Call) -> web.Response:
    """Return a subscription (A10)."""
    return call.one(shapes.subscription(_subscription(call), call.style))


async def update_subscription(call: Call) -> web.Response:
    """Change a subscription after the same test (A10). A key that is not sent stays."""
    subscription = _subscription(call)
    call.body = {
        "eventType": subscription.event_type,
        "endpointUrl": subscription.url,
        "apiKey": subscription.api_key,
        "isActive": subscription.is_active,
    } | call.body
    event_type, url, key, is_active = await _tested(call)
    subscription.event_type, subscription.url = event_type, url
    subscription.api_key, subscription.is_active = key, is_active
    subscription.updated_at = call.now
    return call.one(shapes.subscription(subscription, call.style))


async def delete_subscription(call: Call) -> web.Response:
    """Delete a subscription: 204 (A10)."""
    call.cloud.webhooks.delete(_subscription(call))
    return web.Response(status=204)


async def list_events(call: Call) -> web.Response:
    """List the history, newest first, always paged (A11): flat records (reported), or events.

    Filters, both assumed: `sentAtFrom` and `sentAtTo`, or `timestampFrom` and `timestampTo`.
    """
    since = call.moment("sentAtFrom") or call.moment("timestampFrom")
    until = call.moment("sentAtTo") or call.moment("timestampTo")
    events = call.cloud.webhooks.history(since, until)
    if call.cloud.settings.history_shape == "events":
        return call.many(events, shapes.event, always_page=True)
    records = [record for event in events for record in shapes.records(event)]
    return call.many(records, lambda record: record, always_page=True)
