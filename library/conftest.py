"""Fixtures of the library's tests."""

pytest_plugins = ["tests.simulators"]
