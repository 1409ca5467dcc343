"""Shapes: what an answer of the API looks like, never what it says.

A shape cannot hold a value. A value becomes one of the kinds of `KINDS`; a key or a word of an enum becomes a
name only by `_names_of` or `_word`. What they refuse becomes `*`.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
import re
from typing import Final

import orjson

from .reading import plain, words_of

# Bounds of one shape.
MAX_PATHS: Final = 200
MAX_DEPTH: Final = 8
MAX_KEYS: Final = 60
MAX_ITEMS: Final = 20
MAX_KINDS: Final = 40
MAX_NAME_LENGTH: Final = 40
_MAX_TEXT: Final = 100
_MAX_JSON_TEXT: Final = 64 * 1024

ANY_NAME: Final = "*"
WORD: Final = "word "
NEW_WORD: Final = "new word "

_DATE_TIME: Final = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,](\d{1,9}))?(?:(Z)|([+-]\d\d:?\d\d))?", re.ASCII
)
_TEXT_KINDS: Final = tuple(
    (kind, re.compile(pattern, re.ASCII))
    for kind, pattern in (
        ("empty text", r"\s*"),
        ("uuid", r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
        ("uuid without dashes", r"[0-9a-fA-F]{32}"),
        ("date", r"\d{4}-\d\d-\d\d"),
        ("HH:mm", r"\d\d?:\d\d"),
        ("HH:mm:ss", r"\d\d?:\d\d:\d\d(?:\.\d+)?"),
        ("duration", r"P(?=.)(?:\d+[YMWD])*(?:T(?:[\d.]+[HMS])+)?"),
        (
            "time zone",
            r"(?:Africa|America|Asia|Atlantic|Australia|Europe|Etc|Pacific)/[\w/+-]+|UTC",
        ),
        ("number in text", r"[+-]?\d+(?:\.\d+)?"),
        ("boolean in text", r"(?i:true|false)"),
        ("url", r"https?://.*"),
    )
)
_ZONES: Final = ("with Z", "with offset", "without zone")


def _date_time(zone: str, decimals: int) -> str:
    return f"date-time {zone}" + (f", {decimals} decimals" if decimals else "")


_KIND_OF_TYPE: Final[dict[type, str]] = {
    type(None): "null",
    bool: "boolean",
    int: "integer",
    float: "number",
    dict: "object",
    list: "list",
}
_ANOTHER_KIND: Final = "another kind"
KINDS: Final = frozenset(
    {
        *_KIND_OF_TYPE.values(),
        *("text", "long text", "JSON in text", _ANOTHER_KIND),
        *(kind for kind, _ in _TEXT_KINDS),
        *(_date_time(zone, decimals) for zone in _ZONES for decimals in range(10)),
    }
)
"""Everything that can become of a value that is no word of an enum."""

# Words of enums that a source names (documented or SDK). They may be shown wherever they stand.
_KNOWN_WORDS: Final = frozenset(
    re.findall(
        r"\w+",
        """
    unknown complete charging disconnected stopped standard peak offPeak superOffPeak dynamic monday
    tuesday wednesday thursday friday saturday sunday waiting readyToContinue chargeState stateOfCharge
    charge discharge startStopCharging geoLocation desiredStateOfCharge pairing departureTimes
    pullTelemetry pushTelemetry geoFencing boostCharging currentBatteryLevel userCreated
    vehicleConnectionReadyToContinue
    """.lower(),
    )
)
# Fields that hold a word of an enum (documented or SDK), in plain form: a new word of them may be shown.
_ENUM_FIELDS: Final = frozenset(
    {
        *("chargestate", "capabilities", "tarifftype", "connectionstatus", "connectionstate"),
        *("eventtype", "daysofweek"),
    }
)
_WORD: Final = re.compile(r"[A-Za-z]{1,40}")

# A key of these words alone is the name of a field. Any other key may be somebody's name or address.
_FIELD_WORDS: Final = frozenset(
    re.findall(
        r"\w+",
        """
    access account activated activation active actual address agreement allowed amount api area at
    automatic available average battery begin billing bidirectional body boost boosted boosting brand by
    calculated capabilities capability capacity car cars charge charged charger chargers charges
    charging city client co code complete completed configuration connect connectable connected
    connection connector consumption contract control coordinates correlation cost costs count country
    create created currency current data date day days default deleted delivered delivery delta demand
    departure description desired detail details device disabled discharge discharging distance duration
    dynamic efficiency enable enabled end endpoint ended ends energy error errors estimated event events
    expected expires export external failed feature features fee finished first flag flags flex flexible
    forced forecast friday from g geo grid group h has hash history holiday home hour hours house id ids
    import in index info intervals interval is item items key kind kwh kw label language last latest
    latitude level levels limit link linked list locale location locations longitude make managed
    manufacturer max maximum message meta metadata meter method min minimum minute minutes mode model
    monday month name next night no number odometer of off offset on only operator optimised optimized
    optional options order origin page pages partner pause paused payload peak percent percentage period
    phase phases photovoltaic plan plug plugged point position postal postcode power price prices
    priority processed profile provider quantity range rate ready reason received redirect reference
    refresh region reimbursement remaining request requested required response result results resumes
    retry reward round saturday saving savings schedule schedules second seconds sent sequence serial
    service session sessions set setting settings size smart so soc solar source standard start started
    starts state stated status stop stopped street subscription success sunday super supplier supported
    system target tariff tariffs telemetry tenant test thursday time times timestamp timezone title to
    total totals traits tuesday type unit unknown until unmanaged update updated url use used user users
    utility v valid value values vehicle vehicles version vin voltage wednesday webhook webhooks week
    weekday weekend year zip zone
    """,
    )
)
# The only digits are those of CO2 and of V2G.
_NAME: Final = re.compile(r"[A-Za-z](?:[A-Za-z_-]|(?<=[Cc][Oo])2|(?<=[Vv])2(?=[GHgh]))*")

type _Names = Mapping[str, str]


class Shape:
    """The shape of what came, folded together from several answers: paths, kinds and how often each came.

    A path joins keys by dots and ends in `[]` for the items of a list.
    """

    __slots__ = ("_kinds", "_sizes")

    def __init__(self) -> None:
        """Start with nothing seen."""
        self._kinds: dict[str, Counter[str]] = {}
        self._sizes: dict[str, tuple[int, int]] = {}

    def note(self, data: object) -> None:
        """Fold in one answer, however large: only its beginning is looked at."""
        self._note(data, "", "", MAX_DEPTH)

    def as_json(self) -> dict[str, str]:
        """Return a line by path, such as `null (1), uuid (3)`; that of the whole answer is empty."""
        return {path: ", ".join(self._lines(path)) for path in sorted(self._kinds)}

    def _lines(self, path: str) -> Iterator[str]:
        for kind, count in sorted(self._kinds[path].items()):
            if kind == "list":
                kind = "list of {} to {}".format(*self._sizes[path])  # noqa: PLW2901
            yield f"{kind} ({count})"

    def _note(self, value: object, path: str, field: str, depth: int) -> None:
        if not depth or (path not in self._kinds and len(self._kinds) >= MAX_PATHS):
            return
        kinds = self._kinds.setdefault(path, Counter())
        kind = _word(value, field) or _kind_of(value)
        kinds[kind if kind in kinds or len(kinds) < MAX_KINDS else _ANOTHER_KIND] += 1
        if isinstance(value, dict):
            names = _names_of(value)
            for key, item in islice(value.items(), MAX_KEYS):
                name = names[key]
                below = f"{path}.{name}" if path else name
                self._note(item, below, plain(name), depth - 1)
        elif isinstance(value, list):
            low, high = self._sizes.get(path, (len(value), len(value)))
            self._sizes[path] = min(low, len(value)), max(high, len(value))
            for item in value[:MAX_ITEMS]:
                self._note(item, f"{path}[]", field, depth - 1)
        elif isinstance(value, str) and (inner := _json_in(value)) is not None:
            self._note(inner, f"{path}(JSON)", "", depth - 1)


def _kind_of(value: object) -> str:
    """Return the kind of a value, one of KINDS."""
    if isinstance(value, str):
        return _text_kind(value) if _json_in(value) is None else "JSON in text"
    return _KIND_OF_TYPE.get(type(value), _ANOTHER_KIND)


def _text_kind(value: str) -> str:
    if len(value) > _MAX_TEXT:
        return "long text"
    if (found := _DATE_TIME.fullmatch(value)) is not None:
        decimals, utc, offset = found.groups()
        zone = _ZONES[0] if utc else _ZONES[1] if offset else _ZONES[2]
        return _date_time(zone, len(decimals or ""))
    return next((kind for kind, pattern in _TEXT_KINDS if pattern.fullmatch(value)), "text")


def _json_in(value: str) -> object:
    """Return the JSON object that a text holds, None where it holds none."""
    if not value.startswith("{") or len(value) > _MAX_JSON_TEXT:
        return None
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return None


def _word(value: object, field: str) -> str | None:
    """Return what may be shown of a word: a known one, or a new one of a field that holds an enum."""
    if not isinstance(value, str):
        return None
    if value.lower() in _KNOWN_WORDS:
        return WORD + value
    if field in _ENUM_FIELDS and _WORD.fullmatch(value):
        return NEW_WORD + value
    return None


def event_type_name(event_type: str) -> str:
    """Return an event type as it may be shown."""
    return event_type if _WORD.fullmatch(event_type) else ANY_NAME


# -- keys --------------------------------------------------------------------------------------------------


def _names_of(data: Mapping[str, object]) -> _Names:
    """Return the name of each key of an object as it may be shown.

    An object may be keyed by ids or by names of people. A key of unknown words is shown only if it is written
    like the known keys, which must be the majority.
    """
    keys = list(islice(data, MAX_KEYS))
    known = [key for key in keys if _is_known(key)]
    is_record = len(known) * 2 > len(keys)
    starts_upper = {key[0].isupper() for key in known}
    return {
        key: key
        if _is_known(key) or (is_record and _is_name(key) and key[0].isupper() in starts_upper)
        else ANY_NAME
        for key in keys
    }


def _is_known(key: str) -> bool:
    """Return whether a key consists of words of the field alone."""
    return _is_name(key) and all(word in _FIELD_WORDS for word in words_of(key))


def _is_name(key: str) -> bool:
    """Return whether a key looks like an identifier; one with a digit, a space or an @ does not."""
    return len(key) <= MAX_NAME_LENGTH and _NAME.fullmatch(key) is not None
