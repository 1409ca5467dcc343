"""Falsifying a copy of the integration: edits that are found by the code's structure, or fail loudly."""

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
import shutil
import textwrap


class AnchorGone(Exception):
    """An edit does not find its place any more: the table has to follow the code."""


@dataclass(frozen=True, slots=True)
class Prepend:
    """Run this code at the beginning of a function, which is named as in `Class.method`."""

    function: str
    code: str

    def apply(self, folder: Path) -> None:
        """Edit the copy; raises AnchorGone."""
        path, node = _find(folder, self.function)
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            raise AnchorGone(f"{self.function} is no function")
        body = node.body
        has_docstring = ast.get_docstring(node) is not None
        first = body[1] if has_docstring and len(body) > 1 else body[0]
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        begin = min(item.lineno for item in (first, *getattr(first, "decorator_list", ())))
        at = body[0].end_lineno if first is body[0] and has_docstring else begin - 1
        code = textwrap.indent(textwrap.dedent(self.code).strip() + "\n", " " * first.col_offset)
        lines.insert(at or 0, code)
        path.write_text("".join(lines), encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Replace:
    """Replace a text that is there once in a function, class or module constant."""

    where: str
    old: str
    new: str

    def apply(self, folder: Path) -> None:
        """Edit the copy; raises AnchorGone."""
        path, node = _find(folder, self.where)
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        begin, end = node.lineno - 1, node.end_lineno
        part = "".join(lines[begin:end])
        if part.count(self.old) != 1:
            raise AnchorGone(f"{self.where} has {part.count(self.old)} times {self.old!r}")
        lines[begin:end] = [part.replace(self.old, self.new)]
        path.write_text("".join(lines), encoding="utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Falsification:
    """A way in which the integration could be wrong, and the figures of which one has to show it."""

    name: str
    edits: Sequence[Prepend | Replace]
    figures: Sequence[str]
    needs_poll: bool = False
    """Whether only a run with a poll shows it, which takes a minute more."""
    needs_outage: bool = False
    """Whether only the long form shows it, in which one user cannot be read for minutes."""


def returns(name: str, function: str, value: str, *figures: str) -> Falsification:
    """Return a falsification in which a function returns something else."""
    return Falsification(name=name, edits=(Prepend(function, f"return {value}"),), figures=figures)


def replaced(name: str, where: str, old: str, new: str, *figures: str) -> Falsification:
    """Return a falsification in which one text is another."""
    return Falsification(name=name, edits=(Replace(where, old, new),), figures=figures)


def begins(name: str, function: str, code: str, *figures: str) -> Falsification:
    """Return a falsification in which a function does something else first."""
    return Falsification(name=name, edits=(Prepend(function, code),), figures=figures)


def falsify(integration: Path, folder: Path, falsifications: Sequence[Falsification]) -> Path:
    """Copy the integration into a new folder under its own name, falsify it, and return the copy."""
    copy = folder / integration.name
    shutil.copytree(integration, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for falsification in falsifications:
        for edit in falsification.edits:
            try:
                edit.apply(copy)
            except AnchorGone as err:
                raise AnchorGone(f"{falsification.name}: {err}") from None
    for path in copy.rglob("*.py"):
        _parse(path.read_text(encoding="utf-8"))
    return copy


@cache
def _parse(text: str) -> Sequence[ast.stmt]:
    """Return the statements of a file; raises SyntaxError. Each edit of the table meets the same files."""
    compile(text, "falsified", "exec")
    return ast.parse(text).body


def _find(folder: Path, name: str) -> tuple[Path, ast.stmt]:
    """Return the file and the node of a function, class or constant; raises AnchorGone if not exactly one."""
    *above, last = name.split(".")
    found = []
    for path in sorted(folder.rglob("*.py")):
        body = _parse(path.read_text(encoding="utf-8"))
        for part in above:
            classes = [node for node in body if isinstance(node, ast.ClassDef)]
            body = [inner for node in classes if node.name == part for inner in node.body]
        found += [(path, node) for node in body if last in _names(node)]
    if len(found) != 1:
        raise AnchorGone(f"{name} is there {len(found)} times")
    return found[0]


def _names(node: ast.stmt) -> set[str]:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return {node.name}
        case ast.AnnAssign(target=ast.Name(id=name)):
            return {name}
        case ast.Assign(targets=targets):
            return {target.id for target in targets if isinstance(target, ast.Name)}
        case _:
            return set()
