"""Checks of the dialogs: credentials, addresses and users, before an entry is made or changed.

What is wrong is named by a key of the translations.
"""

from collections.abc import Callable, Iterable, Mapping
import logging
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_CLIENT_ID
from homeassistant.core import HomeAssistant
from yarl import URL

from ..api import Forbidden, JedlixClient, JedlixError, NotFound
from ..const import (
    CONF_BASE_URL,
    CONF_ENVIRONMENT,
    CONF_TOKEN_URL,
    CONF_USER_ID,
    CONF_USERS,
    DOMAIN,
)
from ..data import is_driver, make_client
from ..errors import account_form_error, driver_form_error, user_form_error
from ..push.callback_url import is_private_host, is_valid_url
from ..subentries import followed_users, user_subentries
from ..users import TenantUser, cars_of_users
from .schemas import ENVIRONMENTS

_LOGGER = logging.getLogger(__name__)

# Errors that the form with the credentials shows, also when an address was entered last.
CREDENTIAL_ERRORS: Final = frozenset({"invalid_auth", "forbidden", "users_not_seen"})

# Errors that speak of an address, in words for an environment whose address nobody entered.
_WITHOUT_ADDRESS: Final = {
    "cannot_connect": "jedlix_unreachable",
    "not_jedlix": "jedlix_unclear",
}


def account_id(data: Mapping[str, Any]) -> str:
    """Return the unique id of an entry: one per host and client id, or per host and driver."""
    if is_driver(data):
        return f"{URL(data[CONF_BASE_URL]).authority}/user/{data[CONF_USER_ID]}"
    return f"{URL(data[CONF_BASE_URL]).authority}/{data[CONF_CLIENT_ID]}"


async def credentials_errors(hass: HomeAssistant, data: Mapping[str, Any]) -> dict[str, str]:
    """Try the credentials; returns the errors of the form."""
    try:
        await make_client(hass, data).check_access()
    except JedlixError as err:
        form_error = driver_form_error if is_driver(data) else account_form_error
        error = form_error(err)
        is_documented = data[CONF_ENVIRONMENT] in ENVIRONMENTS
        return {"base": _WITHOUT_ADDRESS.get(error, error) if is_documented else error}
    except Exception:
        _LOGGER.exception("Unexpected error while trying the Jedlix credentials")
        return {"base": "unknown"}
    return {}


def address_errors(
    data: Mapping[str, Any], fields: Iterable[str] = (CONF_BASE_URL, CONF_TOKEN_URL)
) -> dict[str, str]:
    """Return the errors of addresses that were entered: plain http is allowed for private hosts only."""
    errors: dict[str, str] = {}
    for field in fields:
        if not is_valid_url(data[field], allow_http=True):
            errors[field] = "invalid_url"
        elif not is_valid_url(data[field], allow_http=is_private_host(URL(data[field]).host)):
            errors[field] = "http_not_private"
    return errors


async def users_errors(
    hass: HomeAssistant,
    client: JedlixClient,
    wanted: Iterable[str],
    found: Mapping[str, TenantUser],
    *,
    are_all_wanted: bool = False,
    checked: Callable[[float], None] = lambda _: None,
) -> tuple[dict[str, str], dict[str, str], str]:
    """Check users who are to be followed; all that were found need no check, where these are wanted.

    `checked` is called after each, with which part of them is checked, from 0 to 1. Returns their titles, the
    errors of the form, and the id or ids that these are about.
    """
    followed = followed_users(hass)
    titles = (
        {user_id: user.label for user_id, user in found.items() if user_id not in followed}
        if are_all_wanted
        else {}
    )
    wanted = [user_id for user_id in wanted if user_id not in titles]
    if not wanted:
        return titles, {} if titles else {CONF_USERS: "no_users"}, ""
    if followed := followed.intersection(wanted):
        return {}, {CONF_USERS: "followed_elsewhere"}, ", ".join(sorted(followed))
    for user_id, cars in (await cars_of_users(client, wanted, checked)).items():
        if isinstance(cars, JedlixError):
            return {}, {CONF_USERS: user_form_error(cars)}, user_id
        place = found[user_id].place if user_id in found else None
        titles[user_id] = TenantUser(user_id, place, cars).label
    return titles, {}, ""


async def other_account_errors(
    hass: HomeAssistant, entry: ConfigEntry, data: Mapping[str, Any]
) -> tuple[dict[str, str], str]:
    """Check that an entry may become that of another account, which has to see all followed users.

    Returns the errors of the form, and the titles of the users that they are about.
    """
    other = hass.config_entries.async_entry_for_domain_unique_id(DOMAIN, account_id(data))
    if other is not None and other is not entry:
        return {"base": "account_taken"}, ""
    followed = user_subentries(entry)
    answers = await cars_of_users(make_client(hass, data), list(followed))
    unseen = [
        entry.subentries[followed[user_id]].title
        for user_id, answer in answers.items()
        if isinstance(answer, NotFound | Forbidden)
    ]
    if unseen:
        return {"base": "users_not_seen"}, ", ".join(unseen)
    failures = [answer for answer in answers.values() if isinstance(answer, JedlixError)]
    return ({"base": account_form_error(failures[0])} if failures else {}), ""
