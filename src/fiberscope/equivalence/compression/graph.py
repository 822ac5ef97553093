"""Compress networks of any graph: convolutions per channel, residual and other branching networks.

Units of a hidden space go when nobody reads them, when they are constant (no input reaches them, or intervals show it
on the domain), when they write a multiple of what another unit of the space writes and the activation lets the factor
through, or when others carry them (`folding`). Every weight that carries the space is cut; constants that are gone
enter the biases of their readers, if these can hold them exactly (in front of zero padding they cannot, and the unit
stays). After every cut the checker's own rules must read the network before it off the network after it. Where they do
not know an operation of the graph, only the rules of `redundancy` are used, outputs are compared, and there is no
certificate.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from fiberscope.equivalence.compression import folding
from fiberscope.equivalence.compression.batch_norm import Folded, folded
from fiberscope.equivalence.compression.bounded import bound_of
from fiberscope.equivalence.compression.candidates import Candidates, found, hidden
from fiberscope.equivalence.compression.graph_ranges import Settled, settle
from fiberscope.equivalence.compression.graph_result import GraphCompression
from fiberscope.equivalence.compression.ledger import Ledger
from fiberscope.equivalence.compression.linear_units import linear_units
from fiberscope.equivalence.compression.near_folding import near_tries
from fiberscope.equivalence.compression.open_units import open_units
from fiberscope.equivalence.compression.proof import Proof, proved, reading, steady_units
from fiberscope.equivalence.compression.resize import resized
from fiberscope.equivalence.compression.result import LayerReport
from fiberscope.equivalence.compression.slicing import Fold, Merge, without
from fiberscope.equivalence.domain import Domain
from fiberscope.equivalence.sampling import sample_inputs
from fiberscope.errors import InputError
from fiberscope.numerics.tolerance import SAME_FUNCTION, STORED_ROUNDING
from fiberscope.symmetry.blocks import Workspace
from fiberscope.symmetry.element import to_array
from fiberscope.symmetry.symmetries import Symmetries, symmetries

if TYPE_CHECKING:
    from fiberscope.network import Network
    from fiberscope.symmetry.space import Space

Key = tuple[tuple[str, int], ...]
SAMPLES = 24
NUMBERS = 400_000
SINGLE = 16
LOOSE = 1e-2
"""Sums are rounded on a box only where the bound stays below this part of the outputs' size."""
LARGE, HUGE = 16, 1024
"""Coefficients of folds: what is allowed where sums are rounded, and where they are exact."""
WORDS = ("dead", "constant", "duplicate", "folded", "opposite")


def compress_graph(
    net: Network, domain: Domain, *, budget: float, seed: int, say: Callable[[str], None], start: float
) -> GraphCompression:
    """Fold batch norms, find what is dead or constant on the domain within ``budget`` seconds, then cut space after
    space until nothing more is redundant."""
    x = samples(net, seed, domain)
    before = net.run_flat(x)
    scale = float(np.abs(before).max(initial=0.0))
    if domain.box is not None and not np.isfinite(scale):
        raise InputError(f"{net.name}: its outputs are beyond what can be bounded on this domain; give a smaller one")
    fold = Folded(net, {})
    box = domain.box
    if box is not None or net.format == "onnx":
        fold = folded(net, lambda made: close(made.run_flat(x), before, STORED_ROUNDING))
    cutting = Cutting(net, x, domain, budget, seed, say, fold if box is not None else None)
    loose = "a bound needs a box (--box)" if box is None else f"the checker cannot follow this graph ({cutting.reason})"
    if fold.scales and (box is None or not cutting.followed):  # then at least the cuts are proved
        fold = fold if net.format == "onnx" else Folded(net, {})
        cutting = Cutting(fold.network, x, domain, budget, seed, say)
    norms = fold.count
    if norms:
        say(f"{norms} batch norms folded")
    cutting.run()
    bound, unproved = cutting.verdict()
    if cutting.ledger.slack and not norms and (bound is None or bound > LOOSE * scale):
        say("rounding would move the outputs by more than it is worth: only what is exact goes")
        cutting.exactly()
        bound, unproved = cutting.verdict()
    if norms and bound is None and net.format != "onnx":
        say(f"the batch norms stay: {unproved}")
        cutting, norms = Cutting(net, x, domain, budget, seed, say), 0
        cutting.run()
        bound, unproved = cutting.verdict()
    if norms and cutting.base is not net:
        bound, unproved = None, f"folding batch norms rounds, and {loose}"
    still_open = cutting.still_open()
    layers = []
    for key, width in cutting.widths.items():
        gone = dict(cutting.counts[key])
        left = width - sum(gone.values())
        gone["duplicate"] += gone.pop("opposite")
        layers.append(LayerReport(width, left, **gone, open=met(still_open, key)))
    methods = {word: sum(c[word] for c in cutting.counts.values()) for word in WORDS}
    methods = {"batch norm": norms, **methods, **(cutting.settled.methods if cutting.settled else {})}
    return GraphCompression(
        original=net,
        network=cutting.net,
        layers=tuple(layers),
        methods={word: count for word, count in methods.items() if count},
        error_bound=bound,
        difference=float(np.abs(cutting.net.run_flat(x) - before).max(initial=0.0)),
        scale=scale,
        domain=domain.to_json(),
        seconds=time.perf_counter() - start,
        seed=seed,
        no_certificate=unproved,
        ledger=cutting.ledger,
    )


def met(counts: dict[Key, int], key: Key) -> int:
    """The count of a space that carries some of the same weights: batch norms may be gone."""
    return next((count for other, count in counts.items() if set(other) & set(key)), 0)


@dataclass
class Cutting:
    """A network on its way: ``net`` is what is left of ``base``."""

    base: Network
    x: np.ndarray
    domain: Domain
    budget: float
    seed: int
    say: Callable[[str], None]
    normed: Folded | None = None  # the same without batch norms, where the cuts begin
    refused: set[tuple[Key, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.net = self.base if self.normed is None else self.normed.network
        self.sym = symmetries(self.net)
        self.base_sym = self.sym if self.net is self.base else symmetries(self.base)
        self.widths: dict[Key, int] = {entry.weights: entry.size for entry in hidden(self.sym)}
        self.counts: dict[Key, dict[str, int]] = {key: dict.fromkeys(WORDS, 0) for key in self.widths}
        box = self.domain.box
        self.ledger = Ledger(self.base, box)
        if self.normed is not None and self.normed.scales:
            self.ledger.begin(self.net, self.normed.inverse(self.base))
        self.reason = Proof(self.base, self.net, self.ledger).reason  # why the checker's rules cannot be followed
        self.followed = self.reason is None
        self.settled: Settled | None = Settled()
        if box is not None and self.widths:
            self.settled = settle(self.base, self.domain, seconds=self.budget, seed=self.seed, say=self.say)
        if self.followed:
            if self.settled is not None:
                self.ledger.narrowing, self.ledger.known = self.settled.narrowing, self.settled.known
            self.ledger.steady = steady_units(self.base, reading(self.base), box, self.ledger.narrowing)
            ranges = self.ledger.narrowing, self.ledger.known
            self.ledger.linear = linear_units(self.base, reading(self.base), box, *ranges)
        else:
            self.say(f"no proofs for this graph: {self.reason}")
        self.rounding = self.followed and box is not None
        self.first = self.net, self.sym, self.ledger.copy()

    def exactly(self) -> None:
        """From the beginning, without rounding."""
        self.net, self.sym, self.ledger = self.first
        self.counts = {key: dict.fromkeys(WORDS, 0) for key in self.widths}
        self.refused, self.rounding = set(), False
        self.run()

    def still_open(self) -> dict[Key, int]:
        """Units per space that nothing decides on the domain; without a reading of the graph all that are left."""
        if self.settled is None:
            return {key: width - sum(self.counts[key].values()) for key, width in self.widths.items()}
        return open_units(self.base_sym, self.settled, self.ledger)

    def run(self) -> None:
        """Until no space loses a unit any more."""
        while self.once():
            self.sym = symmetries(self.net)

    def once(self) -> bool:
        """The first space that loses units, folded ones only where no others go; False when none does."""
        net, sym = self.net, self.sym
        space = Workspace(sym, {name: to_array(net.weights[name]) for name in sym.layouts})
        stored = {name: t.detach().cpu().numpy() for name, t in net.weights.items() if name in sym.layouts}
        for entry in hidden(sym):
            most = sym.groups[entry.atom].atom.size - 1  # a layer keeps one unit
            steady = self.ledger.steady_places() if self.followed else {}
            units = found(space, sym, entry, steady, rounded=self.domain.box is not None)
            for kind, dead, merges in tries(units, most):
                about = entry.weights, f"{kind} {dead} {merges}"
                if about in self.refused or (kind == "constant" and not self.followed):
                    continue
                if self.attempt(stored, entry.atom, dead, merges):
                    word = self.word(kind)
                    counts = self.counts.setdefault(entry.weights, dict.fromkeys(WORDS, 0))
                    counts[word] += len(dead)
                    counts["duplicate"] += len(merges)
                    self.say(
                        f"{entry.id}: {len(dead)} {word} and {len(merges)} duplicate of {entry.size} units removed"
                    )
                    return True
                self.refused.add(about)
        return self.followed and self.fold(space, stored)

    def fold(self, space: Workspace, stored: dict[str, np.ndarray]) -> bool:
        """The first space that loses units which others carry."""
        linear = self.ledger.linear_places()
        for entry, (word, folds) in ((e, some) for e in hidden(self.sym) for some in self.foldable(space, e, linear)):
            about = entry.weights, f"{word} {folds}"
            if about in self.refused:
                continue
            if self.attempt(stored, entry.atom, [], [], folds):
                counts = self.counts.setdefault(entry.weights, dict.fromkeys(WORDS, 0))
                counts[word] += len(folds)
                self.say(f"{entry.id}: {len(folds)} {word} of {entry.size} units are carried by others")
                return True
            self.refused.add(about)
        return False

    def foldable(self, space: Workspace, entry: Space, linear: folding.Places) -> Iterator[tuple[str, list[Fold]]]:
        """What to fold of a space: first what others carry exactly."""
        rows = folding.rows_of(space, self.sym, entry, linear) if linear else None
        if rows is not None:
            yield from folding.tries(rows)
            if self.rounding:
                yield from near_tries(rows)

    def verdict(self) -> tuple[float | None, str | None]:
        """How far the outputs can move, 0 where nothing was rounded; or None, and why no bound is known."""
        if not self.followed:
            return (0.0, None) if self.net is self.base else (None, self.reason)
        return bound_of(self.base, self.net, self.ledger) if self.ledger.slack else (0.0, None)

    def word(self, kind: str) -> str:
        return "constant" if kind == "constant" and self.moved else "dead"

    def attempt(
        self,
        stored: dict[str, np.ndarray],
        atom: int,
        dead: list[int],
        merges: list[Merge],
        folds: Sequence[Fold] = (),
    ) -> bool:
        """Cuts some units, if the rest is proved to compute the same: exactly, or else on a box within a bound."""
        if self.ledger.slack:
            ways = [True]
        else:
            ways = [False, True] if self.rounding else [False]
        return any(self.made(stored, atom, dead, merges, folds, rounded=way) for way in ways)

    def made(
        self,
        stored: dict[str, np.ndarray],
        atom: int,
        dead: list[int],
        merges: list[Merge],
        folds: Sequence[Fold],
        *,
        rounded: bool,
    ) -> bool:
        """The same in one way: stored numbers may be ``rounded``, or not. Large coefficients would blow up rounding."""
        if any(abs(c) > (LARGE if rounded else HUGE) for fold in folds for c in fold.values.values()):
            return False
        smaller = cut(self.net, self.sym, stored, atom, dead, merges, folds, rounded=rounded)
        if smaller is None:
            return False
        ledger = self.ledger.copy()
        ledger.cut(self.sym, atom, [*dead, *(m.unit for m in merges), *(f.unit for f in folds)], merges, folds)
        ledger.slack = rounded
        self.moved = False
        if self.followed:
            whole, reason = proved(self.base, smaller, ledger)
            self.moved = whole is not smaller
            if reason is not None:
                return False
            smaller = whole
        tolerance = STORED_ROUNDING if ledger.slack else SAME_FUNCTION
        if not close(smaller.run_flat(self.x), self.net.run_flat(self.x), tolerance):
            return False
        self.net, self.ledger = smaller, ledger
        return True


def tries(what: Candidates, most: int) -> Iterator[tuple[str, list[int], list[Merge]]]:
    """What to take out, the largest part first."""
    merges = what.merges[:most]
    dead = what.dead[: most - len(merges)]
    if dead or merges:
        yield "sure", dead, merges
    if dead and merges:
        yield "dead", dead, []
        yield "merge", [], merges
    still = what.still[:most]
    if still:
        yield "constant", still, []
    if len(still) > 1:
        for unit in still[:SINGLE]:
            yield "constant", [unit], []


def samples(net: Network, seed: int, domain: Domain) -> np.ndarray:
    """Inputs at which every cut is checked: in the domain, or of sizes 1, 10 and 1000."""
    count = max(2, min(SAMPLES, NUMBERS // (net.n_in + net.n_out)))
    rng = np.random.default_rng(seed)
    if domain.polytope is not None:
        return domain.sample(rng, count)
    if domain.box is not None:
        return rng.uniform(*domain.box, size=(count, net.n_in))
    x = sample_inputs(net, count, rng)
    if all(spec.dtype.is_floating_point for spec in net.inputs):
        x[1::3] *= 10.0
        x[2::3] *= 1000.0
    return x


def close(a: np.ndarray, b: np.ndarray, tolerance: float) -> bool:
    """Whether outputs agree up to a part of the largest; NaN never does."""
    if a.shape != b.shape:
        return False
    size = np.abs(b).max(axis=1, initial=0.0, keepdims=True)
    with np.errstate(invalid="ignore"):
        return bool(np.all(np.abs(a - b) <= tolerance * size))


def cut(
    net: Network,
    sym: Symmetries,
    stored: dict[str, np.ndarray],
    atom: int,
    dead: list[int],
    merges: list[Merge],
    folds: Sequence[Fold] = (),
    *,
    rounded: bool = False,
) -> Network | None:
    """The network without some units of a space, or None where it cannot be made."""
    units = [*dead, *(m.unit for m in merges), *(f.unit for f in folds)]
    weights = without(sym, stored, atom, units, merges, folds, rounded=rounded)
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
