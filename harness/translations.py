"""The texts of this checkout, whichever copy of the integration runs."""

from collections.abc import Mapping
from functools import cache
import json
from typing import Any

from .paths import INTEGRATION


@cache
def translations(language: str = "en") -> Mapping[str, Any]:
    """Return all texts that a person may read in a language, by their kind."""
    path = INTEGRATION / "translations" / f"{language}.json"
    texts: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return texts
