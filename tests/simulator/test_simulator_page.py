"""Page of the simulator in a real browser: each kind of fault can be set there."""

from collections.abc import AsyncIterator
from http import HTTPStatus
import os

from playwright.async_api import Page, expect
import pytest

from harness.browser.chromium import chromium, find_chromium
from simulator.faults import general
from simulator.faults.kinds import KINDS
from simulator.prices import CHEAP_BELOW, PRICES
from simulator.tariffs import TARIFFS
from tests.simulator.conftest import Start
from tests.simulator.tools import Api

pytestmark = pytest.mark.browser

# What a person chooses where the table requires a value and has no default.
REQUIRED = {"status": "503", "ahead_seconds": "60", "user": "1", "to_user": "2", "vehicle": "1"}


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    """Return an empty page without errors of its own; a refusal (400) is none."""
    path = find_chromium()
    if path is None:
        reason = "there is no Chromium; on Debian: apt-get install chromium"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    errors: list[str] = []
    async with chromium(path) as browser:
        page = await browser.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        yield page
    assert not errors


@pytest.fixture
async def api(start: Start) -> Api:
    return await start(users=2, ticking=True)


async def test_the_page_draws_the_price_day_and_fits_a_phone(api: Api, page: Page) -> None:
    """It also says what smart sessions do now; credentials are revoked there, and given back."""
    await page.set_viewport_size({"width": 360, "height": 740})
    await page.goto(api.sim.url)
    bars = page.locator("#prices div")
    await expect(bars).to_have_count(len(PRICES))
    assert await page.locator("#prices .cheap").count() == sum(it < CHEAP_BELOW for it in PRICES)
    await expect(page.locator("#why")).to_contain_text("Smart sessions wait until 00:00.")
    width = await page.evaluate("document.documentElement.scrollWidth")
    assert width <= 360, "nothing is wider than the phone"
    await page.get_by_role("button", name="Revoke the credentials").click()
    await expect(page.locator("#aimed tr")).to_have_count(1)
    assert (await api.log_in())[0] == HTTPStatus.UNAUTHORIZED
    end = page.get_by_role("button", name="End fault")
    box = await end.bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= 360, "it is seen without scrolling sideways"
    await end.click()
    await expect(page.locator("#aimed tr")).to_have_count(0)
    assert (await api.log_in())[0] == HTTPStatus.OK


async def test_the_tariff_of_a_home_can_be_chosen(api: Api, page: Page) -> None:
    await page.goto(api.sim.url)
    choice = page.get_by_label("Tariff at home").first
    await expect(choice).to_have_value("high_low")
    await choice.select_option("weekend")
    await expect(choice).to_have_value("weekend")
    location = api.sim.world.users[api.sim.user_ids[0]].locations[0]
    api.sim.set_tariff(location.id, {"tariffs": []})
    await expect(choice).to_have_value("other")
    assert location.tariff == TARIFFS["weekend"]


async def test_each_kind_of_fault_can_be_set_and_ended(api: Api, page: Page) -> None:
    await page.goto(api.sim.url)
    for name, kind in KINDS.items():
        await page.get_by_label("Kind").select_option(name)
        await expect(page.locator("#kind-sentence")).to_have_text(kind.sentence)
        shown = page.locator("#kind-fields label")
        assert await shown.count() == len(kind.fields)
        for place, field in enumerate(kind.fields):
            await expect(shown.nth(place)).to_contain_text(field.unit)
            await expect(shown.nth(place).locator("small")).to_have_text(field.sentence)
            if field.required:
                element = shown.nth(place).locator("[data-field]")
                if field.name in {"status", "ahead_seconds"}:
                    await element.fill(REQUIRED[field.name])
                else:
                    await element.select_option(index=int(REQUIRED[field.name]))
        await page.get_by_role("button", name="Add this fault").click()
        if kind.at_once:
            await expect(page.locator("#changes")).to_contain_text("vehicle removed")
            continue
        row = page.locator("#aimed tr")
        await expect(row).to_contain_text(name)
        (fault,) = api.sim.aimed
        assert fault.kind is kind
        await row.get_by_role("button", name=f"End fault {fault.number}").click()
        await expect(row).to_have_count(0)
        assert list(api.sim.aimed) == []
    await expect(page.get_by_role("alert")).to_be_hidden()


async def test_a_person_sees_what_a_fault_can_be_about(api: Api, page: Page) -> None:
    """Users, cars and sessions that come later can be chosen as well, and what was chosen stays."""
    await page.goto(api.sim.url)
    await page.get_by_text("Endpoints and how we know of them").click()
    await expect(page.locator("#endpoints")).to_contain_text("user_sessions")
    users, vehicle, session = (
        page.locator(f"[data-field={name}]") for name in ("users", "vehicle", "session")
    )
    endpoints = page.locator("[data-field=endpoints]")
    await page.get_by_label("Kind").select_option("vehicle_vanishes")
    for field in (endpoints, users):
        await expect(field).to_have_values(["all"])
    await expect(endpoints.locator("option", has_text="user_token")).to_have_count(1)
    await users.select_option(index=2)
    await page.get_by_role("button", name="Add a user with a car").click()
    await expect(users.locator("option")).to_have_count(4)
    await expect(vehicle.locator("option")).to_have_count(4)
    await expect(users).to_have_values([api.sim.user_ids[1]])
    await page.get_by_label("Kind").select_option("end_corrected")
    await expect(session.locator("option")).to_have_count(1)
    api.sim.plug(api.sim.vehicle_ids[2])
    await expect(session.locator("option").nth(1)).to_contain_text("to now")
    await session.select_option(index=1)
    api.sim.unplug(api.sim.vehicle_ids[2])
    await expect(session.locator("option").nth(1)).not_to_contain_text("to now")
    await page.get_by_role("button", name="Add this fault").click()
    await expect(page.locator("#aimed tr")).to_contain_text("end_corrected")
    (fault,) = api.sim.aimed
    assert fault["session"] == api.sim.world.sessions.of(None)[-1].id
    assert (fault.endpoints, fault.users) == (None, None)


async def test_calls_users_and_how_often(api: Api, page: Page) -> None:
    await page.goto(api.sim.url)
    await page.get_by_label("Kind").select_option("retry_after")
    await page.locator("[data-field=form]").select_option(label="epoch")
    await page.locator("[data-field=endpoints]").select_option(["vehicles", "token"])
    await page.locator("[data-field=users]").select_option(index=2)
    await page.locator("[data-field=times]").fill("3")
    await page.locator("[data-field=for_seconds]").fill("600")
    await page.get_by_role("button", name="Add this fault").click()
    await expect(page.locator("#aimed tr")).to_contain_text("0 of 3")
    (fault,) = api.sim.aimed
    assert (fault["form"], fault["status"], fault.times) == ("epoch", 429, 3)
    assert (fault.endpoints, fault.users) == ({"vehicles", "token"}, {api.sim.user_ids[1]})
    assert fault.until is not None
    await page.get_by_role("button", name="No faults").click()
    await expect(page.locator("#aimed tr")).to_have_count(0)


async def test_a_refusal_names_the_field(api: Api, page: Page) -> None:
    await page.goto(api.sim.url)
    await page.get_by_label("Kind").select_option("status")
    await page.get_by_role("button", name="Add this fault").click()
    await expect(page.get_by_role("alert")).to_have_text(
        "status: is missing. It must be a whole number from 200 to 599"
    )


async def test_each_fault_of_the_whole_cloud_is_there_with_its_sentence(
    api: Api, page: Page
) -> None:
    await page.goto(api.sim.url)
    for name, field in general.PARAMETERS.items():
        label = page.locator("#faults label").filter(has=page.locator(f"#fault-{name}"))
        await expect(label).to_contain_text(field.unit)
        await expect(label.locator("small")).to_have_text(field.sentence)
    await page.locator("#fault-drop").fill("0.5")
    await page.locator("#fault-absent").fill("sessions, vehicles")
    await page.locator("#fault-absent").press("Tab")
    await expect(page.get_by_role("alert")).to_be_hidden()
    async with page.expect_response("**/control/faults"):
        pass
    assert (api.sim.faults.drop, api.sim.faults.absent) == (0.5, ["sessions", "vehicles"])
    for value in ("refuse", "503"):
        await page.locator("#fault-outage_how").select_option(value)
        async with page.expect_response("**/control/faults"):
            pass
        assert api.sim.faults.outage_how == value
    await page.locator("#fault-absent").fill("cars")
    await page.locator("#fault-absent").press("Tab")
    await expect(page.get_by_role("alert")).to_contain_text(
        "absent: there is no endpoint 'cars' here"
    )
    for name, sentence in general.ACTIONS.items():
        await expect(page.locator("#actions")).to_contain_text(sentence)
        await page.get_by_role("button", name=name.replace("_", " ")).click()
    assert (await api.call("GET", "/api/v1/charging-locations"))[0] == 401


async def test_a_link_is_lost_and_made_again_on_the_pages(api: Api, page: Page) -> None:
    car = api.sim.vehicle(api.sim.vehicle_ids[0])
    await page.goto(api.sim.url)
    card = page.locator(f"article[data-vehicle='{car.id}']")
    await page.get_by_label("Log-in pages").select_option("2")
    for button, words in (
        ("Lose link (app only)", "link lost"),
        ("Maker takes hours", "waits for its maker"),
        ("Ready to continue", "link lost"),
    ):
        await card.get_by_role("button", name=button).click()
        await expect(card).to_contain_text(words)
    assert (car.is_connected, car.is_connectable) == (False, False)
    assert car.connection_status == "readyToContinue"
    url = f"/api/v1/users/{car.user_id}/vehicles/{car.id}/connect-sessions"
    _, connect = await api.call("POST", url, {})
    for number in (1, 2):
        connect = await api.get(f"/api/v1/users/{car.user_id}/connect-sessions/{connect['id']}")
        await page.goto(connect["startUrl"])
        await expect(page.get_by_text("This is the Jedlix simulator")).to_be_visible()
        await expect(page.locator("main")).to_contain_text(f"Page {number} of 2")
        await page.get_by_role("button", name="Log in", exact=True).click()
        await page.wait_for_url("**/web/end")
    assert (car.is_connected, car.connection_status) == (True, None)
    await page.goto(api.sim.url)
    await page.get_by_label("only in an app").check()
    await expect(page.get_by_label("only in an app")).to_be_checked()
    assert api.sim.linking.needs_app
