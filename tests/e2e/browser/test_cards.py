"""Dashboard: three clicks make it, its card shows and steers the car, and each state looks right."""

from collections.abc import Mapping
from typing import Any, Final

from playwright.async_api import Route, ViewportSize, expect
import pytest

from harness.browser.dashboards import (
    CAR_CARD,
    add_dashboard,
    car_card,
    choose_card,
    choose_entity,
    open_picker,
)
from harness.browser.frontend import Frontend
from harness.demo.dashboard import URL_PATH, make_dashboard
from harness.entities import our_devices
from tests.e2e.browser.conftest import Installation

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.usefixtures("socket_enabled"),
]
in_english = pytest.mark.parametrize("language", ["en"])

PHONE: Final[ViewportSize] = {"width": 390, "height": 844}


async def test_three_clicks_make_the_dashboard_and_its_card_boosts_the_car(
    installation: Installation, tab: Frontend
) -> None:
    async def offered() -> None:
        dialog = tab.page.locator("ha-dialog-new-dashboard")
        await expect(dialog).to_contain_text(tab.text("common.card_about"))

    await add_dashboard(tab, offered)
    car = installation.car
    card = car_card(tab, f"{car['brand']} {car['model']}")
    await expect(card.get_by_role("heading")).to_have_text(f"{car['brand']} {car['model']}")
    for key in ("sessions", "activity", "money"):
        await expect(
            tab.page.locator("hui-heading-card", has_text=tab.text(f"common.card_{key}"))
        ).to_be_visible()
    await expect(card).to_contain_text(tab.text("common.card_unplugged"))
    boost = tab.button(tab.text("common.card_boost"), card)
    await expect(boost).to_have_attribute("aria-disabled", "true")
    await expect(boost).to_have_attribute("title", tab.text("common.card_boost_needs_session"))
    assert not await tab.raw_texts()

    await installation.simulator.plug(car["id"])
    try:
        await expect(boost).to_have_attribute("aria-disabled", "false")
        await boost.focus()
        await tab.page.keyboard.press("Enter")
        await expect(boost).to_have_attribute("aria-pressed", "true")
        await expect(boost).to_be_focused()  # the card is written again, and keeps its nodes
        await expect(card).to_have_attribute("data-mood", "boost")
        await expect(card.get_by_role("status")).to_contain_text("80")
        # The recorder writes it down seconds later.
        newest = tab.page.locator("jedlix-activity-card li").first
        event_types = "entity.event.session.state_attributes.event_type.state"
        await expect(newest).to_contain_text(tab.text(f"{event_types}.boost_started"), timeout=2000)
    finally:
        await installation.simulator.unplug(car["id"])
    await expect(card.get_by_role("status")).to_have_text(tab.text("common.card_unplugged"))


@in_english
async def test_a_guest_on_a_dark_phone_sees_it_also_where_the_app_starts_late(
    installation: Installation, language: str
) -> None:
    """The app replaces the registry of elements when it starts: what was defined before would be lost."""
    api = installation.home.api
    async with await api.websocket() as socket:
        await make_dashboard(socket)
        user = await socket.call("config/auth/create", name="Guest", group_ids=["system-users"])
        await socket.call(
            "config/auth_provider/homeassistant/create",
            user_id=user["user"]["id"],
            username="guest",
            password="guest",
        )
    tab = await Frontend.open(installation.browser, api, language=language)
    await tab.page.set_viewport_size(PHONE)
    await tab.page.emulate_media(color_scheme="dark")

    async def later(route: Route) -> None:
        await tab.page.wait_for_timeout(500)
        await route.continue_()

    await tab.page.route("**/frontend_latest/app.*.js", later)
    try:
        await tab.log_in("guest", "guest")
        await tab.go(f"/{URL_PATH}")
        card = car_card(tab)
        await expect(card.get_by_role("heading")).to_be_visible()
        assert await card.evaluate("card => card.scrollWidth <= card.clientWidth")
        await expect(tab.page.locator("jedlix-sessions-card li").first).to_be_visible()
        assert not tab.complaints
    finally:
        await tab.close()


@in_english
async def test_the_picker_offers_the_card_by_name_and_by_entity_and_it_has_a_form(
    installation: Installation, tab: Frontend
) -> None:
    async with await installation.home.api.websocket() as socket:
        await socket.call(
            "lovelace/dashboards/create", url_path="of-ones-own", title="Own", mode="storage"
        )
        device = next(it for it in await our_devices(socket) if it.is_for(installation.car["id"]))
        cards = [{"type": f"custom:{CAR_CARD}", "device_id": device.device_id}] * 2
        view = {"type": "sections", "sections": [{"type": "grid", "cards": cards}]}
        await socket.call("lovelace/config/save", url_path="of-ones-own", config={"views": [view]})
    await tab.go("/of-ones-own")
    for card in range(2):  # Home Assistant answers the second before the first has the texts
        sentence = tab.page.locator(CAR_CARD).nth(card).get_by_role("status")
        await expect(sentence).to_have_text(tab.text("common.card_unplugged"))
    dialog = await open_picker(tab)
    car = f"{installation.car['brand']} {installation.car['model']}"
    name = tab.text("entity.sensor.charge_state.name")
    suggested = await choose_entity(dialog, name, car)
    await expect(suggested.locator(f"{CAR_CARD} h2")).to_have_text(car)
    form = await choose_card(tab, dialog, "Jedlix car")
    for field in ("device_id", "name", "show_month"):
        await expect(form).to_contain_text(tab.text(f"common.card_field_{field}"))


# -- states ------------------------------------------------------------------------------------------------

SHOW: Final = """([states, card]) => {
  const hass = document.querySelector('home-assistant').hass;
  const isOfCar = ({platform, translation_key: key}) => platform === 'jedlix' && key === 'plugged_in';
  const deviceId = Object.values(hass.entities).find(isOfCar).device_id;
  const shown = {...hass, states: {}, entities: {}};
  for (const [key, state] of Object.entries(states)) {
    const [domain, name] = key.split('.'), id = `${domain}.shown_${name}`;
    shown.entities[id] = {entity_id: id, device_id: deviceId, platform: 'jedlix', translation_key: name};
    const attributes = {unit_of_measurement: /level/.test(name) ? '%' : undefined};
    shown.states[id] = {entity_id: id, state, attributes};
  }
  const element = document.createElement('jedlix-car-card');
  element.setConfig({device_id: card ?? deviceId, show_month: false});
  document.body.append(element);
  element.hass = shown;
  return new Promise(resolve => {
    const timer = setInterval(() => {
      const root = element.shadowRoot;
      if (!root.querySelector('.sentence')) return;  // its texts come first
      const text = part => root.querySelector(part)?.textContent.trim() ?? null;
      resolve({
        mood: root.querySelector('ha-card').dataset.mood ?? null,
        sentence: text('.sentence'), chip: text('.chip'), level: text('.level'), notes: text('.notes'),
        meter: root.querySelector('[role=img]')?.ariaLabel ?? null,
        buttons: [...root.querySelectorAll('button.toggle')].map(b => [b.ariaPressed, b.ariaDisabled].join()),
      });
      element.remove();
      clearInterval(timer);
    }, 20);
  });
}"""
CHARGING: Final = {
    "sensor.charge_state": "charging",
    "binary_sensor.plugged_in": "on",
    "sensor.session": "smart",
    "sensor.battery_level": "52",
    "number.minimum_battery_level": "20",
    "number.desired_battery_level": "80",
    "switch.boost": "off",
    "switch.smart_charging": "on",
    "binary_sensor.vehicle_link": "on",
}
READY_BY: Final = {"sensor.ready_by": "2026-01-05T06:30:00+00:00"}
COMPLETE: Final = CHARGING | {"sensor.charge_state": "complete"}
AWAY: Final = CHARGING | {
    "sensor.charge_state": "disconnected",
    "binary_sensor.plugged_in": "off",
    "sensor.session": "none",
    "switch.boost": "unavailable",
}
GONE: Final = {"sensor.charge_state": "unknown", "binary_sensor.plugged_in": "unknown"}
STATES: Final[list[tuple[Mapping[str, str], Mapping[str, Any]]]] = [
    (
        CHARGING,
        {
            "mood": "charging",
            "sentence": "Charging smartly to 80%.",
            "chip": "Smart",
            "level": "52%",
            "meter": "52%, minimum 20%, desired 80%",
            "buttons": ["false,false", "true,false"],
            "notes": None,
        },
    ),
    (
        CHARGING | {"switch.boost": "on"},
        {"mood": "boost", "sentence": "Boost: charging at once to 80%.", "chip": "Boost"},
    ),
    (
        CHARGING | {"sensor.battery_level": "12"},
        {"mood": "charging", "sentence": "Charging at once to the minimum of 20%."},
    ),
    (
        CHARGING | {"sensor.session": "unmanaged", "switch.boost": "unavailable"},
        {"mood": "charging", "sentence": "Charging.", "buttons": ["false,true", "true,false"]},
    ),
    (
        CHARGING | {"sensor.charge_state": "stopped"},
        {"mood": "waiting", "sentence": "Plugged in. Jedlix chooses when to charge."},
    ),
    (
        CHARGING | {"sensor.charge_state": "stopped", "sensor.session": "unmanaged"},
        {"mood": "waiting", "sentence": "Plugged in, not charging."},
    ),
    (COMPLETE, {"mood": "complete", "sentence": "Charging is complete."}),
    # Jedlix keeps to the time in a smart session, and a car that is charged is ready already.
    (CHARGING | READY_BY, {"notes": "Ready by Mon 07:30."}),
    (COMPLETE | READY_BY, {"notes": None}),
    (CHARGING | READY_BY | {"sensor.session": "unmanaged"}, {"notes": None}),
    (AWAY, {"mood": "away", "sentence": "Not plugged in.", "chip": None}),
    (AWAY | GONE, {"mood": "away", "sentence": "Jedlix does not know the state of the car."}),
    (
        CHARGING | GONE | {"binary_sensor.vehicle_link": "off"},
        {"mood": "trouble", "sentence": "The link to the car is lost. A repair says what to do."},
    ),
    (
        dict.fromkeys(CHARGING, "unavailable"),
        {
            "mood": "trouble",
            "sentence": "The car cannot be read at the moment.",
            "level": None,
            "buttons": ["false,true", "false,true"],
        },
    ),
    # In a large fleet only the essential entities are enabled.
    (
        {"binary_sensor.plugged_in": "on", "binary_sensor.smart_session": "on"},
        {"mood": "waiting", "chip": "Smart", "buttons": []},
    ),
]


@in_english
async def test_each_state_of_a_car_has_its_sentence_its_colour_and_its_buttons(
    tab: Frontend,
) -> None:
    await tab.go("/config/dashboard")
    await tab.page.evaluate(f"customElements.whenDefined('{CAR_CARD}')")
    for states, expected in STATES:
        shown = await tab.page.evaluate(SHOW, [states, None])
        assert {key: shown[key] for key in expected} == expected, states
    shown = await tab.page.evaluate(SHOW, [CHARGING, "a car that was removed"])
    assert shown["sentence"] == tab.text("common.card_gone")


# -- how many cars -----------------------------------------------------------------------------------------

MAKE: Final = """async ([cars, change]) => {
  const hass = document.querySelector('home-assistant').hass;
  const devices = {}, entities = {}, states = {...hass.states};
  const kinds = [['binary_sensor', 'plugged_in'], ['sensor', 'charge_state'], ['event', 'session']];
  for (let i = 0; i < cars; i++) {
    devices[`d${i}`] = {id: `d${i}`, name: `Car ${i % 7}`, identifiers: [['jedlix', `user_${i}`]]};
    for (const [domain, key] of kinds) {
      const id = `${domain}.car_${i}_${key}`;
      entities[id] = {entity_id: id, device_id: `d${i}`, platform: 'jedlix', translation_key: key};
    }
  }
  for (let i = 0; i < cars; i++) {
    for (const key of cars === 2 ? [] : ['price', 'next_price_change']) {
      const id = `sensor.home_${i}_${key}`;
      entities[id] = {entity_id: id, device_id: `home${i}`, platform: 'jedlix', translation_key: key};
      states[id] = {entity_id: id, state: key === 'price' ? '0.3' : change, attributes: {}};
    }
  }
  const strategy = customElements.get('ll-strategy-dashboard-jedlix');
  return strategy.generate({}, {...hass, devices, entities, states});
}"""


def types_of(view: Mapping[str, Any]) -> list[str]:
    """Return the types of the cards of a view."""
    return [card["type"] for section in view["sections"] for card in section["cards"]]


@in_english
async def test_no_car_one_two_and_many_have_their_own_layout(tab: Frontend) -> None:
    await tab.go("/config/dashboard")
    await tab.page.evaluate(f"customElements.whenDefined('{CAR_CARD}')")

    async def make(cars: int, change: str = "2026-11-26T23:00:00+00:00") -> Any:
        return (await tab.page.evaluate(MAKE, [cars, change]))["views"]

    made = {cars: await make(cars) for cars in (0, 1, 2, 30, 100)}
    assert types_of(made[0][0]) == ["markdown"]
    assert types_of(made[1][0]).count(f"custom:{CAR_CARD}") == 1
    assert [len(made[cars]) for cars in (0, 1, 2, 30, 100)] == [1, 1, 3, 31, 61]
    assert types_of(made[2][0]).count(f"custom:{CAR_CARD}") == 2
    for cars in (30, 100):
        overview, first, *_ = made[cars]
        tiles = [
            card
            for section in overview["sections"]
            for card in section["cards"]
            if card["type"] == "tile"
        ]
        assert len(tiles) == min(cars, 60) * 4  # in each group, of which one shows it
        assert len({tile["name"] for tile in tiles}) == min(cars, 60)
        assert first["subview"]
        assert tiles[0]["tap_action"]["navigation_path"].endswith(f"/{first['path']}")
    assert "And 40 more cars." in str(made[100][0])
    # A price is shown where there is one, and not those of a fleet.
    shown = [card.get("entity") for section in made[1][0]["sections"] for card in section["cards"]]
    assert [entity for entity in shown if entity and "home" in entity] == [
        "sensor.home_0_price",
        "sensor.home_0_next_price_change",
    ]
    assert "sensor.home" not in str([made[2], made[30]])
    flat = str(await make(1, "unknown"))
    assert "sensor.home_0_price" in flat
    assert "next_price_change" not in flat  # this tariff has only one price
    # Without statistics there is no money, but a way to it.
    assert "statistics-graph" not in types_of(made[1][0])
    assert "dashboard.md#cost-and-savings" in str(made[1][0])
