"""Pages for a browser: the page with the buttons, and the stand-in for a maker's log-in."""

from pathlib import Path
from uuid import UUID

from aiohttp import web

from .cloud import Cloud

_PANEL = Path(__file__).with_name("panel.html")


def add_routes(router: web.UrlDispatcher, cloud: Cloud) -> None:
    """Add the pages. `/web/` is where connect sessions lead (documented: startUrl, redirectUrl)."""

    async def panel(_request: web.Request) -> web.Response:
        return web.Response(text=_PANEL.read_text(encoding="utf-8"), content_type="text/html")

    async def log_in(request: web.Request) -> web.Response:
        """Let in whoever comes here."""
        try:
            connect = cloud.linking.sessions[str(UUID(request.query.get("sessionId", "")))]
        except ValueError, KeyError:
            raise web.HTTPNotFound(text="There is no such connect session.") from None
        if not connect.is_finished:
            cloud.linking.finish(connect, cloud.catch_up())
            cloud.settle()
        raise web.HTTPFound("/web/end")

    async def linked(_request: web.Request) -> web.Response:
        return web.Response(text="The vehicle is linked. (Jedlix simulator)")

    router.add_get("/", panel)
    router.add_get("/web/start", log_in)
    router.add_get("/web/end", linked)
