"""Dashboard that stays open after the day: the integration's own, as a person adds it."""

from ..websocket import WebSocket

URL_PATH = "jedlix-cars"


async def make_dashboard(socket: WebSocket, *, hours: float = 0.2) -> None:
    """Create the dashboard `/jedlix-cars`; the graph of a car shows the last `hours`."""
    await socket.call(
        "lovelace/dashboards/create",
        url_path=URL_PATH,
        title="Jedlix",
        icon="mdi:ev-station",
        mode="storage",
        show_in_sidebar=True,
        require_admin=False,
    )
    strategy = {"type": "custom:jedlix", "hours": hours}
    await socket.call("lovelace/config/save", url_path=URL_PATH, config={"strategy": strategy})
