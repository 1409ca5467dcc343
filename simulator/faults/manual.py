"""Manual of the faults: their tables as text, for the command's help."""

from textwrap import fill

from .general import ACTIONS, PARAMETERS
from .kinds import COMMON, KINDS, Effect
from .parameters import Choice, Parameter

_WIDTH = 110


def general_faults() -> str:
    """Return a line for each general fault."""
    once = [f"{name} (true): {sentence}" for name, sentence in ACTIONS.items()]
    return "\n".join(
        [
            *(_field(item, 2) for item in PARAMETERS.values()),
            *(_wrapped(row, 2) for row in once),
        ]
    )


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


def _field(field: Parameter, indent: int = 6) -> str:
    note = "required" if field.required else field.default
    if isinstance(field, Choice):
        note = " or ".join(map(str, field.options))
    value = "" if note in (None, "", []) else str(note)
    notes = ", ".join(filter(None, (field.unit, value)))
    return _wrapped(f"{field.name}{notes and f' ({notes})'}: {field.sentence}", indent)


def _wrapped(text: str, indent: int) -> str:
    return fill(
        text,
        _WIDTH,
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent + 4),
        break_on_hyphens=False,
    )
