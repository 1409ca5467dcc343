"""Home Assistant's API: signing in, REST, websocket connections."""

from collections.abc import Mapping
from typing import Any

import aiohttp

from .websocket import WebSocket

USERNAME = "demo"
PASSWORD = "demo"


class RestFailed(Exception):
    """Home Assistant answered a REST call with an error."""

    def __init__(self, method: str, path: str, status: int, body: str) -> None:
        """Make the message."""
        super().__init__(f"{method} {path}: {status} {body[:500]}")


class HomeApi:
    """Home Assistant's API at one address, as its first user."""

    def __init__(self, base_url: str) -> None:
        """Make no connection yet."""
        self.base_url = base_url
        self._open: aiohttp.ClientSession | None = None
        self._token = ""

    async def close(self) -> None:
        """Close all connections."""
        if self._open is not None:
            await self._open.close()
            self._open = None

    async def answers(self) -> bool:
        """Return whether the web server is up, which it is a second before everything else."""
        try:
            async with self._session.get(f"{self.base_url}/manifest.json") as response:
                return response.status == 200
        except aiohttp.ClientError, TimeoutError:
            return False

    async def is_running(self) -> bool:
        """Return whether everything is set up."""
        config: dict[str, Any] = await self.rest("GET", "config")
        return bool(config["state"] == "RUNNING")

    async def rest(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Call `path` below `/api/` and return the answer: JSON, other text as it is, None if empty.

        Raises `RestFailed` for an answer of 400 and above.
        """
        status, answer = await self._request(method, path, body)
        if status == 401:  # access tokens live for half an hour
            await self.sign_in()
            status, answer = await self._request(method, path, body)
        if status >= 400:
            raise RestFailed(method, path, status, str(answer))
        return answer

    async def call_action(self, domain: str, action: str, **data: Any) -> Any:
        """Call an action and wait until it is done."""
        return await self.rest("POST", f"services/{domain}/{action}", data)

    async def states(self) -> dict[str, dict[str, Any]]:
        """Return all states by entity id."""
        return {state["entity_id"]: state for state in await self.rest("GET", "states")}

    async def websocket(self) -> WebSocket:
        """Open a new websocket connection; the caller closes it."""
        await self.sign_in()
        return await WebSocket.connect(self._session, self.base_url, self._token)

    async def sign_in(self) -> dict[str, Any]:
        """Get tokens, and make the user first if there is none yet; returns what a browser keeps.

        This is asked again after each start: a kill right after the first start may have lost the user as
        well as the token.
        """
        client_id = f"{self.base_url}/"
        code = await (self._log_in if await self._user_exists() else self._make_user)(client_id)
        form = {"grant_type": "authorization_code", "code": code, "client_id": client_id}
        async with self._session.post(f"{self.base_url}/auth/token", data=form) as response:
            if response.status != 200:
                raise RestFailed("POST", "/auth/token", response.status, await response.text())
            tokens: dict[str, Any] = await response.json()
        self._token = tokens["access_token"]
        return tokens

    async def _user_exists(self) -> bool:
        # This address is gone once all first-run pages are done, so a 404 means yes as well.
        async with self._session.get(f"{self.base_url}/api/onboarding") as response:
            if response.status != 200:
                return True
            return any(page["step"] == "user" and page["done"] for page in await response.json())

    async def _make_user(self, client_id: str) -> str:
        user = {"name": "Demo", "username": USERNAME, "password": PASSWORD, "language": "en"}
        answer = await self._post("api/onboarding/users", {**user, "client_id": client_id})
        return str(answer["auth_code"])

    async def _log_in(self, client_id: str) -> str:
        redirect = f"{self.base_url}/?auth_callback=1"
        flow = {"handler": ["homeassistant", None], "redirect_uri": redirect}
        step = await self._post("auth/login_flow", {**flow, "client_id": client_id})
        credentials = {"client_id": client_id, "username": USERNAME, "password": PASSWORD}
        answer = await self._post(f"auth/login_flow/{step['flow_id']}", credentials)
        return str(answer["result"])

    async def _post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        async with self._session.post(f"{self.base_url}/{path}", json=body) as response:
            if response.status >= 400:
                raise RestFailed("POST", f"/{path}", response.status, await response.text())
            answer: dict[str, Any] = await response.json()
            return answer

    async def _request(
        self, method: str, path: str, body: Mapping[str, Any] | None
    ) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self._token}"}
        url = f"{self.base_url}/api/{path}"
        async with self._session.request(method, url, json=body, headers=headers) as response:
            text = await response.text()
            is_json = bool(text) and response.content_type == "application/json"
            return response.status, await response.json() if is_json else text or None

    @property
    def _session(self) -> aiohttp.ClientSession:
        if self._open is None:
            self._open = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60))
        return self._open
