"""The compression of a chain on all inputs: exact steps only; what the stored type cannot hold stays."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from fiberscope.equivalence.certificate import Certificate
from fiberscope.equivalence.chain import Chain
from fiberscope.equivalence.chain_reduce import Reduction, reduce_chain
from fiberscope.equivalence.compression.chain import ChainCompression, rounded
from fiberscope.equivalence.compression.result import LayerReport
from fiberscope.errors import FiberscopeError
from fiberscope.network.stack import stacked

if TYPE_CHECKING:
    from fiberscope.network import Network


def compress_everywhere(
    net: Network, chain: Chain, dtype: type, seed: int, say: Callable[[str], None], start: float
) -> ChainCompression:
    """Reduce a chain exactly; ``start``: when the work began (perf_counter)."""
    reduction = reduce_chain(chain, within=dtype)  # nothing is rounded on all inputs: what does not fit stays
    layers = never_empty(reduction.chain.floats())
    stored = rounded(layers, dtype)
    kept = all(np.array_equal(w, v) and np.array_equal(b, c) for (w, b), (v, c) in zip(stored, layers, strict=True))
    if reduction.steps and not (kept and reduction.chain.exact_in_floats):
        say("merged layers hold numbers that are not stored ones (a subtracted mean?): nothing is removed")
        reduction = Reduction(chain, (), tuple(np.arange(width) for width in chain.widths[1:-1]))
        layers, stored = chain.floats(), rounded(chain.floats(), dtype)
    memory = stacked(net, layers, chain.activations) if reduction.steps else net

    def prove(saved: Network) -> Certificate:
        from fiberscope.equivalence.compare import compare

        verdict = compare(net, saved, seed=seed)
        if verdict.answer != "equal" or not isinstance(verdict.certificate, Certificate):
            raise FiberscopeError(
                f"{saved.name}: the saved model is not proved equal to the original; it was written all the same"
            )
        return verdict.certificate

    points = np.random.default_rng(seed).standard_normal((256, net.n_in))
    return ChainCompression(
        original=net,
        network=memory,
        layers=layer_reports(chain, reduction),
        methods=methods_used(reduction),
        error_bound=0.0,
        scale=float(np.abs(chain.run(points)).max(initial=0.0)),
        domain="all",
        seconds=time.perf_counter() - start,
        seed=seed,
        stored=stored,
        activations=chain.activations,
        prove=prove,
        changed=bool(reduction.steps),
    )


def never_empty(layers: list[tuple[np.ndarray, np.ndarray]]) -> list[tuple[np.ndarray, np.ndarray]]:
    """A layer that lost all its units keeps one that is always zero, so that files can hold it."""
    out = list(layers)
    for l in range(len(out) - 1):
        if not len(out[l][1]):
            out[l] = np.zeros((1, out[l][0].shape[1])), np.zeros(1)
            out[l + 1] = np.zeros((len(out[l + 1][1]), 1)), out[l + 1][1]
    return out


WORDS = {"remove-dead": "dead", "never-positive": "dead", "fold-constant": "constant", "merge": "duplicate"}

METHODS = {**WORDS, "remove-dead": "unread", "never-positive": "sign rule"}


def layer_reports(chain: Chain, reduction: Reduction) -> tuple[LayerReport, ...]:
    """What became of the units of each layer."""
    reports = []
    for l, width in enumerate(chain.widths[1:-1], 1):
        words = [WORDS[step["step"]] for step in reduction.steps if step["layer"] == l]
        counts = {word: words.count(word) for word in ("dead", "constant", "duplicate")}
        reports.append(LayerReport(width, max(width - len(words), 1), **counts))
    return tuple(reports)


def methods_used(reduction: Reduction) -> dict[str, int]:
    """How many units each method settled."""
    words = [METHODS[step["step"]] for step in reduction.steps]
    return {word: words.count(word) for word in dict.fromkeys(words)}
