"""Frontend: a tab with Home Assistant, in one language, and what a person sees in it."""

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
    TimeoutError as PlaywrightTimeout,
    ViewportSize,
)

from ..home_api import HomeApi
from ..translations import translations
from .chromium import PATIENCE

LOCALES = {"en": "en-GB", "nl": "nl-NL", "de": "de-DE", "fr": "fr-FR"}
VIEWPORT: ViewportSize = {"width": 1280, "height": 900}

_HASS = "document.querySelector('home-assistant')?.hass"
_READY = f"{_HASS}?.config?.state === 'RUNNING' && !document.getElementById('ha-launch-screen')"
_NAVIGATE = """path => {
  history.pushState(null, '', path);
  window.dispatchEvent(new CustomEvent('location-changed', {detail: {replace: false}}));
}"""
_SUSPEND = f"""() => {{
  const connection = {_HASS}.connection;
  connection.suspendReconnectUntil(new Promise(resolve => {{ window.wakeUp = resolve; }}));
  connection.suspend();
}}"""
_VISIBLE_TEXTS = """() => {
  const texts = [], range = document.createRange();
  const isSeen = text => {  // checkVisibility() does not see what is in a slot
    range.selectNodeContents(text);
    return range.getClientRects().length > 0;
  };
  const read = node => {
    if (node.nodeType === Node.TEXT_NODE) {
      if (node.data.trim() && isSeen(node)) texts.push(node.data.trim());
    } else if (!['STYLE', 'SCRIPT'].includes(node.nodeName)) {
      (node.shadowRoot?.childNodes ?? []).forEach(read);
      node.childNodes.forEach(read);
      if (typeof node.placeholder === 'string') texts.push(node.placeholder);
    }
  };
  read(document.body);
  return texts;
}"""
_RAW = re.compile(
    r"component\.\w+"  # a key without a translation
    r"|^[a-z]+(_[a-z]+)+\*?$"  # a field (with a star: required) or a state where its name should be
    r"|\{\w+\}"  # a placeholder without a value
)
_CLICKS = 6
_MOMENT = PATIENCE * 1000 / _CLICKS
_NO_PICTURE = "<svg xmlns='http://www.w3.org/2000/svg'/>"


class Frontend:
    """A tab. Its locators find what a person sees, in shadow roots as well."""

    def __init__(self, api: HomeApi, context: BrowserContext, page: Page, language: str) -> None:
        """Use `Frontend.open`."""
        self.page = page
        self.language = language
        self.complaints: list[str] = []
        """The errors in the console."""
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
        """Open a tab of a new person who is not logged in.

        `storage` is the local storage of the browser: `await tokens(api)` is a log-in.
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
        # Home Assistant would fetch the pictures of all other brands from the internet.
        await context.route("**/api/brands/**", _brand)
        # So would the picker of cards, for its examples.
        await context.route("**/stub_config/**", _brand)
        return cls(api, context, await context.new_page(), language)

    async def close(self) -> None:
        """Close the tab with its storage."""
        await self._context.close()

    # Navigation

    async def go(self, path: str) -> None:
        """Load the page at `path` and wait until the frontend is ready, but not for the content."""
        await self.page.goto(path)
        await self.ready()

    async def ready(self) -> None:
        """Wait until the frontend is connected and shown."""
        await self.page.wait_for_function(_READY)

    async def navigate(self, path: str) -> None:
        """Go to `path` without loading the page again, as a click on a link does."""
        await self.page.evaluate(_NAVIGATE, path)

    async def log_in(self, username: str, password: str) -> None:
        """Open the first page and log in."""
        await self.page.goto("/")
        await self.page.locator("input[name=username]").fill(username)
        await self.page.locator("input[name=password]").fill(password)
        await self.page.keyboard.press("Enter")
        await self.ready()

    async def dialog_is_gone(self, dialog: str) -> None:
        """Wait until `dialog` is gone from the browser's history; before that, navigation fails."""
        await self.page.wait_for_function("d => history.state?.dialog !== d", arg=dialog)

    async def suspend(self) -> None:
        """Close the websocket, as the frontend does when its page was hidden for five minutes."""
        await self.page.evaluate(_SUSPEND)
        await self.page.wait_for_function(f"!{_HASS}.connected")

    async def wake_up(self) -> None:
        """Open the websocket again, as the frontend does when its page is shown."""
        await self.page.evaluate("window.wakeUp()")
        await self.page.wait_for_function(f"{_HASS}.connected")

    # Content

    def text(self, key: str, **placeholders: str) -> str:
        """Return the integration's text at `key`, in the language of this tab."""
        return text(self.language, key, **placeholders)

    async def core_text(self, key: str) -> str:
        """Return a text of the frontend itself by its key, without `ui.`; each panel loads its own texts."""
        expression = f"key => {_HASS}.localize('ui.' + key)"
        found: str = await (await self.page.wait_for_function(expression, arg=key)).json_value()
        return found

    def button(self, name: str, within: Locator | None = None) -> Locator:
        """Return the button called `name`."""
        return (within or self.page.locator("body")).get_by_role("button", name=name, exact=True)

    async def search_picker(self, opener: Locator, search: str) -> Locator:
        """Open a picker with its button, and search in it; returns the items of its list.

        A page that still moves can take the first click, and close the picker again.
        """
        picker = self.page.locator("ha-picker-combo-box")
        for _ in range(_CLICKS):
            try:
                if not await picker.is_visible():
                    await opener.click(timeout=_MOMENT)
                await picker.locator("input").fill(search, timeout=_MOMENT)
            except PlaywrightTimeout:
                continue
            return picker.locator("ha-combo-box-item")
        raise AssertionError(f"the picker for {search} does not open")

    async def ask(self, command: str, **fields: Any) -> Any:
        """Send a websocket command over the page's own connection."""
        return await self.page.evaluate(f"m => {_HASS}.callWS(m)", {"type": command, **fields})

    async def until_entity(self, name: str) -> None:
        """Wait until there is an entity called `name`."""
        names = f"Object.values({_HASS}.states).map(state => state.attributes.friendly_name)"
        await self.page.wait_for_function(f"name => {names}.includes(name)", arg=name)

    async def raw_texts(self) -> list[str]:
        """Return the visible texts that are not for people: keys, states, empty placeholders."""
        texts = await self.page.evaluate(_VISIBLE_TEXTS)
        return [shown for shown in texts if _RAW.search(shown)]

    def _fail(self, error: Error) -> None:
        if error.message != "disconnected":  # the page was left while it asked for something
            self.complaints.append(str(error))

    def _listen(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(f"{message.text} ({message.location.get('url', '')})")


async def tokens(api: HomeApi) -> dict[str, str]:
    """Return the local storage of a browser that is logged in."""
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


def text(language: str, key: str, **placeholders: str) -> str:
    """Return the text at `key`, a path with dots; raises `KeyError` where there is none."""
    found: Any = translations(language)
    for part in key.split("."):
        found = found[part]
    if not isinstance(found, str):
        raise KeyError(key)
    return found.format(**placeholders)
