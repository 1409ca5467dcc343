"""Pictures of a page that has come to rest."""

import asyncio
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.async_api import FloatRect, Locator, Page

COLOURS = 256
MARGIN = 24
"""Pixels of the page that are left around a part of it."""
LOOKS = 3
MOST_LOOKS = 100

_STILL = """
*, *::before, *::after { transition: none !important; animation: none !important; }
ha-toast, notification-manager { display: none !important; }
"""
_UNREST = """() => {
  let elements = 0, busy = document.fonts.status !== 'loaded';
  const look = root => {
    for (const element of root.querySelectorAll('*')) {
      elements += 1;
      busy ||= element.isUpdatePending || (element.localName === 'img' && !element.complete)
        || (/^(ha-spinner|hass-loading-screen)$/.test(element.localName) && element.checkVisibility());
      if (element.shadowRoot) look(element.shadowRoot);
    }
  };
  look(document);
  return busy ? -1 : elements;
}"""


async def rest(page: Page) -> None:
    """Wait until nothing loads, spins or grows any more."""
    await page.wait_for_load_state("networkidle")
    seen: list[int] = []
    for _ in range(MOST_LOOKS):
        seen.append(await page.evaluate(_UNREST))
        if len(seen) >= LOOKS and min(seen[-LOOKS:]) == max(seen[-LOOKS:]) > 0:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"{page.url} does not come to rest")


async def picture(
    page: Page, path: Path, part: Locator | None = None, *, whole: bool = False
) -> None:
    """Write what is in sight to a small PNG, or a `part` of it and a little around, or the whole page."""
    await rest(page)
    clip: FloatRect | None = None
    if part is not None:
        box = await part.bounding_box()
        assert box is not None, "what is to be pictured is not there"
        clip = {
            "x": box["x"] - MARGIN,
            "y": box["y"] - MARGIN,
            "width": box["width"] + 2 * MARGIN,
            "height": box["height"] + 2 * MARGIN,
        }
    shot = await page.screenshot(
        animations="disabled", caret="hide", style=_STILL, clip=clip, full_page=whole
    )
    with Image.open(BytesIO(shot)) as image:
        image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
