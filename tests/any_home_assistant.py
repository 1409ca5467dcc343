"""Runs pytest with a Home Assistant that may be newer than the tests' plugin.

    python -m tests.any_home_assistant PYTEST-ARGS

The plugin is made for one Home Assistant. A newer one may have lost a name that the plugin imports, and wants
to be imported before the plugin imports httpx. So Home Assistant comes first here, and a mock stands for each
name that is gone. A test that needs such a name fails.
"""

from importlib import import_module
import os
import sys
from unittest.mock import MagicMock

import pytest

PLUGIN = "pytest_homeassistant_custom_component"
LOST_NAMES = "JEDLIX_TESTS_LOST_NAMES"
"""The variable for the names that are gone, each with its module, separated by spaces."""


def main() -> int:
    """Run pytest and return its exit code."""
    import_module("homeassistant")
    lost = os.environ.get(LOST_NAMES, "").split()
    for name in lost:
        module, _, attribute = name.rpartition(".")
        setattr(import_module(module), attribute, MagicMock(name=name))
    try:
        import_module(f"{PLUGIN}.plugins")
    except ImportError as err:
        name = f"{err.name}.{err.name_from}"
        if err.name_from is None or not name.startswith("homeassistant.") or name in lost:
            raise
        # Half of the plugin has been imported and has changed Home Assistant: begin again.
        print(f"{PLUGIN} imports {name}, which this Home Assistant does not have.", flush=True)
        os.environ[LOST_NAMES] = " ".join([*lost, name])
        os.execv(sys.executable, [sys.executable, "-m", "tests.any_home_assistant", *sys.argv[1:]])
    # Plugins of pytest have been imported by now, which pytest warns of.
    return pytest.main(["-W", "ignore::pytest.PytestAssertRewriteWarning", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
