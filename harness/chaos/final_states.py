"""Final states: every entity of every platform against the truth, once nothing changes any more.

An entity whose key is not named here is reported: nobody could say whether it is right.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
import math
from typing import Any

from ..config_entries import entries, users_of_subentries
from ..entities import Device, Entity, our_devices, our_entities
from ..home import Home
from .expected_states import (
    ANY_TIME,
    TOTAL_KEYS,
    Key,
    Shown,
    Until,
    expected_of_car,
    expected_of_location,
)
from .names import wrong_names
from .shown import names_of_this_checkout
from .truth import Truth, moment
from .zone import TIME_ZONE

_ACCOUNT = frozenset(
    {
        *("push", "push_state", "callback", "last_webhook", "webhooks_received"),
        *("webhooks_rejected", "delivery_delay", "missed_by_push", "not_offered", "resubscribe"),
        "webhook",
    }
)


@dataclass(frozen=True, slots=True)
class Account:
    """What the account's sensors must show.

    The counts are those since the last set-up: between the two of since it was done, and since its start.
    `last_delays` are those of the deliveries that were sent last: which of them arrives last, nobody knows.
    """

    received: tuple[int, int]
    rejected: tuple[int, int]
    last_sent: float
    last_delays: Sequence[float]


async def wrong_states(
    home: Home, truth: Truth, unsure_settings: set[str], account: Account, followed: frozenset[str]
) -> list[str]:
    """Return a line for each entity that does not show the truth.

    Settings are left out for cars in `unsure_settings`: they are read rarely.
    """
    async with await home.api.websocket() as socket:
        devices, entities = await our_devices(socket), await our_entities(socket)
        users = await users_of_subentries(socket)
    states = await home.api.states()
    owners = {subentry: user_id for subentry, (user_id, _) in users.items()}
    device_of = {name: device.device_id for device in devices for name in device.identifiers}
    wrong = [
        f"device of {name}: {line}"
        for name, expected in expected_devices(truth).items()
        if name.partition("_")[0] in followed and name in device_of
        for device in devices
        if device.device_id == device_of[name]
        for line in wrong_device(device, expected, owners, name)
    ]
    wrong += wrong_titles(dict(users.values()), truth)
    (entry,) = await entries(home.api)
    wrong += [
        f"device of the account: {device.name}, not {entry['title']}"
        for device in devices
        if entry["entry_id"] in device.identifiers and device.name != entry["title"]
    ]
    known: set[str] = set()
    now = datetime.now(TIME_ZONE)
    for user in truth.users:
        if user["id"] not in followed:
            continue
        for car in user["vehicles"]:
            device_id = device_of.get(f"{user['id']}_{car['id']}")
            of_car = [entity for entity in entities if device_id == entity.device_id]
            known |= {entity.entity_id for entity in of_car}
            expected = expected_of_car(car, truth, now)
            if truth.is_strict or car["id"] in unsure_settings:
                expected = {key: want for key, want in expected.items() if not _is_setting(key)}
            wrong += [f"{car['id']} {line}" for line in differing(of_car, expected, states, truth)]
        for charger in user["chargers"]:
            device_id = device_of.get(f"{user['id']}_{charger['id']}")
            of_charger = [entity for entity in entities if device_id == entity.device_id]
            known |= {entity.entity_id for entity in of_charger}
            expected = {
                ("sensor", "charge_state"): Shown(charger["charge_state"]),
                ("sensor", "power"): Shown(charger["power_kw"], {"unit_of_measurement": "kW"}),
            }
            if charger["updated_at"] is not None:
                # Without another state, a charger is read again when it is its user's turn.
                expected["sensor", "state_updated"] = Shown(Until(charger["updated_at"]))
            wrong += [
                f"{charger['id']} {line}" for line in differing(of_charger, expected, states, truth)
            ]
        for place in user["locations"]:
            device_id = device_of.get(f"{user['id']}_{place['id']}")
            of_location = [entity for entity in entities if device_id == entity.device_id]
            known |= {entity.entity_id for entity in of_location}
            if (tariff := place["tariff_details"]) is None:
                wrong += [
                    f"{place['id']} has no tariffs, but {entity.key}" for entity in of_location
                ]
                continue
            expected = expected_of_location(tariff, now)
            wrong += [
                f"{place['id']} {line}" for line in differing(of_location, expected, states, truth)
            ]
    wrong += wrong_names(entities, devices, states, names_of_this_checkout())
    others = [entity for entity in entities if entity.entity_id not in known]
    wrong += wrong_of_account(others, states, account, is_strict=truth.is_strict)
    return wrong


def _is_setting(key: Key) -> bool:
    return key in {
        ("sensor", "smart_charging_resumes_at"),
        ("switch", "smart_charging"),
        ("number", "desired_battery_level"),
        ("number", "minimum_battery_level"),
        ("switch", "solar_charging"),
        ("switch", "bidirectional_charging"),
        ("time", "ready_by"),
        ("sensor", "ready_by"),
    }


_UNKNOWN_TO_US = {
    *(("sensor", f"{name}_{span}") for name in TOTAL_KEYS for span in ("this_month", "this_year")),
    ("event", "charging"),
    ("event", "session"),
}
"""Entities that show what a person did, or events, which are checked one by one."""


def differing(
    entities: Sequence[Entity],
    expected: Mapping[Key, Shown],
    states: Mapping[str, Any],
    truth: Truth,
) -> Iterator[str]:
    """Yield what the entities of one device show other than expected; `states` are those of all entities."""
    by_key = {(entity.domain, entity.key): entity for entity in entities}
    for key, want in expected.items():
        entity = by_key.get(key)
        if entity is not None and not entity.enabled:
            continue
        state = {} if entity is None else states.get(entity.entity_id, {})
        name = " ".join(key)
        if entity is None and key == ("switch", "boost"):
            continue  # a car that cannot be smart
        if not _is_shown(state.get("state"), want.state):
            yield f"{name}: {state.get('state')}, not {want.state}"
        for attribute, value in want.attributes.items():
            given = state.get("attributes", {}).get(attribute)
            if not _is_shown(given, value):
                yield f"{name} {attribute}: {given}, not {value}"
    yield from _unexpected(by_key, expected, states, truth)


def _unexpected(
    by_key: Mapping[Key, Entity],
    expected: Mapping[Key, Shown],
    states: Mapping[str, Any],
    truth: Truth,
) -> Iterator[str]:
    """Yield the entities of which nobody knows what they should show, and event entities that are gone."""
    for key in by_key.keys() - expected.keys() - _UNKNOWN_TO_US:
        if not (truth.is_strict or _is_setting(key) or key == ("sensor", "state_updated")):
            yield f"{' '.join(key)}: nobody knows what it should show (harness/chaos/final_states.py)"
    for key in (("event", "charging"), ("event", "session")):
        if ("sensor", "session") in by_key and states_of(by_key, states, key) in {
            None,
            "unavailable",
        }:
            yield f"{' '.join(key)}: {states_of(by_key, states, key)}"


def states_of(by_key: Mapping[Key, Entity], states: Mapping[str, Any], key: Key) -> str | None:
    """Return the state of an entity by its key, None where there is none."""
    entity = by_key.get(key)
    return None if entity is None else states.get(entity.entity_id, {}).get("state")


type DeviceNames = tuple[str, str | None, str | None, str | None]
"""The name of a device, its manufacturer, its model and its version."""


def expected_devices(truth: Truth) -> dict[str, DeviceNames]:
    """Return how the devices of the cars, chargers and charging locations are called, by identifier."""
    expected: dict[str, DeviceNames] = {}
    places = truth.place_names
    for user in truth.users:
        for item in (*user["vehicles"], *user["chargers"]):
            name = f"{item['brand']} {item['model']}"
            key, version = f"{user['id']}_{item['id']}", item.get("version")
            expected[key] = name, item["brand"], item["model"], version
        for place in user["locations"]:
            expected[f"{user['id']}_{place['id']}"] = _place_names(places[place["id"]])
    return expected


def _place_names(name: str) -> DeviceNames:
    return f"Jedlix {name}", "Jedlix", None, None


def wrong_device(
    device: Device, expected: DeviceNames, owners: Mapping[str, str], identifier: str
) -> Iterator[str]:
    """Yield what is wrong with a device; `owners` are the users by their subentries."""
    shown = (device.name, device.manufacturer, device.model, device.version)
    if shown != expected:
        yield f"{shown}, not {expected}"
    owner, user_id = owners.get(device.subentry_id or ""), identifier.rpartition("_")[0]
    if owner != user_id:
        yield f"it belongs to {owner}, not to {user_id}"


def wrong_titles(titles: Mapping[str, str], truth: Truth) -> Iterator[str]:
    """Yield the users whose title in the account does not name their cars."""
    for user in truth.users:
        for car in user["vehicles"]:
            name = f"{car['brand']} {car['model']}"
            if name not in titles.get(user["id"], name):
                yield f"the title of {user['id']}: {titles[user['id']]} without {name}"


def wrong_of_account(
    entities: Sequence[Entity], states: Mapping[str, Any], account: Account, *, is_strict: bool
) -> Iterator[str]:
    """Yield what the entities of the account show other than expected."""
    expected: dict[str, Any] = {"push": "on", "callback": "custom", "missed_by_push": 0}
    if is_strict:
        expected["push_state"] = "limited"
    else:
        expected |= {"push_state": "healthy", "not_offered": 0}
    shown = {entity.key: states.get(entity.entity_id, {}).get("state") for entity in entities}
    for key, value in expected.items():
        if not _is_shown(shown.get(key), value):
            yield f"account {key}: {shown.get(key)}, not {value}"
    for key, (least, most) in (
        ("webhooks_received", account.received),
        ("webhooks_rejected", account.rejected),
    ):
        if not least <= _number(shown.get(key)) <= most:
            yield f"account {key}: {shown.get(key)}, not {least} to {most}"
    if not abs(moment(shown.get("last_webhook")) - account.last_sent) < 2.0:
        yield f"account last_webhook: {shown.get('last_webhook')}"
    delay = _number(shown.get("delivery_delay"))
    if not any(abs(delay - last) < 1.0 for last in account.last_delays):
        yield f"account delivery_delay: {shown.get('delivery_delay')}"
    if shown.get("resubscribe", "unavailable") == "unavailable":
        yield f"account resubscribe: {shown.get('resubscribe')}"
    for key in shown.keys() - _ACCOUNT:
        yield f"account {key}: nobody knows what it should show (harness/chaos/final_states.py)"


def _is_shown(given: Any, value: Any) -> bool:
    if value == ANY_TIME:
        return given not in {None, "unavailable"}
    if isinstance(value, Until):
        return moment(given) < moment(value.at) + 1.0
    if value is None or given is None:
        return given is value or (value is None and given in {"unknown", "unavailable"})
    if isinstance(value, int | float):
        return abs(_number(given) - value) < 0.006
    return bool(given == value) or abs(moment(given) - moment(value)) < 1.0


def _number(text: Any) -> float:
    try:
        return float(text)
    except TypeError, ValueError:
        return math.nan
