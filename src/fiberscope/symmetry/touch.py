"""What touches a space: the facts by which its units are called dead, constant or copies."""

from __future__ import annotations

from collections import Counter
from typing import Any

from fiberscope.symmetry.axes import leaves, resolve
from fiberscope.symmetry.charge import Charge
from fiberscope.symmetry.typed import Inference, Stacked, Typed


def touches(inf: Inference) -> dict[int, list[str]]:
    """For each atom, in graph order, the ops whose results it indexes (moves left out) and what entered there.

    ``product``: factors of which none is a stored weight; ``outside``: an operand that this space does not index and
    that is no weight, so that it may carry the input in; ``offset``: the same, but a weight.
    """
    found: dict[int, list[str]] = {}
    for name, value in inf.env.items():
        label = inf.uses.labels.get(name, "move")
        if label == "move":
            continue
        factors, others = inf.uses.factors.get(name, ()), inf.uses.others.get(name, ())
        entered = {a: _atoms(inf.env.get(a)) for a in others}
        for key in _atoms(value):
            seen = found.setdefault(key, [])
            seen.append(label)
            if factors and not any(a in inf.stored for a in factors):
                seen.append("product")
            seen += ["offset" if a in inf.stored else "outside" for a, atoms in entered.items() if key not in atoms]
    return found


def _atoms(value: Any) -> set[int]:
    parts = value if isinstance(value, tuple) else value.items if isinstance(value, Stacked) else (value,)
    return {leaf.atom.id for p in parts if isinstance(p, Typed) for a in p.axes for leaf in leaves(resolve(a))}


def count_readings(inf: Inference) -> Counter[tuple[int, Charge]]:
    """Count how often a stored weight reads a space along (atom, charge)."""
    found: Counter[tuple[int, Charge]] = Counter()
    for axis in inf.reads:
        found.update({(leaf.atom.id, leaf.charge) for leaf in leaves(resolve(axis))})
    return found
