"""The compression of a chain of smooth activations on a box: what goes is redundant for every input, up to rounding.

The weights of repeated units are added up, and constant units go into the biases that read them, also where the stored
type does not hold the sum or where the constant is no rational number (tanh(0.3)). How far the outputs move on the box
follows from the slopes of the activations: see ``fiberscope_verify.lipschitz``.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from fiberscope.equivalence.certificate import Certificate
from fiberscope.equivalence.chain import Chain
from fiberscope.equivalence.chain_reduce import Step, reduce_chain
from fiberscope.equivalence.compression.boxed import accepted
from fiberscope.equivalence.compression.certificate import lipschitz_certificate
from fiberscope.equivalence.compression.chain import Arrays, ChainCompression, merged, rounded, with_merged
from fiberscope.equivalence.compression.everywhere import Reduced, layer_reports, methods_used, never_empty
from fiberscope.equivalence.domain import Domain
from fiberscope.equivalence.rigorous import checker_source
from fiberscope.numerics.tolerance import COMPRESSION_LOOSE

if TYPE_CHECKING:
    from fiberscope.network import Network


def nearly_reduced(chain: Chain) -> Reduced:
    """The chain without redundant units, whether or not its numbers can be stored: repeated units first, then
    constant ones, whose values are rounded to float64 where they are not rational."""
    first = reduce_chain(chain)
    second = reduce_chain(first.chain, merge=False, near=True)
    return Reduced(second.chain, [*first.steps, *second.steps])


def compress_smooth(
    net: Network, chain: Chain, domain: Domain, dtype: type, seed: int, start: float
) -> ChainCompression | None:
    """None where nothing goes, or no bound is known; ``start``: when the work began (perf_counter)."""
    import fiberscope_verify
    from fiberscope_verify.report import Reject

    reduction = nearly_reduced(chain)
    if not (reduction.steps or merged(chain)):
        return None
    layers = never_empty(reduction.chain.floats())
    stored = rounded(layers, dtype)
    finite = all(np.isfinite(part).all() for layer in stored for part in layer)
    if not finite or sum(w.size + b.size for w, b in stored) > net.parameters:
        return None
    original = fiberscope_verify.read_chain(checker_source(net))
    try:
        bound = bound_of(original, reduction, stored, domain)
    except Reject:
        return None
    points = domain.sample(np.random.default_rng(seed), 256)
    scale = float(np.abs(chain.run(points)).max(initial=0.0))
    if not bound <= COMPRESSION_LOOSE * scale:
        return None
    reports, methods = layer_reports(chain, reduction), methods_used(chain, reduction)
    if merged(chain):
        reports, methods["affine layers merged"] = with_merged(chain, reports, gone=True), merged(chain)

    def prove(saved: Network) -> Certificate:
        return accepted(lipschitz_certificate(net, saved, all_steps(reduction), domain.to_json(), bound), net, saved)

    return ChainCompression(
        original=net,
        memory=tuple(layers),
        layers=reports,
        methods=methods,
        error_bound=bound,
        scale=scale,
        domain=domain.to_json(),
        seconds=time.perf_counter() - start,
        seed=seed,
        stored=stored,
        activations=chain.activations,
        prove=prove,
    )


def all_steps(reduction: Reduced) -> list[Step]:
    """The steps of the certificate: those of the original, and the units that stand for empty layers."""
    empty = [l for l, width in enumerate(reduction.chain.widths[1:-1], 1) if width == 0]
    there = [{"step": "remove-dead", "side": "b", "layer": l, "unit": 0} for l in empty]
    return [{"side": "a", **step} for step in reduction.steps] + there


def bound_of(original: Any, reduction: Reduced, stored: Arrays, domain: Domain) -> float:
    """The checker's own bound for these steps and these numbers."""
    from fiberscope_verify.chain import Chain as Checked
    from fiberscope_verify.chain import Layer
    from fiberscope_verify.lipschitz import Loose, distance

    assert domain.box is not None
    trees = [layer.activation for layer in original.layers]
    made = []
    for (w, b), tree in zip(stored, trees, strict=True):
        w, b = w.astype(np.float64), b.astype(np.float64)
        made.append(Layer(w, b, np.zeros(w.shape), np.zeros(b.shape), tree))
    sides = {"a": Loose.of(original), "b": Loose.of(Checked(made))}
    for step in all_steps(reduction):
        sides[step["side"]].step(step)
    return distance(sides["a"], sides["b"].chain, *domain.box) * (1 + 2.0**-20)
