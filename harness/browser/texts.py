"""The texts of the integration, as its translation files have them."""

from functools import cache
import json
from typing import Any

from ..paths import INTEGRATION


@cache
def _translations(language: str) -> dict[str, Any]:
    path = INTEGRATION / "translations" / f"{language}.json"
    translations: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return translations


def text(language: str, key: str, **placeholders: str) -> str:
    """Return the text at `key`, a path with dots; raises `KeyError` where there is none."""
    found: Any = _translations(language)
    for part in key.split("."):
        found = found[part]
    if not isinstance(found, str):
        raise KeyError(key)
    return found.format(**placeholders)
