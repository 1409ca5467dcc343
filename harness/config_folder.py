"""Configuration folder of a Home Assistant: enough to run, and no first-run pages."""

from collections.abc import Mapping
import json
from pathlib import Path
from zoneinfo import ZoneInfo

TIME_ZONE = ZoneInfo("Europe/Amsterdam")
CONFIGURATION = f"""\
# Written by harness/config_folder.py for one run.
homeassistant:
  name: Home
  country: NL
  currency: EUR
  language: en
  latitude: 52.0907
  longitude: 5.1214
  elevation: 5
  time_zone: {TIME_ZONE}
  unit_system: metric

history:
logbook:
automation: !include automations.yaml
script: !include scripts.yaml

logger:
  default: warning
  logs:
    # Cameras and speech are always set up, and miss programs that are not needed here.
    haffmpeg.core: critical
    haffmpeg.tools: critical
    homeassistant.components.camera.img_util: critical
"""

ONBOARDING = {
    "version": 4,
    "minor_version": 1,
    "key": "onboarding",
    "data": {"done": ["core_config", "analytics", "integration"]},
}
"""All first-run pages are done but the user's: the user is made over REST, which needs that one."""


def _http(port: int) -> dict[str, object]:
    """Return the web server's settings, as every version from 2026.9 on reads them.

    Home Assistant would take a `http:` block in the configuration back after five minutes, and `SETUP_PORT`
    listens on the network, where everybody knows the password.
    """
    stable = {
        "server_host": ["127.0.0.1"],
        "server_port": port,
        "cors_allowed_origins": [],
        "login_attempts_threshold": -1,
        "ip_ban_enabled": False,
        "ssl_profile": "intermediate",
        "use_x_frame_options": True,
        "created_at": "2026-01-01T00:00:00+00:00",
        "error": None,
        "error_message": None,
    }
    data = {"stable": stable, "pending": None, "yaml_migration_done": True}
    return {"version": 2, "minor_version": 2, "key": "http", "data": data}


def prepare(
    folder: Path,
    integration: Path,
    *,
    port: int,
    log_levels: Mapping[str, str] | None = None,
) -> None:
    """Write the folder, which must be new, with a link to `integration` under its own name.

    It is a link, not a copy: while a demo is open, a changed file needs only a restart.
    """
    (folder / ".storage").mkdir(parents=True, exist_ok=True)
    (folder / "custom_components").mkdir(exist_ok=True)
    (folder / "custom_components" / integration.name).symlink_to(
        integration, target_is_directory=True
    )
    levels = "".join(f"    {logger}: {level}\n" for logger, level in (log_levels or {}).items())
    (folder / "configuration.yaml").write_text(CONFIGURATION + levels, encoding="utf-8")
    (folder / "automations.yaml").write_text("[]\n", encoding="utf-8")
    (folder / "scripts.yaml").write_text("{}\n", encoding="utf-8")
    for store in (ONBOARDING, _http(port)):
        path = folder / ".storage" / str(store["key"])
        path.write_text(json.dumps(store), encoding="utf-8")


def add_component(folder: Path, component: Path) -> None:
    """Link one more custom component into the folder; the next start sets it up."""
    (folder / "custom_components" / component.name).symlink_to(component, target_is_directory=True)
    set_up(folder, component.name)


def set_up(folder: Path, component: str) -> None:
    """Have the next start set up one more component."""
    with (folder / "configuration.yaml").open("a", encoding="utf-8") as configuration:
        configuration.write(f"\n{component}:\n")
