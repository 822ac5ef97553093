"""The compression of a chain on all inputs: exact steps only; what the stored type cannot hold stays."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fiberscope.equivalence.certificate import Certificate
from fiberscope.equivalence.chain import Affine, Chain
from fiberscope.equivalence.chain_reduce import NEVER_NEGATIVE, reduce_chain
from fiberscope.equivalence.compression.active_layer import active_layer
from fiberscope.equivalence.compression.certificate import exact_certificate
from fiberscope.equivalence.compression.chain import (
    ChainCompression,
    compared,
    merged,
    rounded,
    untouched,
    with_merged,
)
from fiberscope.equivalence.compression.minimal_layer import minimal_layer
from fiberscope.equivalence.compression.result import LayerReport
from fiberscope.equivalence.rigorous import accepts

if TYPE_CHECKING:
    from fiberscope.network import Network

KEEPS_POSITIVE = ("relu", "leaky_relu", "abs")
"""Activations that leave positive numbers as they are."""

SECONDS = 10.0
"""For the search of the least number of units of one layer."""


def compress_everywhere(
    net: Network, chain: Chain, dtype: type, seed: int, say: Callable[[str], None], start: float
) -> ChainCompression:
    """Reduce a chain exactly; ``start``: when the work began (perf_counter)."""
    reduction = reduced(chain, dtype, say)  # nothing is rounded on all inputs: what does not fit stays
    layers = never_empty(reduction.chain.floats())
    stored = rounded(layers, dtype)
    kept = all(np.array_equal(w, v) and np.array_equal(b, c) for (w, b), (v, c) in zip(stored, layers, strict=True))
    exact = kept and reduction.chain.exact_in_floats
    smaller = sum(w.size + b.size for w, b in stored) <= net.parameters
    changed = exact and (smaller if merged(chain) else bool(reduction.steps))
    if not changed:
        if reduction.steps or merged(chain):
            say("linear layers in a row stay apart: their product is larger, or cannot be stored exactly")
        layers, stored = chain.floats(), rounded(chain.floats(), dtype)
        reports, methods = untouched(chain), {}
    else:
        reports, methods = layer_reports(chain, reduction), methods_used(chain, reduction)
        if merged(chain):
            reports, methods["affine layers merged"] = with_merged(chain, reports, gone=True), merged(chain)

    def prove(saved: Network) -> Certificate:
        if changed:
            proof = exact_certificate(net, saved, reduction.steps, reduction.chain)
            if accepts(proof, net, saved) is None:
                return proof
        return compared(net, saved, seed)

    points = np.random.default_rng(seed).standard_normal((256, net.n_in))
    return ChainCompression(
        original=net,
        memory=tuple(layers),
        layers=reports,
        methods=methods,
        error_bound=0.0,
        scale=float(np.abs(chain.run(points)).max(initial=0.0)),
        domain="all",
        seconds=time.perf_counter() - start,
        seed=seed,
        stored=stored,
        activations=chain.activations,
        prove=prove,
        changed=changed,
    )


@dataclass(frozen=True, eq=False)
class Reduced:
    """The reduced chain, and the steps of the certificate that lead there."""

    chain: Chain
    steps: list[dict[str, Any]]


def reduced(chain: Chain, dtype: type, say: Callable[[str], None]) -> Reduced:
    """Redundant units removed, layers made minimal and linear units folded, in turn, until nothing changes."""
    steps: list[dict[str, Any]] = []
    while True:
        reduction = reduce_chain(chain, within=dtype)
        steps += reduction.steps
        chain = reduction.chain
        for l in range(len(chain.activations)):
            step = smaller_layer(chain, l, dtype)
            if step is not None:
                say(f"layer {l + 1}: the same function of the layer below with fewer units")
                steps.append(step)
                chain = replaced(chain, l, step)
                break
        else:
            return Reduced(chain, steps)


def smaller_layer(chain: Chain, l: int, dtype: type) -> dict[str, Any] | None:
    """A step that replaces units of hidden layer ``l`` (0-based) by fewer, or None."""
    here, after, name = chain.layers[l], chain.layers[l + 1], chain.activations[l]
    found: Any = minimal_layer(here, after, name, within=dtype, budget=SECONDS)
    step = {"step": "replace", "layer": l + 1}
    if found is None and l and chain.activations[l - 1] in NEVER_NEGATIVE and name.split("(")[0] in KEEPS_POSITIVE:
        found = active_layer(here, after, within=dtype)
        step = {"step": "active", "layer": l + 1} | ({} if found is None else {"units": found.units})
    if found is None:
        return None
    arrays = {"weight": found.weight, "bias": found.bias, "next_weight": found.following, "next_bias": found.constant}
    return step | arrays


def replaced(chain: Chain, l: int, step: dict[str, Any]) -> Chain:
    """The chain after such a step: new units stand after those that are kept."""
    layers, here, after = list(chain.layers), chain.layers[l], chain.layers[l + 1]
    keep = np.setdiff1d(np.arange(len(here.bias)), step["units"]) if "units" in step else np.zeros(0, dtype=np.int64)
    weight, bias = (np.concatenate([old[keep], step[k]]) for old, k in ((here.weight, "weight"), (here.bias, "bias")))
    following = np.concatenate([after.weight[:, keep], step["next_weight"]], axis=1)
    layers[l], layers[l + 1] = Affine(weight, bias), Affine(following, step["next_bias"])
    return Chain(tuple(layers), chain.activations)


def never_empty(layers: list[tuple[np.ndarray, np.ndarray]]) -> list[tuple[np.ndarray, np.ndarray]]:
    """A layer that lost all its units keeps one that is always zero, so that files can hold it."""
    out = list(layers)
    for l in range(len(out) - 1):
        if not len(out[l][1]):
            out[l] = np.zeros((1, out[l][0].shape[1])), np.zeros(1)
            out[l + 1] = np.zeros((len(out[l + 1][1]), 1)), out[l + 1][1]
    return out


WORDS = {"remove-dead": "dead", "never-positive": "dead", "fold-constant": "constant", "merge": "duplicate"}
WORDS |= {"reflect": "duplicate"}

METHODS = {**WORDS, "remove-dead": "unread", "never-positive": "sign rule", "replace": "minimal layer"}


def layer_reports(chain: Chain, reduction: Reduced) -> tuple[LayerReport, ...]:
    """What became of the units of each layer; what no single step removed was folded."""
    reports = []
    for l, width in enumerate(chain.widths[1:-1], 1):
        words = [WORDS[step["step"]] for step in reduction.steps if step["layer"] == l and step["step"] in WORDS]
        counts = {word: words.count(word) for word in ("dead", "constant", "duplicate")}
        left = reduction.chain.widths[l]
        reports.append(LayerReport(width, max(left, 1), **counts, folded=width - len(words) - left))
    return tuple(reports)


def methods_used(chain: Chain, reduction: Reduced) -> dict[str, int]:
    """How many units each method settled."""
    active = [len(step["units"]) - len(step["bias"]) for step in reduction.steps if step["step"] == "active"]
    words = [METHODS[step["step"]] for step in reduction.steps if step["step"] != "active"]
    words += ["always active"] * sum(active)
    counts = {word: words.count(word) for word in dict.fromkeys(words)}
    if "minimal layer" in counts:
        others = sum(count for word, count in counts.items() if word != "minimal layer")
        counts["minimal layer"] = sum(chain.widths[1:-1]) - sum(reduction.chain.widths[1:-1]) - others
    return counts
