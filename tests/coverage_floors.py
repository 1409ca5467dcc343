"""A pytest plugin: how much of the integration the tests must cover, as a whole and in parts.

Loaded beside `--cov` with `-p tests.coverage_floors`, by scripts/test when it runs everything. What lies
below its floor, or was not measured at all, stands among the errors of the run, and the run fails.
"""

from collections.abc import Generator, Iterator
from io import StringIO
from pathlib import Path

import coverage
import pytest

INTEGRATION = "custom_components/jedlix"
# Percent of lines and branches. Every module has its floor; higher are those of what talks with the outside
# world, and of those that decide which changes are published.
FLOORS = {
    **{path.as_posix(): 95 for path in sorted(Path(INTEGRATION).rglob("*.py"))},
    f"{INTEGRATION}/config_flow.py": 100,
    f"{INTEGRATION}/api/*": 100,
    f"{INTEGRATION}/push/*": 100,
    f"{INTEGRATION}/state/*": 100,
}


def pytest_sessionstart() -> None:
    """Remove what an earlier run measured, so that it cannot stand in for this one."""
    Path(coverage.Coverage().config.data_file).unlink(missing_ok=True)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Compare when pytest-cov is done; by then every test has run."""
    result = yield
    reporter = session.config.pluginmanager.getplugin("terminalreporter")
    if reporter is not None:  # pytest-xdist's workers have none.
        missed = [as_error(path, reason) for path, reason in find_missed_floors()]
        reporter.stats.setdefault("error", []).extend(missed)
        session.testsfailed += len(missed)
    return result


def find_missed_floors() -> Iterator[tuple[str, str]]:
    """Yield what is not covered well enough, and why."""
    measured = coverage.Coverage()
    measured.load()
    for path, floor in FLOORS.items():
        try:
            percent = measured.report(include=[path], file=StringIO())
        except coverage.CoverageException as err:
            yield path, f"coverage was not measured: {err}"
        else:
            if percent < floor:
                yield path, f"coverage is {percent:.2f} %, its floor {floor} %"


def as_error(path: str, reason: str) -> pytest.TestReport:
    """Return what pytest's summary shows."""
    return pytest.TestReport(path, (path, None, path), {}, "failed", reason, "teardown")
