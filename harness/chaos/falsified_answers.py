"""Falsifications of what a person reads and sets off: answers, the logbook, refusals, automations."""

from collections.abc import Sequence

from .falsify import Falsification, Replace, replaced, returns

FALSIFIED_ANSWERS: Sequence[Falsification] = (
    # answers
    replaced(
        "the calendar swaps cost and savings",
        "_EventTexts.description",
        '(("cost", session.cost), ("savings", session.savings))',
        '(("savings", session.cost), ("cost", session.savings))',
        "calendar_wrong",
    ),
    replaced(
        "the energy of the statistics cannot be converted",
        "RecordedHours._metadata",
        "EnergyConverter.UNIT_CLASS if is_energy else None",
        "None",
        "statistics_wrong",
    ),
    replaced(
        "costs are not split at the bounds of a period",
        "costs_as_json",
        "share(flow, *period)",
        "1.0",
        "answers_wrong",
    ),
    replaced(
        "actions answer in UTC",
        "_local",
        "dt_util.as_local(moment).isoformat()",
        "moment.isoformat()",
        "answers_wrong",
    ),
    replaced(
        "today began yesterday",
        "PERIODS",
        '"today": lambda now: Period(_day(now), now)',
        '"today": lambda now: Period(_day(now) - _DAY, now)',
        "answers_wrong",
    ),
    replaced(
        "a car does not stand for the locations of its user",
        "locations_of",
        "{user_id for user_id, _ in meant - priced.keys()}",
        "set[str]()",
        "answers_wrong",
    ),
    replaced(
        "the diagnostics say when somebody leaves",
        "_departure_times",
        '"names_a_zone": bool(found.zones),',
        '"times": [departure.at.isoformat() for departure in found.departures],',
        "answers_wrong",
    ),
    replaced(
        "the logbook does not say what is late",
        "async_describe_events",
        'if event.data.get("late"):',
        "if False:",
        "logbook_wrong",
    ),
    replaced(
        "what a car must be ready by ignores the zone of its settings",
        "ReadyBySensor._compute",
        "self._zone or dt_util",
        "dt_util",
        "wrong_state",
    ),
    replaced(
        "a diagnostic entity is shown like any other",
        "VEHICLE_BINARY_SENSORS",
        '        key="at_known_location",\n        entity_category=EntityCategory.DIAGNOSTIC,\n',
        '        key="at_known_location",\n',
        "first_look_wrong",
    ),
    replaced(
        "a car that waits counts as charged",
        "CONDITIONS",
        '"charge_state", ChargeStatus.COMPLETE',
        '"charge_state", ChargeStatus.STOPPED',
        "answers_wrong",
        "triggers_missed",
    ),
    # commands
    replaced(
        "the minimum level stays above the desired one",
        "Commands.set_levels",
        "                minimum = desired\n",
        "                pass\n",
        "commands_failed",
    ),
    replaced(
        "a pause of some hours has no end",
        "pause_smart_charging",
        "end = until if duration is None else now + duration",
        "end = until",
        "commands_failed",
    ),
    replaced(
        "an action means the first of several cars",
        "cars_of",
        "    return cars\n",
        "    return dict([*cars.items()][:1])\n",
        "commands_failed",
    ),
    replaced(
        "a boost without a session says nothing",
        "Commands.boost",
        'refuse("no_smart_session")',
        "return",
        "commands_failed",
    ),
    # what hangs on events
    returns(
        "triggers do not follow who moves into an area",
        "TargetDevices._forget",
        "None",
        "triggers_missed",
    ),
    replaced(
        "the trigger of deliveries does not ignore late ones",
        "WebhookTrigger._wants",
        'not data.get("late")',
        "True",
        "triggers_wrong",
    ),
    replaced(
        "automations do not name their cause",
        "JedlixTrigger.async_attach_runner",
        "self._describe(event.data), event.context)",
        "self._describe(event.data), None)",
        "triggers_wrong",
    ),
    replaced(
        "event entities do not name their cause",
        "VehicleEvent._change_published",
        "self.async_set_context(context)",
        "",
        "event_entities_wrong",
    ),
    Falsification(
        name="event entities are unavailable in an outage",
        edits=(Replace("VehicleEvent.available", "return True", "return super().available"),),
        figures=("event_entities_wrong",),
        needs_outage=True,
    ),
)
