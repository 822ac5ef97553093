"""`compress`: fewer hidden units, the same function, with a proof per unit."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fiberscope.equivalence.bounds import can_bound
from fiberscope.equivalence.certificate import Certificate
from fiberscope.equivalence.chain import Chain, chain_of
from fiberscope.equivalence.chain_reduce import Reduction, reduce_chain
from fiberscope.equivalence.compression.certificate import stable_certificate
from fiberscope.equivalence.compression.graph import GraphCompression, compress_graph
from fiberscope.equivalence.compression.on_box import ROOT, OnBox, compress_on_box
from fiberscope.equivalence.compression.result import Compression, LayerReport
from fiberscope.equivalence.domain import domain_of
from fiberscope.equivalence.rigorous import accepts
from fiberscope.errors import FiberscopeError, InputError
from fiberscope.network.stack import stacked

if TYPE_CHECKING:
    from fiberscope.network import Network


def compress(
    net: Network,
    *,
    box: Any = None,
    budget: float = 120.0,
    seed: int = 0,
    certificate: str | Path | None = None,
    out: str | Path | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Compression | GraphCompression:
    """A network with fewer hidden units that computes the same function, on all inputs or on a box.

    Without a box only what holds for every input is removed: units that nobody reads, that no input reaches, that read
    what is never negative with weights and a bias that are never positive, or that are multiples of others; exactly.
    With ``box=(lo, hi)`` a ReLU unit that is nowhere positive on the box goes, and those that are nowhere negative
    there, being linear, are carried by as few units as their rank in the reduced inputs (at most ``budget`` seconds
    are spent on proofs; what stays open stays). Nothing is ever approximated: the only error is the rounding of stored
    numbers, bounded rigorously. ``out`` writes the smaller model, ``certificate`` the proof about it.

    Networks that are no chain of fully connected layers (convolutions, residual sums) lose only what is redundant for
    every input, whatever the box; batch norms right after a convolution are folded into it first.

    Errors: InputError for a wrong box or budget, or a path that cannot be written.

    >>> import numpy as np, torch, fiberscope as fs
    >>> layers = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
    >>> with torch.no_grad():
    ...     _ = layers[0].weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))
    ...     _ = layers[0].bias.copy_(torch.tensor([0.0, -5.0, 9.0]))
    >>> small = compress(fs.load(layers.eval(), (torch.zeros(2, 2),)), box=(-1, 1))
    >>> small.units_before, small.units_after, small.layers[0].dead
    (3, 2, 1)
    """
    from fiberscope_verify.report import Reject

    start = time.perf_counter()
    if not budget > 0:
        raise InputError(f"budget: {budget} seconds; give a positive number")
    chain = chain_of(net)
    if chain is None or not chain.activations:
        return _graph(net, box, seed, say, start, out, certificate)
    domain = domain_of(net, box)
    dtype = stored_dtype(net)
    if domain.box is not None and can_bound(chain):
        try:
            result = _on_box(net, chain, domain.box, dtype, budget, seed, say, start)
        except Reject as reason:
            raise InputError(f"{net.name}: its numbers are beyond what can be bounded ({reason})") from reason
    else:
        result = _everywhere(net, chain, dtype, seed, say, start)
    if out is not None:
        proof = result.save(out)
        if certificate is not None:
            proof.save(certificate)
    elif certificate is not None:
        raise InputError("certificate: it is about a file; say where the smaller model goes with out=")
    return result


def _graph(
    net: Network,
    box: Any,
    seed: int,
    say: Callable[[str], None],
    start: float,
    out: str | Path | None,
    certificate: str | Path | None,
) -> GraphCompression:
    """Networks of any graph, on all inputs."""
    if box is not None:
        domain_of(net, box)  # refuses a wrong one
        say("no bounds are known for this graph: only what is redundant for every input is removed")
    if certificate is not None and out is None:
        raise InputError("certificate: it is about a file; say where the smaller model goes with out=")
    result = compress_graph(net, seed=seed, say=say, start=start)
    if out is not None:
        proof, reason = result.save(out)
        if certificate is not None and proof is not None:
            proof.save(certificate)
        result = replace(result, no_certificate=reason)
    return result


def stored_dtype(net: Network) -> type:
    """The float type of the stored weights: the widest one among them."""
    sizes = {str(t.dtype).removeprefix("torch.") for t in net.weights.values() if t.dtype.is_floating_point}
    return np.float64 if "float64" in sizes else np.float16 if sizes == {"float16"} else np.float32


def _rounded(layers: list[tuple[np.ndarray, np.ndarray]], dtype: type) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    return tuple((w.astype(dtype), b.astype(dtype)) for w, b in layers)


def _size(layers: Any) -> int:
    return sum(w.size + b.size for w, b in layers)


def _on_box(
    net: Network,
    chain: Chain,
    box: Any,
    dtype: type,
    budget: float,
    seed: int,
    say: Callable[[str], None],
    start: float,
) -> Compression:
    proved = compress_on_box(net, chain, box, dtype=np.float64, seconds=budget, seed=seed, say=say)
    memory = stacked(net, proved.folded.layers, chain.activations)
    if dtype is not np.float64:
        proved = compress_on_box(net, chain, box, dtype=dtype, seconds=budget, seed=seed, say=say, stable=proved.stable)
    stored = _rounded(proved.folded.layers, dtype)

    def prove(saved: Network) -> Certificate:
        proof = stable_certificate(net, saved, proved.claims, proved.folded, ROOT, box, proved.error_bound)
        return _accepted(proof, net, saved)

    lo, hi = box
    return Compression(
        net,
        memory,
        _layer_reports(chain, proved),
        _size(stored),
        _methods(chain, proved),
        proved.error_bound,
        proved.scale,
        {"lo": [float(v) for v in lo], "hi": [float(v) for v in hi]},
        time.perf_counter() - start,
        seed,
        stored,
        chain.activations,
        prove,
    )


def _layer_reports(chain: Chain, proved: OnBox) -> tuple[LayerReport, ...]:
    reports = []
    for l, relation in enumerate(proved.folded.relations):
        before, after = chain.widths[l + 1], len(proved.folded.layers[l][1])
        silent = ~(chain.floats()[l][0] != 0).any(axis=1)
        free = relation.unit[relation.unit >= 0]
        duplicates = len(free) - len(np.unique(free))
        gone = np.setdiff1d(np.arange(before), relation.alive)
        constant = int(silent.sum())
        dead = int((~silent[gone]).sum())
        folded = before - after - dead - constant - duplicates
        reports.append(
            LayerReport(before, after, dead, constant, duplicates, max(folded, 0), len(proved.stable.open[l]))
        )
    return tuple(reports)


def _methods(chain: Chain, proved: OnBox) -> dict[str, int]:
    at_once = sum(len(c.units) for c in proved.stable.claims if c.leaves == 1)
    split = sum(len(c.units) for c in proved.stable.claims if c.leaves > 1)
    unread = duplicates = 0
    for l, relation in enumerate(proved.folded.relations):
        free = relation.unit[relation.unit >= 0]
        duplicates += len(free) - len(np.unique(free))
        gone = np.setdiff1d(np.arange(chain.widths[l + 1]), relation.alive)
        unread += int((proved.stable.status[l][gone] == 0).sum())
    counts = {"linear bounds": at_once, "splitting": split, "unread": unread, "duplicate": duplicates}
    return {name: count for name, count in counts.items() if count}


def _everywhere(
    net: Network, chain: Chain, dtype: type, seed: int, say: Callable[[str], None], start: float
) -> Compression:
    reduction = reduce_chain(chain, within=dtype)  # nothing is rounded on all inputs: what does not fit stays
    layers = _never_empty(reduction.chain.floats())
    stored = _rounded(layers, dtype)
    kept = all(np.array_equal(w, v) and np.array_equal(b, c) for (w, b), (v, c) in zip(stored, layers, strict=True))
    if reduction.steps and not (kept and reduction.chain.exact_in_floats):
        say("merged layers hold numbers that are not stored ones (a subtracted mean?): nothing is removed")
        reduction = Reduction(chain, (), tuple(np.arange(width) for width in chain.widths[1:-1]))
        layers, stored = chain.floats(), _rounded(chain.floats(), dtype)
    memory = stacked(net, layers, chain.activations) if reduction.steps else net

    def prove(saved: Network) -> Certificate:
        from fiberscope.equivalence.compare import compare

        verdict = compare(net, saved, seed=seed)
        if verdict.answer != "equal" or not isinstance(verdict.certificate, Certificate):
            raise FiberscopeError(
                f"{saved.name}: the saved model is not proved equal to the original; it was written all the same"
            )
        return verdict.certificate

    return Compression(
        net,
        memory,
        _reduced_reports(chain, reduction),
        _size(stored) if reduction.steps else net.parameters,
        _reduced_methods(reduction),
        0.0,
        float(np.abs(chain.run(np.random.default_rng(seed).standard_normal((256, net.n_in)))).max(initial=0.0)),
        "all",
        time.perf_counter() - start,
        seed,
        stored,
        chain.activations,
        prove,
    )


def _never_empty(layers: list[tuple[np.ndarray, np.ndarray]]) -> list[tuple[np.ndarray, np.ndarray]]:
    """A layer that lost all its units keeps one that is always zero, so that files can hold it."""
    out = list(layers)
    for l in range(len(out) - 1):
        if not len(out[l][1]):
            out[l] = np.zeros((1, out[l][0].shape[1])), np.zeros(1)
            out[l + 1] = np.zeros((len(out[l + 1][1]), 1)), out[l + 1][1]
    return out


_WORDS = {"remove-dead": "dead", "never-positive": "dead", "fold-constant": "constant", "merge": "duplicate"}

_METHODS = {**_WORDS, "remove-dead": "unread", "never-positive": "sign rule"}


def _reduced_reports(chain: Chain, reduction: Reduction) -> tuple[LayerReport, ...]:
    reports = []
    for l, width in enumerate(chain.widths[1:-1], 1):
        words = [_WORDS[step["step"]] for step in reduction.steps if step["layer"] == l]
        counts = {word: words.count(word) for word in ("dead", "constant", "duplicate")}
        reports.append(LayerReport(width, max(width - len(words), 1), **counts))
    return tuple(reports)


def _reduced_methods(reduction: Reduction) -> dict[str, int]:
    words = [_METHODS[step["step"]] for step in reduction.steps]
    return {word: words.count(word) for word in dict.fromkeys(words)}


def _accepted(proof: Certificate, a: Network, b: Network) -> Certificate:
    """The proof, once the independent checker has accepted it."""
    reason = accepts(proof, a, b)
    if reason is not None:
        raise FiberscopeError(
            f"{b.name}: the checker refuses the proof of this compression ({reason}); please report it"
        )
    return proof
