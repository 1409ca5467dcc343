"""Voice: Assist answers questions about a car from its exposed entities, in the language of the question."""

from datetime import timedelta
from functools import partial
from typing import Final

from homeassistant.components.conversation import async_converse
from homeassistant.components.homeassistant.exposed_entities import async_expose_entity
from homeassistant.const import EVENT_HOMEASSISTANT_STOP
from homeassistant.core import Context, HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.jedlix.voice import _LANGUAGES, QUESTIONS
from tests.simulators import StartSimulator
from tests.tools import make_entry, set_up, until

CAR: Final = "Tesla Model 3"

# Each is asked about the car, and about each car by its name.
ASKED: Final = {
    "en": {
        "Is the car charging?": "Yes, {car} is charging.",
        "Is {car} charging right now?": "Yes, {car} is charging.",
        "Is the {car} charging?": "Yes, {car} is charging.",
        "Is the Tesla plugged in?": "Yes, {car} is plugged in.",
        "Is my car plugged in?": "Yes, {car} is plugged in.",
        "How full is the car?": "The battery of {car} is at 42 %.",
        "What is the battery level of {car}?": "The battery of {car} is at 42 %.",
        "How far can the car go?": "{car} can go {range} km.",
        "How much did charging the car cost this month?": "Charging {car} cost {month} EUR this month.",
        "What did the last session cost?": "The last session of {car} cost {last} EUR.",
        "What did it cost to charge {car}?": "The last session of {car} cost {last} EUR.",
    },
    "nl": {
        "Laadt de auto?": "Ja, {car} laadt.",
        "Is {car} aan het laden?": "Ja, {car} laadt.",
        "Is de auto aangesloten?": "Ja, {car} is aangesloten.",
        "Zit mijn auto aan de lader?": "Ja, {car} is aangesloten.",
        "Hoe vol is de {car}?": "De batterij van {car} staat op 42 %.",
        "Hoe vol is de auto?": "De batterij van {car} staat op 42 %.",
        "Hoe ver kan {car} nog rijden?": "{car} kan nog {range} km rijden.",
        "Wat heeft het laden van de auto deze maand gekost?": (
            "Het laden van {car} kostte deze maand {month} EUR."
        ),
        "Wat heeft de laatste laadsessie gekost?": (
            "De laatste laadsessie van {car} kostte {last} EUR."
        ),
    },
    "de": {
        "Lädt das Auto?": "Ja, {car} lädt.",
        "Wird {car} gerade geladen?": "Ja, {car} lädt.",
        "Lädt der {car}?": "Ja, {car} lädt.",
        "Ist der Tesla angeschlossen?": "Ja, {car} ist angeschlossen.",
        "Ist mein Auto angeschlossen?": "Ja, {car} ist angeschlossen.",
        "Wie voll ist das Auto?": "Der Batteriestand von {car} beträgt 42 %.",
        "Wie hoch ist der Ladestand von {car}?": "Der Batteriestand von {car} beträgt 42 %.",
        "Wie weit kommt das Auto noch?": "{car} kommt noch {range} km weit.",
        "Was hat das Laden diesen Monat gekostet?": (
            "Das Laden von {car} hat diesen Monat {month} EUR gekostet."
        ),
        "Was hat das Laden des Autos diesen Monat gekostet?": (
            "Das Laden von {car} hat diesen Monat {month} EUR gekostet."
        ),
        "Wie viel hat die letzte Ladung gekostet?": (
            "Die letzte Ladesitzung von {car} hat {last} EUR gekostet."
        ),
    },
    "fr": {
        "Est-ce que la voiture charge ?": "Oui, {car} est en charge.",
        "{car} est-elle en charge ?": "Oui, {car} est en charge.",
        "La voiture est-elle branchée ?": "Oui, {car} : câble branché.",
        "Quel est le niveau de batterie de la voiture ?": "La batterie de {car} est à 42 %.",
        "Quel est le niveau de la batterie de la Tesla ?": "La batterie de {car} est à 42 %.",
        "Quelle est l'autonomie de {car} ?": "L'autonomie de {car} est de {range} km.",
        "Combien a coûté la recharge de la voiture ce mois-ci ?": (
            "La recharge de {car} a coûté {month} EUR ce mois-ci."
        ),
        "Combien a coûté la dernière session ?": (
            "La dernière session de charge de {car} a coûté {last} EUR."
        ),
    },
}


async def ask(hass: HomeAssistant, question: str, language: str = "en") -> str:
    """Return what Assist says."""
    result = await async_converse(hass, question, None, Context(), language)
    speech: str = result.response.speech["plain"]["speech"]
    return speech


def cars_of(hass: HomeAssistant) -> dict[str, dict[str, str]]:
    """Return the entities of each car by domain and key."""
    devices, entities = dr.async_get(hass), er.async_get(hass)
    found: dict[str, dict[str, str]] = {}
    for item in entities.entities.values():
        device = devices.async_get(item.device_id or "")
        if device is not None and device.name:
            found.setdefault(device.name, {})[f"{item.domain}.{item.translation_key}"] = (
                item.entity_id
            )
    return {car: ours for car, ours in found.items() if "binary_sensor.charging" in ours}


async def expose(hass: HomeAssistant, *entity_ids: str, exposed: bool = True) -> None:
    """Expose entities to Assist, or no longer, as the dialog of Home Assistant does."""
    for entity_id in entity_ids:
        async_expose_entity(hass, "conversation", entity_id, exposed)
    await hass.async_block_till_done()


@pytest.fixture
async def entry(
    hass: HomeAssistant,
    start_simulator: StartSimulator,
    enable_custom_integrations: None,
    monkeypatch: pytest.MonkeyPatch,
) -> MockConfigEntry:
    """Return an entry with two users, whose cars charge, in a home with Assist."""
    monkeypatch.setattr("custom_components.jedlix.voice.COOLDOWN", 0)
    for component in ("homeassistant", "conversation"):
        assert await async_setup_component(hass, component, {})
    sim = await start_simulator(users=2, history_days=40)
    for vehicle_id in sim.vehicle_ids:
        sim.plug(vehicle_id)
        sim.telemetry(vehicle_id, battery_level=42, charge_state="charging")
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    return entry


async def test_assist_answers_about_exposed_entities_in_the_language_of_the_question(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    assert list(ASKED) == list(_LANGUAGES)
    (car, ours), (other, others) = sorted(cars_of(hass).items(), key=lambda item: len(item[1]))[
        ::-1
    ]
    await expose(hass, *(ours[".".join(it.reads)] for it in QUESTIONS.values()))
    await expose(hass, others["switch.smart_charging"], exposed=False)
    last, month, far = (
        hass.states.get(ours[f"sensor.{key}"])
        for key in ("last_session", "cost_this_month", "range")
    )
    assert last is not None
    assert month is not None
    assert far is not None
    for language, questions in ASKED.items():
        mark = "." if language == "en" else ","
        facts = {
            "car": car,
            "month": f"{float(month.state):.2f}".replace(".", mark),
            "last": f"{last.attributes['cost']:.2f}".replace(".", mark),
            "range": f"{float(far.state):.0f}",
        }
        for question, answer in questions.items():
            asked = question.format(car=car)
            assert await ask(hass, asked, language) == answer.format(**facts), asked
    assert await ask(hass, "Is the car charging?", "sv") == f"Yes, {car} is charging."
    assert not (await ask(hass, f"Is {other} charging?")).startswith("Yes")


async def test_what_is_exposed_and_how_cars_are_called_is_followed(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    """The switch of smart charging is exposed by default."""
    question = "Is the car charging?"
    (first, ours), (second, others) = sorted(cars_of(hass).items())
    both = f"Yes, {first} is charging. Yes, {second} is charging."
    assert await ask(hass, question) == both
    assert await ask(hass, f"Is {second} charging?") == f"Yes, {second} is charging."
    assert "is at" not in await ask(hass, "How full is the car?"), "nobody exposed that"
    await expose(hass, ours["switch.smart_charging"], exposed=False)
    assert await ask(hass, question) == f"Yes, {second} is charging."
    await expose(hass, ours["sensor.charge_state"])  # shows the same
    assert await ask(hass, question) == both

    registry = er.async_get(hass)
    car = registry.async_get(ours["sensor.charge_state"])
    assert car is not None
    assert car.device_id is not None
    dr.async_get(hass).async_update_device(car.device_id, name_by_user=f"Anna's (blue) {second}")
    await hass.async_block_till_done()
    assert await ask(hass, f"Is Anna's blue {second} charging") == (
        f"Yes, Anna's (blue) {second} is charging."
    )
    assert await ask(hass, f"Is {second} charging?") == f"Yes, {second} is charging."
    assert await ask(hass, f"Is the {first.partition(' ')[2]} charging?") == (
        f"Yes, Anna's (blue) {second} is charging."
    ), "the model is still that"

    await expose(hass, ours["sensor.charge_state"], exposed=False)
    assert await ask(hass, question) == f"Yes, {second} is charging."
    await hass.config_entries.async_unload(entry.entry_id)
    assert await ask(hass, question) == f"I do not know that about {second} at the moment."
    charging = others["binary_sensor.charging"]
    registry.async_update_entity(charging, disabled_by=er.RegistryEntryDisabler.USER)
    await hass.async_block_till_done()
    assert second not in await ask(hass, question)

    hass.bus.async_fire(EVENT_HOMEASSISTANT_STOP)
    registry.async_update_entity(charging, disabled_by=None)
    await hass.async_block_till_done()
    assert second not in await ask(hass, question), "nothing is registered in a stop"
    async_fire_time_changed(
        hass, dt_util.utcnow() + timedelta(hours=1)
    )  # the conversations are over


async def test_what_home_assistant_adds_is_as_the_page_says(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    ours = cars_of(hass)[CAR]
    await expose(hass, ours["sensor.charge_state"])
    assert await ask(hass, f"What is the {CAR} charge state?") == (
        f"{CAR.capitalize()} charge state is charging"
    )
    for command, key, state in (
        (f"Turn on {CAR} boost", "switch.boost", "on"),
        (f"Turn off {CAR} smart charging", "switch.smart_charging", "off"),
    ):
        assert hass.states.get(ours[key]).state != state  # type: ignore[union-attr]
        await ask(hass, command)
        await until(hass, partial(hass.states.is_state, ours[key], state))


async def test_what_nobody_knows_is_not_answered_with_a_number(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    car, ours = min(cars_of(hass).items())
    await expose(hass, ours["sensor.session_cost"])
    hass.states.async_set(ours["sensor.last_session"], "2026-11-01T00:00:00+00:00", {"cost": None})
    assert await ask(hass, "What did the last session cost?") == (
        f"I do not know that about {car} at the moment."
    )


async def test_a_fleet_is_asked_about_only_where_a_person_exposed_a_car(
    hass: HomeAssistant, entry: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.jedlix.voice._MAX_DEVICES_OF_A_HOUSEHOLD", 1)
    car, ours = min(cars_of(hass).items())
    await expose(hass, ours["binary_sensor.charging"])
    assert await ask(hass, "Is the car charging?") == f"Yes, {car} is charging."
