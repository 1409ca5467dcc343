"""Flags: switches of the charge settings whose names are not known.

Documented: one that says whether solar production is used, and an optional one for bidirectional charging.
A flag is offered where exactly one boolean of the settings says so.
"""

from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
import re
from typing import Final

from ..api import ChargeSettings
from ..api.reading import Json, plain, words_of


class Flag(StrEnum):
    """A flag, by the key of its switch."""

    SOLAR_CHARGING = "solar_charging"
    BIDIRECTIONAL_CHARGING = "bidirectional_charging"


_MEANING: Final = {
    Flag.SOLAR_CHARGING: re.compile("solar|photovoltaic"),
    Flag.BIDIRECTIONAL_CHARGING: re.compile("bidirectional|v2g|v2h|v2x|discharg"),
}
# A key of these words says the opposite, or what is possible, not what is wanted.
_OTHER_MEANING: Final = frozenset(
    {
        "available", "can", "capable", "disable", "disabled", "exclude", "has", "installed", "never", "no",
        "not", "off", "possible", "prevent", "reached", "support", "supported", "supports", "without",
    }
)  # fmt: skip


def flag_key(settings: ChargeSettings | None, flag: Flag) -> str | None:
    """Return the key of a flag in charge settings, None unless it is certain.

    Null is no boolean: its key may be of another type.
    """
    if settings is None:
        return None
    hits = [
        key
        for key, value in settings.raw.items()
        if isinstance(value, bool) and flag in _meanings(key)
    ]
    if len(hits) != 1:
        return None
    is_certain = len(_meanings(hits[0])) == 1 and _OTHER_MEANING.isdisjoint(words_of(hits[0]))
    return hits[0] if is_certain else None


def flag(settings: ChargeSettings | None, which: Flag) -> bool | None:
    """Return the value of a flag, None where it is not offered."""
    key = flag_key(settings, which)
    return None if settings is None or key is None else settings.raw[key] is True


def with_flag(settings: ChargeSettings, which: Flag, *, enabled: bool) -> dict[str, Json]:
    """Return the whole settings with one flag changed, unchanged where it is not offered."""
    raw: Mapping[str, Json] = settings.raw
    key = flag_key(settings, which)
    return dict(raw) if key is None else {**raw, key: enabled}


@lru_cache(maxsize=512)
def _meanings(key: str) -> frozenset[Flag]:
    return frozenset(flag for flag, meaning in _MEANING.items() if meaning.search(plain(key)))
