"""Token endpoint (documented: form, grant, audience; the errors are Auth0's habit)."""

from aiohttp import web

from simulator.cloud import Cloud

from .http import json_response


async def answer(cloud: Cloud, request: web.Request) -> web.Response:
    """Answer a client-credentials request: any client id with the right secret and audience."""
    form = await request.post()
    if form.get("grant_type") != "client_credentials":
        return _error(400, "unsupported_grant_type", "grant_type must be client_credentials")
    if not form.get("client_id") or form.get("client_secret") != cloud.settings.client_secret:
        return _error(401, "access_denied", "Unauthorized")
    audience = str(form.get("audience", "")).rstrip("/")
    if audience not in cloud.audiences | {f"{request.scheme}://{request.host}"}:
        return _error(403, "access_denied", f'Service not found: "{audience}"')
    seconds = cloud.settings.expires_in
    return json_response(
        {
            "access_token": cloud.tokens.give(cloud.now(), seconds),
            "token_type": "Bearer",
            "expires_in": seconds,
        }
    )


def _error(status: int, error: str, description: str) -> web.Response:
    return json_response({"error": error, "error_description": description}, status)
