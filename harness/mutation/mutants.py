"""Mutants: small changes of a module, found by the structure of its code.

Changed are comparisons, parts of conditions, conditions, numbers, truth values, `min` and `max`, `any` and
`all`, returned values; left out are single statements that do or remember something. Texts, annotations,
decorators and what is logged stay as they are.
"""

import ast
import copy
from dataclasses import dataclass
from typing import override

_SWAPPED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_OPPOSITE: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
_OTHER_FUNCTION = {"min": "max", "max": "min", "any": "all", "all": "any"}
_LOGGER = "_LOGGER"
_SHOWN = 60
"""Characters of the code that a name shows."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: the characters from `begin` to `end` of a module become `new`."""

    path: str
    """Relative to the root of the project, with slashes."""
    where: str
    """The function or class, as in `Class.method`; empty outside of them."""
    line: int
    lines: range
    """Of the statement, from its first line to the end of what is changed."""
    begin: int
    end: int
    old: str
    new: str

    @property
    def name(self) -> str:
        """The name by which a person, and a run that goes on, finds it again."""
        return f"{self.path}:{self.line} {self.where}: {_brief(self.old)} -> {_brief(self.new)}"

    def apply(self, source: str) -> str:
        """Return the module with this change."""
        return source[: self.begin] + self.new + source[self.end :]


def mutants_of(path: str, source: str) -> list[Mutant]:
    """Return all mutants of a module, in the order of the code."""
    finder = _Finder(path, source)
    finder.visit(ast.parse(source))
    return [mutant for mutant in finder.found if _compiles(mutant.apply(source))]


def _compiles(source: str) -> bool:
    try:
        compile(source, "mutant", "exec")
    except SyntaxError:
        return False
    return True


def _brief(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


class _Finder(ast.NodeVisitor):
    """Walks through a module and collects its mutants."""

    def __init__(self, path: str, source: str) -> None:
        self._path = path
        self._source = source
        self._lines = [0]
        for line in source.splitlines(keepends=True):
            self._lines.append(self._lines[-1] + len(line))
        self._names: list[str] = []
        self._statement = 1
        self.found: list[Mutant] = []

    # -- where mutants are looked for ------------------------------------------------------------------------

    @override
    def visit(self, node: ast.AST) -> None:
        if isinstance(node, ast.stmt):
            self._statement = node.lineno
        super().visit(node)

    @override
    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._visit_named(node)

    @override
    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._visit_named(node)

    @override
    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._visit_named(node)

    def _visit_named(self, node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._names.append(node.name)
        if not isinstance(node, ast.ClassDef):
            for default in (*node.args.defaults, *node.args.kw_defaults):
                if default is not None:
                    self.visit(default)
        for statement in node.body:
            self.visit(statement)
        self._names.pop()

    @override
    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self._remove_assignment(node, node.target)
            self.visit(node.value)

    @override
    def visit_TypeAlias(self, node: ast.TypeAlias) -> None:
        """Leave types as they are."""

    @override
    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Leave texts as they are."""

    # -- statements ------------------------------------------------------------------------------------------

    @override
    def visit_Expr(self, node: ast.Expr) -> None:
        match node.value:
            case ast.Constant():
                return
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name))) if name == _LOGGER:
                return
        self._replace(node, "pass")
        self.generic_visit(node)

    @override
    def visit_Assign(self, node: ast.Assign) -> None:
        self._remove_assignment(node, node.targets[0])
        self.visit(node.value)

    @override
    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._replace(node, "pass")
        self.visit(node.value)

    @override
    def visit_Delete(self, node: ast.Delete) -> None:
        self._replace(node, "pass")

    @override
    def visit_Raise(self, node: ast.Raise) -> None:
        self._replace(node, "pass")

    @override
    def visit_Continue(self, node: ast.Continue) -> None:
        self._replace(node, "break")

    @override
    def visit_Break(self, node: ast.Break) -> None:
        self._replace(node, "continue")

    @override
    def visit_Return(self, node: ast.Return) -> None:
        if node.value is not None and not isinstance(node.value, ast.Constant):
            self._replace(node, "return None")
        self.generic_visit(node)

    def _remove_assignment(self, node: ast.stmt, target: ast.expr) -> None:
        """Remove what is remembered, but not where an object begins: nothing would work without it."""
        is_kept = isinstance(target, ast.Attribute | ast.Subscript)
        if is_kept and self._names[-1:] != ["__init__"]:
            self._replace(node, "pass")

    # -- conditions ------------------------------------------------------------------------------------------

    @override
    def visit_If(self, node: ast.If) -> None:
        self._negate(node.test)
        self.generic_visit(node)

    @override
    def visit_While(self, node: ast.While) -> None:
        self._negate(node.test)
        self.generic_visit(node)

    @override
    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._negate(node.test)
        self.generic_visit(node)

    @override
    def visit_comprehension(self, node: ast.comprehension) -> None:
        for test in node.ifs:
            self._negate(test)
        self.generic_visit(node)

    def _negate(self, test: ast.expr) -> None:
        """Negate a condition that has no mutant of its own."""
        if not isinstance(test, ast.Compare | ast.BoolOp | ast.UnaryOp | ast.Constant):
            self._replace(test, f"not ({self._text(test)})")

    @override
    def visit_Compare(self, node: ast.Compare) -> None:
        for place, operator in enumerate(node.ops):
            for other in _SWAPPED[type(operator)]:
                changed = copy.deepcopy(node)
                changed.ops[place] = other()
                self._replace_expression(node, changed)
        self.generic_visit(node)

    @override
    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        """Leave out one part after the other."""
        for place in range(len(node.values)):
            changed = copy.deepcopy(node)
            del changed.values[place]
            only = changed.values[0] if len(changed.values) == 1 else changed
            self._replace_expression(node, only)
        self.generic_visit(node)

    @override
    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not):
            self._replace_expression(node, node.operand)
        self.generic_visit(node)

    # -- values ----------------------------------------------------------------------------------------------

    @override
    def visit_BinOp(self, node: ast.BinOp) -> None:
        if (other := _OPPOSITE.get(type(node.op))) is not None:
            changed = copy.deepcopy(node)
            changed.op = other()
            self._replace_expression(node, changed)
        self.generic_visit(node)

    @override
    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Name) and node.func.id in _OTHER_FUNCTION:
            self._replace(node.func, _OTHER_FUNCTION[node.func.id])
        self.generic_visit(node)

    @override
    def visit_Constant(self, node: ast.Constant) -> None:
        match node.value:
            case bool():
                self._replace(node, str(not node.value))
            case int() | float():
                self._replace(node, str(node.value + 1))

    # -- the code --------------------------------------------------------------------------------------------

    def _replace_expression(self, node: ast.expr, changed: ast.expr) -> None:
        self._replace(node, f"({ast.unparse(changed)})")

    def _replace(self, node: ast.expr | ast.stmt, new: str) -> None:
        begin, end = self._span(node)
        where = ".".join(self._names)
        old = self._source[begin:end]
        lines = range(self._statement, (node.end_lineno or node.lineno) + 1)
        self.found.append(Mutant(self._path, where, node.lineno, lines, begin, end, old, new))

    def _text(self, node: ast.expr) -> str:
        begin, end = self._span(node)
        return self._source[begin:end]

    def _span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        """Return begin and end among the characters of the module; the tree counts bytes of each line."""
        end_line, end_column = node.end_lineno or node.lineno, node.end_col_offset or 0
        return self._place(node.lineno, node.col_offset), self._place(end_line, end_column)

    def _place(self, line: int, column: int) -> int:
        begin = self._lines[line - 1]
        text = self._source[begin : self._lines[line]]
        return begin + len(text.encode()[:column].decode())
