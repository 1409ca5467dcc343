"""Pictures of a page on which nothing moves any more."""

import asyncio
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.async_api import FloatRect, Locator, Page

COLOURS = 256
MARGIN = 24
"""Pixels around a part of the page."""
EQUAL_COUNTS = 3
MAX_COUNTS = 100

_STILL = """
*, *::before, *::after { transition: none !important; animation: none !important; }
ha-toast, notification-manager { display: none !important; }
"""
_COUNT_ELEMENTS = """() => {
  let elements = 0, busy = document.fonts.status !== 'loaded';
  const look = root => {
    for (const element of root.querySelectorAll('*')) {
      elements += 1;
      busy ||= element.isUpdatePending || (element.localName === 'img' && !element.complete)
        || (/^(ha-spinner|hass-loading-screen)$/.test(element.localName)
          && element.checkVisibility({opacityProperty: true, visibilityProperty: true}));
      if (element.shadowRoot) look(element.shadowRoot);
    }
  };
  look(document);
  return busy ? -1 : elements;
}"""


async def until_still(page: Page) -> None:
    """Wait until nothing loads, spins or grows any more."""
    await page.wait_for_load_state("networkidle")
    counts: list[int] = []
    for _ in range(MAX_COUNTS):
        counts.append(await page.evaluate(_COUNT_ELEMENTS))
        if (
            len(counts) >= EQUAL_COUNTS
            and min(counts[-EQUAL_COUNTS:]) == max(counts[-EQUAL_COUNTS:]) > 0
        ):
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"{page.url} does not become still")


async def picture(page: Page, path: Path, part: Locator | None = None) -> None:
    """Write the visible page to a small PNG, or a `part` of it with a margin."""
    await until_still(page)
    clip: FloatRect | None = None
    if part is not None:
        box = await part.bounding_box()
        assert box is not None, "the part is not on the page"
        clip = {
            "x": box["x"] - MARGIN,
            "y": box["y"] - MARGIN,
            "width": box["width"] + 2 * MARGIN,
            "height": box["height"] + 2 * MARGIN,
        }
    shot = await page.screenshot(animations="disabled", caret="hide", style=_STILL, clip=clip)
    with Image.open(BytesIO(shot)) as image:
        image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
