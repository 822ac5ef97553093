"""Method "stable": b computes a up to an error on a box, after units of a that are linear there were folded away.

The domain is a box, or a polytope: a box and rows A x <= b. Steps, in this order:
{"step": "box", "mu"}, only for a polytope, at most once: multipliers of the rows that give a smaller box around it,
which is the box of all that follows;
{"step": "stable", "side": "a"|"b", "layer", "units", "signs", "axis", "at", "left", "right"}, any number: on every leaf
of a bisection tree of the box these units are active (sign 1) or inactive (-1), given the earlier claims of that side;
{"step": "dual", "side", "layer", "units", "signs", "ends", "axis", "at", "left", "right", "multipliers", "mu"}, among
these: on the domain ``sign * z >= end`` for each unit, by the multipliers of every leaf of a tree that cuts inputs and
signs of earlier units (see `dual`); an end of at least 0 makes the unit active or inactive;
{"step": "layer", "alive", "unit", "scale", "lift", "offset"}, one per hidden layer: see `compressed`;
{"step": "cover", "axis", "at", "left", "right"}: on every leaf of this tree the error is within the claim.
Several such passes may follow each other, "between" two of them {"step": "between", "widths", "weights", "biases"}: a
chain with the activations of a, layer by layer, which is b in the pass before and a in the pass after; errors add up.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from .bound import CHUNK, leaves
from .certificate import Certificate, fields, whole
from .chain import Chain, Layer
from .compressed import Comparison, Relation
from .dual import Rows, branches, least, tightened
from .report import Reject, need
from .stable import ACTIVE, INACTIVE, Ends, ends_of_units

TREE = ("axis", "at", "left", "right")


class Known:
    """What is known so far of one chain on the domain: which units are linear, and ends of pre-activations."""

    def __init__(self, chain: Chain):
        self.chain, self.count = chain, 0
        widths = [len(layer.bias) for layer in chain.layers[:-1]]
        self.status = [np.zeros(n, dtype=np.int64) for n in widths]
        self.ends: Ends = [(np.full((1, n), -np.inf), np.full((1, n), np.inf)) for n in widths]

    def learn(self, layer: int, units: np.ndarray, signs: np.ndarray, ends: np.ndarray) -> None:
        """``signs * z >= ends``."""
        low, high = self.ends[layer]
        up, down, linear = signs > 0, signs < 0, ends >= 0
        low[0, units[up]] = np.maximum(low[0, units[up]], ends[up])
        high[0, units[down]] = np.minimum(high[0, units[down]], -ends[down])
        self.status[layer][units[linear]] = np.where(signs[linear] > 0, ACTIVE, INACTIVE)
        self.count += int(linear.sum())


def check_stable(certificate: Certificate, a: Chain, b: Chain, checked: list[str]) -> None:
    """All claims of linear units, then the relations of the layers, then the error on every leaf."""
    lo, hi, *constraints = certificate.polytope(a.n_in)
    rows = Rows(*constraints)
    if certificate.error_bound is None:
        raise Reject("this method needs an error bound")
    need(a.n_in == b.n_in, "the chains have different inputs")
    steps = list(certificate.steps)
    if steps and isinstance(steps[0], dict) and steps[0].get("step") == "box":
        (mu,) = fields(steps.pop(0), "box", "mu")
        mu, sizes = certificate.array(mu, "f"), (2 * a.n_in, len(rows.b))
        need(len(mu) == sizes[0] * sizes[1] > 0, "the multipliers of the box have the wrong size")
        lo, hi = tightened(lo, hi, rows, mu.reshape(sizes))
    total, first = 0.0, a
    for part, link in passes(steps):
        second = b if link is None else between(certificate, link, a)
        worst = one_pass(certificate, part, first, second, (lo, hi, rows), checked)
        total, first = total if worst == 0 else float(np.nextafter(total + worst, np.inf)), second
    need(
        total <= certificate.error_bound,
        f"the error is bounded by {total:.6g}, claimed is {certificate.error_bound:.6g}",
    )
    checked.append(f"the error is bounded by {certificate.error_bound:.6g}")


def passes(steps: list) -> list[tuple[list, dict | None]]:
    """The steps of each pass, and the chain that follows it (None: b)."""
    out: list[tuple[list, dict | None]] = [([], None)]
    for step in steps:
        if isinstance(step, dict) and step.get("step") == "between":
            out[-1] = out[-1][0], step
            out.append(([], None))
        else:
            out[-1][0].append(step)
    return out


def between(certificate: Certificate, step: dict, a: Chain) -> Chain:
    """A chain of numbers that are in neither model."""
    widths, *names = fields(step, "between", "widths", "weights", "biases")
    weights, biases = (certificate.array(name, "f") for name in names)
    need(isinstance(widths, list) and len(widths) == len(a.layers), "a chain between two passes has another depth")
    widths = [a.n_in, *(whole(width, 1, 1 << 20, "a width") for width in widths)]
    sizes = [m * n for n, m in pairwise(widths)]
    need(widths[-1] == a.n_out and sum(sizes) == len(weights), "a chain between two passes has the wrong size")
    need(sum(widths[1:]) == len(biases), "a chain between two passes has the wrong size")
    layers, at, row = [], 0, 0
    for here, (n, m), size in zip(a.layers, pairwise(widths), sizes, strict=True):
        w, c = weights[at : at + size].reshape(m, n), biases[row : row + m]
        layers.append(Layer(w, c, np.zeros(w.shape), np.zeros(m), here.activation))
        at, row = at + size, row + m
    return Chain(layers)


def one_pass(
    certificate: Certificate,
    steps: list,
    a: Chain,
    b: Chain,
    domain: tuple[np.ndarray, np.ndarray, Rows],
    checked: list,
) -> float:
    """How far b is from a on the domain."""
    lo, hi, rows = domain
    known = {"a": Known(a), "b": Known(b)}
    while steps and isinstance(steps[0], dict) and steps[0].get("step") in ("stable", "dual"):
        step = steps.pop(0)
        claim(certificate, step, known, lo, hi, rows if step["step"] == "dual" else None)
    where = "polytope" if len(rows.b) else "box"
    both = known["a"].count, known["b"].count
    checked.append(f"{both[0]} units of the first network and {both[1]} of the second are linear on the {where}")
    need(len(steps) > 0, "the cover is missing")
    *parts, cover = steps
    comparison = Comparison(a, b, known["a"].status, known["b"].status, relations(certificate, parts, a, b))
    lows, highs = leaves(lo, hi, *arrays(certificate, fields(cover, "cover", *TREE)))
    worst = 0.0
    for start in range(0, len(lows), CHUNK):
        part = slice(start, start + CHUNK)
        worst = max(worst, float(comparison.bound(lows[part], highs[part]).max(initial=0.0)))
    checked.append(f"{len(parts)} hidden layers; {len(lows)} leaves bound the error by {worst:.6g}")
    return worst


def arrays(certificate: Certificate, names: list) -> tuple[np.ndarray, ...]:
    """A bisection tree."""
    return tuple(certificate.array(name, kind) for name, kind in zip(names, "ifii", strict=True))


def claim(
    certificate: Certificate, step: dict, known: dict[str, Known], lo: np.ndarray, hi: np.ndarray, rows: Rows | None
) -> None:
    """One tree: its units are linear on every leaf, or (``rows`` given) have their ends by multipliers."""
    names = ("side", "layer", "units", "signs", *TREE) + (() if rows is None else ("ends", "multipliers", "mu"))
    side, at, units, signs, *rest = fields(step, step["step"], *names)
    need(side in ("a", "b"), "the side must be a or b")
    here = known[side]
    layer = whole(at, 1, len(here.chain.layers), "layer") - 1
    units, signs = certificate.array(units, "i"), certificate.array(signs, "i")
    width = len(here.status[layer])
    need(len(units) == len(signs) > 0 and len(np.unique(units)) == len(units), "units and signs do not fit")
    need(bool(np.all((units >= 0) & (units < width))), "there is no such unit")
    need(bool(np.all(np.abs(signs) == 1)), "a sign is 1 or -1")
    status, earlier = here.status[:layer], here.ends[:layer]
    tree = arrays(certificate, rest[:4])
    if rows is None:
        ends = np.zeros(len(units))
        low, high, _ = ends_of_units(here.chain, layer, units, status, *leaves(lo, hi, *tree), earlier)
        holds = np.where(signs > 0, low >= 0, high <= 0).all(axis=0)
    else:
        ends, multipliers, mu = (certificate.array(name, "f") for name in rest[4:])
        need(len(ends) == len(units), "units and ends do not fit")
        hidden = sum(len(s) for s in status)
        found = branches(lo, hi, hidden, *tree)
        sizes = len(found.lo), len(units)
        fit = len(multipliers) == sizes[0] * sizes[1] * hidden and len(mu) == sizes[0] * sizes[1] * len(rows.b)
        need(fit, "the multipliers have the wrong size")
        multipliers, mu = multipliers.reshape(*sizes, hidden), mu.reshape(*sizes, len(rows.b))
        low = least(here.chain, layer, units, signs, status, earlier, found, rows, multipliers, mu)
        holds = (low >= ends).all(axis=0)
    need(bool(holds.all()), f"layer {layer + 1}: unit {units[~holds][:1]} is not shown to be linear on every leaf")
    here.learn(layer, units, signs, ends)


def relations(certificate: Certificate, steps: list, a: Chain, b: Chain) -> list[Relation]:
    """One step per hidden layer; ``lift`` is stored row by row."""
    need(len(steps) == len(a.layers) - 1, "there must be one step per hidden layer")
    out = []
    for l, step in enumerate(steps):
        alive, unit, scale, lift, offset = fields(step, "layer", "alive", "unit", "scale", "lift", "offset")
        unit, lift, offset = certificate.array(unit, "i"), certificate.array(lift, "f"), certificate.array(offset, "f")
        carriers = len(b.layers[l].bias) - len(np.unique(unit[unit >= 0]))
        need(carriers >= 0 and len(lift) == len(offset) * carriers, f"layer {l + 1}: the lift has the wrong size")
        lift = lift.reshape(len(offset), carriers)
        out.append(Relation(certificate.array(alive, "i"), unit, certificate.array(scale, "f"), lift, offset))
    return out
