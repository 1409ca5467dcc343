"""Wrong clock: a Home Assistant whose clock is hours ahead, by libfaketime where that is installed."""

from importlib.util import find_spec
from pathlib import Path

AHEAD = 3 * 3600.0
"""Seconds."""
_NAME = "libfaketime.so.1"
_PACKAGE = Path("vendor", "libfaketime", "src", _NAME)
"""In the package `libfaketime` of PyPI, which needs none of its dependencies here."""


def find_library() -> Path | None:
    """Return the library of the Python package or of the system, None where there is none."""
    spec = find_spec("libfaketime")
    folders = (spec.submodule_search_locations or ()) if spec is not None else ()
    found = [Path(folder) / _PACKAGE for folder in folders]
    found += Path("/usr/lib").glob(f"*/faketime/{_NAME}")
    return next((path for path in found if path.exists()), None)


def command(library: Path) -> tuple[str, ...]:
    """Return the command that starts another one with the wrong clock.

    Pauses last as long as they should: the clock that only counts stays right, and so do waits by it.
    """
    return (
        "env",
        f"LD_PRELOAD={library}",
        f"FAKETIME=+{AHEAD:.0f}s",
        "FAKETIME_DONT_FAKE_MONOTONIC=1",
        "FAKETIME_FORCE_MONOTONIC_FIX=0",
    )
