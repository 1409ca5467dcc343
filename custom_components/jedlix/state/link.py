"""Link: whether Jedlix reaches a car through its maker, since when not, and why. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Self

from ..api import Vehicle

# Connection statuses (documented for Renault).
_WAITING: Final = "waiting"
_READY: Final = "readytocontinue"

# A loss that only the API reports may end by itself: it is not worth a message before.
LOSS_SHOWN_AFTER: Final = timedelta(minutes=30)


class LinkReport(StrEnum):
    """What a delivery says of the link. The two losses are the reasons that a user sees."""

    CREDENTIALS = "credentials"
    DISCONNECTED = "disconnected"
    CONNECTED = "connected"
    READY = "ready"


class LinkRepair(StrEnum):
    """What a person has to do: link the car again, do so in the provider's app, or link it at last."""

    LOST = "vehicle_link_lost"
    LOST_IN_APP = "vehicle_link_lost_in_app"
    READY = "link_ready_to_continue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """The link of one car.

    `is_connected` is None while nothing said so. `reason` and `lost_at` are why and since when it is lost; a
    loss that no delivery explained has no reason. `is_ready`: the maker has activated the car, so linking it
    can go on; until the car is connected, or an answer has another status.
    """

    is_connected: bool | None = None
    reason: LinkReport | None = None
    lost_at: datetime | None = None
    is_ready: bool = False

    def advance(
        self, now: datetime, *, is_connected: bool | None, status: str | None = None
    ) -> Self:
        """Return the link after an answer of the API (`isConnected`, SDK); None where it does not say.

        `status` is its connection status (documented for Renault).
        """
        if status is not None:
            is_ready = status.casefold() == _READY
        else:
            is_ready = self.is_ready and is_connected is not True
        link = self if is_ready == self.is_ready else replace(self, is_ready=is_ready)
        if is_connected is None or is_connected == link.is_connected:
            return link
        lost_at = None if is_connected else now
        return replace(link, is_connected=is_connected, reason=None, lost_at=lost_at)

    def with_report(self, report: LinkReport, now: datetime, *, is_connected: bool | None) -> Self:
        """Return the link after a delivery about it and an answer of the API.

        The event types about the link are reported only, so the API decides; that about a car which is ready
        (documented) says nothing of one that is connected. Where the API does not say whether the car is
        connected, the delivery is believed.
        """
        if report is LinkReport.READY:
            return self if is_connected else replace(self, is_ready=True)
        if is_connected is None:
            link = self.advance(now, is_connected=report is LinkReport.CONNECTED)
        else:
            link = self
        if link.is_connected is not False or report is LinkReport.CONNECTED:
            return link
        # That the credentials are refused explains a disconnection, not the other way round.
        is_explained = link.reason is LinkReport.CREDENTIALS
        return link if is_explained else replace(link, reason=report)

    def repair(self, vehicle: Vehicle, now: datetime) -> LinkRepair | None:
        """Return what a person has to do now about the link of this car, None for nothing.

        A loss of which a delivery spoke too counts at once, any other once it has lasted. A car that waits
        for its maker is not lost.
        """
        if self.is_ready:
            return LinkRepair.READY
        is_waiting = (vehicle.connection_status or "").casefold() == _WAITING
        if self.is_connected is not False or is_waiting:
            return None
        is_recent = (
            self.lost_at is not None and timedelta(0) <= now - self.lost_at < LOSS_SHOWN_AFTER
        )
        if is_recent and self.reason is None:
            return None
        return LinkRepair.LOST if vehicle.is_connectable else LinkRepair.LOST_IN_APP
