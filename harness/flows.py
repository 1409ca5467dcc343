"""Flows over REST: forms filled in step by step, as the frontend does."""

import asyncio
from collections.abc import Mapping
from typing import Any, Self

from .home_api import HomeApi

DOMAIN = "jedlix"
CONFIG = "config"
OPTIONS = "options"
_PATHS = {
    CONFIG: "config/config_entries/flow",
    OPTIONS: "config/config_entries/options/flow",
}
PROGRESS_PATIENCE = 60.0
"""Seconds; the connection test itself gives up after less."""


class FlowFailed(Exception):
    """A flow did not go where it should; the message is what a person would have read.

    `step` is the form, `errors` are the keys of its errors (by field, or "base"), `reason` is the key of
    an abort.
    """

    def __init__(
        self,
        message: str,
        *,
        step: str = "",
        errors: Mapping[str, str] | None = None,
        reason: str = "",
    ) -> None:
        """Keep the keys beside the message."""
        super().__init__(message)
        self.step = step
        self.errors = dict(errors or {})
        self.reason = reason


class Flow:
    """One flow, from its first step to its end."""

    def __init__(self, api: HomeApi, kind: str, answer: dict[str, Any]) -> None:
        """Use `Flow.begin`."""
        self._api = api
        self._kind = kind
        self._sent: set[str] = set()
        self.answer = answer
        """The last answer of Home Assistant: the form now shown, or the end."""

    @classmethod
    async def begin(cls, api: HomeApi, kind: str, handler: str, **fields: Any) -> Self:
        """Start a flow of `kind`; `handler` is the domain, or the entry for its options."""
        body = {"handler": handler, **fields}
        flow = cls(api, kind, await api.rest("POST", _PATHS[kind], body))
        await flow._settle()
        return flow

    @classmethod
    async def resume(cls, api: HomeApi, kind: str, flow_id: str) -> Self:
        """Open a flow of `kind` that Home Assistant has started by itself."""
        return cls(api, kind, await api.rest("GET", f"{_PATHS[kind]}/{flow_id}"))

    @property
    def step(self) -> str:
        """The form or menu now shown; empty when the flow is over."""
        is_shown = self.answer["type"] in ("form", "menu")
        return str(self.answer.get("step_id") or "") if is_shown else ""

    @property
    def fields(self) -> list[dict[str, Any]]:
        """The fields of the form now shown, as the frontend gets them."""
        return list(self.answer.get("data_schema") or [])

    async def submit(self, step: str, data: Mapping[str, Any]) -> str:
        """Fill in the form `step`, wait for any progress to end, and return the step that follows.

        Raises `FlowFailed` when another form is shown, when the form comes back with
        errors, and when the flow is aborted.
        """
        if self.step != step:
            raise FlowFailed(f"expected the form {step!r}, got {self._shown()}", step=self.step)
        self._sent.add(step)
        self.answer = await self._api.rest("POST", self._path, data)
        await self._settle(sent=step)
        return self.step

    async def choose(self, step: str, option: str) -> str:
        """Choose an option of the menu `step`, and return the step that follows."""
        return await self.submit(step, {"next_step_id": option})

    def result(self) -> dict[str, Any]:
        """Return the answer with which the flow ended; raises `FlowFailed` when it has not ended."""
        if self.answer["type"] != "create_entry":
            raise FlowFailed(f"the flow is not over: it shows {self._shown()}", step=self.step)
        return self.answer

    @property
    def _path(self) -> str:
        return f"{_PATHS[self._kind]}/{self.answer['flow_id']}"

    def _shown(self) -> str:
        kind = self.answer["type"]
        return f"the form {self.step!r}" if kind == "form" else f"{kind!r}"

    async def _settle(self, *, sent: str = "") -> None:
        """Wait for progress to end, then raise if it failed. Errors in a form that is new are only advice."""
        try:
            async with asyncio.timeout(PROGRESS_PATIENCE):
                # The step after a progress step runs only when it is asked for.
                while self.answer["type"] == "progress":
                    await asyncio.sleep(0.1)
                    self.answer = await self._api.rest("GET", self._path)
        except TimeoutError:
            action = self.answer.get("progress_action")
            message = f"{action!r} was still going on after {PROGRESS_PATIENCE:.0f} s"
            raise FlowFailed(message, step=sent) from None
        if self.answer["type"] == "abort":
            reason = str(self.answer["reason"])
            text = await self._text(f"abort.{reason}")
            raise FlowFailed(f"the flow was aborted: {text}", step=sent, reason=reason)
        if self.step in self._sent and (errors := self.answer.get("errors")):
            texts = [
                (f"{field}: " if field != "base" else "") + await self._text(f"error.{key}")
                for field, key in errors.items()
            ]
            message = f"the form {self.step!r} came back: {' '.join(texts)}"
            raise FlowFailed(message, step=self.step, errors=errors)

    async def _text(self, key: str) -> str:
        """Return the English text that the frontend shows for `key`, else the key itself."""
        async with await self._api.websocket() as socket:
            answer = await socket.call(
                "frontend/get_translations",
                language="en",
                category=self._kind,
                integration=[DOMAIN],
                **({"config_flow": True} if self._kind == CONFIG else {}),
            )
        text = str(answer["resources"].get(f"component.{DOMAIN}.{self._kind}.{key}", key))
        for name, value in (self.answer.get("description_placeholders") or {}).items():
            text = text.replace(f"{{{name}}}", str(value))
        return text
