"""How far a may be from what a walk with deviations reads off b: |a_v - (scale b + shift)| <= E_v for every value of a.

Every operation of a carries the errors of its arguments on, entry by entry: |W| E through sums of products, the slope
of a function (`channel_lipschitz`), E_p |q| + |p| E_q + E_p E_q through products; then come the deviations of the
operation itself, times bounds of b's values. What has no rule makes a bound infinite, unless nothing deviates. Rounded
upward.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from .ball import U, bounds
from .certificate import Certificate
from .channel_lipschitz import enlarged
from .channel_match import ordered
from .channel_products import gate, softmax
from .channel_ranges import Interval, ranges
from .channel_slack import Carried, Slip, Use
from .channel_steps import Walk
from .channels import Relation
from .core import MOVES, Node, apply_move
from .evaluate import correlate, windows
from .model import Model
from .report import Reject, need

INF = math.inf
Errors = dict[int, np.ndarray | None]
"""Per value of a; None: no error."""


class ErrorPass:
    """The errors of all values of a walk's first network; ``first``, ``second``: intervals of all values of a and b."""

    def __init__(self, walk: Walk, first: dict[int, Interval], second: dict[int, Interval]):
        self.walk, self.ranges = walk, (first, second)
        self.data = walk.matcher.data_a
        self.balls: dict[int, np.ndarray] = {}
        self.errors: Errors = {}

    def bound(self) -> float:
        """An upper bound of every |a - b| at the outputs; infinite where none is known."""
        with np.errstate(all="ignore"):
            for v in self.walk.relations:
                self.errors[v] = self.value(v)
            ends = [self.entering(v, use, self.errors[v]) for v, use in self.walk.ends]
        return max((float(e.max(initial=0.0)) for e in ends if e is not None), default=0.0)

    def size(self, v: int) -> np.ndarray:
        """Upper bounds of |value v of a|."""
        if v in self.data:
            return largest(self.ranges[0][v])
        if v not in self.balls:
            self.balls[v] = largest(bounds(self.walk.near[0].ball(v)))
        return self.balls[v]

    def entering(self, u: int, use: Use, error: np.ndarray | None) -> np.ndarray | None:
        """The error of an argument, with what the operation itself takes otherwise."""
        for slip in use.before.get(u, []):
            error = plus(error, self.slipped(slip, self.walk.a.shape(u)))
        return error

    def slipped(self, slip: Slip, shape: tuple[int, ...]) -> np.ndarray:
        """The size of a deviation, for a value of a of this shape."""
        wide = [-1 if i == slip.axis else 1 for i in range(len(shape))]
        out = slip.plus.reshape(wide)
        if np.any(slip.by):
            there = largest(self.ranges[1][slip.value])
            there = there.reshape((1,) * (len(shape) - there.ndim) + there.shape)
            if there.shape[slip.axis] > 1:
                there = there.take(np.maximum(slip.unit, 0), slip.axis)
            out = raised(out + times(np.where(slip.unit >= 0, slip.by, 0.0).reshape(wide), there))
        return np.broadcast_to(out, shape)

    def value(self, v: int) -> np.ndarray | None:
        """The error of one value."""
        walk, node = self.walk, self.walk.a.nodes[v]
        if node.op == "input":
            return None
        use, shape = walk.uses[v], walk.a.shape(v)
        args = [self.entering(u, use, self.errors[u]) if u in self.data else None for u in node.args]
        out = self.carried(v, node, args) if any(a is not None for a in args) else None
        for slip in use.after:
            out = plus(out, self.slipped(slip, shape))
        if use.sums is not None and np.any(use.sums):
            out = plus(out, self.summed(v, use.sums))
        if out is None:
            return None
        relation = walk.relations[v]
        if relation is not None and use.carried and args[0] is not None:
            out = of_sums(out, args[0], relation, use.carried)
        if relation is not None and np.any(relation.unit == -2):  # nothing is said of these, if they are no sums
            silent = (relation.unit == -2) & ~np.isin(np.arange(len(relation.unit)), list(relation.sums))
            wide = [-1 if i == relation.axis else 1 for i in range(len(shape))]
            out = np.where(silent.reshape(wide), 0.0, out)
        return np.where(np.isnan(out), INF, out) if np.any(out) else None

    def summed(self, v: int, sums: np.ndarray) -> np.ndarray:
        """|deviation of the weights| times the sizes of what b's operation reads."""
        walk, shape = self.walk, self.walk.a.shape(v)
        node = walk.b.nodes[walk.matcher.image[v]]
        data = [u for u in ordered(walk.b, walk.matcher.image[v], walk.matcher.data_b) if u in walk.matcher.data_b]
        there = largest(self.ranges[1][data[0]])
        if node.op == "conv":
            alone = Node("conv", (), (*node.attrs[:2], 1), None)
            kernel = walk.b.nodes[node.args[1]].shape or ()
            return spread(there, sums.reshape(*sums.shape[:2], *kernel[2:]), lambda x, w: correlate(alone, x, w))
        w = sums[:, :, 0]
        if node.args[0] == data[0]:
            return spread(there, w.T, np.matmul)
        return np.broadcast_to(spread(there, w, lambda x, m: np.matmul(m, x)), shape)

    def carried(self, v: int, node: Node, args: list[np.ndarray | None]) -> np.ndarray:
        """Errors of the arguments through one operation."""
        shape, op = self.walk.a.shape(v), node.op
        full = [np.zeros(self.walk.a.shape(u)) if e is None else e for u, e in zip(node.args, args, strict=True)]
        if op in MOVES:
            return apply_move(node, full[0])
        if op == "map":
            ends = self.ranges[0][node.args[0]]
            found = enlarged(node.attrs[0], [float.fromhex(p) for p in node.attrs[1:]], full[0], *ends)
            return np.full(shape, INF) if found is None else raised(found)
        if op == "add":
            return np.broadcast_to(raised(full[0] + full[1]), shape)
        if op == "mul":
            return np.broadcast_to(self.multiplied(v, node, full), shape)
        if op in ("max", "min"):
            return np.broadcast_to(np.maximum(full[0], full[1]), shape)
        if op in ("conv", "matmul"):
            product = (lambda x, w: correlate(node, x, w)) if op == "conv" else np.matmul
            return self.products(node, args, full, product)
        if op == "reduce":
            return self.reduced(node, full[0], shape)
        if op == "window":
            return pooled(node, full[0])
        if op == "cat":
            return np.concatenate(full, node.attrs[0])
        if op == "pad":
            return np.pad(full[0], node.attrs[0])
        if op == "cumsum":
            return raised(np.cumsum(full[0], node.attrs[0]), full[0].shape[node.attrs[0]])
        return np.full(shape, INF)

    def products(self, node: Node, args: list, full: list[np.ndarray], product: Callable) -> np.ndarray:
        """E |q| + |p| E, with both errors once more where both have one."""
        out = None
        for i, error in enumerate(args):
            if error is None:
                continue
            other = self.size(node.args[1 - i])
            if args[1 - i] is not None and i == 0:
                other = raised(other + full[1])
            pair = (error, other) if i == 0 else (other, error)
            out = plus(out, spread(*pair, product))
        assert out is not None
        return out

    def multiplied(self, v: int, node: Node, full: list[np.ndarray]) -> np.ndarray:
        """An elementwise product; x g(x) and a softmax have smaller slopes than their factors say."""
        p, q = node.args
        sizes = self.size(p), self.size(q)
        out = raised(times(full[0], sizes[1]) + times(sizes[0], full[1]) + times(full[0], full[1]), 4)
        for x, k in gate(self.walk.a, node):
            error = self.errors.get(x)
            if error is None and x in self.errors and not self.walk.uses[v].before:
                continue
            if error is not None and not self.late(v, x):
                out = np.minimum(out, raised(times(np.array(k), error), 4))
        x, axes = softmax(self.walk.a, node)
        if x is not None and self.errors.get(x) is not None and not self.late(v, x):
            error = self.errors[x]
            assert error is not None
            out = np.minimum(out, np.minimum(raised(0.5 * error.max(axes, keepdims=True)), 1.0))
        return out

    def late(self, v: int, x: int) -> bool:
        """Whether a value between x and v deviates by itself."""
        stack, seen = [v], set()
        while stack:
            u = stack.pop()
            if u == x or u in seen or u not in self.data:
                continue
            seen.add(u)
            use = self.walk.uses.get(u)
            if use is None or use.before or use.after or use.sums is not None:
                return True
            stack += self.walk.a.nodes[u].args
        return False

    def reduced(self, node: Node, error: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        kind, axes = node.attrs
        if kind in ("max", "min"):
            return error.max(axes, keepdims=True)
        count = math.prod(error.shape[a] for a in axes)
        if kind in ("sum", "mean"):
            total = raised(error.sum(axes, keepdims=True), count)
            return total if kind == "sum" else raised(total / count)
        return np.full(shape, INF)


def of_sums(out: np.ndarray, entering: np.ndarray, relation: Relation, units: dict[int, Carried]) -> np.ndarray:
    """Errors after a map, those of sums from the errors before it (the larger, for what is read in two ways)."""
    before, after = (np.moveaxis(e, relation.axis, 0) for e in (entering, out.copy()))
    for i, unit in units.items():
        total = times(np.array(unit.factor), before[i])
        for j, count in unit.terms:
            total = total + times(np.array(count), before[j])
        total = raised(total, 2 * len(unit.terms) + 1)
        after[i] = np.maximum(after[i], total) if relation.unit[i] >= 0 else total
    return np.moveaxis(after, 0, relation.axis)


def largest(interval: Interval) -> np.ndarray:
    return np.maximum(np.abs(interval[0]), np.abs(interval[1]))


def plus(x: np.ndarray | None, y: np.ndarray) -> np.ndarray:
    return y if x is None else raised(x + y)


def raised(x: np.ndarray, terms: int = 1) -> np.ndarray:
    """A sum of nonnegative terms, rounded upward; 0 stays 0."""
    return np.where(x > 0, x * (1 + 4 * (terms + 4) * U) + 1e-300, x)


def times(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Products of nonnegative numbers; 0 times infinity is 0, as nothing is multiplied."""
    return np.where((x == 0) | (y == 0), 0.0, x * y)


def spread(x: np.ndarray, y: np.ndarray, product: Callable) -> np.ndarray:
    """A sum of products of nonnegative numbers, rounded upward; infinite where an infinite one meets what is not 0."""
    a, b = (np.where(np.isinf(v), 0.0, v) for v in (x, y))
    out = raised(product(a, b), max(x.size // max(len(x), 1), y.size // max(len(y), 1)))
    some = product((x > 0) * 1.0, (y > 0) * 1.0) > 0
    lost = product(np.isinf(x) * 1.0, (y > 0) * 1.0) + product((x > 0) * 1.0, np.isinf(y) * 1.0) > 0
    return np.where(lost, INF, np.where(some, out + 1e-300, 0.0))


def pooled(node: Node, error: np.ndarray) -> np.ndarray:
    """Extremes and means of a window: no more than the largest error in it."""
    _, kernel, stride, pads, dilation, _ = node.attrs
    k = len(kernel)
    widths = [(0, 0)] * (error.ndim - k) + [(p[0], p[1]) for p in pads]
    axes = tuple(range(error.ndim, error.ndim + k))
    return windows(np.pad(error, widths), kernel, stride, dilation).max(axes)


def error_bound(walk: Walk, lo: np.ndarray, hi: np.ndarray) -> float:
    """An upper bound of |a - b| on a box, for a walk that reached the outputs; infinite where none is known."""
    return ErrorPass(walk, ranges(walk.a, lo, hi), ranges(walk.b, lo, hi)).bound()


def check_bound(certificate: Certificate, walk: Walk, model: Model, checked: list[str]) -> None:
    """The bound of a certificate is no smaller than the one derived here."""
    if certificate.lo is None or certificate.hi is None or certificate.error_bound is None:
        raise Reject("a bound needs a box")
    total = sum(math.prod(walk.a.shape(v)) for v in walk.a.inputs)
    need(len(certificate.lo) == total or model.batched, "the box is not one of the model's inputs")
    found = error_bound(walk, certificate.lo, certificate.hi)
    need(found <= certificate.error_bound, f"the outputs may differ by {found:.3g}")
    checked.append(f"the outputs differ by at most {found:.3g} on the domain")
