"""Falsifications: the table of ways in which the integration could be wrong. Each must turn the run red."""

from collections.abc import Sequence

from .falsify import Falsification, Prepend, Replace

_CHANGE = "from dataclasses import replace as _put\nfrom datetime import timedelta as _time\n"


def _published(name: str, code: str, *figures: str) -> Falsification:
    """Return a falsification of each change right before it is published."""
    return Falsification(
        name=name, edits=(Prepend("Publisher._publish", _CHANGE + code),), figures=figures
    )


def _returns(name: str, function: str, value: str, *figures: str) -> Falsification:
    return Falsification(name=name, edits=(Prepend(function, f"return {value}"),), figures=figures)


def _replaced(name: str, where: str, old: str, new: str, *figures: str) -> Falsification:
    return Falsification(name=name, edits=(Replace(where, old, new),), figures=figures)


FALSIFICATIONS: Sequence[Falsification] = (
    # events
    _published("no change is published", "return", "lost"),
    _published(
        "occurred_at is seven seconds early",
        "change = _put(change, occurred_at=change.occurred_at - _time(seconds=7))",
        "wrong_details",
    ),
    _published("late is inverted", "late = not late", "late_wrong"),
    _published("late is never set", "late = False", "late_wrong"),
    _published("the source is always poll", "source = Source.POLL", "wrong_source"),
    _published("the source is always webhook", "source = Source.WEBHOOK", "wrong_source"),
    _published("the user is wrong", 'change = _put(change, user_id="x")', "wrong_details"),
    _published("the car is wrong", 'change = _put(change, vehicle_id="x")', "lost", "invented"),
    _published(
        "the session is wrong",
        'change = _put(change, session_id="x")',
        "lost",
        "wrong_details",
    ),
    _published("there are no details", "change = _put(change, details={})", "wrong_details"),
    _published(
        "each tenth change is published twice",
        "self._twice = getattr(self, '_twice', 0) + 1\n"
        "if self._twice % 10 == 0:\n    self.publish(change, source, late=late)",
        "invented",
    ),
    _published(
        "boosts are not published", 'if change.type.startswith("boost_"):\n    return', "lost"
    ),
    _published(
        "settings are not published",
        'if change.type.startswith("smart_charging_"):\n    return',
        "lost",
    ),
    _replaced(
        "the device is missing",
        "Publisher._publish",
        "self._device_id(change)",
        "None",
        "wrong_details",
    ),
    _replaced(
        "the order is reversed",
        "compare",
        "return sorted(changes, key=place)\n",
        "return sorted(changes, key=place)[::-1]\n",
        "wrong_order",
    ),
    _replaced(
        "the energy is wrong", "_session_change", "session.energy_kwh", "9999.0", "wrong_details"
    ),
    _replaced(
        "the cost is missing",
        "_session_change",
        '"cost": session.cost',
        '"cost": None',
        "wrong_details",
    ),
    _replaced(
        "the start of sessions is missing",
        "_session_change",
        '"started_at": _text(session.started_at)',
        '"started_at": None',
        "wrong_details",
    ),
    _replaced(
        "the location is missing",
        "_session_change",
        "session.charging_location_id",
        "None",
        "wrong_details",
    ),
    _replaced(
        "the battery level is wrong",
        "_charge_state_changes",
        "new.vehicle.charge_state.battery_level",
        "50",
        "wrong_details",
    ),
    Falsification(
        name="refreshes are three seconds late",
        edits=(
            Prepend(
                "JedlixCoordinator._serve_request",
                "import asyncio as _asyncio\nawait _asyncio.sleep(3)",
            ),
        ),
        figures=("push_delay_ms", "too_slow"),
    ),
    _replaced(
        "the failure of one user is hidden",
        "Refresher._refresh_in_turn",
        "return failure",
        "return None",
        "too_slow",
        "lost",
    ),
    Falsification(
        name="nothing is polled",
        edits=(
            Replace(
                "JedlixCoordinator.__init__",
                "update_interval=self._interval",
                "update_interval=None",
            ),
        ),
        figures=("lost", "too_slow", "wrong_state"),
        needs_poll=True,
    ),
    _published(
        "boosts do not end", 'if change.type == "boost_ended":\n    return', "lost", "wrong_order"
    ),
    _published(
        "impossible sessions are not published",
        'if change.type == "session_impossible":\n    return',
        "lost",
    ),
    _replaced(
        "a lost link has no reason",
        "_link_changes",
        "new.link.reason.value",
        "None",
        "wrong_details",
    ),
    _published(
        "lost links are not published",
        'if change.type == "vehicle_link_lost":\n    return',
        "lost",
    ),
    _published(
        "the device is that of the account",
        "self._device_id = lambda change: Publisher._device_id("
        "self, _put(change, vehicle_id=None))",
        "wrong_details",
    ),
    _replaced(
        "the currency is wrong",
        "_session_change",
        '"currency": session.currency',
        '"currency": "USD"',
        "wrong_details",
    ),
    # what hangs on events
    _returns(
        "event entities write nothing",
        "VehicleEvent._change_published",
        "None",
        "event_entities_missed",
    ),
    _replaced(
        "event entities lack the details",
        "VehicleEvent._change_published",
        "**change.details,",
        "",
        "event_entities_missed",
    ),
    _returns("triggers are silent", "ChangeTrigger._wants", "False", "triggers_missed"),
    _replaced(
        "triggers do not ignore late changes",
        "ChangeTrigger._wants",
        'not data.get("late")',
        "True",
        "triggers_wrong",
    ),
    _replaced(
        "triggers ignore their target",
        "ChangeTrigger._wants",
        'data.get("device_id") in self._devices',
        "True",
        "triggers_wrong",
    ),
    _replaced(
        "triggers do not say the device",
        "JedlixTrigger.async_attach_runner",
        "dict(event.data)",
        '{key: value for key, value in event.data.items() if key != "device_id"}',
        "triggers_missed",
    ),
    Falsification(
        name="triggers fire twice",
        edits=(
            Prepend(
                "JedlixTrigger.async_attach_runner",
                "_once = run_action\n"
                "def run_action(*what):\n    _once(*what)\n    return _once(*what)",
            ),
        ),
        figures=("triggers_wrong",),
    ),
    _returns(
        "conditions are never met",
        "CarCondition.entity_filter",
        "set()",
        "triggers_missed",
    ),
    _replaced(
        "event entities write late changes",
        "Publisher._publish",
        "is not None and not late:",
        "is not None:",
        "event_entities_wrong",
    ),
    _replaced(
        "the event entity of deliveries says another user",
        "WebhookEvent._delivery_published",
        '"user_id": delivery["user_id"]',
        '"user_id": "x"',
        "event_entities_missed",
    ),
    _returns("the logbook is empty", "async_describe_events", "None", "logbook_wrong"),
    _returns(
        "the trigger of deliveries is silent", "WebhookTrigger._wants", "False", "triggers_missed"
    ),
    Falsification(
        name="changes are published before the states are written",
        edits=(
            Replace(
                "Refresher._put_and_publish",
                "self._fleet.put(before, after)\n",
                "asyncio.get_running_loop().call_soon(self._fleet.put, before, after)\n",
            ),
        ),
        figures=("states_behind", "invented"),
    ),
    # deliveries
    _replaced(
        "the payload is empty",
        "Publisher._publish_delivery",
        "message.payload",
        "{}",
        "webhooks_wrong",
    ),
    Falsification(
        name="followed is inverted",
        edits=(Prepend("Publisher._publish_delivery", "followed = not followed"),),
        figures=("webhooks_wrong",),
    ),
    _replaced(
        "one key of the payload is another",
        "Publisher._publish_delivery",
        "_recordable(message.payload)",
        '_recordable({**message.payload, "isTest": None})',
        "webhooks_wrong",
    ),
    Falsification(
        name="deliveries come from the history",
        edits=(Prepend("Publisher._publish_delivery", "source = Source.HISTORY"),),
        figures=("webhooks_wrong",),
    ),
    _returns("any key is accepted", "WebhookHandler._refusal", "None", "strangers_accepted"),
    _returns(
        "deliveries are not passed on", "Publisher._publish_delivery", "None", "webhooks_lost"
    ),
    _returns("no delivery is remembered", "Inbox.add", "True", "webhooks_told_twice"),
    _returns(
        "missed deliveries are not read", "WebhookHistory.publish_missed", "set()", "webhooks_lost"
    ),
    # memory
    Falsification(
        name="nothing is saved at a clean stop",
        edits=(Prepend("JedlixStore.close", "self.is_closed = True\nreturn"),),
        figures=("invented", "webhooks_told_twice"),
    ),
    Falsification(
        name="the store is written a minute after a change",
        edits=(Replace("SAVE_DELAY", "5.0", "60.0"),),
        figures=("invented", "webhooks_told_twice"),
    ),
    # what is shown
    _returns("the calendar is empty", "SessionsCalendar.async_get_events", "[]", "calendar_wrong"),
    _replaced(
        "the calendar's ends are shifted",
        "SessionsCalendar._as_event",
        "dt_util.as_local(end)",
        "dt_util.as_local(end + timedelta(minutes=5))",
        "calendar_wrong",
    ),
    _replaced(
        "actions answer a wrong energy",
        "session_as_json",
        '"energy_kwh": session.energy_kwh',
        '"energy_kwh": 1.0',
        "answers_wrong",
    ),
    _replaced(
        "actions count energy and money twice",
        "_total",
        "sum(known)",
        "2 * sum(known)",
        "answers_wrong",
    ),
    Falsification(
        name="a repair is left",
        edits=(
            Prepend(
                "JedlixPush.start",
                "from homeassistant.helpers import issue_registry as _issues\n"
                '_issues.async_create_issue(self._hass, "jedlix", "left", is_fixable=False,\n'
                '    severity=_issues.IssueSeverity.WARNING, translation_key="no_users")',
            ),
        ),
        figures=("repairs_left",),
    ),
    _returns("the push state is stuck", "PushHealth.state", "PushState.WAITING", "wrong_state"),
    _returns(
        "every car is plugged in",
        "VehicleSnapshot.is_plugged_in",
        "True",
        "wrong_state",
        "states_behind",
    ),
    Falsification(
        name="cars stay available in an outage",
        edits=(Prepend("Fleet.is_available", "return True"),),
        figures=("available_wrong",),
        needs_outage=True,
    ),
    _returns("no car is available", "Fleet.is_available", "False", "wrong_state"),
    _replaced(
        "the last session has another energy",
        "_last_session",
        '"energy": session.energy_kwh',
        '"energy": session.cost',
        "wrong_state",
    ),
    _returns("the desired level is wrong", "_desired", "80", "wrong_state"),
    _replaced(
        "the statistics count double",
        "changed_rows",
        "total += wanted[hour]",
        "total += 2 * wanted[hour]",
        "statistics_wrong",
    ),
    Falsification(
        name="deliveries are not counted",
        edits=(Replace("PushHealth.note_delivery", "self.received += 1", "pass"),),
        figures=("wrong_state",),
    ),
    _replaced(
        "prices are wrong", "PRICES", "tariff.slot_at(now, zone).price", "0.5", "wrong_state"
    ),
    # commands
    _returns("boosts are not sent", "JedlixClient.boost", "None", "invented", "commands_failed"),
    _returns(
        "settings are not sent", "JedlixClient.update_charge_settings", "None", "commands_failed"
    ),
    # the process
    _replaced(
        "the diagnostics have the secrets",
        "async_get_config_entry_diagnostics",
        '"options": dict(entry.options)',
        '"options": dict(entry.data)',
        "secrets_found",
    ),
    _replaced(
        "the recorder keeps addresses",
        "SessionsCalendar.event",
        "location.name",
        "location.label",
        "secrets_found",
    ),
    Falsification(
        name="the diagnostics have streets",
        edits=(
            Replace(
                "async_get_config_entry_diagnostics",
                '"options": dict(entry.options)',
                '"options": [(place.id, str(place)) for user in coordinator.followed'
                " for place in await data.client.user_locations(user)]",
            ),
        ),
        figures=("secrets_found",),
    ),
    Falsification(
        name="the key is in the log",
        edits=(
            Prepend(
                "JedlixPush.register_handler",
                '_LOGGER.warning("key %s", self._entry.data[CONF_WEBHOOK_KEY])',
            ),
        ),
        figures=("secrets_found", "warnings_logged"),
    ),
    Falsification(
        name="the event loop is blocked",
        edits=(
            Prepend(
                "JedlixCoordinator._serve_request",
                "import time as _clock\n"
                "_end = _clock.monotonic() + 0.4\n"
                "while _clock.monotonic() < _end:\n    pass",
            ),
        ),
        figures=("loop_blocked_ms",),
    ),
    Falsification(
        name="the tenant's list is read each second",
        edits=(
            Prepend(
                "JedlixCoordinator.__init__",
                "from homeassistant.helpers.event import async_track_time_interval as _track\n"
                "async def _read(_now):\n"
                "    await anext(client.session_pages())\n"
                "entry.async_on_unload(_track(hass, _read, timedelta(seconds=1)))",
            ),
        ),
        figures=("polls",),
    ),
    Falsification(
        name="a few tasks are left over at each start",
        edits=(
            Prepend(
                "JedlixPush.start",
                "import asyncio as _asyncio\n"
                "for _ in range(6):\n"
                "    self._entry.async_create_background_task("
                'self._hass, _asyncio.sleep(9999), "jedlix left over")',
            ),
        ),
        figures=("tasks",),
    ),
    Falsification(
        name="tasks are left over",
        edits=(
            Prepend(
                "JedlixCoordinator._serve_request",
                "import asyncio as _asyncio\n"
                'self._in_background(_asyncio.sleep(9999), "jedlix left over")',
            ),
        ),
        figures=("tasks",),
    ),
)

SHORT: Sequence[Sequence[str]] = (
    (
        "event entities lack the details",
        "triggers are silent",
        "the payload is empty",
        "the calendar is empty",
        "the diagnostics have the secrets",
        "the battery level is wrong",
        "the push state is stuck",
    ),
    (
        "any key is accepted",
        "the source is always poll",
        "the order is reversed",
        "refreshes are three seconds late",
        "the statistics count double",
        "late is inverted",
        "no delivery is remembered",
    ),
)
"""Groups that are planted together in one run: each shows in a figure of its own."""
