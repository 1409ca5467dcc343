"""manifest.json, and that every file of JSON is JSON."""

from collections.abc import Iterator
import json
from pathlib import Path
import re
from urllib.parse import urlsplit

from awesomeversion import AwesomeVersion, AwesomeVersionStrategy
import voluptuous as vol

from .house import DOMAIN, complaints, house, read_json

_STRATEGIES = [
    AwesomeVersionStrategy.CALVER,
    AwesomeVersionStrategy.SEMVER,
    AwesomeVersionStrategy.SIMPLEVER,
    AwesomeVersionStrategy.BUILDVER,
    AwesomeVersionStrategy.PEP440,
]


def _https(value: str) -> str:
    url = urlsplit(value)
    if url.scheme != "https" or not url.netloc:
        raise vol.Invalid("not an https address")
    if value.startswith("https://www.home-assistant.io/integrations"):
        raise vol.Invalid("a page of core's integrations")
    return value


def _version(value: str) -> str:
    if AwesomeVersion(value).strategy not in _STRATEGIES:
        raise vol.Invalid("not a version")
    return value


def _text_with(pattern: str) -> vol.All:
    return vol.All(str, vol.Match(f"{pattern}$"))


# Keys of discovery are left out: a cloud is not discovered. `categories` and `connectivity` are new in
# 2026.11, and their rules for custom integrations are not known.
_MANIFEST = vol.Schema(
    {
        vol.Required("domain"): DOMAIN,  # That of the folder.
        vol.Required("name"): _text_with(r"\S.*\S"),
        vol.Required("documentation"): vol.All(str, _https),
        vol.Required("issue_tracker"): vol.All(str, _https),  # Required by HACS.
        vol.Required("codeowners"): vol.All([_text_with(r"@[\w-]+(/[\w-]+)?")], vol.Length(min=1)),
        vol.Required("version"): vol.All(str, _version),
        vol.Required("iot_class"): vol.In(
            [
                "assumed_state",
                "calculated",
                "cloud_polling",
                "cloud_push",
                "local_polling",
                "local_push",
            ]
        ),
        "integration_type": vol.In(
            ["device", "entity", "hardware", "helper", "hub", "service", "system"]
        ),
        **dict.fromkeys(("config_flow", "single_config_entry", "import_executor"), bool),
        **{key: [str] for key in ("dependencies", "after_dependencies", "loggers")},
        # What would stand here could break with an upgrade of Home Assistant or of anything else.
        "requirements": vol.All([_text_with(r"\S+")], vol.Length(max=0)),
    }
)


def manifest_is_what_home_assistant_and_hacs_want(root: Path) -> Iterator[str]:
    """Allow known keys with the values that they may have."""
    yield from complaints(_MANIFEST, read_json(house(root) / "manifest.json"), "manifest.json")


def manifest_is_in_order(root: Path) -> Iterator[str]:
    """Want the domain first, then the name, then the rest by the alphabet."""
    keys = list(read_json(house(root) / "manifest.json"))
    if keys != sorted(keys, key=lambda key: (key != "domain", key != "name", key)):
        yield f"manifest.json: {', '.join(keys)}"


def every_json_file_parses(root: Path) -> Iterator[str]:
    """Want JSON in every file that says so."""
    for path in house(root).rglob("*.json"):
        try:
            json.loads(path.read_text())
        except ValueError as err:
            yield f"{path.name}: {err}"


def issues_and_documentation_are_in_one_repository(root: Path) -> Iterator[str]:
    """Want the tracker of the repository that is the documentation, owned by a code owner."""
    manifest = read_json(house(root) / "manifest.json")
    address = str(manifest.get("documentation"))
    if manifest.get("issue_tracker") != f"{address}/issues":
        yield f"manifest.json: the issues are not those of {address}"
    owner = re.match(r"https://github\.com/([^/]+)/", f"{address}/")
    if owner is not None and f"@{owner[1]}" not in manifest.get("codeowners", ()):
        yield f"manifest.json: {owner[1]} is no code owner"


RULES = (
    manifest_is_what_home_assistant_and_hacs_want,
    manifest_is_in_order,
    every_json_file_parses,
    issues_and_documentation_are_in_one_repository,
)
