"""A core graph number by number: every entry of every tensor as a linear form over named entries (names.py)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .core import MOVES, Graph, Node, apply_move
from .evaluate import patches, windows
from .exact import unit_in_last_place
from .form import ZERO, Form, Move, add_term, scaled, total
from .model import Model
from .names import Table
from .report import Reject, need
from .scalar import Number, plus, times

MAX_NUMBERS = 4_000_000
REFUSED = ("opaque", "embed", "index", "gather", "argmax", "topk", "pow")


@dataclass(eq=False)
class Stored:
    """A tensor of stored numbers; ``place`` is the flat position of each in its array."""

    value: np.ndarray
    name: str
    place: np.ndarray
    ulp: np.ndarray


Value = Stored | np.ndarray  # stored numbers, or forms


class Walk:
    """One network, whose inputs are given as forms, one array per input tensor."""

    def __init__(self, graph: Graph, model: Model, table: Table, side: int, inputs: list[np.ndarray]) -> None:
        self.g, self.model, self.table, self.side = graph, model, table, side
        self.values: dict[int, Value] = dict(zip(graph.inputs, inputs, strict=True))

    def outputs(self) -> list[np.ndarray]:
        """The forms of every output tensor."""
        for v in live(self.g):
            if v not in self.values:
                try:
                    self.values[v] = self.step(v)
                except Reject as reason:
                    raise Reject(f"at {self.g.nodes[v].op}, value {v}: {reason}") from None
        return [self.forms(self.values[v]) for v in self.g.outputs]

    def forms(self, value: Value) -> np.ndarray:
        """A value as forms."""
        if not isinstance(value, Stored):
            return value
        self.table.spend(value.value.size)
        ones = (Form(1.0),)
        lines = zip(*(a.reshape(-1).tolist() for a in (value.value, value.place, value.ulp)), strict=True)
        made = []
        for w, place, ulp in lines:
            moves = ()
            if self.table.tracking and value.name:
                moves = (Move((self.side, value.name, place), ulp, None, 0.0, ones[0]),)
            made.append(Form(w + 0.0, {}, moves))
        return boxed(made, value.value.shape)

    def step(self, v: int) -> Value:
        """One operation."""
        node = self.g.nodes[v]
        inner = softsign_of(self.g, v)
        if inner is not None:
            return self.each(lambda t: self.table.unary("softsign", (), t), self.values[inner])
        if node.op == "array":
            return self.stored(node.attrs[0])
        if node.op == "lit":
            value = np.array(float.fromhex(node.attrs[0]))
            need(np.isfinite(value), "an infinite constant")
            return Stored(value, "", np.zeros((), dtype=np.int64), np.zeros(()))
        args = [self.values[u] for u in node.args]
        if node.op in MOVES:
            return moved(node, args[0])
        if node.op == "map":
            return self.each(lambda t: self.table.unary(node.attrs[0], node.attrs[1:], t), args[0])
        if node.op == "add":
            return self.pairs(lambda x, y: total([x, y]), args)
        if node.op == "mul":
            return self.pairs(self.table.product, args)
        if node.op in ("max", "min"):
            return self.pairs(lambda *forms: self.table.several((node.op,), forms), args)
        if node.op in ("compare", "where"):
            return self.pairs(lambda *forms: self.table.several((node.op, *node.attrs), forms, ordered=True), args)
        if node.op == "matmul":
            return self.matmul(args[0], args[1])
        if node.op == "conv":
            return self.convolve(node, args[0], args[1])
        if node.op == "reduce":
            kind, axes = node.attrs
            return self.reduce(kind, axes, self.forms(args[0]))
        if node.op == "window":
            return self.pool(node, self.forms(args[0]))
        if node.op == "cat":
            return np.concatenate([self.forms(a) for a in args], node.attrs[0])
        if node.op == "pad":
            fill = float.fromhex(node.attrs[1])
            need(math.isfinite(fill), "padding by an infinite number")
            forms = self.forms(args[0])
            out = boxed([Form(fill)] * math.prod(node.shape or ()), node.shape or ())
            out[tuple(slice(a, a + n) for (a, _), n in zip(node.attrs[0], forms.shape, strict=True))] = forms
            return out
        if node.op == "cumsum":
            forms = np.moveaxis(self.forms(args[0]), node.attrs[0], 0)
            rows = [self.sums(forms[: i + 1]) for i in range(len(forms))]
            return np.moveaxis(np.stack(rows), 0, node.attrs[0])
        raise Reject(f"no single numbers: {self.g.notes.get(v, node.op)}")

    def stored(self, name: str) -> Stored:
        """An array of the file."""
        array = self.g.arrays[name]
        need(array.dtype.kind in "fiub" and array.size <= MAX_NUMBERS, f"the array {name[:80]} is too large")
        value = array.astype(np.float64)
        need(np.all(np.isfinite(value)), f"{name[:80]}: not finite")
        if array.dtype.kind != "f":
            need(np.all(np.abs(value) < 2.0**53), "an integer constant beyond 2^53")
            return Stored(value, "", np.zeros(value.shape, dtype=np.int64), np.zeros(value.shape))
        ulp = unit_in_last_place(array, self.model.dtypes.get(name, array.dtype.name))
        for dtype in self.table.finer if self.side == 0 else ():
            with np.errstate(all="ignore"):
                ulp = np.fmin(ulp, unit_in_last_place(value, dtype))
        return Stored(value, name, np.arange(value.size).reshape(value.shape), ulp)

    # -- entry by entry ---------------------------------------------------------------------------------------------

    def each(self, rule, value: Value) -> np.ndarray:
        forms = self.forms(value)
        return boxed([rule(form) for form in forms.reshape(-1)], forms.shape)

    def pairs(self, rule, values: Sequence[Value]) -> np.ndarray:
        forms = np.broadcast_arrays(*(self.forms(v) for v in values))
        self.table.spend(sum(len(f.terms) + 1 for a in forms for f in a.reshape(-1)))
        return boxed([rule(*line) for line in zip(*(a.reshape(-1) for a in forms), strict=True)], forms[0].shape)

    def sums(self, forms: np.ndarray) -> np.ndarray:
        """Sums over the first axis."""
        self.table.spend(sum(len(f.terms) + 1 for f in forms.reshape(-1)))
        columns = forms.reshape(len(forms), -1).T
        return boxed([total(column) for column in columns], forms.shape[1:])

    # -- linear maps ------------------------------------------------------------------------------------------------

    def matmul(self, x: Value, y: Value) -> np.ndarray:
        """numpy.matmul of stored numbers and forms, or of forms."""
        a, b = (self.one_per_number(v) for v in (x, y))
        lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        a, b = (np.broadcast_to(v, (*lead, *v.shape[-2:])) for v in (a, b))
        first, second = (self.at(v, places) for v, places in ((x, a), (y, b)))
        rows, columns = a.shape[-2], b.shape[-1]
        made = []
        for i in np.ndindex(*lead):
            left, right = [first(a[i][r]) for r in range(rows)], [second(b[i][:, c]) for c in range(columns)]
            made += [self.dot(p, q) for p in left for q in right]
        return boxed(made, (*lead, rows, columns))

    @staticmethod
    def one_per_number(value: Value) -> np.ndarray:
        """Flat positions in the value, in its shape."""
        shape = value.value.shape if isinstance(value, Stored) else value.shape
        return np.arange(math.prod(shape)).reshape(shape)

    def at(self, value: Value, _: np.ndarray):
        """Rows of a value by flat positions: parents (forms) or numbers (with their slots)."""
        if isinstance(value, Stored):
            flat = [a.reshape(-1) for a in (value.value, value.place, value.ulp)]
            return lambda p: Numbers(value.name, *(a[p].tolist() for a in flat))
        forms = value.reshape(-1)
        return lambda p: Parents(self.table, forms[p].tolist())

    def dot(self, p: Numbers | Parents, q: Numbers | Parents) -> Form:
        """sum_k p_k q_k."""
        if isinstance(p, Numbers) and isinstance(q, Parents):
            return self.row(p, q)
        if isinstance(p, Parents) and isinstance(q, Numbers):
            return self.row(q, p)
        products = [self.table.product(x, y) for x, y in zip(p.forms(self), q.forms(self), strict=True)]
        self.table.spend(sum(len(f.terms) + 1 for f in products))
        return total(products)

    def row(self, numbers: Numbers, parents: Parents) -> Form:
        """sum of stored numbers times forms; with tracking, which number moves what."""
        const: Number = 0.0
        terms: dict[int, Number] = {}
        moves: list[Move] = []
        self.table.spend(parents.size)
        tracking = self.table.tracking and bool(numbers.name)
        for k, (w, form) in enumerate(zip(numbers.value, parents.items, strict=True)):
            if w == 0.0:
                continue
            if form.const != 0.0:
                const = plus(const, times(w, form.const))
            for i, c in form.terms.items():
                add_term(terms, i, w + 0.0 if c == 1.0 else times(w, c))
            if form.moves:
                moves += scaled(form, w).moves
            if tracking:
                slot = (self.side, numbers.name, numbers.place[k])
                single = None if form.moves else parents.single(k)
                if single is None:
                    self.table.freeze_slot(slot)
                else:
                    moves.append(Move(slot, numbers.ulp[k], *single))
        return Form(const, terms, tuple(moves))

    def convolve(self, node: Node, x: Value, w: Value) -> np.ndarray:
        """Cross-correlation: out[n, g, o, ...] = sum over channels and kernel of x * w."""
        a, b = self.one_per_number(x), self.one_per_number(w)
        columns, kernel, out = patches(node, a, b)
        of_x, of_w = self.at(x, a), self.at(w, b)
        made = []
        for sample in columns:
            for places, channels in zip(sample, kernel, strict=True):
                read = [of_x(place) for place in places]
                made += [self.dot(of_w(row), patch) for row in channels for patch in read]
        return boxed(made, (len(columns), len(b), *out))

    # -- sums, means, extremes --------------------------------------------------------------------------------------

    def reduce(self, kind: str, axes: tuple[int, ...], forms: np.ndarray) -> np.ndarray:
        kept = tuple(1 if i in axes else s for i, s in enumerate(forms.shape))
        rest = [i for i in range(forms.ndim) if i not in axes]
        groups = forms.transpose(*axes, *rest).reshape(-1, math.prod(forms.shape[i] for i in rest))
        return self.over(kind, groups).reshape(kept)

    def over(self, kind: str, groups: np.ndarray) -> np.ndarray:
        """Sum, mean, max or min along the first axis."""
        if kind in ("max", "min"):
            return boxed([self.table.several((kind,), list(column)) for column in groups.T], groups.shape[1:])
        need(kind in ("sum", "mean"), f"the reduction {kind}")
        out = self.sums(groups)
        return out if kind == "sum" else self.divided(out, np.full(out.shape, float(len(groups))))

    def divided(self, forms: np.ndarray, counts: np.ndarray) -> np.ndarray:
        parts = [self.table.unary("reciprocal", (), Form(float(n))).const for n in counts.reshape(-1).tolist()]
        return boxed([scaled(f, p) for f, p in zip(forms.reshape(-1), parts, strict=True)], forms.shape)

    def pool(self, node: Node, forms: np.ndarray) -> np.ndarray:
        """Max or mean over windows; padding is left out of a maximum and counts as 0 in a mean."""
        kind, kernel, stride, pads, dilation, count_pad = node.attrs
        k = len(kernel)
        widths = [(0, 0)] * (forms.ndim - k) + [(p[0], p[1]) for p in pads]
        places = windows(
            np.pad(np.arange(forms.size).reshape(forms.shape), widths, constant_values=-1), kernel, stride, dilation
        )
        shape, flat = places.shape[: places.ndim - k], forms.reshape(-1)
        inside = [[int(p) for p in window if p >= 0] for window in places.reshape(math.prod(shape), -1)]
        self.table.spend(sum(map(len, inside)))
        if kind == "max":
            need(all(inside), "a window of padding only")
            return boxed([self.table.several(("max",), [flat[p] for p in window]) for window in inside], shape)
        counted = np.ones(forms.shape[-k:])
        if count_pad:  # padding asked for counts, overhang of ceil mode does not
            counted = np.pad(counted, [(p[0], p[1] - p[2]) for p in pads], constant_values=1.0)
            counted = np.pad(counted, [(0, p[2]) for p in pads])
        else:
            counted = np.pad(counted, [(p[0], p[1]) for p in pads])
        counts = windows(counted, kernel, stride, dilation).sum(tuple(range(k, 2 * k)))
        sums = boxed([total([flat[p] for p in window]) if window else ZERO for window in inside], shape)
        return self.divided(sums, np.broadcast_to(counts, shape))


@dataclass(eq=False, slots=True)
class Numbers:
    """A row of stored numbers with their places and units in the last place."""

    name: str
    value: list[float]
    place: list[int]
    ulp: list[float]

    def forms(self, walk: Walk) -> list[Form]:
        """The row as forms."""
        stored = Stored(np.array(self.value), self.name, np.array(self.place), np.array(self.ulp))
        return list(walk.forms(stored))


class Parents:
    """A row of forms, and for each the one entry that it depends on (where it is one)."""

    def __init__(self, table: Table, items: list[Form]) -> None:
        self.table, self.items = table, items
        self.size = sum(len(form.terms) + 1 for form in items)
        self.memory: list = [0] * len(items)

    def forms(self, _: Walk) -> list[Form]:
        """The row itself."""
        return self.items

    def single(self, k: int) -> tuple[int | None, Number, Form] | None:
        """(entry, factor, constant part) of form k; None where it depends on several entries."""
        if self.memory[k] == 0:
            self.memory[k] = split(self.table, self.items[k])
        return self.memory[k]


def split(table: Table, form: Form) -> tuple[int | None, Number, Form] | None:
    """``form = factor * entry + constant``, the entry None for a constant; None where it depends on several."""
    proper = [i for i in form.terms if table.proper[i]]
    if len(proper) > 1:
        return None
    rest = Form(form.const, {i: c for i, c in form.terms.items() if not table.proper[i]})
    return (proper[0], form.terms[proper[0]], rest) if proper else (None, 0.0, rest)


def boxed(forms: list[Form], shape: tuple[int, ...]) -> np.ndarray:
    """Forms in an array of objects."""
    out = np.empty(len(forms), dtype=object)
    out[:] = forms
    return out.reshape(shape)


def moved(node: Node, value: Value) -> Value:
    """A move of either kind of tensor."""
    if not isinstance(value, Stored):
        return apply_move(node, value)
    return Stored(apply_move(node, value.value), value.name, *(apply_move(node, a) for a in (value.place, value.ulp)))


def softsign_of(g: Graph, v: int) -> int | None:
    """x where the value is x / (1 + |x|), else None."""
    if g.nodes[v].op != "mul":
        return None
    for x, y in (g.nodes[v].args, g.nodes[v].args[::-1]):
        below = g.nodes[y]
        if below.op != "map" or below.attrs[0] != "reciprocal" or g.nodes[below.args[0]].op != "add":
            continue
        for size, one in (g.nodes[below.args[0]].args, g.nodes[below.args[0]].args[::-1]):
            top = g.nodes[size]
            if top.op == "map" and top.attrs[0] == "abs" and top.args == (x,) and is_one(g, one):
                return x if g.nodes[v].shape == g.nodes[x].shape else None
    return None


def is_one(g: Graph, v: int) -> bool:
    """Whether a value is the number 1."""
    node = g.nodes[v]
    if node.op == "array":
        return g.arrays[node.attrs[0]].size == 1 and bool(g.arrays[node.attrs[0]].reshape(-1)[0] == 1)
    return node.op == "lit" and float.fromhex(node.attrs[0]) == 1.0


def live(g: Graph) -> list[int]:
    """The values that the outputs need, in order; Reject where one of them is not made of single numbers."""
    seen: set[int] = set()
    stack = list(g.outputs)
    while stack:
        v = stack.pop()
        if v in seen:
            continue
        seen.add(v)
        inner = softsign_of(g, v)
        stack += g.nodes[v].args if inner is None else [inner]
    for v in seen:
        need(g.nodes[v].op not in REFUSED, f"no single numbers: {g.notes.get(v, g.nodes[v].op)}")
    need(sum(math.prod(g.shape(v)) for v in seen) <= MAX_NUMBERS, "too large to be written in single numbers")
    return sorted(seen)
