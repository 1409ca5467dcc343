"""Voice: questions about a car that Assist answers, from entities that are exposed to it.

Home Assistant has sentences of its own for the state of a sensor, but none for charging, plugs and costs.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
import logging
import re
from typing import Any, Final

from homeassistant.const import (
    CONF_PLATFORM,
    EVENT_HOMEASSISTANT_STOP,
    STATE_UNAVAILABLE,
    STATE_UNKNOWN,
    Platform,
)
from homeassistant.core import CALLBACK_TYPE, Event, HomeAssistant, State, callback
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.debounce import Debouncer
from homeassistant.helpers.script import ScriptRunResult
from homeassistant.helpers.translation import async_get_translations
from homeassistant.helpers.trigger import async_initialize_triggers, async_validate_trigger_config
from homeassistant.setup import async_when_setup

from .const import DOMAIN

_LOGGER = logging.getLogger(__name__)

_CONVERSATION: Final = "conversation"
_LANGUAGES: Final = ("en", "nl", "de", "fr")
# Seconds between two updates of the sentences.
COOLDOWN: Final = 1.0
# A home with more devices of ours follows a fleet: there, a switch exposed by default is no wish to ask.
_MAX_DEVICES_OF_A_HOUSEHOLD: Final = 20
# What cannot be said aloud in a name, and would be syntax in a sentence.
_NOT_SPOKEN: Final = re.compile(r"[^\w\s'-]+")


def _number(state: State) -> tuple[object, object]:
    return state.state, state.attributes.get("unit_of_measurement")


def _cost_of_last_session(state: State) -> tuple[object, object]:
    return state.attributes.get("cost"), state.attributes.get("currency")


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question about a car: the entity that has the answer, by its domain and key.

    It is answered where this entity is exposed, or one of `or_exposed`. `value_fn` returns a number and its
    unit; None for an entity that is on or off.
    """

    reads: tuple[str, str]
    or_exposed: tuple[tuple[str, str], ...] = ()
    value_fn: Callable[[State], tuple[object, object]] | None = None
    digits: int = 0


# The first shows the same. The switch is exposed unless a person wants otherwise; without an answer of ours,
# Home Assistant answers "Is the Model 3 charging?" with "Model 3 smart charging is on".
_CHARGING: Final = ((Platform.SENSOR, "charge_state"), (Platform.SWITCH, "smart_charging"))

# The texts of a question begin with `voice_` and its name: sentences, one a line, and answers.
QUESTIONS: Final = {
    "charging": Question(reads=(Platform.BINARY_SENSOR, "charging"), or_exposed=_CHARGING),
    "plugged_in": Question(reads=(Platform.BINARY_SENSOR, "plugged_in"), or_exposed=_CHARGING),
    "battery_level": Question(reads=(Platform.SENSOR, "battery_level"), value_fn=_number),
    "range": Question(reads=(Platform.SENSOR, "range"), value_fn=_number),
    "cost_this_month": Question(
        reads=(Platform.SENSOR, "cost_this_month"), value_fn=_number, digits=2
    ),
    "last_session": Question(
        reads=(Platform.SENSOR, "last_session"),
        or_exposed=((Platform.SENSOR, "session_cost"),),
        value_fn=_cost_of_last_session,
        digits=2,
    ),
}


@dataclass(frozen=True)
class Car:
    """A car as people call it: by the name of its device, its maker, or its model."""

    name: str
    spoken: frozenset[str]


# For each question the cars that it can be asked about, by the entity that has the answer.
type _Cars = dict[str, dict[str, Car]]


@callback
def async_setup_voice(hass: HomeAssistant) -> None:
    """Answer questions about the cars of all accounts once Assist is there."""

    async def start(hass: HomeAssistant, _component: str) -> None:
        await Voice(hass).start()

    async_when_setup(hass, _CONVERSATION, start)


class Voice:
    """The sentences that Assist knows about cars, kept up with their names and with what is exposed."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Start without a sentence."""
        self._hass = hass
        self._devices, self._entities = dr.async_get(hass), er.async_get(hass)
        self._cars: _Cars = {}
        self._texts: dict[str, Mapping[str, str]] = {}
        self._debouncer = Debouncer(
            hass, _LOGGER, cooldown=COOLDOWN, immediate=True, function=self._update
        )
        self._remove: CALLBACK_TYPE | None = None

    async def start(self) -> None:
        """Register the sentences, and again whenever a name or what is exposed changes."""
        listen = self._hass.bus.async_listen
        stops = (
            listen(er.EVENT_ENTITY_REGISTRY_UPDATED, self._changed, self._is_about_entities),
            listen(dr.EVENT_DEVICE_REGISTRY_UPDATED, self._changed, self._is_about_names),
            self._debouncer.async_shutdown,
        )

        @callback
        def home_assistant_stops(_event: Event) -> None:
            """Register nothing more: the texts of the sentences could not be read."""
            for stop in stops:
                stop()

        self._hass.bus.async_listen_once(EVENT_HOMEASSISTANT_STOP, home_assistant_stops)
        await self._debouncer.async_call()

    @callback
    def _is_about_entities(self, data: Mapping[str, Any]) -> bool:
        """Return whether a change of the registry is about an entity of ours, or one that is gone."""
        entity = self._entities.async_get(data["entity_id"])
        return entity is None or entity.platform == DOMAIN

    @callback
    def _is_about_names(self, data: Mapping[str, Any]) -> bool:
        return not {"name", "name_by_user"}.isdisjoint(data.get("changes", ()))

    @callback
    def _changed(self, _event: Event[Any]) -> None:
        self._debouncer.async_schedule_call()

    async def _update(self) -> None:
        """Register the sentences about the cars that can be asked about now."""
        if (cars := self._read()) == self._cars:
            return
        if self._remove is not None:
            self._remove()
        self._cars, self._remove = cars, None
        if not cars:
            return
        if not self._texts:
            self._texts = {item: await self._load(item) for item in _LANGUAGES}
        triggers = [
            {CONF_PLATFORM: _CONVERSATION, "id": name, "command": self._sentences(name)}
            for name in cars
        ]
        self._remove = await async_initialize_triggers(
            self._hass,
            await async_validate_trigger_config(self._hass, triggers),
            self._answer,
            DOMAIN,
            "voice",
            _LOGGER.log,
        )

    def _read(self) -> _Cars:
        """Read from the registries what is exposed."""
        by_device: dict[str, dict[tuple[str, str], er.RegistryEntry]] = {}
        for entity in self._entities.entities.values():
            if entity.platform == DOMAIN and entity.device_id and entity.disabled_by is None:
                key = entity.domain, entity.translation_key or ""
                by_device.setdefault(entity.device_id, {})[key] = entity
        is_household = len(by_device) <= _MAX_DEVICES_OF_A_HOUSEHOLD
        cars: _Cars = {}
        for device_id, entities in by_device.items():
            device = self._devices.async_get(device_id)
            if not isinstance(device, dr.DeviceEntry):
                continue
            name = device.name_by_user or device.name or ""
            car = _car(name, device.manufacturer, device.model)
            for question, it in QUESTIONS.items():
                shown = [entities[key] for key in (it.reads, *it.or_exposed) if key in entities]
                if it.reads in entities and any(
                    _is_exposed(item)
                    for item in shown
                    if is_household or item.domain != Platform.SWITCH
                ):
                    cars.setdefault(question, {})[entities[it.reads].entity_id] = car
        return cars

    async def _load(self, language: str) -> Mapping[str, str]:
        prefix = f"component.{DOMAIN}.common."
        texts = await async_get_translations(self._hass, language, "common", {DOMAIN})
        return {key.removeprefix(prefix): text for key, text in texts.items()}

    def _sentences(self, question: str) -> list[str]:
        """Return the sentences of a question in all languages: about the car, or one by a name of it."""
        names = sorted({name for car in self._cars[question].values() for name in car.spoken})
        return [
            sentence.format(car=texts["voice_the_car"].format(names="|".join(names)))
            for texts in self._texts.values()
            for sentence in texts[f"voice_{question}"].splitlines()
        ]

    async def _answer(
        self, variables: Mapping[str, Any], _context: object = None
    ) -> ScriptRunResult:
        """Answer a question, in the language in which it was asked, about the cars that it names, or all."""
        trigger = variables["trigger"]
        question = trigger["id"]
        language = trigger["user_input"]["language"].partition("-")[0]
        texts = self._texts.get(language, self._texts[_LANGUAGES[0]])
        cars = self._cars.get(question, {})
        asked = f" {_spoken(trigger['sentence']).casefold()} "
        said = {
            name for car in cars.values() for name in car.spoken if f" {name.casefold()} " in asked
        }
        # Who asks about the "Old Model 3" does not ask about each "Model 3".
        named = max(said, key=len, default=None)
        answers = [
            _sentence(question, self._hass.states.get(entity_id), car.name, texts)
            for entity_id, car in sorted(cars.items(), key=lambda item: item[1].name)
            if named is None or named in car.spoken
        ]
        return ScriptRunResult(" ".join(answers), None, {})


def _is_exposed(entity: er.RegistryEntry) -> bool:
    """Return whether an entity is exposed to Assist; of ours, Home Assistant exposes switches by default."""
    assistants: Mapping[str, Mapping[str, Any]] = entity.options
    is_default = entity.domain == Platform.SWITCH
    return bool(assistants.get(_CONVERSATION, {}).get("should_expose", is_default))


def _car(name: str, *others: str | None) -> Car:
    """Return a car by its name, and by what else people may call it."""
    return Car(name, frozenset(_spoken(text or "") for text in (name, *others)) - {""})


def _spoken(text: str) -> str:
    return " ".join(_NOT_SPOKEN.sub(" ", text).split())


def _sentence(question: str, state: State | None, car: str, texts: Mapping[str, str]) -> str:
    """Return the answer about one car."""
    unknown = texts["voice_unknown"].format(car=car)
    if state is None or state.state in (STATE_UNKNOWN, STATE_UNAVAILABLE):
        return unknown
    it = QUESTIONS[question]
    if it.value_fn is None:
        return texts[f"voice_{question}_{state.state}"].format(car=car)
    value, unit = it.value_fn(state)
    try:
        number = f"{float(str(value)):.{it.digits}f}".replace(".", texts["decimal_mark"])
    except ValueError:
        return unknown
    return texts[f"voice_{question}_answer"].format(
        car=car, amount=f"{number} {unit or ''}".strip()
    )
