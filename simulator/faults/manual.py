"""Manual of the faults: their tables as text, for the command's help."""

from textwrap import fill

from .general import ACTIONS, describe
from .kinds import COMMON, KINDS, Effect
from .parameters import Choice, Parameter

_WIDTH = 110


def general_faults() -> str:
    """Return a line for each general fault."""
    rows = [_line(**row) for row in describe()]
    once = [f"{name} (true): {sentence}" for name, sentence in ACTIONS.items()]
    return "\n".join(_wrapped(row, 2) for row in rows + once)


def aimed_faults() -> str:
    """Return a line for each kind and for each of its fields."""
    lines = []
    for effect, fields in COMMON.items():
        lines.append(f"  {effect}: with {', '.join(field.name for field in fields)}")
        for kind in KINDS.values():
            if kind.effect is effect:
                lines.append(_wrapped(f"{kind.name}: {kind.sentence}", 4))
                lines += [_field(field) for field in kind.parameters]
    lines.append("  fields that they share")
    lines += [_field(field) for field in COMMON[Effect.ANSWER]]
    return "\n".join(lines)


def _field(field: Parameter) -> str:
    note = "required" if field.required else field.default
    if isinstance(field, Choice):
        note = " or ".join(map(str, field.options))
    return _wrapped(_line(field.name, field.unit, field.sentence, note), 6)


def _line(name: str, unit: str, sentence: str, default: object) -> str:
    value = "" if default in (None, "", []) else str(default)
    notes = ", ".join(filter(None, (unit, value)))
    return f"{name}{notes and f' ({notes})'}: {sentence}"


def _wrapped(text: str, indent: int) -> str:
    return fill(
        text,
        _WIDTH,
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent + 4),
        break_on_hyphens=False,
    )
