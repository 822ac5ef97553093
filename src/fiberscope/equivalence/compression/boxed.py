"""Compression of a chain of ReLUs on a bounded domain: fold in float64 for memory, in the stored type for a file."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from fiberscope.equivalence.certificate import Certificate
from fiberscope.equivalence.chain import Chain
from fiberscope.equivalence.compression.certificate import stable_certificate
from fiberscope.equivalence.compression.chain import (
    ChainCompression,
    compared,
    merged,
    rounded,
    untouched,
    with_merged,
)
from fiberscope.equivalence.compression.dual import ROOT, DualClaim
from fiberscope.equivalence.compression.on_box import OnBox, compress_on_box
from fiberscope.equivalence.compression.result import LayerReport
from fiberscope.equivalence.domain import Domain
from fiberscope.equivalence.rigorous import accepts
from fiberscope.errors import FiberscopeError, InputError

if TYPE_CHECKING:
    from fiberscope.network import Network


def compress_boxed(
    net: Network,
    chain: Chain,
    domain: Domain,
    dtype: type,
    budget: float,
    seed: int,
    say: Callable[[str], None],
    start: float,
) -> ChainCompression:
    """Prove once, fold twice; ``start``: when the work began (perf_counter)."""
    proved = compress_on_box(net, chain, domain, dtype=np.float64, seconds=budget, seed=seed, say=say)
    memory = tuple(proved.folded.layers)
    if dtype is not np.float64:
        proved = compress_on_box(net, chain, domain, dtype=dtype, seconds=budget, seed=seed, say=say, before=proved)

    if not np.isfinite([proved.error_bound, proved.scale]).all():
        raise InputError(f"{net.name}: its outputs are beyond what can be bounded on this domain; give a smaller one")

    layers, methods = layer_reports(chain, proved), methods_used(chain, proved)
    stored = rounded(proved.folded.layers, dtype)
    parameters = sum(w.size + b.size for w, b in stored)
    changed = parameters < net.parameters or sum(x.after for x in layers) < sum(x.before for x in layers)
    if not changed:  # what is linear is needed, too: rewriting it would only round
        layers = tuple(LayerReport(layer.before, layer.before, open=layer.open) for layer in layers)
    if merged(chain):
        changed = parameters <= net.parameters  # else it was a bottleneck: better as it is
        layers = with_merged(chain, layers, gone=True) if changed else untouched(chain)
        methods = {**methods, "affine layers merged": merged(chain)} if changed else {}

    def prove(saved: Network) -> Certificate:
        if not changed:
            return compared(net, saved, seed)
        proof = stable_certificate(
            net, saved, proved.claims, proved.folded, ROOT, domain.to_json(), proved.region.mu, proved.error_bound
        )
        return accepted(proof, net, saved)

    return ChainCompression(
        original=net,
        memory=memory,
        layers=layers,
        methods=methods,
        error_bound=proved.error_bound if changed else 0.0,
        scale=proved.scale,
        domain=domain.to_json(),
        seconds=time.perf_counter() - start,
        seed=seed,
        stored=stored,
        activations=chain.activations,
        prove=prove,
        changed=changed,
    )


def layer_reports(chain: Chain, proved: OnBox) -> tuple[LayerReport, ...]:
    """What became of the units of each layer."""
    reports = []
    for l, relation in enumerate(proved.folded.relations):
        before, after = chain.widths[l + 1], len(proved.folded.layers[l][1])
        silent = ~(chain.floats()[l][0] != 0).any(axis=1)
        stands = relation.unit[relation.unit >= 0]
        duplicates = len(stands) - len(np.unique(stands)) + int((relation.unit < -1).sum())
        gone = np.setdiff1d(np.arange(before), relation.alive)
        constant = int(silent.sum())
        dead = int((~silent[gone]).sum())
        folded = before - after - dead - constant - duplicates
        reports.append(
            LayerReport(before, after, dead, constant, duplicates, max(folded, 0), len(proved.stable.open[l]))
        )
    return tuple(reports)


def methods_used(chain: Chain, proved: OnBox) -> dict[str, int]:
    """How many units each method settled."""
    bounded = [c for c in proved.stable.claims if not isinstance(c, DualClaim)]
    programs = [c for c in proved.stable.claims if isinstance(c, DualClaim)]
    at_once = sum(len(c.units) for c in bounded if c.leaves == 1)
    split = sum(len(c.units) for c in bounded if c.leaves > 1)
    solved = sum(int((c.ends >= 0).sum()) for c in programs if c.leaves == 1)
    branched = sum(len(c.units) for c in programs if c.leaves > 1)
    unread = duplicates = opposite = cancelled = 0
    for l, relation in enumerate(proved.folded.relations):
        stands = relation.unit >= 0
        turned = int((relation.scale[stands] < 0).sum())
        opposite += turned
        duplicates += int(stands.sum()) - len(np.unique(relation.unit[stands])) - turned
        cancelled += int((relation.unit < -1).sum())
        gone = np.setdiff1d(np.arange(chain.widths[l + 1]), relation.alive)
        unread += int((proved.stable.status[l][gone] == 0).sum())
    counts = {"linear bounds": at_once, "splitting": split, "programs": solved, "branching": branched, "unread": unread}
    counts |= {"duplicate": duplicates, "opposite": opposite, "cancelled": cancelled}
    return {name: count for name, count in counts.items() if count}


def accepted(proof: Certificate, a: Network, b: Network) -> Certificate:
    """The proof, once the independent checker has accepted it."""
    reason = accepts(proof, a, b)
    if reason is not None:
        raise FiberscopeError(
            f"{b.name}: the checker refuses the proof of this compression ({reason}); please report it"
        )
    return proof
