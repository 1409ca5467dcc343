"""One person in front of Home Assistant: a tab, in one language, and what is seen in it."""

import json
import re
import time
from typing import Any, Self

from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Locator,
    Page,
    Route,
    ViewportSize,
)

from ..home_api import HomeApi
from .chromium import PATIENCE
from .texts import text

LOCALES = {"en": "en-GB", "nl": "nl-NL", "de": "de-DE", "fr": "fr-FR"}
VIEWPORT: ViewportSize = {"width": 1280, "height": 900}

_HASS = "document.querySelector('home-assistant')?.hass"
_READY = f"{_HASS}?.config?.state === 'RUNNING' && !document.getElementById('ha-launch-screen')"
_WALK = """path => {
  history.pushState(null, '', path);
  window.dispatchEvent(new CustomEvent('location-changed', {detail: {replace: false}}));
}"""
_VISIBLE_TEXTS = """() => {
  const texts = [], range = document.createRange();
  const isSeen = text => {  // checkVisibility() would not see what stands in a slot
    range.selectNodeContents(text);
    return range.getClientRects().length > 0;
  };
  const read = node => {
    if (node.nodeType === Node.TEXT_NODE) {
      if (node.data.trim() && isSeen(node)) texts.push(node.data.trim());
    } else if (!['STYLE', 'SCRIPT'].includes(node.nodeName)) {
      (node.shadowRoot?.childNodes ?? []).forEach(read);
      node.childNodes.forEach(read);
      if (node.placeholder) texts.push(node.placeholder);
    }
  };
  read(document.body);
  return texts;
}"""
_RAW = re.compile(
    r"component\.\w+"  # a key that nobody translated
    r"|^[a-z]+(_[a-z]+)+\*?$"  # a field (with a star: required) or a state where its name should be
    r"|\{\w+\}"  # a placeholder that nobody filled in
)
_NO_PICTURE = "<svg xmlns='http://www.w3.org/2000/svg'/>"


class Frontend:
    """A tab. Its locators find what a person sees, in shadow roots too."""

    def __init__(self, api: HomeApi, context: BrowserContext, page: Page, language: str) -> None:
        """Use `Frontend.open`."""
        self.page = page
        self.language = language
        self.complaints: list[str] = []
        """What the console called an error."""
        self._api = api
        self._context = context
        page.on("console", self._listen)
        page.on("pageerror", self._fail)

    @classmethod
    async def open(
        cls,
        browser: Browser,
        api: HomeApi,
        *,
        language: str = "en",
        sharp: bool = False,
        storage: dict[str, str] | None = None,
    ) -> Self:
        """Open a tab of a person who has never been here and is not logged in.

        `storage` is what the browser keeps for the page: `await tokens(api)` is a log-in.
        """
        context = await browser.new_context(
            base_url=api.base_url,
            viewport=VIEWPORT,
            device_scale_factor=2 if sharp else 1,
            locale=LOCALES[language],
            timezone_id="Europe/Amsterdam",
            reduced_motion="reduce",
            service_workers="block",
            storage_state={
                "cookies": [],
                "origins": [
                    {
                        "origin": api.base_url,
                        "localStorage": [
                            {"name": name, "value": value}
                            for name, value in (storage or {}).items()
                        ],
                    }
                ],
            },
        )
        context.set_default_timeout(PATIENCE * 1000)
        # Home Assistant would ask the internet for the pictures of every other brand.
        await context.route("**/api/brands/**", _brand)
        return cls(api, context, await context.new_page(), language)

    async def close(self) -> None:
        """Close the tab and forget what it knew."""
        await self._context.close()

    # Going somewhere

    async def go(self, path: str) -> None:
        """Load the page at `path` and wait until Home Assistant is there; not for its content."""
        await self.page.goto(path)
        await self.ready()

    async def ready(self) -> None:
        """Wait until the frontend is connected and shows itself."""
        await self.page.wait_for_function(_READY)

    async def walk(self, path: str) -> None:
        """Go to `path` inside of the page that is open, as a click on a link does."""
        await self.page.evaluate(_WALK, path)

    async def log_in(self, username: str, password: str) -> None:
        """Come to the front door and log in."""
        await self.page.goto("/")
        await self.page.locator("input[name=username]").fill(username)
        await self.page.locator("input[name=password]").fill(password)
        await self.page.keyboard.press("Enter")
        await self.ready()

    async def dialog_is_gone(self, dialog: str) -> None:
        """Wait until `dialog` has left the browser's history; before, going elsewhere fails."""
        await self.page.wait_for_function("d => history.state?.dialog !== d", arg=dialog)

    # What is there

    def text(self, key: str, **placeholders: str) -> str:
        """Return our own text at `key`, in the language of this person."""
        return text(self.language, key, **placeholders)

    async def word(self, key: str) -> str:
        """Return a text of the frontend itself by its key, without `ui.`; a panel brings its own."""
        expression = f"key => {_HASS}.localize('ui.' + key)"
        word: str = await (await self.page.wait_for_function(expression, arg=key)).json_value()
        return word

    def button(self, name: str, within: Locator | None = None) -> Locator:
        """Return the button called `name`."""
        return (within or self.page.locator("body")).get_by_role("button", name=name, exact=True)

    async def ask(self, command: str, **fields: Any) -> Any:
        """Send a websocket command over the page's own connection."""
        return await self.page.evaluate(f"m => {_HASS}.callWS(m)", {"type": command, **fields})

    async def knows_state_of(self, name: str) -> None:
        """Wait until there is an entity called `name`."""
        names = f"Object.values({_HASS}.states).map(state => state.attributes.friendly_name)"
        await self.page.wait_for_function(f"name => {names}.includes(name)", arg=name)

    async def raw_texts(self) -> list[str]:
        """Return what is visible and was meant for machines: keys, states, empty placeholders."""
        texts = await self.page.evaluate(_VISIBLE_TEXTS)
        return [words for words in texts if _RAW.search(words)]

    def _fail(self, error: Error) -> None:
        if error.message != "disconnected":  # the page was left while it asked for something
            self.complaints.append(str(error))

    def _listen(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(f"{message.text} ({message.location.get('url', '')})")


async def tokens(api: HomeApi) -> dict[str, str]:
    """Return what a browser keeps of a person who is logged in."""
    answer = await api.sign_in()
    kept = {
        **answer,
        "hassUrl": api.base_url,
        "clientId": f"{api.base_url}/",
        "expires": int((time.time() + answer["expires_in"]) * 1000),
    }
    return {"hassTokens": json.dumps(kept)}


async def _brand(route: Route) -> None:
    if "/jedlix/" in route.request.url:
        await route.continue_()
    else:
        await route.fulfill(body=_NO_PICTURE, content_type="image/svg+xml")
