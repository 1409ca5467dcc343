"""Falsifications of what is published, and of what hangs on it: automations, event entities, deliveries."""

from collections.abc import Sequence

from .falsify import Falsification, Prepend, Replace, begins, replaced, returns

_CHANGE = "from dataclasses import replace as _put\nfrom datetime import timedelta as _time\n"


def _published(name: str, code: str, *figures: str) -> Falsification:
    """Return a falsification of each change right before it is published."""
    return Falsification(
        name=name, edits=(Prepend("Publisher._publish", _CHANGE + code),), figures=figures
    )


FALSIFIED_EVENTS: Sequence[Falsification] = (
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
    replaced(
        "the device is missing",
        "Publisher._publish",
        "self._device_id(change)",
        "None",
        "wrong_details",
    ),
    replaced(
        "the order is reversed",
        "compare",
        "return sorted(changes, key=place)\n",
        "return sorted(changes, key=place)[::-1]\n",
        "wrong_order",
    ),
    replaced(
        "the energy is wrong", "_session_change", "session.energy_kwh", "9999.0", "wrong_details"
    ),
    replaced(
        "the cost is missing",
        "_session_change",
        '"cost": session.cost',
        '"cost": None',
        "wrong_details",
    ),
    replaced(
        "the start of sessions is missing",
        "_session_change",
        '"started_at": _text(session.started_at)',
        '"started_at": None',
        "wrong_details",
    ),
    replaced(
        "the location is missing",
        "_session_change",
        "session.charging_location_id",
        "None",
        "wrong_details",
    ),
    replaced(
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
    replaced(
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
    replaced(
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
    replaced(
        "the currency is wrong",
        "_session_change",
        '"currency": session.currency',
        '"currency": "USD"',
        "wrong_details",
    ),
    replaced(
        "times have no zone",
        "Publisher._publish",
        "change.occurred_at.isoformat()",
        "change.occurred_at.replace(tzinfo=None).isoformat()",
        "wrong_details",
    ),
    replaced("what is minutes old is late", "LATE_AFTER", "minutes=15", "minutes=1", "late_wrong"),
    # what hangs on events
    returns(
        "event entities write nothing",
        "VehicleEvent._change_published",
        "None",
        "event_entities_missed",
    ),
    replaced(
        "event entities lack the details",
        "VehicleEvent._change_published",
        "**change.details,",
        "",
        "event_entities_missed",
    ),
    returns("triggers are silent", "ChangeTrigger._wants", "False", "triggers_missed"),
    replaced(
        "triggers do not ignore late changes",
        "ChangeTrigger._wants",
        'not data.get("late")',
        "True",
        "triggers_wrong",
    ),
    replaced(
        "triggers ignore their target",
        "ChangeTrigger._wants",
        'data.get("device_id") in self._devices',
        "True",
        "triggers_wrong",
    ),
    replaced(
        "triggers do not say the device",
        "JedlixTrigger.async_attach_runner",
        "dict(event.data)",
        '{key: value for key, value in event.data.items() if key != "device_id"}',
        "triggers_missed",
    ),
    replaced(
        "triggers do not give the details",
        "JedlixTrigger.async_attach_runner",
        "dict(event.data)",
        '{key: event.data.get(key) for key in ("type", "device_id", "user_id", "vehicle_id", '
        '"session_id", "occurred_at", "source", "late", "event_id", "event_type")}',
        "triggers_missed",
    ),
    replaced(
        "triggers do not find the car of an entity",
        "_referenced",
        "frozenset(found.referenced_devices) | frozenset(owners)",
        "frozenset(found.referenced_devices)",
        "triggers_missed",
    ),
    replaced(
        "the condition of smart sessions is the opposite",
        "CONDITIONS",
        '"smart_session", STATE_ON',
        '"smart_session", STATE_OFF',
        "triggers_missed",
        "triggers_wrong",
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
    returns(
        "conditions are never met",
        "CarCondition.entity_filter",
        "set()",
        "triggers_missed",
    ),
    replaced(
        "event entities write late changes",
        "Publisher._publish",
        "is not None and not late:",
        "is not None:",
        "event_entities_wrong",
    ),
    replaced(
        "the event entity of deliveries says another user",
        "WebhookEvent._delivery_published",
        '"user_id": delivery["user_id"]',
        '"user_id": "x"',
        "event_entities_missed",
    ),
    replaced(
        "the event entity of deliveries calls each type other",
        "WebhookEvent._delivery_published",
        "event_type if event_type in self.event_types else _OTHER",
        "_OTHER",
        "event_entities_missed",
    ),
    replaced(
        "the event entity of deliveries writes late ones",
        "Publisher._publish_delivery",
        "if not late:",
        "if True:",
        "event_entities_wrong",
    ),
    replaced(
        "the logbook says the opposite",
        "async_describe_events",
        'change = str(event.data.get("type"))',
        'change = str(event.data.get("type"))\n'
        '        change = {"plugged_in": "unplugged", "unplugged": "plugged_in"}.get(change, change)',
        "logbook_wrong",
    ),
    replaced(
        "the logbook does not name the car",
        "async_describe_events",
        'name or "Jedlix"',
        '"Jedlix"',
        "logbook_wrong",
    ),
    returns("the logbook is empty", "async_describe_events", "None", "logbook_wrong"),
    replaced(
        "the logbook says twice what an event entity writes",
        "Publisher._publish",
        "if not is_written:",
        "if True:",
        "logbook_wrong",
    ),
    returns(
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
    replaced(
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
    replaced(
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
    replaced(
        "deliveries of the history are not late",
        "Deliveries.publish_missed",
        "Source.HISTORY, followed=followed, late=True",
        "Source.HISTORY, followed=followed, late=False",
        "webhooks_wrong",
    ),
    begins(
        "the webhook answers after a second",
        "WebhookHandler._answer",
        "await asyncio.sleep(1)",
        "answer_ms",
    ),
    returns("deliveries are lost in a reload", "_answer_503", "None", "webhooks_lost"),
    replaced(
        "a delivery refreshes all users",
        "Deliveries.handle",
        "for user_id in users:",
        "for user_id in self._schedule.followed:",
        "reads",
    ),
    returns("any key is accepted", "WebhookHandler._refusal", "None", "strangers_accepted"),
    returns("deliveries are not passed on", "Publisher._publish_delivery", "None", "webhooks_lost"),
    returns("no delivery is remembered", "Inbox.add", "True", "webhooks_told_twice"),
    returns(
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
)
