"""Shapes: the form of an answer is seen, and nothing of what it says."""

import re
from typing import Any, Final

from hypothesis import given, strategies as st
import orjson
import pytest

from custom_components.jedlix.api import shapes
from custom_components.jedlix.api.shapes import KINDS, Shape, event_type_name

UUID: Final = "67f6ce94-096e-4ca0-9c16-e12805f22f0f"


def shape_of(*answers: object) -> dict[str, str]:
    """Return the shape of these answers."""
    shape = Shape()
    for answer in answers:
        shape.note(answer)
    return shape.as_json()


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, "null"),
        (True, "boolean"),
        (1, "integer"),
        (1.5, "number"),
        ("", "empty text"),
        ("Kerkstraat 12", "text"),
        ("x" * 101, "long text"),
        (UUID, "uuid"),
        (UUID.replace("-", ""), "uuid without dashes"),
        ("2026-11-25T10:11:12.123Z", "date-time with Z, 3 decimals"),
        ("2026-11-25T10:11:12Z", "date-time with Z"),
        ("2026-11-25T10:11:12.123456", "date-time without zone, 6 decimals"),
        ("2026-11-25T10:11:12", "date-time without zone"),
        ("2026-11-25 10:11:12+01:00", "date-time with offset"),
        ("2026-11-25", "date"),
        ("24:00", "HH:mm"),
        ("07:30:00", "HH:mm:ss"),
        ("PT8H30M", "duration"),
        ("Europe/Amsterdam", "time zone"),
        ("52.0907", "number in text"),
        ("True", "boolean in text"),
        ("https://example.org/jan", "url"),
        ("charging", "word charging"),
        ("Charging", "word Charging"),
        ("jan@example.org", "text"),
    ],
)
def test_a_value_becomes_its_kind(value: object, kind: str) -> None:
    assert shape_of(value) == {"": f"{kind} (1)"}


def test_a_list_of_objects_is_folded_into_its_paths() -> None:
    cars = [
        {"id": UUID, "chargeState": {"batteryLevel": 55}, "capabilities": ["charge"]},
        {"id": UUID, "chargeState": None, "capabilities": []},
    ]
    assert shape_of(cars, []) == {
        "": "list of 0 to 2 (2)",
        "[]": "object (2)",
        "[].capabilities": "list of 0 to 1 (2)",
        "[].capabilities[]": "word charge (1)",
        "[].chargeState": "null (1), object (1)",
        "[].chargeState.batteryLevel": "integer (1)",
        "[].id": "uuid (2)",
    }


def test_a_page_is_told_from_a_list() -> None:
    page = {"pageIndex": 1, "pageSize": 100, "totalPages": 1, "totalCount": 1, "items": [{}]}
    assert shape_of(page)["items"] == "list of 1 to 1 (1)"


def test_a_message_that_is_kept_as_text_is_looked_into() -> None:
    seen = shape_of({"payload": orjson.dumps({"eventType": "sessionStarted"}).decode()})
    assert seen["payload"] == "JSON in text (1)"
    assert seen["payload(JSON).eventType"] == "new word sessionStarted (1)"
    assert shape_of({"payload": "{no JSON"})["payload"] == "text (1)"


@pytest.mark.parametrize(
    ("field", "value", "kind"),
    [
        ("chargeState", "paused", "new word paused"),
        ("charge_state", "Paused", "new word Paused"),
        ("capabilities", ["newThing"], "new word newThing"),
        ("chargeState", "paused since 12:00", "text"),
        ("chargeState", "x" * 41, "text"),
        ("chargeState", "XJ12AB", "text"),
        ("brand", "Tesla", "text"),
        ("city", "Utrecht", "text"),
    ],
)
def test_a_new_word_is_shown_only_where_an_enum_is_known(
    field: str, value: object, kind: str
) -> None:
    path = f"{field}[]" if isinstance(value, list) else field
    assert shape_of({field: value})[path] == f"{kind} (1)"


# -- keys --------------------------------------------------------------------------------------------------

RECORD: Final = {"id": 1, "userId": 1, "createdAt": 1}


@pytest.mark.parametrize(
    ("data", "keys"),
    [
        (RECORD, {"id", "userId", "createdAt"}),
        ({"Id": 1, "UserId": 1}, {"Id", "UserId"}),
        ({"start_time": 1, "end-time": 1}, {"start_time", "end-time"}),
        ({"co2Savings": 1, "v2gEnabled": 1}, {"co2Savings", "v2gEnabled"}),
        # A new field of a record is what the report is for.
        (RECORD | {"wallboxHumidity": 1}, {*RECORD, "wallboxHumidity"}),
        # Keys that are ids, addresses, plates or names.
        (RECORD | {UUID: 1}, {*RECORD, "*"}),
        (RECORD | {"jan@example.org": 1}, {*RECORD, "*"}),
        (RECORD | {"Kerkstraat 12": 1}, {*RECORD, "*"}),
        (RECORD | {"XJ12AB": 1}, {*RECORD, "*"}),
        (RECORD | {"Jansen": 1}, {*RECORD, "*"}),
        (RECORD | {"x" * 41: 1}, {*RECORD, "*"}),
        (RECORD | {"": 1}, {*RECORD, "*"}),
        ({"jan": 1, "piet": 1}, {"*"}),
        ({"jan": 1}, {"*"}),
        ({"Jansen": 1, "total": 1}, {"*", "total"}),
        ({"jansen": 1, "total": 1}, {"*", "total"}),
        # Nothing about a field's style is known where no key is.
        ({"monday": 1, "tuesday": 1}, {"monday", "tuesday"}),
        ({"Bezirk": 1, "Strasse": 1}, {"*"}),
    ],
)
def test_a_key_is_shown_only_where_it_is_the_name_of_a_field(
    data: dict[str, object], keys: set[str]
) -> None:
    assert shape_of(data).keys() - {""} == keys


def test_an_event_type_is_shown_where_it_is_a_word() -> None:
    assert event_type_name("sessionStarted") == "sessionStarted"
    assert event_type_name("for jan@example.org") == "*"


# -- for every answer --------------------------------------------------------------------------------------

NAMES: Final = {"id", "userId", "chargeState", "capabilities", "address", "items", "payload"}
SECRETS: Final = st.text(max_size=60).map(lambda it: f"{it}secret 7{it}")
VALUES: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | SECRETS,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(SECRETS | st.sampled_from(sorted(NAMES)), inner, max_size=6)
    ),
    max_leaves=40,
)


@given(st.lists(VALUES, max_size=4))
def test_nothing_of_any_answer_is_in_its_shape(answers: list[object]) -> None:
    for path, line in shape_of(*answers).items():
        assert set(re.split(r"[.\[\]]+|\(JSON\)", path)) <= {*NAMES, "*", ""}
        found = re.findall(r"(.+?)(?: of \d+ to \d+)? \(\d+\)(?:, |$)", line)
        assert set(found) <= KINDS, line


def test_what_a_shape_holds_is_bounded() -> None:
    deep: Any = UUID
    for _ in range(500):
        deep = {"items": deep}
    names = [f"charge{'State' * n}" for n in range(7)]
    wide = {a: {b: dict.fromkeys(names) for b in names} for a in names}
    words = [{"chargeState": f"word{chr(97 + n % 26) * (n // 26 + 1)}"} for n in range(500)]
    shape = Shape()
    for data in (deep, wide, words, [UUID] * 100_000, dict.fromkeys(map(str, range(100_000)))):
        for _ in range(3):
            shape.note(data)
    for word in words:
        shape.note(word)
    seen = shape.as_json()
    assert len(seen) <= shapes.MAX_PATHS
    assert max(path.count("items") for path in seen) < shapes.MAX_DEPTH
    assert seen["chargeState"].count("new word") <= shapes.MAX_KINDS
    assert "another kind" in seen["chargeState"]
