"""What the tests with real processes share."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Name the mark, so that `-m 'not e2e'` leaves these out."""
    config.addinivalue_line("markers", "e2e: runs real processes; takes tens of seconds")
