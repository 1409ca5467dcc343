"""Connect sessions: which page may be opened in an ordinary browser, and what no text may show."""

from typing import Any

import pytest

from custom_components.jedlix.api import BadAnswer, ConnectSession

SECRET = "0123456789abcdef"


def session(**fields: Any) -> ConnectSession:
    """Return the one that an answer describes."""
    return ConnectSession.from_json({"id": SECRET, "isFinished": False, **fields})


@pytest.mark.parametrize(
    ("start_url", "page"),
    [
        ("https://host/web/start?sessionId=1&page=2", "https://host/web/start?sessionId=1&page=2"),
        ("https://host/a%20b?c=%2B+d~e", "https://host/a%20b?c=%2B+d~e"),
        ("newtab:https://host/x", "https://host/x"),
        ("https://host/(x)<y> 'z' [é]", "https://host/%28x%29%3Cy%3E%20'z'%20[%C3%A9]"),
        ("http://127.0.0.1:8099/web/start", "http://127.0.0.1:8099/web/start"),
        ("http://[::1]/web/start", "http://[::1]/web/start"),
        ("http://localhost/web/start", "http://localhost/web/start"),
        ("http://host/web/start", None),
        ("http://127.0.0.1.example.com/", None),
        ("https://user:password@host/", None),
        ("https:///path", None),
        ("https://[host/", None),
        ("javascript:alert(1)", None),
        ("//host/path", None),
        ("", None),
        (None, None),
        (7, None),
    ],
)
def test_a_page_is_https_or_on_this_machine_and_cannot_leave_its_link(
    start_url: object, page: str | None
) -> None:
    assert session(startUrl=start_url).page == page


@pytest.mark.parametrize(
    ("info", "has_page"),
    [
        (None, True),
        ({}, True),
        ("", True),
        ({"includeBody": False, "includeCookies": [], "includeRedirectUrl": False}, True),
        ({"includeBody": True}, False),
        ({"includeCookies": ["a"]}, False),
        ({"includeRedirectUrl": True}, False),
    ],
)
def test_what_only_the_web_view_of_an_app_can_send(info: object, has_page: bool) -> None:
    found = session(startUrl="https://host/", redirectInfo=info)
    assert (found.page is not None) == has_page


def test_no_text_shows_the_secrets() -> None:
    shown = repr(session(startUrl=f"https://host/?sessionId={SECRET}", vehicleId="v"))
    assert SECRET not in shown
    assert "v" in shown


@pytest.mark.parametrize("data", [None, [], {}, {"id": ""}])
def test_an_answer_without_an_id_is_none(data: object) -> None:
    with pytest.raises(BadAnswer):
        ConnectSession.from_json(data)
