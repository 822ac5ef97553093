"""The inputs that a VNN-LIB property file is about (versions 1.0 and 2.0): a box, or one cut by linear constraints.

What is read: ``(assert (<= X_0 0.5))``, ``(<= (+ X_0 (* 2 X_1)) 1.5)``, ``(and ...)`` of such, and in version 2.0
``(<= X[0,2] 0.5)``. Constraints that mention outputs only are left alone. What would make the domain anything but one
polytope (an ``or`` over inputs, a product of them) is refused: a proof about a larger set answers another question.
Source: VNN-LIB standard, Demarchi, Guidotti, Pulina, Tacchella (2023); https://www.vnnlib.org
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np

from fiberscope.equivalence.polytope import Polytope
from fiberscope.equivalence.vnnlib_bounds import bounded
from fiberscope.equivalence.vnnlib_linear import Form, cut, linear
from fiberscope.errors import InputError

MOST_BYTES = 64 << 20
ELSE = "only boxes and polytopes can be used, give a box with --box"
_TOKEN = re.compile(r"[()]|[^\s()]+")
_VARIABLE = re.compile(r"([A-Za-z_]\w*?)(?:_(\d+)|\[([\d,\s]+)\])")
Expression = str | list["Expression"]


@dataclass
class _Bounds:
    path: Path
    inputs: list[tuple[str, tuple[int, ...]]] = field(default_factory=list)  # declared in 2.0: name, shape
    outputs: set[str] = field(default_factory=set)
    low: dict[tuple[str, int], float] = field(default_factory=dict)
    high: dict[tuple[str, int], float] = field(default_factory=dict)
    tied: set[tuple[str, int]] = field(default_factory=set)  # inputs said to equal those of another network
    cuts: list[Form] = field(default_factory=list)  # forms of several inputs that are at most 0
    declared: int = 0

    def fail(self, text: str) -> InputError:
        return InputError(f"{self.path}: {text}")


def input_box(path: str | Path, count: int) -> tuple[np.ndarray, np.ndarray]:
    """``(lo, hi)``, each of length ``count``, the number of inputs of the network the file is about.

    `InputError` names the file and what is wrong: not VNN-LIB, a number of inputs that differs, an input without both
    bounds, bounds that leave nothing, or constraints that are no box.
    """
    box, rows = input_region(path, count)
    if rows is not None:
        raise InputError(f"{path}: states linear constraints on several inputs; only a box can be used here")
    return box


def input_region(
    path: str | Path, count: int
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray] | None]:
    """The box ``(lo, hi)`` and what cuts it: ``(G, h)``, meaning G x <= h, or None.

    Numbers that float64 does not hold are rounded so that no input that the text allows is lost. Errors as in
    `input_box`.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"{path}: larger than {MOST_BYTES >> 20} MB; give a property file")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as a VNN-LIB file ({error})") from error
    found = _Bounds(path)
    try:
        for statement in _parse(path, text):
            _statement(found, statement)
        box = _box(found, count)
        rows = _rows(found, *box)
        if rows is not None:
            Polytope.of(rows, *box)
    except OverflowError:
        raise found.fail("a constraint holds numbers that are too large for float64") from None
    except InputError as error:
        raise error if str(path) in str(error) else found.fail(str(error)) from None
    return box, rows


def _parse(path: Path, text: str) -> list[Expression]:
    stack: list[list[Expression]] = [[]]
    for line in text.splitlines():
        for token in _TOKEN.findall(line.split(";", 1)[0]):
            if token == "(":
                if len(stack) > 100:
                    raise InputError(f"{path}: nested too deeply for a property file")
                stack.append([])
            elif token == ")":
                if len(stack) == 1:
                    raise InputError(f"{path}: a closing bracket too many; is this a VNN-LIB file?")
                done = stack.pop()
                stack[-1].append(done)
            else:
                stack[-1].append(token)
    if len(stack) != 1 or not stack[0] or any(isinstance(s, str) for s in stack[0]):
        raise InputError(f"{path}: not a VNN-LIB file: brackets do not match, or text stands outside them")
    return stack[0]


def _statement(found: _Bounds, statement: Expression) -> None:
    head = statement[0] if statement else ""
    if head == "declare-const" and len(statement) == 3:
        name = str(statement[1])
        found.declared += name.startswith("X_")
        if not name.startswith(("X_", "Y_")):
            raise found.fail(f"declares {name!r}; expected X_i for inputs and Y_i for outputs")
    elif head == "declare-network":
        for part in statement[2:]:
            if isinstance(part, list) and part and part[0] == "declare-input":
                shape = [int(n) for n in re.findall(r"\d+", " ".join(str(p) for p in part[3:]))]
                found.inputs.append((str(part[1]), tuple(shape)))
            elif isinstance(part, list) and part and part[0] == "declare-output":
                found.outputs.add(str(part[1]))
    elif head == "assert" and len(statement) == 2:
        _constraint(found, statement[1])
    elif head not in ("vnnlib-version", "set-logic", "check-sat", "exit"):
        raise found.fail(f"unknown statement {str(head)[:40]!r}; is this a VNN-LIB file?")


def _constraint(found: _Bounds, expression: Expression) -> None:
    if not _mentions_input(found, expression):
        return
    head = expression[0] if isinstance(expression, list) and expression else ""
    if head == "and":
        for part in expression[1:]:
            _constraint(found, part)
        return
    if head == "or" and len(expression) == 2:
        _constraint(found, expression[1])
        return
    if head in ("<=", ">=", "<", ">", "=", "==") and len(expression) == 3:
        left, right = (_variable(found, e) for e in expression[1:])
        if left is not None and right is not None and left[0] != right[0] and left[1] == right[1]:
            found.tied |= {left, right} if head in ("=", "==") else set()
            return  # the same input of two networks
        sides = [linear(e, lambda text: _variable(found, text), _number) for e in expression[1:]]
        if sides[0] is not None and sides[1] is not None:
            return _half(found, str(head), sides[0].minus(sides[1]))
    text = _text(expression)
    shown = text if len(text) <= 80 else f"{text[:80]} ..."
    raise found.fail(f"{shown} is no linear constraint on the inputs; {ELSE}")


def _half(found: _Bounds, relation: str, form: Form) -> None:
    """``form relation 0``: a bound of one input, or a cut."""
    if len(form.slopes) == 1:
        ((variable, slope),) = form.slopes.items()
        flipped = relation if slope > 0 else relation.translate(str.maketrans("<>", "><"))
        return _bound(found, variable, flipped, -form.constant / slope)
    if not form.slopes and not _true(relation, form.constant):
        raise found.fail("no input fits: a constraint is never true")
    if form.slopes:
        found.cuts += [form] if relation[0] in "<=" else []
        found.cuts += [form.negated()] if relation[0] in ">=" else []
    return None


def _true(relation: str, value: Fraction) -> bool:
    return {"<": value < 0, "<=": value <= 0, ">": value > 0, ">=": value >= 0}.get(relation, value == 0)


def _bound(found: _Bounds, variable: tuple[str, int], relation: str, value: Fraction) -> None:
    """Decimals are rounded outward: the box of floats holds every input that the text allows."""
    nearest = float(value)
    if relation[0] in "<=":
        high = nearest if Fraction(nearest) >= value else math.nextafter(nearest, math.inf)
        found.high[variable] = min(high, found.high.get(variable, math.inf))
    if relation[0] in ">=":
        low = nearest if Fraction(nearest) <= value else math.nextafter(nearest, -math.inf)
        found.low[variable] = max(low, found.low.get(variable, -math.inf))


def _variable(found: _Bounds, expression: Expression) -> tuple[str, int] | None:
    match = _VARIABLE.fullmatch(expression) if isinstance(expression, str) else None
    if match is None:
        return None
    name, single, indices = match.groups()
    if single is not None:
        return (name, int(single)) if name == "X" else None
    shape = next((s for n, s in found.inputs if n == name), None)
    if shape is None:
        return None
    place = [int(i) for i in indices.split(",")]
    if len(place) != len(shape) or any(i >= n for i, n in zip(place, shape, strict=True)):
        raise found.fail(f"{expression} does not fit the declared shape {list(shape)}")
    return name, int(np.ravel_multi_index(place, shape))


def _mentions_input(found: _Bounds, expression: Expression) -> bool:
    if isinstance(expression, list):
        return any(_mentions_input(found, part) for part in expression)
    return _variable(found, expression) is not None


def _number(expression: Expression) -> Fraction | None:
    if isinstance(expression, list):
        inner = _number(expression[1]) if len(expression) == 2 and expression[0] == "-" else None
        return None if inner is None else -inner
    try:
        exponent = expression.lower().partition("e")[2]
        if len(expression) > 100 or abs(int(exponent or 0)) > 400 or not math.isfinite(float(expression)):
            return None
        return Fraction(expression)
    except (ValueError, ZeroDivisionError):
        return None


def _text(expression: Expression) -> str:
    return expression if isinstance(expression, str) else f"({' '.join(map(_text, expression))})"


def _box(found: _Bounds, count: int) -> tuple[np.ndarray, np.ndarray]:
    names = [n for n, _ in found.inputs] or ["X"]
    stated = found.declared or (math.prod(found.inputs[0][1]) if found.inputs else 0)
    if stated != count:
        raise found.fail(f"is about {stated} inputs, the network takes {count}")
    for name, i in {**found.low, **found.high}:
        if i >= count:
            raise found.fail(f"bounds {name}_{i}, which is not declared; the inputs are {name}_0 to {name}_{count - 1}")
    low, high = np.full(count, -np.inf), np.full(count, np.inf)
    for name in names:
        for i in range(count):
            if name != names[0] and not {(name, i), (names[0], i)} <= found.tied:
                continue  # another network's own input says nothing about this one
            low[i] = max(low[i], found.low.get((name, i), -math.inf))
            high[i] = min(high[i], found.high.get((name, i), math.inf))
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        low, high = bounded(
            [({i: s for (_, i), s in form.slopes.items()}, -form.constant) for form in _cuts(found, count)], low, high
        )
    for i in range(count):
        if not (math.isfinite(low[i]) and math.isfinite(high[i])):
            raise found.fail(f"input {i} has no lower or no upper bound; a box needs both")
        if low[i] > high[i]:
            raise found.fail(f"no input fits: input {i} is at least {low[i]:g} and at most {high[i]:g}")
    return low, high


def _cuts(found: _Bounds, count: int) -> list[Form]:
    """The constraints on several inputs of this network; the others are about another network's own inputs."""
    first = found.inputs[0][0] if found.inputs else "X"
    for form in found.cuts:
        for name, i in form.slopes:
            if i >= count:
                raise found.fail(f"mentions {name}_{i}, which is not declared")
    own = [all(name == first or {(name, i), (first, i)} <= found.tied for name, i in f.slopes) for f in found.cuts]
    return [_as_one(form, first) for form, mine in zip(found.cuts, own, strict=True) if mine]


def _as_one(form: Form, first: str) -> Form:
    """An input of another network that is tied to one of this is the same."""
    out = Form({}, form.constant)
    for (_, i), slope in form.slopes.items():
        out = out.plus(Form({(first, i): slope}, Fraction(0)))
    return out


def _rows(found: _Bounds, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    rows = [cut(form, low, high) for form in _cuts(found, len(low))]
    return (np.array([r[0] for r in rows]), np.array([r[1] for r in rows])) if rows else None
