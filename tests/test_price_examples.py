"""Examples of docs/prices.md: each is run on what the action answers, as the page says."""

import asyncio
from datetime import datetime, timedelta
import json
from pathlib import Path
import re
from typing import Any, Final

from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from homeassistant.util.yaml import parse_yaml
import jq  # type: ignore[import-not-found]  # it has no types
import playwright
import pytest
from pytest_homeassistant_custom_component.common import (
    async_fire_time_changed,
    async_mock_service,
)
from pytest_homeassistant_custom_component.typing import (
    ClientSessionGenerator,
    WebSocketGenerator,
)

from custom_components.jedlix.const import DOMAIN
from tests.simulators import StartSimulator
from tests.tools import make_entry, set_up

pytestmark = pytest.mark.usefixtures("api", "home", "rotterdam")

PAGE: Final = (Path(__file__).parents[1] / "docs/prices.md").read_text()
# It comes with Playwright, which runs the browsers of the tests.
NODE: Final = Path(playwright.__file__).parent / "driver/node"
PRICE: Final = "sensor.jedlix_rotterdam_price"


def example(heading: str, language: str) -> Any:
    """Return the block of code under a heading of the page."""
    _, _, below = PAGE.partition(f"\n### {heading}\n")
    found = re.search(rf"^```{language}\n(.*?)^```", below, re.MULTILINE | re.DOTALL)
    assert found is not None
    return parse_yaml(found[1])


@pytest.fixture
async def api(hass: HomeAssistant, socket_enabled: None) -> None:
    """Set up the API that evcc calls, before anybody is connected."""
    assert await async_setup_component(hass, "api", {})


@pytest.fixture
async def rotterdam(hass: HomeAssistant, start_simulator: StartSimulator) -> None:
    """Set up a location in Rotterdam whose price changes at 07:00 and at 23:00."""
    await hass.config.async_set_time_zone("Europe/Amsterdam")
    await set_up(hass, make_entry(await start_simulator(tariff="high_low"), None))


async def answer_of(hass: HomeAssistant, period: str) -> list[dict[str, Any]]:
    """Return the prices of a period."""
    answer: Any = await hass.services.async_call(
        DOMAIN,
        "get_prices",
        {"entity_id": PRICE, "period": period},
        blocking=True,
        return_response=True,
    )
    (location,) = answer.values()
    return list(location["prices"])


async def test_the_function_of_the_chart_returns_the_bounds_of_each_price(
    hass: HomeAssistant, hass_ws_client: WebSocketGenerator
) -> None:
    """The card calls it with the entity, the frontend and the bounds of the graph."""
    (series,) = example("ApexCharts", "yml")["series"]
    script = f"""
        const AsyncFunction = Object.getPrototypeOf(async () => {{}}).constructor;
        const code = {json.dumps(series["data_generator"])};
        const draw = new AsyncFunction("entity", "start", "end", "hass", code);
        const [answer] = JSON.parse(process.argv[1]);
        let asked = null;
        const callWS = async message => {{ asked = message; return answer ?? {{ response: {{}} }}; }};
        draw({{ entity_id: {json.dumps(series["entity"])} }}, null, null, {{ callWS }})
            .then(drawn => console.log(JSON.stringify({{ asked, drawn }})));
    """

    async def run(answer: Any) -> Any:
        process = await asyncio.create_subprocess_exec(
            NODE, "-e", script, json.dumps([answer]), stdout=asyncio.subprocess.PIPE
        )
        printed, _ = await process.communicate()
        return json.loads(printed)

    client = await hass_ws_client(hass)
    await client.send_json_auto_id((await run(None))["asked"])
    message = await client.receive_json()
    assert message["success"], message
    drawn = (await run(message["result"]))["drawn"]
    prices = await answer_of(hass, "today_and_tomorrow")
    assert len(prices) == 5
    assert drawn == [
        [datetime.fromisoformat(moment).timestamp() * 1000 - early, item["price"]]
        for item in prices
        for moment, early in ((item["start"], 0), (item["end"], 1))
    ]


async def test_evcc_gets_start_end_and_value_of_each_price(
    hass: HomeAssistant, hass_client: ClientSessionGenerator
) -> None:
    forecast = example("evcc", "yml")["tariffs"]["grid"]["forecast"]
    client = await hass_client()
    path = forecast["uri"].removeprefix("http://homeassistant.local:8123")
    assert forecast["method"] == "POST"
    response = await client.post(path, json=json.loads(forecast["body"]))
    assert response.status == 200
    (text,) = jq.compile(forecast["jq"]).input(await response.json()).all()
    assert json.loads(text) == [
        {"start": item["start"], "end": item["end"], "value": item["price"]}
        for item in await answer_of(hass, "today_and_tomorrow")
    ]


async def test_emhass_gets_a_price_for_each_half_hour(hass: HomeAssistant) -> None:
    calls = async_mock_service(hass, "rest_command", "emhass_optimize")
    automation = example("EMHASS", "yaml")
    assert await async_setup_component(
        hass, "automation", {"automation": {"id": "it", **automation}}
    )
    entity_id = "automation.send_the_prices_to_emhass"
    await hass.services.async_call("automation", "trigger", {"entity_id": entity_id}, blocking=True)
    (call,) = calls
    costs = call.data["load_cost_forecast"]
    prices = await answer_of(hass, "next_24_hours")
    begin = datetime.fromisoformat(prices[0]["start"])
    moments = [begin + number * timedelta(minutes=30) for number in range(48)]
    assert costs == [
        item["price"]
        for moment in moments
        for item in prices
        if datetime.fromisoformat(item["start"]) <= moment < datetime.fromisoformat(item["end"])
    ]
    assert len(costs) == 48
    await hass.services.async_call("automation", "turn_off", {"entity_id": "all"}, blocking=True)


@pytest.mark.parametrize("expected_lingering_timers", [True])  # a template's trigger never ends
async def test_a_template_sensor_has_the_list_that_older_cards_read(hass: HomeAssistant) -> None:
    config = example("Cards that read attributes", "yml")
    assert await async_setup_component(hass, "template", config)
    await hass.async_block_till_done()
    full_hour = dt_util.utcnow().replace(minute=0, second=0) + timedelta(hours=1)
    async_fire_time_changed(hass, full_hour + timedelta(seconds=1))
    await hass.async_block_till_done()
    state = hass.states.get("sensor.charging_prices")
    assert state is not None
    assert state.attributes["raw_today"] == [
        {"start": item["start"], "end": item["end"], "value": item["price"]}
        for item in await answer_of(hass, "today")
    ]
