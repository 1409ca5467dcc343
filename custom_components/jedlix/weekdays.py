"""Weekdays: their names in the language of the server."""

from collections.abc import Callable, Sequence
from functools import partial

from homeassistant.core import HomeAssistant
from homeassistant.helpers.translation import async_get_translations

from .const import DOMAIN
from .state.days import WEEKDAYS, in_words


async def weekday_texts(hass: HomeAssistant) -> Callable[[Sequence[int]], str]:
    """Return what makes a text of weekdays, such as "Saturday, Sunday"; Monday is 0."""
    texts = await async_get_translations(hass, hass.config.language, "selector", {DOMAIN})
    names = [texts[f"component.{DOMAIN}.selector.weekday.options.{day}"] for day in WEEKDAYS]
    return partial(in_words, names=names, to=" \N{EN DASH} ", and_=", ")
