"""Link: whether Jedlix reaches a car through its maker, since when not, and why. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Self


class LinkReport(StrEnum):
    """What a delivery says of the link. The two losses are the reasons that a user sees."""

    CREDENTIALS = "credentials"
    DISCONNECTED = "disconnected"
    CONNECTED = "connected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """The link of one car.

    `is_connected` is None while nothing said so. `reason` and `lost_at` are why and since when it is lost; a
    loss that no delivery explained has no reason.
    """

    is_connected: bool | None = None
    reason: LinkReport | None = None
    lost_at: datetime | None = None

    def advance(self, now: datetime, *, is_connected: bool | None) -> Self:
        """Return the link after an answer of the API (`isConnected`, SDK); None where it does not say."""
        if is_connected is None or is_connected == self.is_connected:
            return self
        lost_at = None if is_connected else now
        return replace(self, is_connected=is_connected, reason=None, lost_at=lost_at)

    def with_report(self, report: LinkReport, now: datetime, *, is_connected: bool | None) -> Self:
        """Return the link after a delivery about it and an answer of the API.

        The event types about the link are reported only, so the API decides. Where it does not say whether
        the car is connected, the delivery is believed.
        """
        if is_connected is None:
            link = self.advance(now, is_connected=report is LinkReport.CONNECTED)
        else:
            link = self
        if link.is_connected is not False or report is LinkReport.CONNECTED:
            return link
        # That the credentials are refused explains a disconnection, not the other way round.
        is_explained = link.reason is LinkReport.CREDENTIALS
        return link if is_explained else replace(link, reason=report)
