"""Event types in the options: what Jedlix accepted and refused, by what they are about and by name."""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from homeassistant.core import HomeAssistant
from homeassistant.helpers.selector import (
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
)
from homeassistant.helpers.translation import async_get_translations
import voluptuous as vol

from ..const import DOMAIN
from ..push.event_types import Subject, find, pascal_case
from ..push.refused_types import Reason, Refusal

OTHER: Final = "other"
_STATE: Final = "event_type_state"
# The field of each group, in the order of the form. Those of the last two are shown where they are wanted.
_FIELDS: Final = (*(subject.value for subject in Subject), OTHER)
_ALWAYS_SHOWN: Final = frozenset(_FIELDS) - {Subject.SUPPLIER, OTHER}


def group_states(
    wanted: Iterable[str], accepted: Collection[str], refused: Mapping[str, Refusal]
) -> dict[str, str]:
    """Return what Jedlix said of each group of event types, as keys of the translations."""
    groups: dict[str, list[str]] = {field: [] for field in _FIELDS if field in _ALWAYS_SHOWN}
    for name in wanted:
        item = find(name)
        groups.setdefault(OTHER if item is None else item.subject.value, []).append(name)
    return {field: _state(names, accepted, refused) for field, names in groups.items()}


def _state(names: list[str], accepted: Collection[str], refused: Mapping[str, Refusal]) -> str:
    """Return the state of one group: that of all, else of the first that was refused."""
    if not names:
        return "not_chosen"
    are_accepted = [_is_in(name, accepted) for name in names]
    if any(are_accepted):
        return "accepted" if all(are_accepted) else "partly"
    return next((refused[name].reason.value for name in names if name in refused), "untried")


async def reasons_in_words(hass: HomeAssistant) -> dict[str, str]:
    """Return each reason for a refusal in the language of the server, without "Refused:" before it."""
    texts = await async_get_translations(hass, hass.config.language, "selector", {DOMAIN})
    options = f"component.{DOMAIN}.selector.{_STATE}.options"
    return {
        reason.value: texts.get(f"{options}.{reason}", reason).rpartition(": ")[2]
        for reason in Reason
    }


def by_name(
    wanted: Iterable[str],
    accepted: Collection[str],
    refused: Mapping[str, Refusal],
    words: Mapping[str, str],
) -> dict[str, str]:
    """Return the names of the accepted, refused and untried event types, for the texts of the form.

    `words` are the reasons in words.
    """
    names = list(wanted)
    still_refused = [name for name in names if name in refused and not _is_in(name, accepted)]
    known = {*still_refused, *(name for name in names if _is_in(name, accepted))}
    return {
        "accepted": _joined(accepted),
        "refused": _joined(_with_reason(name, refused[name], words) for name in still_refused),
        "untried": _joined(name for name in names if name not in known),
    }


def groups_schema(states: Mapping[str, str]) -> vol.Schema:
    """Return the schema of the section that shows the groups, which nobody can change."""
    return vol.Schema(
        {vol.Optional(field, default=state): _shown(state) for field, state in states.items()}
    )


def _shown(state: str) -> SelectSelector:
    """Return a list of this state alone: a list that is closed would be too pale to read."""
    return SelectSelector(
        SelectSelectorConfig(
            options=[state],
            mode=SelectSelectorMode.LIST,
            translation_key=_STATE,
            read_only=True,
        )
    )


def _is_in(name: str, accepted: Collection[str]) -> bool:
    return name in accepted or pascal_case(name) in accepted


def _with_reason(name: str, refusal: Refusal, words: Mapping[str, str]) -> str:
    at = "" if refusal.at is None else f", {refusal.at:%Y-%m-%d}"
    return f"{name} ({words[refusal.reason]}{at})"


def _joined(names: Iterable[str]) -> str:
    return ", ".join(names) or "-"
