"""Activations with one corner: sigma(z) = value + hinge(z - corner), hinge(t) = above t for t >= 0, below t for t <= 0.

Read off an expression built of z and numbers by sums, multiples, |.|, max, min, (leaky) ReLU and choices by comparison:
if all its straight parts vanish at one place, and at that place every bent part has the argument 0 (every choice and
extreme equal arguments), then it is positively homogeneous around the place, up to its value there.
"""

from __future__ import annotations

from dataclasses import dataclass

from flint import fmpq

from .report import Reject, need
from .trees import COMPARE, Tree, X, line_of, parse_rational, tree_value

ZERO = fmpq(0)
CONE = {"relu", "leaky_relu", "abs"}  # positively homogeneous
EXTREME = {"max", "min"}


@dataclass(frozen=True)
class Hinge:
    """The two slopes around a corner; hinge(t) = mean t + jump |t| / 2."""

    below: fmpq
    above: fmpq
    corner: fmpq = ZERO
    value: fmpq = ZERO

    @property
    def mean(self) -> fmpq:
        return (self.above + self.below) / 2

    @property
    def jump(self) -> fmpq:
        return self.above - self.below

    def slope(self, side: int) -> fmpq:
        """On the side of positive (+1) or negative (-1) numbers; their mean for 0."""
        return self.mean + self.jump * fmpq(side, 2)

    def centred(self) -> bool:
        """Whether sigma is positively homogeneous itself."""
        return self.corner == 0 and self.value == 0


def corners(tree: Tree, straight: bool = True) -> set[fmpq]:
    """The zeros of the straight parts under bent ones."""
    line = line_of(tree)
    if line is not None:
        return set() if straight else {-line[1] / line[0]}
    if tree[0] == "lit" or tree == X:
        return set()
    if tree[0] == "map":
        return corners(tree[3], tree[1] == "neg" and straight)
    parts = [t for t in tree[1:] if isinstance(t, tuple)]
    return set().union(*(corners(t, tree[0] in ("add", "mul") and straight) for t in parts))


def value_at(tree: Tree, z: fmpq) -> fmpq | None:
    """tree(z) if the tree, less this, is positively homogeneous around z; None if that does not follow."""
    line = line_of(tree)
    if line is not None:
        return line[0] * z + line[1]
    if tree[0] == "lit":
        return parse_rational(tree[1])
    if tree[0] == "map":
        inner = value_at(tree[3], z)
        if tree[1] == "neg":
            return None if inner is None else -inner
        return ZERO if tree[1] in CONE and inner == 0 and inner is not None else None
    if tree[0] == "where":
        test = tree[1]  # a comparison of homogeneous numbers has the same outcome all along a ray
        order = test[0] == "compare" and test[1] in COMPARE and not test[1].startswith("logical_")
        return common(tree[2:], z) if order and common(test[2:], z) is not None else None
    if tree[0] in EXTREME:
        return common(tree[1:], z)
    if tree[0] == "mul" and all(t[0] != "lit" for t in tree[1:]):
        return None
    if tree[0] in ("add", "mul"):
        left, right = (value_at(t, z) for t in tree[1:])
        if left is None or right is None:
            return None
        return left + right if tree[0] == "add" else left * right
    return None


def common(trees: tuple[Tree, ...], z: fmpq) -> fmpq | None:
    """The value that all have at z."""
    values = [value_at(t, z) for t in trees]
    return values[0] if all(v is not None and v == values[0] for v in values) else None


def hinge_of(tree: Tree | None) -> Hinge:
    """The corner and slopes of an activation; Reject if it is not shown to have this form."""
    assert tree is not None
    places = corners(tree)
    need(len(places) <= 1, "an activation with several corners")
    z = next(iter(places), ZERO)
    here, right, left = value_at(tree, z), tree_value(tree, z + 1), tree_value(tree, z - 1)
    if here is None or right is None or left is None:
        raise Reject("not a layer of units that are straight on both sides of a corner")
    return Hinge(here - left, right - here, z, here)
