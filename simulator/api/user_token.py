"""Identity provider over HTTP: the page on which a driver logs in, and the address of the tokens."""

from html import escape
from pathlib import Path

from aiohttp import web
from yarl import URL

from simulator.cloud import Cloud
from simulator.model import User
from simulator.provider import Denied, LogIn, TokenKind

from .http import json_response

AUTHORIZE_PATH = "/provider/authorize"
TOKEN_PATH = "/provider/token"
_PAGE = Path(__file__).parents[1] / "log_in.html"


async def answer(cloud: Cloud, request: web.Request) -> web.Response:
    """Answer a request for the tokens of a driver."""
    form = {name: str(value) for name, value in (await request.post()).items()}
    try:
        tokens = cloud.provider.token(form, cloud.url, cloud.now(), cloud.settings.expires_in)
    except Denied as err:
        status = 401 if err.error == "invalid_client" else 400
        return json_response({"error": err.error, "error_description": err.description}, status)
    return json_response(tokens)


def add_pages(router: web.UrlDispatcher, cloud: Cloud) -> None:
    """Add the page of the log-in."""

    def log_in_of(request: web.Request) -> LogIn:
        try:
            return LogIn.read(request.query, cloud.provider.redirects)
        except Denied as err:
            raise web.HTTPBadRequest(text=f"{err.error}: {err.description}") from None

    async def show(request: web.Request) -> web.Response:
        log_in = log_in_of(request)
        page = _PAGE.read_text(encoding="utf-8")
        for name, value in (
            ("client", escape(log_in.client_id)),
            ("scopes", escape(" ".join(sorted(log_in.scopes)) or "no scope")),
            ("audience", escape(log_in.audience or "no audience")),
            ("cars", "".join(map(_button, cloud.world.users.values()))),
        ):
            page = page.replace(f"{{{name}}}", value)
        return web.Response(text=page, content_type="text/html")

    async def choose(request: web.Request) -> web.Response:
        """Go back to the app as the person chose."""
        log_in, form = log_in_of(request), await request.post()
        back = {"state": log_in.state}
        user_id = str(form.get("user", ""))
        if user_id in cloud.world.users:
            kind = form.get("token")
            back["code"] = cloud.provider.agree(
                log_in,
                user_id,
                TokenKind(kind) if kind in set(TokenKind) else TokenKind.JWT,
                cloud.now(),
            )
        else:
            back["error"] = "access_denied"
        raise web.HTTPFound(URL(log_in.redirect_uri).update_query(back))

    router.add_get(AUTHORIZE_PATH, show)
    router.add_post(AUTHORIZE_PATH, choose)


def _button(user: User) -> str:
    """Return the button of one driver."""
    car = user.vehicle
    name = "without a car" if car is None else f"of the {car.brand} {car.model}"
    label = escape(f"Log in as the driver {name} ({user.id[:8]})")
    return f'<button name="user" value="{escape(user.id)}">{label}</button>'
