"""Vocabulary: the words of the field in code, docs and texts; a private language does not come back."""

from collections.abc import Iterator
from pathlib import Path
import re
from typing import Final

ROOT: Final = Path(__file__).parents[1]
# Words that once stood for a delivery, a refresh, a change or a handler. The right ones stand in
# docs/contributing.md.
PRIVATE: Final = re.compile(
    r"\b(tell|tells|told|telling|owe|owes|owed|rota|witness|doors?|bells?|anew)\b", re.IGNORECASE
)
# Names of icons, the Dutch word for "by", and the list above.
PLAIN: Final = re.compile(r"mdi:[\w-]+")
LEFT_OUT: Final = (
    "translations/nl.json",
    "tests/snapshots/",
    "tests/samples/",
    "test_vocabulary.py",
)
READ: Final = {".py", ".md", ".json", ".yaml", ".yml", ".html", ".toml", ""}
FOLDERS: Final = (
    *("custom_components", "simulator", "harness", "tests"),
    *("docs", "blueprints", "scripts", ".github", ".ci"),
)


def texts() -> Iterator[tuple[str, str]]:
    """Yield each line that a person wrote, with its place."""
    paths = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*"))]
    for path in [*paths, *sorted(ROOT.glob("[!.]*.*"))]:
        name = path.relative_to(ROOT).as_posix()
        if path.is_file() and path.suffix in READ and not any(it in name for it in LEFT_OUT):
            for number, line in enumerate(path.read_text().splitlines(), 1):
                yield f"{name}:{number}", line


def test_no_private_word_stands_for_a_thing_of_the_field() -> None:
    assert [
        f"{place}: {line.strip()}" for place, line in texts() if PRIVATE.search(PLAIN.sub("", line))
    ] == []
