"""Proves from the source what an interrupt must not do: make a large integer, or allocate.

A 32-bit board keeps integers from -2^30 to 2^30 - 1 in a word and allocates all others, which a
hard interrupt may not. The 64-bit VM of the tests does not show that. So the functions that the
interrupt runs are executed here on intervals instead of numbers: every local variable, argument and
result has the interval of what it can be, every operation gives the interval of what can come out,
and one that can reach 2^30 is a finding. Branches narrow the interval of what they ask about;
after them both are joined.

What comes from outside has a declared interval (see `Outside`): fields of objects, elements of
buffers, results of functions that are not ours. A field that the interrupt itself assigns must stay
within its own interval, which makes the declaration true by induction; a counter, which grows with
every event, is taken at its word.

Only what is known not to allocate is let through: literals, slices, divisions, calls and so on that
are not on the list are findings. Nothing is skipped because it was not understood.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from intervals import SMALL, Interval, applied


@dataclass(frozen=True)
class Thing:
    """What is no number: `kind` says which thing, where that matters."""

    kind: str = ""


Value = Interval | Thing
TRUTH = Interval(0, 1)
NOTHING = Thing("None")


@dataclass(frozen=True)
class Finding:
    """Something that an interrupt must not do, and where."""

    line: int
    what: str


@dataclass(frozen=True)
class Outside:
    """What the analysis is told. Each mapping is by name."""

    fields: Mapping[str, Interval]
    counters: frozenset[str]  # fields that may leave their interval only by growing for years
    elements: Mapping[str, Interval]  # of the buffers in these fields
    things: Mapping[str, str]  # fields that hold things: the kind
    functions: Mapping[str, Value]  # results of functions and methods that are not ours


@dataclass
class Source:
    """Classes and constants of some modules."""

    classes: dict[str, ast.ClassDef] = field(default_factory=dict)
    constants: dict[str, Value] = field(default_factory=dict)

    @classmethod
    def of(cls, modules: Iterable[Path | str]) -> Source:
        """Read files, or texts, in the order of their imports."""
        source = cls()
        for module in modules:
            source.add(module if isinstance(module, str) else module.read_text())
        return source

    def add(self, text: str) -> None:
        for node in ast.parse(text).body:
            if isinstance(node, ast.ClassDef):
                self.classes[node.name] = node
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                self.constants[node.targets[0].id] = self._constant(node.value)

    def _constant(self, node: ast.expr) -> Value:
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "const":
            node = node.args[0]
        try:
            names = {name: v.low for name, v in self.constants.items() if isinstance(v, Interval)}
            value = eval(ast.unparse(node), {"__builtins__": {}}, names)
        except (NameError, TypeError):
            return Thing()
        return Interval(value, value) if isinstance(value, int) else Thing()

    def method(self, class_name: str, name: str) -> ast.FunctionDef | None:
        """A method of a class or of what it derives from."""
        node = self.classes.get(class_name)
        if node is None:
            return None
        for statement in node.body:
            if isinstance(statement, ast.FunctionDef) and statement.name == name:
                return statement
        for base in node.bases:
            if (found := self.method(ast.unparse(base), name)) is not None:
                return found
        return None

    def class_value(self, class_name: str, name: str) -> Value | None:
        """A value that is assigned in the class itself."""
        for statement in self.classes[class_name].body if class_name in self.classes else ():
            if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == name:
                return self._constant(statement.value)
        return None


Scope = dict[str, Value]


class Analysis:
    """Runs methods of `source` on intervals; `findings` is what they must not do."""

    def __init__(self, source: Source, outside: Outside) -> None:
        self.findings: set[Finding] = set()
        self._source = source
        self._outside = outside
        self._class = ""
        self._things: Mapping[str, str] = outside.things

    def run(self, class_name: str, method: str, things: Mapping[str, str] | None = None) -> None:
        """Run a method as the interrupt does; `things` says what its fields hold, of all kinds."""
        self._class = class_name
        self._things = {**self._outside.things, **(things or {})}
        function = self._source.method(class_name, method)
        assert function is not None, f"{class_name} has no {method}"
        self._call(class_name, function, [Thing() for _ in function.args.args[1:]])

    # Functions and statements

    def _call(self, class_name: str, function: ast.FunctionDef, arguments: list[Value]) -> Value:
        names = [argument.arg for argument in function.args.args]
        if len(names) != len(arguments) + 1 or function.args.vararg or function.args.kwarg:
            self._find(function, f"{function.name} is called otherwise than by position")
            return Thing()
        before, self._class = self._class, class_name
        returned: list[Value] = []
        scope = dict(zip(names, [Thing("self"), *arguments], strict=True))
        if self._block(function.body, scope, returned) is not None or not returned:
            returned.append(NOTHING)
        self._class = before
        return _joined(returned)

    def _block(
        self, statements: list[ast.stmt], scope: Scope | None, returned: list[Value]
    ) -> Scope | None:
        """Run statements; None if no way leads past their end."""
        for statement in statements:
            if scope is None:
                return None
            scope = self._statement(statement, scope, returned)
        return scope

    def _statement(self, node: ast.stmt, scope: Scope, returned: list[Value]) -> Scope | None:
        match node:
            case ast.Expr(value=ast.Constant()) | ast.Pass():
                return scope
            case ast.Expr(value=value):
                self._value(value, scope)
                return scope
            case ast.Return(value=value):
                returned.append(NOTHING if value is None else self._value(value, scope))
                return None
            case ast.Assign(targets=[target], value=value):
                self._assign(target, self._value(value, scope), scope)
                return scope
            case ast.AugAssign(target=target, op=op, value=value):
                read = ast.copy_location(_loaded(target), target)
                result = self._operation(
                    node, op, self._value(read, scope), self._value(value, scope)
                )
                self._assign(target, result, scope)
                return scope
            case ast.If(test=test, body=body, orelse=orelse):
                self._value(test, scope)
                return _either(
                    self._block(body, dict(self._narrowed(scope, test, True)), returned),
                    self._block(orelse, dict(self._narrowed(scope, test, False)), returned),
                )
            case ast.Try(body=body, handlers=handlers, orelse=[], finalbody=[]):
                after = self._block(body, dict(scope), returned)
                for handler in handlers:
                    # Whatever the body has assigned may have been assigned, or not.
                    begun = _either(dict(scope), after)
                    after = _either(after, self._block(handler.body, begun, returned))
                return after
            case ast.For(
                target=ast.Name(id=name), iter=ast.Call(func=ast.Name(id="range")) as steps
            ):
                bounds = [self._value(argument, scope) for argument in steps.args]
                inside = dict(scope)
                inside[name] = _joined([*bounds, Interval(0, 0)])
                for _ in range(3):  # what goes on growing after that grows for ever
                    grown = _either(inside, self._block(node.body, dict(inside), returned))
                    assert grown is not None
                    if grown == inside:
                        return inside
                    inside = grown
                self._find(node, "a variable grows with every turn of the loop")
                return inside
        self._find(node, f"{type(node).__name__} is not known to be harmless")
        return scope

    def _assign(self, target: ast.expr, value: Value, scope: Scope) -> None:
        match target:
            case ast.Name(id=name):
                scope[name] = value
            case ast.Attribute(value=ast.Name(id="self"), attr=name):
                scope[f"self.{name}"] = value
                if name in self._things or not isinstance(value, Interval):
                    return
                allowed = self._outside.fields.get(name)
                if allowed is None:
                    self._find(target, f"{name} has no declared interval")
                elif name not in self._outside.counters and value not in allowed:
                    self._find(target, f"{name} becomes {value}, declared {allowed}")
            case ast.Subscript(value=buffer, slice=index):
                self._value(buffer, scope)
                self._value(index, scope)
            case _:
                self._find(target, f"assignment to {ast.unparse(target)}")

    # Expressions

    def _value(self, node: ast.expr, scope: Scope) -> Value:
        match node:
            case ast.Constant(value=bool() | int() as number):
                return self._checked(node, Interval(int(number), int(number)))
            case ast.Constant(value=None):
                return NOTHING
            case ast.Constant(value=bytes()):
                return Thing()
            case ast.Name(id=name):
                if name in scope:
                    return scope[name]
                if name in self._source.constants:
                    return self._source.constants[name]
                self._find(node, f"{name} is not known")
                return Thing()
            case ast.Attribute():
                return self._field(node, scope)
            case ast.Subscript(value=buffer, slice=index) if not isinstance(index, ast.Slice):
                self._value(index, scope)
                thing = self._value(buffer, scope)
                if isinstance(thing, Thing) and thing.kind in self._outside.elements:
                    return self._outside.elements[thing.kind]
                self._find(node, f"{ast.unparse(buffer)} is no known buffer")
                return Thing()
            case ast.BinOp(left=left, op=op, right=right):
                return self._operation(
                    node, op, self._value(left, scope), self._value(right, scope)
                )
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                self._value(operand, scope)
                return TRUTH
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                zero = Interval(0, 0)
                return self._operation(node, ast.Sub(), zero, self._value(operand, scope))
            case ast.Compare(left=left, comparators=others):
                for part in (left, *others):
                    self._value(part, scope)
                return TRUTH
            case ast.BoolOp(op=op, values=values):
                found = []
                narrowed = scope
                for value in values:
                    found.append(self._value(value, narrowed))
                    narrowed = self._narrowed(narrowed, value, isinstance(op, ast.And))
                return _joined(found)
            case ast.Call(func=function, args=arguments, keywords=[]):
                return self._result(node, function, arguments, scope)
        self._find(node, f"{type(node).__name__} may allocate: {ast.unparse(node)}")
        return Thing()

    def _field(self, node: ast.Attribute, scope: Scope) -> Value:
        owner = self._value(node.value, scope)
        name = node.attr
        if isinstance(owner, Interval):
            self._find(node, f"{ast.unparse(node)}: a field of a number")
            return Thing()
        if f"{owner.kind}.{name}" in scope:
            return scope[f"{owner.kind}.{name}"]
        class_name = self._class if owner.kind == "self" else owner.kind
        if self._source.method(class_name, name) is not None:
            self._find(node, f"{ast.unparse(node)}: a bound method is allocated")
            return Thing()
        if (value := self._source.class_value(class_name, name)) is not None:
            return value
        if name in self._things:
            return Thing(self._things[name])
        if name in self._outside.elements:
            return Thing(name)
        if name in self._outside.fields:
            return self._outside.fields[name]
        self._find(node, f"{name} has no declared interval")
        return Thing()

    def _result(
        self, node: ast.Call, function: ast.expr, arguments: list[ast.expr], scope: Scope
    ) -> Value:
        values = [self._value(argument, scope) for argument in arguments]
        if isinstance(function, ast.Attribute):
            owner = self._value(function.value, scope)
            kind = owner.kind if isinstance(owner, Thing) else ""
            class_name = self._class if kind == "self" else kind
            if (method := self._source.method(class_name, function.attr)) is not None:
                for name in [name for name in scope if name.startswith("self.")]:
                    del scope[name]  # it may have assigned any of them
                return self._call(class_name, method, values)
            name = function.attr
        elif isinstance(function, ast.Name):
            name = function.id
            if isinstance(thing := scope.get(name), Thing):
                name = thing.kind  # a pin is called to set it
        else:
            name = ast.unparse(function)
        if name in self._outside.functions:
            return self._outside.functions[name]
        self._find(node, f"{name}() is not known to be harmless")
        return Thing()

    def _operation(self, node: ast.AST, op: ast.operator, a: Value, b: Value) -> Value:
        if not isinstance(a, Interval) or not isinstance(b, Interval):
            self._find(node, "arithmetic with what is no known number")
            return Thing()
        result = applied(op, a, b)
        if result is None:
            self._find(node, f"{type(op).__name__} may allocate, or fail, with {a} and {b}")
            return Thing()
        return self._checked(node, result)

    def _checked(self, node: ast.AST, result: Interval) -> Interval:
        if result.small:
            return result
        assert isinstance(node, ast.expr | ast.stmt)
        self._find(node, f"{ast.unparse(node)} can be {result}")
        return Interval(max(result.low, -SMALL), min(result.high, SMALL - 1))  # said once is enough

    def _find(self, node: ast.AST, what: str) -> None:
        self.findings.add(Finding(getattr(node, "lineno", 0), what))

    # What a condition says of the things that it asks about

    def _narrowed(self, scope: Scope, test: ast.expr, truth: bool) -> Scope:
        match test:
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return self._narrowed(scope, operand, not truth)
            case ast.BoolOp(op=op, values=values) if isinstance(op, ast.And) is truth:
                for value in values:
                    scope = self._narrowed(scope, value, truth)
                return scope
            case ast.Compare(left=left, ops=ops, comparators=others):
                if len(ops) > 1 and not truth:
                    return scope
                for a, op, b in zip([left, *others], ops, others, strict=False):
                    scope = self._compared(scope, a, op if truth else _OPPOSITE[type(op)](), b)
                return scope
            case ast.Name() | ast.Attribute():
                name, value = ast.unparse(test), self._quietly(test, scope)
                if truth and isinstance(value, Interval) and value.low == 0:
                    return {**scope, name: Interval(min(1, value.high), value.high)}
        return scope

    def _compared(self, scope: Scope, a: ast.expr, op: ast.cmpop, b: ast.expr) -> Scope:
        left, right = self._quietly(a, scope), self._quietly(b, scope)
        if not isinstance(left, Interval) or not isinstance(right, Interval):
            return scope
        strict = isinstance(op, ast.Lt | ast.Gt)
        if isinstance(op, ast.Gt | ast.GtE):
            a, b, left, right = b, a, right, left
        elif not isinstance(op, ast.Lt | ast.LtE):
            return scope
        return {
            **scope,
            **_known(a, Interval(left.low, min(left.high, right.high - strict))),
            **_known(b, Interval(max(right.low, left.low + strict), right.high)),
        }

    def _quietly(self, node: ast.expr, scope: Scope) -> Value:
        found = set(self.findings)
        value = self._value(node, dict(scope)) if not _has_call(node) else Thing()
        self.findings = found
        return value


_OPPOSITE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.GtE,
    ast.GtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}


def _joined(values: list[Value]) -> Value:
    first = values[0]
    for value in values[1:]:
        if isinstance(first, Interval) and isinstance(value, Interval):
            first = first | value
        elif first != value:
            return Thing()
    return first


def _either(a: Scope | None, b: Scope | None) -> Scope | None:
    """What is known after one of two ways."""
    if a is None or b is None:
        return b if a is None else a
    return {name: _joined([a[name], b[name]]) for name in a.keys() & b.keys()}


def _known(node: ast.expr, value: Interval) -> Scope:
    named = isinstance(node, ast.Name | ast.Attribute)
    return {ast.unparse(node): value} if named and value.low <= value.high else {}


def _loaded(target: ast.expr) -> ast.expr:
    return ast.parse(ast.unparse(target), mode="eval").body


def _has_call(node: ast.expr) -> bool:
    return any(isinstance(part, ast.Call) for part in ast.walk(node))
