"""Drivers at the simulator's identity provider: what a browser does there, without a browser."""

import aiohttp
from yarl import URL


async def choose(url: str, **form: str) -> URL:
    """Open the log-in page at `url`, send its form, and return the address that it leads back to.

    The form has the id of a `user` and the kind of `token`, or `refuse`.
    """
    async with aiohttp.ClientSession() as browser:
        async with browser.get(url) as page:
            page.raise_for_status()
        async with browser.post(url, data=form, allow_redirects=False) as answer:
            assert answer.status == 302, await answer.text()
            return URL(answer.headers["Location"])
