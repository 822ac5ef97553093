"""Compression of a chain of ReLUs on a bounded domain: fold in float64 for memory, in the stored type for a file."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from fiberscope.equivalence.certificate import Certificate
from fiberscope.equivalence.chain import Chain
from fiberscope.equivalence.compression.again import until_nothing_changes
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
from fiberscope.equivalence.compression.on_box import OnBox
from fiberscope.equivalence.compression.result import LayerReport
from fiberscope.equivalence.domain import Domain
from fiberscope.equivalence.rigorous import accepts, checker_source
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
    """Prove, fold, and fold again while that helps; ``start``: when the work began (perf_counter)."""
    import fiberscope_verify

    original = fiberscope_verify.read_chain(checker_source(net))
    passes, chains, memory = until_nothing_changes(original, chain, domain, dtype, budget, seed, say)
    bound = math.fsum(found.error_bound for found in passes) * (1 + 2.0**-20 * (len(passes) > 1))
    if not np.isfinite([bound, passes[0].scale]).all():
        raise InputError(f"{net.name}: its outputs are beyond what can be bounded on this domain; give a smaller one")

    layers, methods = layer_reports(chains, passes), methods_used(chains, passes)
    stored = rounded(passes[-1].folded.layers, dtype)
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
        proof = stable_certificate(net, saved, passes, ROOT, domain.to_json(), bound)
        return accepted(proof, net, saved)

    return ChainCompression(
        original=net,
        memory=tuple(memory),
        layers=layers,
        methods=methods,
        error_bound=bound if changed else 0.0,
        scale=passes[0].scale,
        domain=domain.to_json(),
        seconds=time.perf_counter() - start,
        seed=seed,
        stored=stored,
        activations=chain.activations,
        prove=prove,
        changed=changed,
    )


def layer_reports(chains: list[Chain], passes: list[OnBox]) -> tuple[LayerReport, ...]:
    """What became of the units of each layer."""
    reports = []
    for l, before in enumerate(chains[0].widths[1:-1]):
        dead = constant = duplicates = 0
        for chain, found in zip(chains, passes, strict=True):
            relation = found.folded.relations[l]
            silent = ~(chain.floats()[l][0] != 0).any(axis=1)
            stands = relation.unit[relation.unit >= 0]
            duplicates += len(stands) - len(np.unique(stands)) + int((relation.unit < -1).sum())
            gone = np.setdiff1d(np.arange(chain.widths[l + 1]), relation.alive)
            constant += int(silent.sum())
            dead += int((~silent[gone]).sum())
        after, still = len(passes[-1].folded.layers[l][1]), len(passes[-1].stable.open[l])
        folded = max(before - after - dead - constant - duplicates, 0)
        reports.append(LayerReport(before, after, dead, constant, duplicates, folded, still))
    return tuple(reports)


def methods_used(chains: list[Chain], passes: list[OnBox]) -> dict[str, int]:
    """How many units each method settled."""
    counts: dict[str, int] = {}
    for number, (chain, found) in enumerate(zip(chains, passes, strict=True)):
        for name, count in methods_of_pass(chain, found).items():
            name = name if number == 0 or name not in PROOFS else f"{name}, again"
            counts[name] = counts.get(name, 0) + count
    return counts


PROOFS = ("linear bounds", "splitting", "programs", "branching")


def methods_of_pass(chain: Chain, proved: OnBox) -> dict[str, int]:
    """The same for one pass."""
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
