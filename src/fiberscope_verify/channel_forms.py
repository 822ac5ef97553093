"""Linear forms in the inputs of a box, and what they leave over: x = c + sum_k e_k G_k +- r with e_k in [-1, 1].

Linear operations act on c and every G_k alike; r takes their absolute weights, and for rounding gamma times the sizes
of all terms. A ReLU that may bend keeps the slope hi / (hi - lo), half of the gap goes to the middle and half to r
(DeepZ's relaxation, Singh et al. 2018, without a new symbol per unit). Everything else starts anew from its interval.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .ball import U
from .core import MOVES, Node

LARGEST = 1 << 22
Linear = Callable[[np.ndarray], np.ndarray]


@dataclass
class Form:
    """c and r like the value, g with one axis of symbols in front."""

    c: np.ndarray
    g: np.ndarray
    r: np.ndarray

    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        """An interval, rounded outward."""
        reach = (np.abs(self.g).sum(axis=0) + self.r) * (1 + 4 * (len(self.g) + 8) * U)
        slack = 8 * U * (np.abs(self.c) + reach)
        return self.c - reach - slack, self.c + reach + slack


def entering(inputs: dict[int, tuple[np.ndarray, np.ndarray]]) -> dict[int, Form]:
    """One symbol per input number; nothing where that is too much or the box is endless."""
    count = sum(lo.size for lo, _ in inputs.values())
    if count * count > LARGEST or not all(np.all(np.isfinite(e)) for ends in inputs.values() for e in ends):
        return {}
    out, at = {}, 0
    for v, (lo, hi) in inputs.items():
        c = lo / 2 + hi / 2
        half = np.maximum(hi - c, c - lo) * (1 + 4 * U)
        g = np.zeros((count, lo.size))
        g[at + np.arange(lo.size), np.arange(lo.size)] = half.reshape(-1)
        out[v] = Form(c, g.reshape(count, *lo.shape), np.zeros(lo.shape))
        at += lo.size
    return out


def from_interval(lo: np.ndarray, hi: np.ndarray, count: int) -> Form | None:
    """A value of which only an interval is known."""
    if count * lo.size > LARGEST or not (np.all(np.isfinite(lo)) and np.all(np.isfinite(hi))):
        return None
    c = lo / 2 + hi / 2
    return Form(c, np.zeros((count, *lo.shape)), np.maximum(hi - c, c - lo) * (1 + 4 * U))


def linear(form: Form, act: Linear, size: Linear, terms: int) -> Form:
    """A linear operation, by its action and by that of its absolute weights (both on any leading axes)."""
    gamma = 4 * (terms + 8) * U
    reach = np.abs(form.c) + np.abs(form.g).sum(axis=0)
    r = size(form.r) * (1 + gamma) + gamma * size(reach)
    return Form(act(form.c), act(form.g), np.where(r > 0, r + terms * 1e-300, r))


def rectified(form: Form) -> Form:
    """max(x, 0)."""
    lo, hi = form.ends()
    bends = (lo < 0) & (hi > 0)
    slope = np.where(bends, hi / np.where(bends, hi - lo, 1.0), (lo >= 0) * 1.0)
    gap = np.where(bends, -slope * lo / 2, 0.0)
    rounding = np.where(bends, 16 * U * (np.abs(lo) + hi), 0.0)
    return Form(slope * form.c + gap, slope * form.g, slope * form.r * (1 + 4 * U) + gap * (1 + 4 * U) + rounding)


def moved(node: Node, form: Form) -> Form:
    """reshape, permute, expand, take: the axis of symbols stays in front."""
    if node.op == "permute":
        order = node.attrs[0]
        return Form(form.c.transpose(order), form.g.transpose(0, *(a + 1 for a in order)), form.r.transpose(order))
    if node.op == "take":
        axis, places = node.attrs[0], np.asarray(node.attrs[1], dtype=np.int64)
        return Form(form.c.take(places, axis), form.g.take(places, axis + 1), form.r.take(places, axis))
    shape = node.attrs[0]
    change = np.reshape if node.op == "reshape" else np.broadcast_to
    return Form(change(form.c, shape), change(form.g, (len(form.g), *shape)), change(form.r, shape))


def form_of(node: Node, args: list, fixed: list[bool], convolved: Callable) -> Form | None:
    """The form of a value from those of its arguments (Form, or an array where the argument is stored); else None."""
    op, shape = node.op, node.shape or ()
    first = args[0]
    if op in MOVES:
        return moved(node, first)
    if op == "map":
        if node.attrs[0] == "relu":
            return rectified(first)
        if node.attrs[0] == "float":
            return first
        return Form(-first.c, -first.g, first.r) if node.attrs[0] == "neg" else None
    if op == "add":
        return added(args, fixed, shape)
    if op == "mul" and any(fixed):
        form, w = (args[1], args[0]) if fixed[0] else (args[0], args[1])
        if w.ndim > form.c.ndim or form.c.shape != shape:
            return None
        return linear(form, lambda a: a * w, lambda a: a * np.abs(w), 1)
    if op == "conv" and fixed[1]:
        w = args[1]

        def slide(a: np.ndarray, kernel: np.ndarray) -> np.ndarray:
            flat = a.reshape(-1, *a.shape[-len(shape) + 1 :])
            out = convolved(node, flat, kernel)
            return out.reshape(*a.shape[: a.ndim - len(shape) + 1], *out.shape[1:])

        return linear(first, lambda a: slide(a, w), lambda a: slide(a, np.abs(w)), w[0].size)
    if op == "matmul" and fixed[1] and args[1].ndim == 2:
        w = args[1]
        return linear(first, lambda a: a @ w, lambda a: a @ np.abs(w), len(w))
    if op == "reduce" and node.attrs[0] in ("sum", "mean"):
        axes = tuple(a - len(first.c.shape) for a in node.attrs[1])
        count = math.prod(first.c.shape[a] for a in axes)
        share = 1.0 if node.attrs[0] == "sum" else 1.0 / count

        def gather(a: np.ndarray) -> np.ndarray:
            return a.sum(axis=axes, keepdims=True) * share

        return linear(first, gather, gather, count + 2)
    if op == "pad" and float.fromhex(node.attrs[1]) == 0:
        widths = node.attrs[0]
        return Form(np.pad(first.c, widths), np.pad(first.g, ((0, 0), *widths)), np.pad(first.r, widths))
    if op == "cat" and not any(fixed):
        axis = node.attrs[0]
        c, r = (np.concatenate([getattr(a, k) for a in args], axis) for k in ("c", "r"))
        return Form(c, np.concatenate([a.g for a in args], axis + 1), r)
    return None


def added(args: list, fixed: list[bool], shape: tuple[int, ...]) -> Form | None:
    """A sum of two forms, or of a form and stored numbers."""
    forms = [a for a, f in zip(args, fixed, strict=True) if not f]
    if any(f.c.shape != shape for f in forms):
        return None
    stored = [a for a, f in zip(args, fixed, strict=True) if f]
    c, g, r, size = np.zeros(shape), np.zeros((len(forms[0].g), *shape)), np.zeros(shape), np.zeros(shape)
    for form in forms:
        c, g, r = c + form.c, g + form.g, r + form.r
        size = size + np.abs(form.c) + np.abs(form.g).sum(axis=0)
    for number in stored:
        c, size = c + number, size + np.abs(number)
    return Form(c, g, r * (1 + 4 * U) + 8 * (len(g) + 8) * U * size)
