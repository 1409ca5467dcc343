"""Falsifications of what is shown, of commands, and of what the process costs and reveals."""

from collections.abc import Sequence

from .falsify import Falsification, Prepend, Replace, begins, replaced, returns

FALSIFIED_VIEWS: Sequence[Falsification] = (
    # what is shown
    replaced(
        "the device is another model",
        "device_info",
        "car.brand or MANUFACTURER, car.model",
        "car.brand or MANUFACTURER, car.version",
        "wrong_state",
    ),
    replaced(
        "the total of all time began at some time",
        "_totals_since",
        "_value(figures, figure), since, car",
        "_value(figures, figure), since or _FIRST, car",
        "wrong_state",
    ),
    replaced(
        "the total of energy is one that only grows",
        "_describe",
        "state_class=SensorStateClass.TOTAL,",
        "state_class=SensorStateClass.TOTAL_INCREASING\n"
        '        if is_energy and key == "energy_total"\n'
        "        else SensorStateClass.TOTAL,",
        "wrong_state",
    ),
    replaced(
        "the total of the year is that of the hour",
        "_THIS_YEAR",
        "_start_of_year",
        "lambda: dt_util.utcnow().replace(minute=0, second=0, microsecond=0)",
        "wrong_state",
    ),
    replaced(
        "any desired level may be set",
        "VEHICLE_NUMBERS",
        "native_min_value=50,",
        "native_min_value=0,",
        "wrong_state",
    ),
    replaced(
        "a car cannot be asked",
        "REFRESH",
        "car.settings is not None and car.can_be_asked",
        "False",
        "wrong_state",
    ),
    replaced(
        "a charger does not say when it was read",
        "CHARGER_SENSORS",
        "charger.updated_at",
        "None",
        "wrong_state",
    ),
    replaced(
        "a charger says that it was read just now",
        "CHARGER_SENSORS",
        "charger.updated_at",
        "datetime.now().astimezone()",
        "wrong_state",
    ),
    replaced(
        "the calendar's state has no place",
        "SessionsCalendar.event",
        "None if location is None else location.name",
        "None",
        "wrong_state",
    ),
    begins(
        "the calendar ignores the period",
        "SessionsCalendar.async_get_events",
        "start_date = start_date - timedelta(days=60)",
        "calendar_wrong",
    ),
    begins(
        "actions ignore the period",
        "_between",
        "period = period._replace(start=period.start.replace(year=2020))",
        "answers_wrong",
    ),
    replaced(
        "actions do not name the place",
        "session_as_json",
        "None if location is None else location.name",
        "None",
        "answers_wrong",
    ),
    replaced(
        "actions count smart sessions as unmanaged",
        "costs_as_json",
        "session.is_managed is True for",
        "session.is_managed is False for",
        "answers_wrong",
    ),
    replaced(
        "actions name another currency",
        "costs_as_json",
        '"currency": currency',
        '"currency": "USD"',
        "answers_wrong",
    ),
    replaced(
        "actions answer each price an hour later",
        "prices_as_json",
        "dt_util.as_local(slot.start)",
        "dt_util.as_local(slot.start.replace(hour=(slot.start.hour + 1) % 24))",
        "answers_wrong",
    ),
    replaced(
        "the diagnostics have no cars",
        "async_get_config_entry_diagnostics",
        "[_vehicle(car) for car in coordinator.fleet.vehicles.values()]",
        "[]",
        "answers_wrong",
    ),
    replaced(
        "the statistics do not name the car",
        "RecordedHours.write",
        "self._metadata(statistic_id, name, unit)",
        'self._metadata(statistic_id, "Energy", unit)',
        "statistics_wrong",
    ),
    returns("the calendar is empty", "SessionsCalendar.async_get_events", "[]", "calendar_wrong"),
    replaced(
        "the calendar's ends are shifted",
        "SessionsCalendar._as_event",
        "dt_util.as_local(end)",
        "dt_util.as_local(end + timedelta(minutes=5))",
        "calendar_wrong",
    ),
    replaced(
        "actions answer a wrong energy",
        "session_as_json",
        '"energy_kwh": session.energy_kwh',
        '"energy_kwh": 1.0',
        "answers_wrong",
    ),
    replaced(
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
    returns("the push state is stuck", "PushHealth.state", "PushState.WAITING", "wrong_state"),
    returns(
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
    returns("no car is available", "Fleet.is_available", "False", "wrong_state"),
    replaced(
        "the last session has another energy",
        "_last_session",
        '"energy": session.energy_kwh',
        '"energy": session.cost',
        "wrong_state",
    ),
    returns("the desired level is wrong", "_desired", "80", "wrong_state"),
    replaced(
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
    replaced("prices are wrong", "PRICES", "tariff.slot_at(now, zone).price", "0.5", "wrong_state"),
    replaced(
        "a charger has no name of its own",
        "device_info",
        '"charger", member.name',
        '"charger", None',
        "wrong_state",
    ),
    replaced(
        "chargers belong to the first user",
        "add_entities",
        "subentry_id = data.subentry_of.get(key[0])",
        'subentry_id = data.subentry_of.get(key[0]) if member_type.__name__ != "Charger"'
        " else next(iter(data.subentry_of.values()))",
        "wrong_state",
    ),
    replaced(
        "plugged in is shown as on",
        "VEHICLE_BINARY_SENSORS",
        "        device_class=BinarySensorDeviceClass.PLUG,\n",
        "",
        "wrong_state",
    ),
    Falsification(
        name="a boost goes over to the next session",
        edits=(
            Replace(
                "VehicleSnapshot.is_boosted",
                "session.id == self.boost_session_id",
                "self.boost_session_id is not None",
            ),
            Replace(
                "VehicleSnapshot._with_sessions",
                "session.is_boosted is False and",
                "session.is_boosted is False and session.ended_at is None and",
            ),
            Replace(
                "VehicleSnapshot._with_sessions",
                "boost_session_id=boosted if boosted in open_sessions else None",
                "boost_session_id=boosted",
            ),
        ),
        figures=("wrong_state",),
    ),
    replaced(
        "the range is disabled at first",
        "VEHICLE_SENSORS",
        'key="range",',
        'key="range",\n        entity_registry_enabled_default=False,',
        "first_look_wrong",
    ),
    replaced(
        "a running session is over in the calendar",
        "SessionsCalendar.async_get_events",
        "                self._end_of_running,",
        "                dt_util.utcnow() - timedelta(hours=1),",
        "calendar_wrong",
    ),
    replaced(
        "the statistics have the currency of Home Assistant",
        "StatisticsImport._flows",
        "item.currency or currency",
        "currency",
        "statistics_wrong",
    ),
    replaced("the diagnostics have whole ids", "_ID_LENGTH", "8", "80", "answers_wrong"),
    replaced(
        "the diagnostics of a device are those of another",
        "async_get_device_diagnostics",
        "        if (DOMAIN, identifier_of(key)) in device.identifiers:\n"
        "            return _vehicle(car)",
        "        return _vehicle(car)",
        "answers_wrong",
    ),
    # commands
    returns("boosts are not sent", "JedlixClient.boost", "None", "invented", "commands_failed"),
    returns(
        "settings are not sent", "JedlixClient.update_charge_settings", "None", "commands_failed"
    ),
    replaced(
        "a boost cannot be ended",
        "Commands.boost",
        "session.id, enabled=enabled)",
        "session.id, enabled=True)",
        "commands_failed",
    ),
    replaced(
        "a pause ends an hour late",
        "Commands.set_smart_charging",
        "smart_charging=(enabled, until)",
        "smart_charging=(enabled, until and until + timedelta(hours=1))",
        "commands_failed",
    ),
    replaced(
        "solar charging is switched the other way",
        "Commands.set_flag",
        "with_flag(known, which, enabled=enabled)",
        "with_flag(known, which, enabled=not enabled)",
        "commands_failed",
    ),
    replaced(
        "ready by is set an hour late",
        "Commands.set_ready_by",
        "at = at.replace(second=0, microsecond=0)",
        "at = at.replace(hour=(at.hour + 1) % 24, second=0, microsecond=0)",
        "commands_failed",
    ),
    replaced(
        "half of the minimum level is set",
        "VEHICLE_NUMBERS",
        "commands.set_levels(key, minimum=level)",
        "commands.set_levels(key, minimum=level // 2)",
        "commands_failed",
    ),
    # the process
    replaced(
        "the diagnostics have the secrets",
        "async_get_config_entry_diagnostics",
        '"options": dict(entry.options)',
        '"options": dict(entry.data)',
        "secrets_found",
    ),
    replaced(
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
