"""Accounts: the actions that concern a whole account."""

from homeassistant.core import ServiceCall, ServiceResponse
from homeassistant.exceptions import HomeAssistantError
from homeassistant.util import dt as dt_util
from homeassistant.util.json import JsonValueType

from ..api import JedlixError
from ..api.gate import wanted_by_person
from ..errors import failure_of, refuse
from ..push.history import HISTORY_KEPT
from .fields import SINCE, moment_of
from .targets import accounts_of


async def catch_up(call: ServiceCall) -> ServiceResponse:
    """Publish what the accounts missed since a moment; answers how much, by entry id.

    All accounts are tried before the first failure is raised.
    """
    now = dt_util.utcnow()
    since = moment_of(call, SINCE) or now - HISTORY_KEPT
    if since > now:
        refuse("time_in_the_future")
    if now - since > HISTORY_KEPT:
        refuse("too_long_ago")
    found: dict[str, JsonValueType] = {}
    failure: JedlixError | None = None
    for entry in accounts_of(call):
        coordinator = entry.runtime_data.coordinator
        before = coordinator.publisher.published.copy()
        try:
            with wanted_by_person():
                await coordinator.poll.catch_up(since)
        except JedlixError as err:
            failure = failure or err
        published = coordinator.publisher.published - before
        found[entry.entry_id] = {
            "account": entry.title,
            "changes": published["changes"],
            "deliveries": published["deliveries"],
        }
    if failure is not None:
        raise failure_of(failure) from failure
    return found


async def resubscribe(call: ServiceCall) -> ServiceResponse:
    """Register the webhooks of the accounts again; answers what Jedlix accepted and refused, by entry id.

    All accounts are tried before the first failure is raised.
    """
    accounts = [(entry, entry.runtime_data.push) for entry in accounts_of(call)]
    found: dict[str, JsonValueType] = {}
    failure: HomeAssistantError | None = None
    if not any(push for _, push in accounts):
        refuse("no_push")
    for entry, push in accounts:
        if push is not None:
            try:
                await push.resubscribe_now()
            except HomeAssistantError as err:
                failure = failure or err
            found[entry.entry_id] = {
                "account": entry.title,
                "push_state": push.state.value,
                "accepted": [*push.registration.accepted],
                "refused": [*push.registration.refused],
            }
    if failure is not None:
        raise failure
    return found


async def get_api_report(call: ServiceCall) -> ServiceResponse:
    """Answer what the API of each account is like, without anybody's data, by entry id."""
    return {entry.entry_id: entry.runtime_data.api_report() for entry in accounts_of(call)}
