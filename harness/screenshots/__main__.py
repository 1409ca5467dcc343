"""Command line of the screenshots, for `scripts/screenshots`."""

from argparse import ArgumentParser
from contextlib import AsyncExitStack
from pathlib import Path
import shutil
import sys

from ..browser.chromium import chromium, require_chromium
from ..command_line import print_progress, run
from ..config_folder import add_component, set_up
from ..home import Home
from ..paths import IMMEDIATE_REPAIRS, ROOT, run_folder
from ..simulator import Simulator
from .album import Album

PICTURES = ROOT / "docs" / "images"


def main() -> int:
    """Take all pictures, and copy them into the docs once each is there."""
    ArgumentParser(
        prog="scripts/screenshots",
        description="Takes the pictures of the documentation, docs/images/*.png, with Chromium.",
    ).parse_args()
    path = require_chromium()
    return run(lambda: _run(path))


async def _run(path: str) -> int:
    with run_folder("screenshots", print_progress) as folder:
        album = folder.path / "album"
        album.mkdir()
        await _fill(album, folder.path, path)
        for picture in sorted(album.iterdir()):
            shutil.copy(picture, PICTURES / picture.name)
            print(f"docs/images/{picture.name}: {picture.stat().st_size // 1024} KB")
        folder.keep = False
    return 0


async def _fill(album: Path, folder: Path, path: str) -> None:
    home = Home(folder / "config")
    add_component(home.folder, IMMEDIATE_REPAIRS)
    set_up(home.folder, "energy")
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(home)
        simulator = await stack.enter_async_context(Simulator.ours(folder, "--users", "2"))
        browser = await stack.enter_async_context(chromium(path))
        await Album(home, simulator, browser, album).fill()


if __name__ == "__main__":
    sys.exit(main())
