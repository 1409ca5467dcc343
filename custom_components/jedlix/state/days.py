"""Days of the week: their numbers and English names, and some of them in words."""

from collections.abc import Sequence
from typing import Final

WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
"""The weekdays by their number: Monday is 0."""
ALL_DAYS: Final = tuple(range(len(WEEKDAYS)))


def in_words(
    days: Sequence[int], names: Sequence[str] = WEEKDAYS, *, to: str = "_to_", and_: str = "_"
) -> str:
    """Return weekdays, in order, as a text: three or more in a row are one span."""
    spans: list[list[int]] = []
    for day in days:
        if spans and spans[-1][-1] == day - 1:
            spans[-1].append(day)
        else:
            spans.append([day])
    return and_.join(
        f"{names[span[0]]}{to}{names[span[-1]]}"
        if len(span) > 2  # noqa: PLR2004  two are shorter one by one
        else and_.join(names[day] for day in span)
        for span in spans
    )


def weekday(name: object) -> int | None:
    """Return the number of an English weekday, written whole or with its first two or three letters.

    A number is none: 0 may be Sunday or Monday.
    """
    if not isinstance(name, str):
        return None
    word = name.lower()
    return next(
        (day for day in ALL_DAYS if word in {WEEKDAYS[day][:length] for length in (2, 3, None)}),
        None,
    )
