"""Brand pictures of the integration, in the sizes and for the themes that Home Assistant needs.

Icon and logo are one drawing: the icon is the left square of the logo.
"""

from argparse import ArgumentParser
from base64 import b64encode
from pathlib import Path
import sys

import hass_frontend
from playwright.async_api import Browser

from ..browser.chromium import chromium, require_chromium
from ..command_line import run
from ..paths import INTEGRATION, ROOT

DRAWING = ROOT / "docs" / "brand" / "logo.svg"
BRAND = INTEGRATION / "brand"
HEIGHT = 256
"""Pixels of icon and logo; twice that in the pictures named `@2x`."""
WIDTH = 972
"""Pixels of the logo."""
_FONTS = {400: "Roboto-Regular.woff2", 500: "Roboto-Medium.woff2"}


async def draw(browser: Browser, folder: Path) -> None:
    """Draw all pictures into a folder."""
    for dark in (False, True):
        for scale in (1, 2):
            await _draw(browser, folder, dark=dark, scale=scale)


async def _draw(browser: Browser, folder: Path, *, dark: bool, scale: int) -> None:
    page = await browser.new_page(
        viewport={"width": WIDTH, "height": HEIGHT},
        device_scale_factor=scale,
        color_scheme="dark" if dark else "light",
    )
    await page.set_content(
        f"<style>{_font_faces()} body {{ margin: 0 }}</style>{DRAWING.read_text(encoding='utf-8')}"
    )
    await page.evaluate("document.fonts.ready")
    for name, width in (("icon", HEIGHT), ("logo", WIDTH)):
        await page.screenshot(
            path=folder / f"{'dark_' * dark}{name}{'@2x' * (scale == 2)}.png",
            omit_background=True,
            clip={"x": 0, "y": 0, "width": width, "height": HEIGHT},
        )
    await page.close()


def _font_faces() -> str:
    """Return the frontend's own fonts as a style sheet, so that every machine draws the same."""
    folder = Path(hass_frontend.where()) / "static/fonts/roboto"
    return "".join(
        f"@font-face {{ font-family: Roboto; font-weight: {weight};"
        f" src: url(data:font/woff2;base64,{b64encode((folder / file).read_bytes()).decode()}) }}"
        for weight, file in _FONTS.items()
    )


async def _run(path: str) -> int:
    BRAND.mkdir(exist_ok=True)
    async with chromium(path) as browser:
        await draw(browser, BRAND)
    return 0


def main() -> int:
    """Draw the pictures into the folder of the integration, and return the exit code."""
    ArgumentParser(
        prog="scripts/brand",
        description="Draws custom_components/jedlix/brand/*.png from docs/brand/logo.svg, with Chromium.",
    ).parse_args()
    path = require_chromium()
    return run(lambda: _run(path))


if __name__ == "__main__":
    sys.exit(main())
