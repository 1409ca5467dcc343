"""Connect session: how a person links a car at its maker, page by page. Not a charge session."""

from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final, Self
from urllib.parse import quote, urlsplit

from .reading import Fields, boolean, text

# In an address, these stay as they are; all others could end the link in which the address is shown.
_PLAIN: Final = "%/:?#[]@!$&'*+,;=-._~|"
# What the official apps strip: their web view opens the rest in an ordinary browser (SDK).
_NEW_TAB: Final = "newtab:"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectSession:
    """One attempt to link a car (documented).

    `start_url` is the page to open next (documented), None once finished. Whoever has it can link a car, and
    the id is part of it: both are secrets, so no text shows them.
    `wants_web_view`: Jedlix wants to read the pages that the person sees (SDK), which only an app can do.
    """

    id: str = field(repr=False)
    start_url: str | None = field(default=None, repr=False)
    is_finished: bool = False
    vehicle_id: str | None = None
    wants_web_view: bool = False

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Read one; raises BadAnswer when it has no id."""
        fields = Fields(data)
        info = fields.get("redirectinfo")
        wanted = Fields(info if isinstance(info, dict) else {})
        return cls(
            id=fields.required_id("id", "connectsessionid"),
            start_url=text(fields.get("starturl")),
            is_finished=boolean(fields.get("isfinished")) is True,
            vehicle_id=text(fields.get("vehicleid")),
            wants_web_view=bool(wanted.get("includecookies"))
            or any(boolean(wanted.get(key)) for key in ("includebody", "includeredirecturl")),
        )

    @property
    def page(self) -> str | None:
        """Return the address to open in an ordinary browser, None where that cannot work.

        It is https, or http on this machine (the simulator).
        """
        if self.start_url is None or self.wants_web_view:
            return None
        address = self.start_url.removeprefix(_NEW_TAB)
        try:
            parts = urlsplit(address)
            host = parts.hostname
        except ValueError:
            return None
        is_safe = parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host))
        if not host or not is_safe or parts.username is not None:
            return None
        return quote(address, safe=_PLAIN)


def _is_loopback(host: str | None) -> bool:
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return host == "localhost"
