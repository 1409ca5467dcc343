"""Fixtures for tests that write to the disk, in a folder of their own, and not to a dictionary."""

from typing import Any

import pytest


@pytest.fixture
def hass_storage() -> dict[str, Any]:
    """Write to the disk, not to a dictionary."""
    return {}


@pytest.fixture
def hass_config_dir(hass_tmp_config_dir: str) -> str:
    """Write to a folder of this test."""
    return hass_tmp_config_dir
