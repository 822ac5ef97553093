"""The functions of a dictionary sampled to many digits, one column for each class under the one-unit laws."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from fiberscope.activations.evaluation import ball
from fiberscope.affine.activation import Activation
from fiberscope.affine.discovery.dictionary import Dictionary, Pair
from fiberscope.affine.discovery.nullspace import DEPENDENT, magnitude
from fiberscope.affine.discovery.sampling import cells, points

ONE: Pair = (Fraction(1), Fraction(0))
SMOOTH_SAMPLES = 100


@dataclass
class Columns:
    """``kept``: one (beta, gamma) of each class, in order; ``alias[pair] = (class, lambda, mu)``:

    rho(beta t + gamma) = lambda rho(beta' t + gamma') + mu at every sample, (beta', gamma') the kept one of the class.
    """

    points: list[Fraction]
    kept: list[Pair] = field(default_factory=list)
    values: list[list[Any]] = field(default_factory=list)
    alias: dict[Pair, tuple[int, Any, Any]] = field(default_factory=dict)

    @property
    def lines(self) -> list[Any]:
        """The column of t."""
        return [ball(p) for p in self.points]

    def images_of_one(self) -> list[tuple[Pair, Any, Any]]:
        """Every other pair in the class of rho(t) itself, with lambda and mu."""
        return [(pair, lam, mu) for pair, (k, lam, mu) in self.alias.items() if k == 0 and pair != ONE]


def sampled(rho: Activation, dictionary: Dictionary, seed: int) -> Columns:
    """The columns of a dictionary, in flint's current precision; points lie in every cell between breakpoints."""
    pairs = dictionary.pairs
    out = Columns(points(cells(rho.breakpoints, pairs), SMOOTH_SAMPLES, seed))
    shapes: list[tuple[int, list[Any]]] = []
    for beta, gamma in pairs:
        column = [rho.ball(beta * p + gamma).mid() for p in out.points]
        at, shape = normal_shape(column)
        for k, (where, other) in enumerate(shapes):
            if where == at and close(shape, other):
                base = out.values[k]
                lam = ((column[at] - column[0]) / (base[at] - base[0])).mid()
                out.alias[beta, gamma] = (k, lam, (column[0] - lam * base[0]).mid())
                break
        else:
            out.alias[beta, gamma] = (len(out.kept), ball(1), ball(0))
            out.kept.append((beta, gamma))
            out.values.append(column)
            shapes.append((at, shape))
    return out


def normal_shape(column: list[Any]) -> tuple[int, list[Any]]:
    """The column minus its first entry, divided by its largest one: the same for rho and lambda rho + mu."""
    centred = [(v - column[0]).mid() for v in column]
    sizes = [magnitude(v) for v in centred]
    top = max(sizes)
    if top <= DEPENDENT:
        return -1, centred
    at = max((i for i in range(len(centred)) if sizes[i] >= top - 1), key=lambda i: (abs(centred[i]).mid(), -i))
    return at, [(v / centred[at]).mid() for v in centred]


def close(a: list[Any], b: list[Any]) -> bool:
    """Whether two shapes agree to all the digits that count."""
    return all(magnitude(x - y) <= DEPENDENT for x, y in zip(a, b, strict=True))
