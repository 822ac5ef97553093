"""Elementwise expressions of one variable: their slope, their laws of scaling, their exact values."""

from __future__ import annotations

from flint import fmpq

from .exact import parse_rational
from .laws import exact_value, law

Tree = tuple
# ("x",) | ("lit", "p/q") | ("map", function, parameters, tree) | ("add" | "mul" | "max" | "min", tree, tree)
# | ("compare", kind, tree, tree) | ("where", tree, tree, tree)
X: Tree = ("x",)
ZERO: Tree = ("lit", "0")
ONE = fmpq(1)


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
        return ONE
    if tree[0] == "map":
        inner = tree_law(tree[3], s)
        return None if inner is None else law(tree[1], tree[2], inner)
    if tree[0] == "compare":
        return compare_law(tree[1], tree[2:], s)
    if tree[0] == "where":
        condition = tree_law(tree[1], s)  # whether it is zero does not change
        return common(tree[2:], s) if condition is not None and condition != 0 else None
    if tree[0] == "mul":
        left, right = tree_law(tree[1], s), tree_law(tree[2], s)
        return None if left is None or right is None else left * right
    factor = common(tree[1:], s)
    return factor if tree[0] == "add" or (factor is not None and factor > 0) else None


def common(trees: tuple[Tree, ...], s: fmpq) -> fmpq | None:
    """The factor that all trees share; the number 0 shares any."""
    factors = [tree_law(t, s) for t in trees if t != ZERO]
    if not factors:
        return ONE
    return factors[0] if all(f is not None and f == factors[0] for f in factors) else None


def compare_law(kind: str, trees: tuple[Tree, ...], s: fmpq) -> fmpq | None:
    """1 if the comparison gives the same answer at s t and t: equal factors, positive ones where order matters."""
    if kind.startswith("logical_"):
        factors = [tree_law(t, s) for t in trees]
        return ONE if all(f is not None and f != 0 for f in factors) else None
    factor = common(trees, s)
    if factor is None or factor == 0:
        return None
    return ONE if factor > 0 or kind in ("equal", "not_equal") else None


COMPARE = {
    "less": lambda p, q: p < q,
    "less_equal": lambda p, q: p <= q,
    "greater": lambda p, q: p > q,
    "greater_equal": lambda p, q: p >= q,
    "equal": lambda p, q: p == q,
    "not_equal": lambda p, q: p != q,
    "logical_and": lambda p, q: p != 0 and q != 0,
    "logical_or": lambda p, q: p != 0 or q != 0,
}


def tree_value(tree: Tree, t: fmpq) -> fmpq | None:
    """tree(t) if it is rational and simple, else None."""
    if tree == X:
        return t
    if tree[0] == "lit":
        return parse_rational(tree[1])
    if tree[0] == "map":
        inner = tree_value(tree[3], t)
        return None if inner is None else exact_value(tree[1], tree[2], inner)
    if tree[0] == "where":
        condition = tree_value(tree[1], t)
        return None if condition is None else tree_value(tree[2] if condition != 0 else tree[3], t)
    left, right = (tree_value(u, t) for u in tree[-2:])
    if left is None or right is None:
        return None
    if tree[0] == "compare":
        return fmpq(int(COMPARE[tree[1]](left, right))) if tree[1] in COMPARE else None
    if tree[0] in ("max", "min"):
        return (max if tree[0] == "max" else min)(left, right)
    return left + right if tree[0] == "add" else left * right
