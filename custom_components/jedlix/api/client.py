"""Client of the Jedlix API: one async method per endpoint, typed in and out."""

from collections.abc import AsyncIterator
from datetime import datetime

from .connect_session import ConnectSession
from .errors import BadAnswer, Conflict, Forbidden, NotFound, Rejected
from .locations import ChargingLocation
from .models import (
    Charger,
    ChargeSettings,
    DeliveryRecord,
    Refresh,
    Session,
    Subscription,
    Vehicle,
    WebhookMessage,
)
from .reading import Json
from .transport import Params, Transport


class JedlixClient(Transport):
    """The API of one tenant, or of one user of it. Every method raises a JedlixError and nothing else."""

    async def check_access(self) -> None:
        """Get a token and use it, so that a wrong secret, key or address is found; raises a JedlixError.

        A tenant may be without one of the two documented tenant-wide lists, or have no right to it. Forbidden
        is raised when it has no right to either. A user's token is good for that user's calls only
        (documented).
        """
        await self._auth.token()
        if self.user_id is not None:
            await self._call("vehicles", user_id=self.user_id)
            return
        refusal: Forbidden | None = None
        for name in ("sessions", "locations"):
            try:
                await self._call(name, {"pageSize": "1", "pageIndex": "1"})
            except NotFound:
                continue
            except Forbidden as err:
                refusal = err
            else:
                return
        if refusal is not None:
            raise refusal

    # -- vehicles, chargers, locations ---------------------------------------------------------------------

    async def vehicles(self, user_id: str) -> tuple[Vehicle, ...]:
        """Return the cars of a user (documented); NotFound when there is no such user."""
        return await self._all(
            "vehicles", lambda item: Vehicle.from_json(item, user_id), user_id=user_id
        )

    async def chargers(self, user_id: str) -> tuple[Charger, ...]:
        """Return the chargers of a user with their state (SDK)."""
        return await self._all(
            "chargers", lambda item: Charger.from_json(item, user_id), user_id=user_id
        )

    async def user_locations(self, user_id: str) -> tuple[ChargingLocation, ...]:
        """Return the charging locations of a user (SDK)."""
        return await self._all("user_locations", ChargingLocation.from_json, user_id=user_id)

    def location_pages(self) -> AsyncIterator[tuple[ChargingLocation, ...]]:
        """Yield the charging locations of all users, newest first (documented)."""
        return self._pages("locations", ChargingLocation.from_json)

    # -- sessions ------------------------------------------------------------------------------------------

    def session_pages(
        self,
        *,
        user_id: str | None = None,
        vehicle_id: str | None = None,
        started_from: datetime | None = None,
        started_to: datetime | None = None,
        ended_from: datetime | None = None,
    ) -> AsyncIterator[tuple[Session, ...]]:
        """Yield sessions, newest first: the tenant's (documented), or one user's (assumed, A4).

        The filter `startTimeFrom` is documented. The other three are inferred: no caller relies on them.
        """
        params: Params = {
            "vehicleId": vehicle_id,
            "startTimeFrom": started_from,
            "startTimeTo": started_to,
            "endTimeFrom": ended_from,
        }
        if user_id is None:
            return self._pages("sessions", Session.from_json, params)
        return self._pages(
            "user_sessions",
            lambda item: Session.from_json(item, user_id),
            params,
            user_id=user_id,
        )

    async def session(self, user_id: str, session_id: str) -> Session:
        """Return one session of a user (that the call exists is documented; its path is assumed, A4)."""
        return Session.from_json(
            await self._call("session", user_id=user_id, session_id=session_id), user_id
        )

    async def financials(
        self, user_id: str, *, started_from: datetime, started_to: datetime
    ) -> tuple[Session, ...]:
        """Return sessions with their costs and savings (documented; path and shape: assumed, A7)."""
        return await self._all(
            "financials",
            lambda item: Session.from_json(item, user_id),
            {"startTimeFrom": started_from, "startTimeTo": started_to},
            user_id=user_id,
        )

    async def boost(self, user_id: str, session_id: str, *, enabled: bool) -> None:
        """Charge now to the desired level, or go back to smart (body documented, path assumed, A5)."""
        body: Json = {"type": "boostCharging", "enabled": enabled}
        await self._call("session_settings", body=body, user_id=user_id, session_id=session_id)

    async def set_current_battery_level(self, user_id: str, session_id: str, level: int) -> None:
        """Set the level in % of a car that does not report it (body documented, path assumed, A5).

        The documented spelling of the key looks like a typing error. If it is refused, the call is repeated
        once with the other spelling.
        """
        ids = {"user_id": user_id, "session_id": session_id}
        body: dict[str, Json] = {"type": "currentBatteryLevel"}
        try:
            await self._call("session_settings", None, body | {"currentSateOfCharge": level}, **ids)
        except Conflict:
            raise
        except Rejected:
            await self._call(
                "session_settings", None, body | {"currentStateOfCharge": level}, **ids
            )

    # -- charge settings and state refresh -----------------------------------------------------------------

    async def charge_settings(self, user_id: str, vehicle_id: str) -> ChargeSettings:
        """Return the charge settings of a car (fields documented, path assumed, A3)."""
        return ChargeSettings.from_json(
            await self._call("charge_settings", user_id=user_id, vehicle_id=vehicle_id)
        )

    async def update_charge_settings(
        self, user_id: str, vehicle_id: str, settings: dict[str, Json]
    ) -> None:
        """Write the whole settings back, unknown keys included (documented; path assumed, A3)."""
        await self._call(
            "update_charge_settings", body=settings, user_id=user_id, vehicle_id=vehicle_id
        )

    async def request_refresh(self, user_id: str, vehicle_id: str) -> Refresh:
        """Request a new reading from the car: at most once in 10 minutes (documented; path assumed, A6)."""
        return Refresh.from_json(
            await self._call("request_refresh", user_id=user_id, vehicle_id=vehicle_id)
        )

    async def refresh_status(self, user_id: str, vehicle_id: str) -> Refresh:
        """Return the state of the last such request; NotFound 15 minutes after it (documented; path: A6)."""
        return Refresh.from_json(
            await self._call("refresh_status", user_id=user_id, vehicle_id=vehicle_id)
        )

    # -- linking a car at its maker ------------------------------------------------------------------------

    async def connect_vehicle(self, user_id: str, vehicle_id: str | None = None) -> ConnectSession:
        """Begin to link a user's car at its maker: a new one (documented), or one that is known (SDK).

        Raises Conflict when the user has a linked car already (one per user: documented), or another attempt
        is not finished (inferred). Where the tenant lacks the call for a known car, it is the documented one.
        """
        if vehicle_id is not None:
            try:
                return ConnectSession.from_json(
                    await self._call("reconnect_vehicle", user_id=user_id, vehicle_id=vehicle_id)
                )
            except NotFound:
                pass
        return ConnectSession.from_json(await self._call("connect_vehicle", user_id=user_id))

    async def connect_session(self, user_id: str, connect_session_id: str) -> ConnectSession:
        """Return the state of an attempt to link a car (documented)."""
        return ConnectSession.from_json(
            await self._call(
                "connect_session", user_id=user_id, connect_session_id=connect_session_id
            )
        )

    async def unfinished_connect_sessions(self, user_id: str) -> tuple[ConnectSession, ...]:
        """Return the attempts to link a car of a user that are not finished (SDK)."""
        return await self._all(
            "connect_sessions", ConnectSession.from_json, {"type": "vehicle"}, user_id=user_id
        )

    # -- webhooks ------------------------------------------------------------------------------------------

    async def subscribe(self, event_type: str, endpoint_url: str, key: str) -> Subscription:
        """Register a webhook (documented): Jedlix calls the address before it answers.

        `key` is the secret that each delivery presents.
        Raises Rejected when the address cannot be reached (documented) or the event type is not offered,
        Conflict when there is another subscription in its place (assumed). That a subscription has an id is
        reported, that the answer names it is assumed (A10).
        """
        body: Json = {
            "eventType": event_type,
            "endpointUrl": endpoint_url,
            "apiKey": key,
            "isActive": True,
        }
        data = await self._call("subscribe", body=body)
        try:
            return Subscription(
                id=Subscription.from_json(data).id, event_type=event_type, endpoint_url=endpoint_url
            )
        except BadAnswer:  # The shape of the answer is not documented; a 2xx is enough.
            return Subscription(event_type=event_type, endpoint_url=endpoint_url)

    async def subscriptions(self) -> tuple[Subscription, ...]:
        """Return the tenant's webhook subscriptions (assumed, A10)."""
        return await self._all("subscriptions", Subscription.from_json)

    async def unsubscribe(self, subscription_id: str) -> None:
        """Delete a subscription (assumed, A10)."""
        await self._call("unsubscribe", subscription_id=subscription_id)

    async def webhook_history_pages(
        self, since: datetime, until: datetime
    ) -> AsyncIterator[tuple[WebhookMessage, ...]]:
        """Yield the messages of the last 7 days, newest first (kept: documented; path assumed, A11).

        A message that was delivered more than once may come more than once. Jedlix's records can be found by
        type, status and time of delivery (reported: they are indexed so); the names of the filters by time
        are inferred from that, or assumed.
        """
        pages = self._pages(
            "webhook_history",
            DeliveryRecord.from_json,
            {
                "sentAtFrom": since,
                "sentAtTo": until,
                "timestampFrom": since,
                "timestampTo": until,
            },
        )
        async for page in pages:
            yield tuple(item.message for item in page)
