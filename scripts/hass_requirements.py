"""Requirements that the installed Home Assistant would fetch by itself at its first start.

Run it with the Python of an environment with Home Assistant. It prints the requirements of each component
that a test or the demo loads, and of their dependencies. When these are installed before, a start is quick
and repeatable, and needs no network.
"""

import json
from pathlib import Path

from homeassistant.auth.mfa_modules import totp
from homeassistant.bootstrap import DEFAULT_INTEGRATIONS
import homeassistant.components

CORE = Path(homeassistant.components.__path__[0])
OWN = Path(__file__).parents[1] / "custom_components"

# The components in our configuration.yaml and those that the frontend adds, beside the default ones.
CONFIGURED = {"calendar", "config", "diagnostics", "history", "jedlix", "logbook", "repairs"}


def read_manifest(domain: str) -> dict[str, list[str]]:
    """Return the manifest of a component of ours or of Home Assistant."""
    paths = (folder / domain / "manifest.json" for folder in (OWN, CORE))
    manifest: dict[str, list[str]] = json.loads(next(filter(Path.exists, paths)).read_text("utf-8"))
    return manifest


def main() -> None:
    """Walk the dependencies and print the requirements, sorted."""
    requirements = set(totp.REQUIREMENTS)  # The log-in needs them, and they are in no manifest.
    seen: set[str] = set()
    waiting = {*DEFAULT_INTEGRATIONS, *CONFIGURED}
    while waiting:
        domain = waiting.pop()
        seen.add(domain)
        manifest = read_manifest(domain)
        requirements.update(manifest.get("requirements", ()))
        linked = {*manifest.get("dependencies", ()), *manifest.get("after_dependencies", ())}
        waiting |= linked - seen
    print(*sorted(requirements, key=str.lower), sep="\n")


if __name__ == "__main__":
    main()
