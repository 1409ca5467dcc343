"""What hassfest, HACS and the Marketplace check, and a little more: nobody else looks before a release.

Rebuilt from what is known of them, not copied. A rule is a function that takes the root of a checkout and
yields what is wrong with it, in words.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from . import code, forms, icons, manifest, publishing, texts

type Rule = Callable[[Path], Iterator[str]]

RULES: dict[str, Rule] = {
    rule.__name__: rule
    for room in (manifest, texts, icons, forms, code, publishing)
    for rule in room.RULES
}


def check(root: Path) -> list[str]:
    """Return everything that is wrong with a checkout, each with the name of its rule before it."""
    return [f"{name}: {problem}" for name, rule in RULES.items() for problem in rule(root)]
