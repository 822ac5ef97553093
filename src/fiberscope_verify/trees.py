"""Elementwise expressions of one variable: their slope, their laws of scaling, their exact values."""

from __future__ import annotations

from flint import fmpq

from .exact import parse_rational
from .laws import exact_value, law

Tree = tuple  # ("x",) | ("lit", "p/q") | ("map", function, parameters, tree) | ("add" | "mul", tree, tree)
X: Tree = ("x",)


def line_of(tree: Tree) -> tuple[fmpq, fmpq] | None:
    """(slope, offset) if the tree is slope * x + offset with slope != 0 built of add, mul, neg and numbers."""
    if tree == X:
        return fmpq(1), fmpq(0)
    if tree[0] == "map":
        inner = line_of(tree[3])
        return (-inner[0], -inner[1]) if tree[1] == "neg" and inner is not None else None
    if tree[0] in ("add", "mul"):
        numbers = [t for t in tree[1:] if t[0] == "lit"]
        rest = [t for t in tree[1:] if t[0] != "lit"]
        if len(numbers) == 1:
            inner, k = line_of(rest[0]), parse_rational(numbers[0][1])
            if inner is not None:
                return (inner[0], inner[1] + k) if tree[0] == "add" else (inner[0] * k, inner[1] * k)
    return None


def tree_law(tree: Tree, s: fmpq) -> fmpq | None:
    """lambda with tree(s t) = lambda tree(t) for all t, derived part by part; None if none follows."""
    if tree == X:
        return s
    if tree[0] == "lit":
        return fmpq(1)
    if tree[0] == "map":
        inner = tree_law(tree[3], s)
        return None if inner is None else law(tree[1], tree[2], inner)
    left, right = tree_law(tree[1], s), tree_law(tree[2], s)
    if left is None or right is None:
        return None
    if tree[0] == "mul":
        return left * right
    return left if left == right else None


def tree_value(tree: Tree, t: fmpq) -> fmpq | None:
    """tree(t) if it is rational and simple, else None."""
    if tree == X:
        return t
    if tree[0] == "lit":
        return parse_rational(tree[1])
    if tree[0] == "map":
        inner = tree_value(tree[3], t)
        return None if inner is None else exact_value(tree[1], tree[2], inner)
    left, right = tree_value(tree[1], t), tree_value(tree[2], t)
    if left is None or right is None:
        return None
    return left + right if tree[0] == "add" else left * right
