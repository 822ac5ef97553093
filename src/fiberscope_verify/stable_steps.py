"""Method "stable": b computes a up to an error on a box, after units of a that are linear there were folded away.

Steps, in this order:
{"step": "stable", "side": "a"|"b", "layer", "units", "signs", "axis", "at", "left", "right"}, any number: on every leaf
of a bisection tree of the box these units are active (sign 1) or inactive (-1), given the earlier claims of that side;
{"step": "layer", "alive", "unit", "scale", "lift", "offset"}, one per hidden layer: see `compressed`;
{"step": "cover", "axis", "at", "left", "right"}: on every leaf of this tree the error is within the claim.
"""

from __future__ import annotations

import numpy as np

from .bound import CHUNK, leaves
from .certificate import Certificate, fields, whole
from .chain import Chain
from .compressed import Comparison, Relation
from .report import Reject, need
from .stable import ACTIVE, INACTIVE, ends_of_units

TREE = ("axis", "at", "left", "right")


def check_stable(certificate: Certificate, a: Chain, b: Chain, checked: list[str]) -> None:
    """All claims of linear units, then the relations of the layers, then the error on every leaf."""
    box = certificate.box(a.n_in)
    if box is None or certificate.error_bound is None:
        raise Reject("this method needs a box and an error bound")
    chains = {"a": a, "b": b}
    status = {s: [np.zeros(len(l.bias), dtype=np.int64) for l in c.layers[:-1]] for s, c in chains.items()}
    steps = list(certificate.steps)
    count = {"a": 0, "b": 0}
    while steps and isinstance(steps[0], dict) and steps[0].get("step") == "stable":
        claim(certificate, steps.pop(0), chains, status, box, count)
    checked.append(f"{count['a']} units of the first network and {count['b']} of the second are linear on the box")
    need(len(steps) > 0, "the cover is missing")
    *parts, cover = steps
    comparison = Comparison(a, b, status["a"], status["b"], relations(certificate, parts, a, b))
    lo, hi = leaves(*box, *arrays(certificate, fields(cover, "cover", *TREE)))
    worst = 0.0
    for start in range(0, len(lo), CHUNK):
        part = slice(start, start + CHUNK)
        worst = max(worst, float(comparison.bound(lo[part], hi[part]).max(initial=0.0)))
    need(
        worst <= certificate.error_bound,
        f"the error is bounded by {worst:.6g}, claimed is {certificate.error_bound:.6g}",
    )
    checked.append(f"{len(parts)} hidden layers; {len(lo)} leaves bound the error by {certificate.error_bound:.6g}")


def arrays(certificate: Certificate, names: list) -> tuple[np.ndarray, ...]:
    """A bisection tree."""
    return tuple(certificate.array(name, kind) for name, kind in zip(names, "ifii", strict=True))


def claim(certificate: Certificate, step: dict, chains: dict, status: dict, box: tuple, count: dict) -> None:
    """One tree: its units are linear on every leaf."""
    side, at, units, signs, *tree = fields(step, "stable", "side", "layer", "units", "signs", *TREE)
    need(side in ("a", "b"), "the side must be a or b")
    chain = chains[side]
    layer = whole(at, 1, len(chain.layers), "layer") - 1
    units, signs = certificate.array(units, "i"), certificate.array(signs, "i")
    need(len(units) == len(signs) > 0 and len(np.unique(units)) == len(units), "units and signs do not fit")
    need(bool(np.all((units >= 0) & (units < len(status[side][layer])))), "there is no such unit")
    need(bool(np.all(np.abs(signs) == 1)), "a sign is 1 or -1")
    low, high, _ = ends_of_units(chain, layer, units, status[side][:layer], *leaves(*box, *arrays(certificate, tree)))
    holds = np.where(signs > 0, low >= 0, high <= 0).all(axis=0)
    need(bool(holds.all()), f"layer {layer + 1}: unit {units[~holds][:1]} is not shown to be linear on every leaf")
    status[side][layer][units] = np.where(signs > 0, ACTIVE, INACTIVE)
    count[side] += len(units)


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
