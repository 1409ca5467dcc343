"""Leaks: keys, secrets, tokens and addresses of persons in logs, diagnostics, database and states."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
import json
from pathlib import Path
import re
from typing import Any

from .truth import Truth

_DATABASE = "home-assistant_v2.db"
_COORDINATE = re.compile(r"-?\d+\.\d+")


@dataclass(slots=True)
class Leaks:
    """The secrets of a run, and the places that are searched for them."""

    secrets: dict[str, str]
    places: dict[str, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path, truth: Truth, jedlix: Mapping[str, Any]) -> Leaks:
        """Collect the secrets: what the tenant gave, what Home Assistant keeps, where the users live."""
        found = {name: str(jedlix[name]) for name in ("client_secret", "api_key")}
        entry = stored_entry(folder)
        found |= {name: entry[name] for name in ("webhook_key", "webhook_id")}
        found |= {f"token {number}": token for number, token in enumerate(truth.tokens)}
        for user in truth.users:
            for place in user["locations"]:
                for name in ("street", "postal_code", "latitude", "longitude"):
                    if not _may_be_an_amount(place[name]):
                        found[f"{name} of {user['id']}"] = str(place[name])
        return cls(found)

    def keep(self, place: str, content: Any) -> None:
        """Keep what is shown somewhere."""
        text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
        self.places[place] = self.places.get(place, b"") + text.encode()

    def read_files(self, folder: Path) -> None:
        """Read the database and the logs of a Home Assistant that was stopped."""
        logs = [*folder.glob("*.log"), *folder.glob("*.log.*")]
        for place, files in (("database", folder.glob(f"{_DATABASE}*")), ("log", logs)):
            self.places[place] = b"".join(path.read_bytes() for path in files)

    def found(self) -> Iterator[str]:
        """Yield each secret that is somewhere, without itself; and each place that could not be searched."""
        for place, content in self.places.items():
            if not content:
                yield f"nothing was read of the {place}"
            for name, secret in self.secrets.items():
                # The webhook's address is in the log of Home Assistant's own component.
                if name == "webhook_id" and place == "log":
                    continue
                if _is_in(secret, content):
                    yield f"the {name} is in the {place}"


def stored_entry(folder: Path) -> Mapping[str, str]:
    """Return what Home Assistant keeps of the account."""
    content = json.loads((folder / ".storage/core.config_entries").read_text("utf-8"))
    entries = content["data"]["entries"]
    return next(entry["data"] for entry in entries if entry["domain"] == "jedlix")


def _is_in(secret: str, content: bytes) -> bool:
    """Say whether a secret is in a content; a coordinate is a whole number, not a part of another one."""
    if not _COORDINATE.fullmatch(secret):
        return secret.encode() in content
    return re.search(rb"(?<![\d.])" + re.escape(secret.encode()) + rb"(?!\d)", content) is not None


def _may_be_an_amount(value: str | float) -> bool:
    """Say whether a coordinate has so few decimals that an amount of energy or money can contain it."""
    return isinstance(value, float) and len(str(value).partition(".")[2]) < 5
