"""Screen of the demo: aligned lines, with colours only in a person's terminal."""

from collections.abc import Sequence
import os
import sys
import time

_RESET = "\033[0m"
_STYLES = {
    "bold": "\033[1m",
    "dim": "\033[2m",
    "green": "\033[32m",
    "red": "\033[31m",
    "yellow": "\033[33m",
    "cyan": "\033[36m",
}

_SENT = 28
_MADE = 26
_DELAY = 9
"""Widths of the columns."""


class Screen:
    """Standard output, with the demo's columns."""

    def __init__(self) -> None:
        """Use colours in a terminal whose user did not switch them off."""
        self._colours = sys.stdout.isatty() and "NO_COLOR" not in os.environ

    def heading(self, text: str) -> None:
        """Print what the demo does next."""
        self._print("\n" + self._paint(text, "bold"))

    def chapter(self, text: str) -> None:
        """Print what happens to a car."""
        self._print(self._paint(f"  {text}", "bold"))

    def note(self, text: str) -> None:
        """Print a remark."""
        self._print(self._paint(f"  {text}", "dim"))

    def good(self, text: str) -> None:
        """Print a good end."""
        self._print("\n" + self._paint(text, "green", "bold"))

    def bad(self, text: str) -> None:
        """Print what went wrong."""
        self._print("\n" + self._paint(text, "red", "bold"))

    def plain(self, text: str = "") -> None:
        """Print a line as it is."""
        self._print(text)

    def columns(self) -> None:
        """Print the titles of the columns of `line`."""
        head = f"  {'Time':<8}  {'Jedlix sent':<{_SENT}}  {'Home Assistant made of it':<{_MADE}}"
        self._print("\n" + self._paint(f"{head} {'after':>{_DELAY}}  and showed", "dim"))

    def line(
        self, at: float, sent: str, made: str, delay_ms: float | None, changes: Sequence[str]
    ) -> None:
        """Print one step. `delay_ms` is None where no delivery led to it."""
        clock = time.strftime("%H:%M:%S", time.localtime(at))
        delay = "" if delay_ms is None else f"{delay_ms:.0f} ms"
        self._print(
            f"  {self._paint(clock, 'dim')}"
            f"  {self._paint(f'{sent:<{_SENT}}', 'cyan')}"
            f"  {self._paint(f'{made:<{_MADE}}', 'green')}"
            f" {self._paint(f'{delay:>{_DELAY}}', 'yellow')}"
            f"  {', '.join(changes)}".rstrip()
        )

    def _paint(self, text: str, *styles: str) -> str:
        if not self._colours:
            return text
        return "".join(_STYLES[style] for style in styles) + text + _RESET

    def _print(self, text: str) -> None:
        print(text, flush=True)
