"""Stories: which rule each story tries, and by which kinds of faults of the simulator."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Story:
    """One story: the rules of the design that it tries, and the kinds of faults that it uses."""

    name: str
    rules: tuple[int, ...]
    kinds: tuple[str, ...]


STORIES: dict[str, Story] = {}
"""All stories by name; a module adds its own when it is imported."""


def tries[**P, R](
    *rules: int, kinds: tuple[str, ...] = ()
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Note which rules a story tries, and by which kinds of faults."""

    def note(story: Callable[P, R]) -> Callable[P, R]:
        name = getattr(story, "__name__", "")
        STORIES[name] = Story(name, rules, kinds)
        return story

    return note
