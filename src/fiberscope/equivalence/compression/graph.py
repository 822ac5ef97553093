"""Compress networks of any graph on all inputs: convolutions per channel, residual and other branching networks.

Units of a hidden space go when nobody reads them, when their value is zero for every input, or when they write a
multiple of what another unit of the space writes and the activation lets the factor through; every weight that carries
the space is cut. A constant channel that is not zero stays: in front of zero padding its removal would not be exact.
Each cut is checked against the network before it in float64 and taken back when anything differs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fiberscope.equivalence.certificate import Certificate
from fiberscope.equivalence.compression.batch_norm import folded
from fiberscope.equivalence.compression.ledger import Ledger
from fiberscope.equivalence.compression.resize import resized
from fiberscope.equivalence.compression.result import Compression, LayerReport
from fiberscope.equivalence.compression.slicing import Merge, without
from fiberscope.equivalence.rigorous import accepts
from fiberscope.equivalence.sampling import sample_inputs
from fiberscope.numerics.tolerance import SAME_FUNCTION, STORED_ROUNDING
from fiberscope.symmetry import redundancy as redundant
from fiberscope.symmetry.blocks import Workspace
from fiberscope.symmetry.element import to_array
from fiberscope.symmetry.groups import Mixing
from fiberscope.symmetry.symmetries import Symmetries, symmetries

if TYPE_CHECKING:
    from fiberscope.network import Network
    from fiberscope.symmetry.space import Space

Key = tuple[tuple[str, int], ...]
SAMPLES = 24
NUMBERS = 400_000


@dataclass(frozen=True, eq=False, kw_only=True)
class GraphCompression(Compression):
    """The result for a network that is no chain. ``error_bound`` is 0 when every weight kept is a stored one or an
    exact sum; None when batch norms were folded, which rounds: ``difference`` is what was measured then."""

    difference: float
    ledger: Ledger | None = field(default=None, repr=False)

    @property
    def proved(self) -> bool:
        return self.error_bound == 0.0 and super().proved

    def written(self, path: str | Path) -> tuple[Certificate | None, str | None]:
        """Writes the smaller network; returns a certificate about that file, or None and why there is none."""
        from fiberscope.equivalence.compare import compare
        from fiberscope.network import load

        self.network.save(path)
        if self.network is not self.original and self.error_bound is None:
            return None, "folding batch norms rounds, and no bound on all inputs is derived"
        saved = load(Path(path))
        reason = None
        if self.ledger is not None and self.network is not self.original:
            proof = self.ledger.certificate(self.original, saved)
            reason = accepts(proof, self.original, saved)
            if reason is None:
                return proof, None
        try:
            verdict = compare(self.original, saved, seed=self.seed)
        except RuntimeError as error:  # the file is written and was checked; only the proof is missing
            return None, f"the comparison with the original stopped ({type(error).__name__})"
        if isinstance(verdict.certificate, Certificate) and verdict.answer == "equal":
            return verdict.certificate, None
        return None, f"the checker cannot follow this graph ({reason}); outputs were compared instead"

    def bound_in_words(self) -> str:
        return "exact" if self.error_bound == 0 else f"batch norms folded, difference {self.difference:.1e} seen"

    def to_json(self) -> dict[str, Any]:
        """The dict that the command prints."""
        return {**super().to_json(), "difference": self.difference}


def compress_graph(net: Network, *, seed: int, say: Callable[[str], None], start: float) -> GraphCompression:
    """Fold batch norms, then cut spaces one after the other until nothing more is redundant."""
    x = samples(net, seed)
    before = net.run_flat(x)
    scale = float(np.abs(before).max(initial=0.0))
    current, norms = folded(net)
    if norms and not close(current.run_flat(x), before, STORED_ROUNDING):
        say("folding the batch norms changes the outputs: they stay")
        current, norms = net, 0
    if norms:
        say(f"{norms} batch norms folded")
    sym = symmetries(current)
    widths = {entry.weights: entry.size for entry in hidden(sym)}
    counts: dict[Key, dict[str, int]] = {key: {"dead": 0, "duplicate": 0} for key in widths}
    refused: set[Key] = set()
    ledger = Ledger(current)
    step = one_cut(current, sym, x, refused, say, ledger)
    while step is not None:
        current, key, words = step
        for word, count in words.items():
            counts.setdefault(key, {"dead": 0, "duplicate": 0})[word] += count
        sym = symmetries(current)
        step = one_cut(current, sym, x, refused, say, ledger)
    layers = []
    for key, width in widths.items():
        gone = counts[key]
        layers.append(LayerReport(width, width - sum(gone.values()), gone["dead"], 0, gone["duplicate"]))
    methods = {word: sum(c[word] for c in counts.values()) for word in ("dead", "duplicate")}
    methods = {"batch norm": norms, **methods}
    return GraphCompression(
        original=net,
        network=current,
        layers=tuple(layers),
        methods={word: count for word, count in methods.items() if count},
        error_bound=None if norms else 0.0,
        difference=float(np.abs(current.run_flat(x) - before).max(initial=0.0)),
        scale=scale,
        domain="all",
        seconds=time.perf_counter() - start,
        seed=seed,
        ledger=ledger,
    )


def samples(net: Network, seed: int) -> np.ndarray:
    """Inputs at which every cut is checked, of sizes 1, 10 and 1000."""
    count = max(2, min(SAMPLES, NUMBERS // (net.n_in + net.n_out)))
    x = sample_inputs(net, count, np.random.default_rng(seed))
    if all(spec.dtype.is_floating_point for spec in net.inputs):
        x[1::3] *= 10.0
        x[2::3] *= 1000.0
    return x


def close(a: np.ndarray, b: np.ndarray, tolerance: float) -> bool:
    """Whether outputs agree up to a part of the largest; NaN never does."""
    if a.shape != b.shape:
        return False
    size = np.abs(b).max(axis=1, initial=0.0, keepdims=True)
    return bool(np.all(np.abs(a - b) <= tolerance * size))


def hidden(sym: Symmetries) -> list[Space]:
    """The spaces whose units can be told apart and stand once."""
    return [
        entry
        for entry in sym.spaces
        if not entry.permuted_with and entry.mixing is Mixing.permutation and not sym.groups[entry.atom].context
    ]


def one_cut(
    net: Network, sym: Symmetries, x: np.ndarray, refused: set[Key], say: Callable[[str], None], ledger: Ledger
) -> tuple[Network, Key, dict[str, int]] | None:
    """The first space that loses units, and the network after; None when none does."""
    space = Workspace(sym, {name: to_array(net.weights[name]) for name in sym.layouts})
    stored = {name: tensor.detach().cpu().numpy() for name, tensor in net.weights.items() if name in sym.layouts}
    for entry in hidden(sym):
        if entry.weights in refused:
            continue
        group = sym.groups[entry.atom]
        dead, merges = found(space, sym, entry)
        if not dead and not merges:
            continue
        dead = dead[: group.atom.size - 1 - len(merges)]  # a layer keeps one unit
        tries = [(dead, merges), (dead, [])] if merges and dead else [(dead, merges)]
        for units, merged in tries:
            smaller = cut(net, sym, stored, entry.atom, units, merged)
            if smaller is not None and close(smaller.run_flat(x), net.run_flat(x), SAME_FUNCTION):
                ledger.cut(sym, entry.atom, [*units, *(m.unit for m in merged)], merged)
                say(f"{entry.id}: {len(units)} dead and {len(merged)} duplicate of {entry.size} units removed")
                return smaller, entry.weights, {"dead": len(units), "duplicate": len(merged)}
        refused.add(entry.weights)
        say(f"{entry.id}: redundant units stay, since the graph cannot be cut there exactly")
    return None


def found(space: Workspace, sym: Symmetries, entry: Space) -> tuple[list[int], list[Merge]]:
    """Dead units of a space, and duplicates with the unit each goes into."""
    group = sym.groups[entry.atom]
    sides = redundant._sides(space, group)
    if not (sides.rows or sides.plain):
        return [], []
    gone = redundant._unread(group, sides) | redundant._zero(replace(group, ops=before_joins(group.ops)), sides)
    still = redundant._constant(group, sides) & ~gone
    written = [*sides.rows, *sides.plain]
    merges = []
    if not group.tied:
        rows, alive = np.concatenate(written, axis=1), ~(gone | still)
        for unit in redundant._duplicates(group, written, alive):
            into = next((j for j in np.flatnonzero(alive[:unit]) if _scale(group, rows[unit], rows[j])), None)
            scale = None if into is None else _scale(group, rows[unit], rows[into])
            if into is not None and scale is not None:
                merges.append(Merge(unit, int(into), scale))
    merges = [m for m in merges if m.into not in {other.unit for other in merges}]
    return [int(u) for u in np.flatnonzero(gone)], merges


def before_joins(ops: tuple[str, ...]) -> tuple[str, ...]:
    """What touches a space before its values are only joined with others ("cat", what is joined being "outside").

    >>> before_joins(("addmm", "relu", "cat", "outside")), before_joins(("addmm", "relu", "add", "outside"))
    (('addmm', 'relu'), ('addmm', 'relu', 'add', 'outside'))
    """
    last = len(ops)
    while last and ops[last - 1] in ("cat", "outside"):
        last -= 1
    return ops[:last] if ops[last : last + 1] == ("cat",) else ops


def _scale(group: Any, row: np.ndarray, other: np.ndarray) -> Fraction | None:
    """The factor of a duplicate, or None."""
    columns = redundant._written(group)
    scaled = len(group.log_modes) == 1 and all(group.log_modes[0][c] == 1 for c in columns)
    signed = len(group.sign_modes) == 1 and all(group.sign_modes[0][c] for c in columns)
    if not redundant._multiple(row, other, scaled, signed):
        return None
    pivot = int(np.argmax(np.abs(other)))
    return Fraction(float(row[pivot])) / Fraction(float(other[pivot])) if other[pivot] else Fraction(1)


def cut(
    net: Network, sym: Symmetries, stored: dict[str, np.ndarray], atom: int, dead: list[int], merges: list[Merge]
) -> Network | None:
    """The network without some units of a space, or None where it cannot be made."""
    units = [*dead, *(m.unit for m in merges)]
    weights = without(sym, stored, atom, units, merges)
    if not units or weights is None:
        return None
    sizes = {}
    for name, axis, _ in sym.groups[atom].occurrences:
        before, after = stored[name].shape[axis], weights[name].shape[axis]
        if before != after:
            sizes[before] = after
    smaller = resized(net, weights, sizes)
    same_ends = smaller is not None and (smaller.n_in, smaller.outputs) == (net.n_in, net.outputs)
    return smaller if same_ends else None
