"""Chromium of the system, without a window."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
import shutil
import sys

from playwright.async_api import Browser, async_playwright, expect

NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 30.0
"""Seconds that a step on a page may take; on a busy machine as well, a good step takes far less."""
NO_CHROMIUM = "There is no Chromium; on Debian: apt-get install chromium"

_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # With these, the same page gives the same picture, byte for byte.
    "--font-render-hinting=none",
    "--disable-lcd-text",
    "--force-color-profile=srgb",
    "--disable-partial-raster",
    "--disable-skia-runtime-opts",
)


def find_chromium() -> str | None:
    """Return the path of the Chromium that is installed, if one is."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def require_chromium() -> str:
    """Return the path of the Chromium that is installed; end the program where there is none."""
    return find_chromium() or sys.exit(NO_CHROMIUM)


@asynccontextmanager
async def chromium(path: str) -> AsyncIterator[Browser]:
    """Start the Chromium at `path`; it ends with the block."""
    expect.set_options(timeout=PATIENCE * 1000)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        try:
            yield browser
        finally:
            await browser.close()
