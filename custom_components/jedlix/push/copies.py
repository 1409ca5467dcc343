"""Copies: whether another Home Assistant with the same webhook still answers at an earlier address.

A restored backup has the webhook, the key and the subscriptions of the original. A home that moved to another
address has them too, but nobody answers at its earlier address any more.
"""

from collections.abc import Callable, Mapping
from http import HTTPStatus
import logging
from typing import Any, Final

from aiohttp import ClientError, ClientTimeout
from homeassistant.const import CONF_WEBHOOK_ID
from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from ..api import JedlixClient, JedlixError
from .callback_url import NoCallback, choose_url
from .subscriptions import HeldSubscriptions, unsubscribe_all

_LOGGER = logging.getLogger(__name__)

_TIMEOUT: Final = ClientTimeout(total=10)


async def forget_those_of_another(
    hass: HomeAssistant,
    held: HeldSubscriptions,
    own_url: str | None,
    arrives_here: Callable[[], bool] = lambda: False,
) -> None:
    """Forget the subscriptions at an address where another Home Assistant answers: they are not ours.

    `arrives_here` says whether a call without a key has just arrived at our own webhook.
    """
    for url in {item.url for item in held.values()} - {own_url}:
        if not await _has_webhook(hass, url) or arrives_here():
            continue
        _LOGGER.warning(
            "Another Home Assistant answers at an earlier address of the Jedlix webhook. "
            "Its subscriptions are left alone"
        )
        for event_type in [name for name, item in held.items() if item.url == url]:
            del held[event_type]


async def unsubscribe_own(
    hass: HomeAssistant, client: JedlixClient, data: Mapping[str, Any], held: HeldSubscriptions
) -> list[str]:
    """Delete the subscriptions of an entry's data at Jedlix, but none of another Home Assistant.

    Returns the event types of those that may be left.
    """
    try:
        chosen = await choose_url(hass, data)
    except NoCallback:
        chosen = None
    if chosen is not None:
        await forget_those_of_another(hass, held, chosen.url)
    try:
        return await unsubscribe_all(client, held, data[CONF_WEBHOOK_ID])
    except JedlixError as err:
        _LOGGER.warning("The webhook subscriptions could not be deleted at Jedlix: %s", err)
        return list(held)


async def _has_webhook(hass: HomeAssistant, url: str) -> bool:
    """Return whether a webhook of ours answers at an address, here or elsewhere.

    It refuses a call without a key. Home Assistant answers 200 for a webhook that it does not know.
    """
    try:
        async with async_get_clientsession(hass).post(
            url, timeout=_TIMEOUT, allow_redirects=False
        ) as answer:
            return answer.status == HTTPStatus.UNAUTHORIZED
    except ClientError, TimeoutError, ValueError:
        return False
