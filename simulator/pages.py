"""Pages for a browser: the page with the buttons, and the stand-in for a maker's log-in."""

from collections.abc import Callable
from pathlib import Path
from uuid import UUID

from aiohttp import web

from .cloud import Cloud
from .model import ConnectSession

_PANEL = Path(__file__).with_name("panel.html")
_MAKER = Path(__file__).with_name("maker.html")


def add_routes(router: web.UrlDispatcher, cloud: Cloud) -> None:
    """Add the pages. `/web/` is where connect sessions lead (documented: startUrl, redirectUrl)."""

    async def panel(_request: web.Request) -> web.Response:
        return web.Response(text=_PANEL.read_text(encoding="utf-8"), content_type="text/html")

    async def maker(request: web.Request) -> web.Response:
        """Show a page of the maker's log-in."""
        connect = _connect_session(cloud, request)
        page = _MAKER.read_text(encoding="utf-8")
        for name, value in (("page", connect.page), ("pages", connect.pages)):
            page = page.replace(f"{{{name}}}", str(value))
        return web.Response(text=page, content_type="text/html")

    async def log_in(request: web.Request) -> web.Response:
        """Do what the person chose on the page. One that was left behind changes nothing."""
        connect = _connect_session(cloud, request)
        choice = (await request.post()).get("choice")
        actions: dict[object, Callable[[str], None]] = {
            "log_in": cloud.log_in,
            "wait": cloud.log_in_and_wait,
        }
        is_current = request.query.get("page", "1") == str(connect.page)
        if choice in actions and is_current and not connect.is_finished:
            actions[choice](connect.id)
        raise web.HTTPFound("/web/end")

    async def end(_request: web.Request) -> web.Response:
        return web.Response(text="Go back to where you came from. (Jedlix simulator)")

    router.add_get("/", panel)
    router.add_get("/web/start", maker)
    router.add_post("/web/start", log_in)
    router.add_get("/web/end", end)


def _connect_session(cloud: Cloud, request: web.Request) -> ConnectSession:
    try:
        return cloud.linking.sessions[str(UUID(request.query.get("sessionId", "")))]
    except ValueError, KeyError:
        raise web.HTTPNotFound(text="There is no such connect session.") from None
