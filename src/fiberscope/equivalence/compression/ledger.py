"""Which output of every weight of the original became which output of the smaller network's, cut after cut."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from fiberscope.equivalence.certificate import Certificate, certificate
from fiberscope.equivalence.compression.slicing import Fold, Merge, numbers
from fiberscope.equivalence.compression.splits import Narrowing
from fiberscope.equivalence.rigorous import checker_model

if TYPE_CHECKING:
    from fiberscope.network import Network
    from fiberscope.symmetry.symmetries import Symmetries

Axis = tuple[str, int]
Terms = dict[int, Fraction]


@dataclass(frozen=True)
class Steady:
    """Units that are constant after a map of the original's graph (its number and axis there), which follows the sums
    that a weight writes along one of its axes: there the units have the same numbers."""

    map: int
    along: int
    weight: str
    axis: int
    units: np.ndarray


@dataclass(frozen=True)
class Linear:
    """Units that a map multiplies by a factor everywhere on the domain (else like `Steady`); ``slope``: of a (leaky)
    ReLU, else None."""

    map: int
    along: int
    weight: str
    axis: int
    factors: dict[int, Fraction]
    slope: Fraction | None


class Ledger:
    """Per (weight, axis) of the original: the place it has now (-1: none) and what it is times that place's; and the
    outputs that are sums of several places."""

    def __init__(self, net: Network, box: tuple[np.ndarray, np.ndarray] | None = None) -> None:
        self.box = box
        self.steady: list[Steady] = []
        self.narrowing: Narrowing | None = None
        self.known: dict | None = None  # intervals of the original's values after these steps
        self.linear: list[Linear] = []
        self.unit: dict[Axis, np.ndarray] = {}
        self.scale: dict[Axis, list[Fraction]] = {}
        self.sums: dict[Axis, dict[int, Terms]] = {}
        self.shapes = {name: tuple(tensor.shape) for name, tensor in net.weights.items()}
        self.slack = False  # whether stored numbers may be rounded, within a bound on the box
        self.sizes = open_sizes(net) if box is not None else None

    def begin(self, now: Network, scales: dict[Axis, list[Fraction]]) -> None:
        """The network ``now`` stands for the original: outputs of these weights are multiples of its own, nearly."""
        self.shapes = {name: tuple(tensor.shape) for name, tensor in now.weights.items()} | self.shapes
        for key, factors in scales.items():
            self.unit[key], self.scale[key] = np.arange(len(factors)), factors
        self.slack = True

    def copy(self) -> Ledger:
        """The same, to be cut further on trial."""
        out = copy.copy(self)
        out.unit, out.scale, out.sums = dict(self.unit), dict(self.scale), dict(self.sums)
        return out

    def steady_places(self) -> dict[Axis, np.ndarray]:
        """Places of today's weights whose outputs are known to be constant."""
        out: dict[Axis, np.ndarray] = {}
        for found in self.steady:
            key = found.weight, found.axis
            now = self.unit[key][found.units] if key in self.unit else found.units
            out[key] = np.union1d(out.get(key, now[:0]), now[now >= 0])
        return out

    def linear_places(self) -> dict[Axis, tuple[dict[int, Fraction], Fraction | None]]:
        """Places of today's weights whose outputs an activation is known to multiply by a factor, and its slope."""
        out: dict[Axis, tuple[dict[int, Fraction], Fraction | None]] = {}
        for found in self.linear:
            key = found.weight, found.axis
            out.setdefault(key, ({}, found.slope))
            for i, factor in found.factors.items():
                now, scale = (int(self.unit[key][i]), self.scale[key][i]) if key in self.unit else (i, Fraction(1))
                if now >= 0 and scale > 0:
                    out[key][0][now] = factor
        return out

    def cut(
        self, symmetries: Symmetries, atom: int, units: list[int], merges: list[Merge], folds: Sequence[Fold] = ()
    ) -> None:
        """Units of a space are taken out everywhere; merged ones live on in another, folded ones in several."""
        gone: dict[Axis, np.ndarray] = {}
        moved: dict[Axis, dict[int, tuple[int, Fraction]]] = {}
        folded: dict[Axis, dict[int, Terms]] = {}
        for name, axis, leaf in symmetries.groups[atom].occurrences:
            label = numbers(symmetries.layouts[name][axis], leaf)
            key = name, axis
            gone[key] = gone.get(key, np.zeros(len(label), dtype=bool)) | np.isin(label, units)
            for merge in merges:
                pairs = zip(np.flatnonzero(label == merge.unit), np.flatnonzero(label == merge.into), strict=True)
                moved.setdefault(key, {}).update({int(i): (int(j), merge.scale) for i, j in pairs})
            for fold in folds:
                at = {u: np.flatnonzero(label == u).tolist() for u in {fold.unit, *fold.line, *fold.head}}
                for n, i in enumerate(at[fold.unit]):
                    folded.setdefault(key, {})[i] = {at[k][n]: c for k, c in fold.line.items()}
                    for k, c in fold.head.items():
                        moved.setdefault(key, {})[i] = at[k][n], c
        for key, out in gone.items():
            if out.any():
                self._move(key, out, moved.get(key, {}), folded.get(key, {}))

    def _gone(self, found: Steady) -> np.ndarray:
        """Constant units that were taken out."""
        key = found.weight, found.axis
        return found.units[self.unit[key][found.units] < 0] if key in self.unit else found.units[:0]

    def _move(self, key: Axis, out: np.ndarray, moved: dict[int, tuple[int, Fraction]], folded: dict) -> None:
        place = np.where(out, -1, np.cumsum(~out) - 1)
        unit = self.unit[key].copy() if key in self.unit else np.arange(self.shapes[key[0]][key[1]])
        scale = list(self.scale.get(key, [Fraction(1)] * len(unit)))
        sums = {i: renewed(terms, place, moved, folded) for i, terms in self.sums.get(key, {}).items()}
        for i, at in enumerate(unit.tolist()):
            if at in folded:
                sums[i] = renewed({at: scale[i]}, place, moved, folded)
            if at in moved:
                unit[i], scale[i] = place[moved[at][0]], scale[i] * moved[at][1]
            elif at >= 0:
                unit[i] = place[at]
                scale[i] = scale[i] if unit[i] >= 0 else Fraction(1)
        self.unit[key], self.scale[key] = unit, scale
        self.sums[key] = {i: terms for i, terms in sums.items() if terms}

    def certificate(self, a: Network, b: Network, error_bound: float | None = None) -> Certificate:
        """Method "channels": a step for every weight whose outputs were cut."""
        arrays: dict[str, np.ndarray] = {}
        steps: list[dict[str, Any]] = [] if self.sizes is None else [{"step": "sizes", "shapes": self.sizes}]
        for name, axis in output_axes(a).items():
            if (name, axis) not in self.unit:
                continue
            unit, scale = self.unit[name, axis], self.scale[name, axis]
            arrays[f"v{len(arrays)}"] = unit.astype(np.int64)
            plain = all(s == 1 for s in scale)
            texts = None if plain else [f"{s.numerator}/{s.denominator}" for s in scale]
            steps.append({"step": "units", "weight": name, "unit": f"v{len(arrays) - 1}", "scale": texts})
            terms = [(i, k, c) for i, row in self.sums.get((name, axis), {}).items() for k, c in row.items()]
            if terms:
                row, of, times = zip(*terms, strict=True)
                for values in (row, of):
                    arrays[f"v{len(arrays)}"] = np.array(values, dtype=np.int64)
                names = {"weight": name, "row": f"v{len(arrays) - 2}", "of": f"v{len(arrays) - 1}"}
                steps.append({"step": "sums", **names, "times": [f"{c.numerator}/{c.denominator}" for c in times]})
        needed = self.narrowing if self.bounded() else None
        for names, values in needed.written() if needed is not None else ():
            for key, value in values.items():
                arrays[f"v{len(arrays)}"] = value
                names[key] = f"v{len(arrays) - 1}"
            steps.append(names)
        for found in self.steady:
            if (gone := self._gone(found)).size:
                arrays[f"v{len(arrays)}"] = gone.astype(np.int64)
                names = {"map": found.map, "axis": found.along, "units": f"v{len(arrays) - 1}"}
                steps.append({"step": "steady", **names})
        for piece in self.linear:
            if units := self.in_sums(piece):
                arrays[f"v{len(arrays)}"] = np.array(units, dtype=np.int64)
                names = {"map": piece.map, "axis": piece.along, "units": f"v{len(arrays) - 1}"}
                steps.append({"step": "linear", **names})
        lo, hi = self.box or ((), ())
        ends = {"lo": [float(v) for v in lo], "hi": [float(v) for v in hi]}
        cut = self.narrowing is not None and len(self.narrowing.h) > 0
        rows = {"G": self.narrowing.G.tolist(), "h": self.narrowing.h.tolist()} if cut and self.narrowing else {}
        domain = {**ends, **rows} if self.box else "all"
        return certificate(
            a,
            b,
            claim="equal",
            strength="bound" if self.slack else "exact",
            method="channels",
            steps=steps,
            arrays=arrays,
            domain=domain,
            error_bound=error_bound,
        )

    def bounded(self) -> bool:
        """Whether the proof rests on ranges."""
        return any(self._gone(found).size for found in self.steady) or any(map(self.in_sums, self.linear))

    def in_sums(self, piece: Linear) -> list[int]:
        """The linear units that the proof needs: those that are sums, and those that stand for a term of one."""
        key = piece.weight, piece.axis
        rows = self.sums.get(key, {})
        if not rows:
            return []
        named = {k for terms in rows.values() for k in terms}
        unit, scale = self.unit[key], self.scale[key]
        return [i for i in piece.factors if i in rows or (unit[i] in named and scale[i] > 0)]


def renewed(terms: Terms, place: np.ndarray, moved: dict[int, tuple[int, Fraction]], folded: dict[int, Terms]) -> Terms:
    """A sum of outputs in the places that they have after a cut; empty where one is lost."""
    out: Terms = {}
    for at, c in terms.items():
        into = folded.get(at) or {moved[at][0]: moved[at][1]} if at in moved or at in folded else {at: Fraction(1)}
        for k, factor in into.items():
            if place[k] < 0:
                return {}
            out[int(place[k])] = out.get(int(place[k]), Fraction(0)) + c * factor
    return {k: c for k, c in out.items() if c}


def open_sizes(net: Network) -> list[tuple[int, ...]] | None:
    """The shapes of one sample of the inputs, where the file leaves more open than how many samples there are."""
    if net.format != "onnx" or not any(0 in shape[1:] for _, shape in checker_model(net).inputs):
        return None
    return [(1, *spec.sample_shape) if spec.batched else tuple(spec.shape) for spec in net.inputs]


def output_axes(net: Network) -> dict[str, int]:
    """The axis of every weight along which it writes, where it is the kernel of a convolution or a matrix."""
    from fiberscope_verify.chain import reachable
    from fiberscope_verify.core import MOVES, apply_move
    from fiberscope_verify.lower import lower

    graph = lower(checker_model(net))
    names = {graph_name(net, name): name for name in net.weights}
    out: dict[str, int] = {}
    for v in reachable(graph):
        node = graph.nodes[v]
        if node.op not in ("conv", "matmul"):
            continue
        for place, u in enumerate(node.args):
            moves, at = [], u
            while graph.nodes[at].op in MOVES:
                moves.append(graph.nodes[at])
                at = graph.nodes[at].args[0]
            if graph.nodes[at].op != "array" or graph.nodes[at].attrs[0] not in names:
                continue
            shape = graph.shape(at)
            writing = 0 if node.op == "conv" else len(graph.shape(u)) - (1 if place else 2)
            for axis, size in enumerate(shape):
                label = np.broadcast_to(
                    np.arange(size).reshape([-1 if i == axis else 1 for i in range(len(shape))]), shape
                )
                for move in reversed(moves):
                    label = apply_move(move, label)
                wide = [-1 if i == writing else 1 for i in range(label.ndim)]
                if label.shape[writing] == size > 1 and np.array_equal(
                    label, np.broadcast_to(np.arange(size).reshape(wide), label.shape)
                ):
                    out[names[graph.nodes[at].attrs[0]]] = axis
    return out


def graph_name(net: Network, name: str) -> str:
    """The checker's name of a weight."""
    return checker_model(net).array_name(name) or name
