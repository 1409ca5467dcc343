"""Takes the pictures; `scripts/screenshots` is the way in."""

from argparse import ArgumentParser
import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
import shutil
import sys

from ..browser.chromium import chromium, find_chromium
from ..config_folder import add_component
from ..home import Home
from ..paths import IMPATIENT, ROOT, new_run_folder, remove_run_folder
from ..simulator import Simulator
from .album import Album

PICTURES = ROOT / "docs" / "images"


def main() -> int:
    """Take all pictures; they take their places only when there is one of everything."""
    ArgumentParser(
        prog="scripts/screenshots",
        description="Takes the pictures of the documentation, docs/images/*.png, with Chromium.",
    ).parse_args()
    path = find_chromium()
    if path is None:
        print("There is no Chromium; on Debian: apt-get install chromium", file=sys.stderr)
        return 1
    folder = new_run_folder("screenshots")
    try:
        asyncio.run(_run(path, folder))
        for picture in sorted((folder / "album").iterdir()):
            shutil.copy(picture, PICTURES / picture.name)
            print(f"docs/images/{picture.name}: {picture.stat().st_size // 1024} KB")
    finally:
        remove_run_folder(folder)
    return 0


async def _run(path: str, folder: Path) -> None:
    (folder / "album").mkdir()
    home = Home(folder / "config")
    add_component(home.folder, IMPATIENT)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(home)
        simulator = await stack.enter_async_context(Simulator.ours(folder, "--users", "2"))
        browser = await stack.enter_async_context(chromium(path))
        await Album(home, simulator, browser, folder / "album").fill()


if __name__ == "__main__":
    sys.exit(main())
