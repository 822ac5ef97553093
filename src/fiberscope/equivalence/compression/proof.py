"""Whether the checker can read network a off a smaller network b, and which biases of b are still wrong."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from fiberscope.equivalence.compression.carrying_maps import maps_of_units
from fiberscope.equivalence.compression.ledger import Ledger, Steady, open_sizes
from fiberscope.equivalence.compression.resize import resized
from fiberscope.equivalence.rigorous import checker_model, neutral

if TYPE_CHECKING:
    from fiberscope.equivalence.compression.splits import Narrowing
    from fiberscope.network import Network

ROUNDS = 12
ROUNDING, OF_SUMS = 2.0**-8, 2.0**-36


class Proof:
    """One run of the checker's own rules; ``reason`` is None where they reach the outputs."""

    def __init__(self, a: Network, b: Network, ledger: Ledger, read: Callable[[Network], Any] | None = None) -> None:
        from fiberscope_verify.certificate import read_certificate
        from fiberscope_verify.channel_claims import read_claims
        from fiberscope_verify.channel_steps import Walk, facts
        from fiberscope_verify.lower import lower
        from fiberscope_verify.report import Reject

        self.b = b
        self.walk: Any = None
        self.reason: str | None = None
        try:
            first, second = (read or reading)(a), (read or reading)(b)
            parsed = read_certificate(ledger.certificate(a, b).to_bytes())
            graph, other = lower(first, ledger.sizes), lower(second, ledger.sizes)
            derived = ledger.known if read is None else None  # another reading may number the values differently
            claims = read_claims(parsed, first)
            self.walk = Walk(graph, other, claims, *facts(parsed, graph, first, derived), slack=ledger.slack)
            self.walk.run()
        except Reject as error:
            self.reason = str(error)

    def corrections(self) -> dict[str, dict[int, Fraction]]:
        """Per bias of b: what its units lack, since constants of a enter the same sums; those first met on each way."""
        if self.walk is None:
            return {}
        walk, out, after = self.walk, {}, set[int]()
        names = {self.name(name): name for name in self.b.weights}
        last = {walk.matcher.image[v]: v for v in walk.relations if v in walk.matcher.image}  # a may add more than b
        for v, relation in walk.relations.items():
            node = walk.a.nodes[v]
            if after.intersection(node.args):
                after.add(v)
                continue
            u = walk.matcher.image.get(v)
            if relation is None or node.op != "add" or u is None or not np.any(relation.shift != 0):
                continue
            if not any(walk.a.nodes[w].op in ("conv", "matmul") for w in node.args):
                continue
            stored = [w for w in walk.b.nodes[u].args if w not in walk.matcher.data_b]
            at = stored[0] if len(stored) == 1 else None
            while at is not None and walk.b.nodes[at].op == "reshape":
                at = walk.b.nodes[at].args[0]
            name = None if at is None or walk.b.nodes[at].op != "array" else names.get(walk.b.nodes[at].attrs[0])
            if name is None or self.b.weights[name].ndim != 1:
                continue
            whole = walk.relations[last[u]]
            if whole is None or whole.axis != relation.axis:
                continue
            relation = whole
            for unit, scale, shift in zip(relation.unit.tolist(), relation.scale, relation.shift, strict=True):
                if unit >= 0 and shift != 0:
                    after.add(v)
                    value = shift / scale
                    out.setdefault(name, {})[unit] = Fraction(int(value.p), int(value.q))
        return out

    def name(self, weight: str) -> str:
        """The checker's name of a weight of b."""
        return reading(self.b).array_name(weight) or weight


def reading(net: Network) -> Any:
    """The checker's reading of a network on its way: of the file for ONNX, of the neutral form for all else."""
    import fiberscope_verify

    if net.format == "onnx":
        return checker_model(net)
    memory = net.__dict__.setdefault("_equivalence_memory", {})
    if "reading" not in memory:
        memory["reading"] = fiberscope_verify.read_model(neutral(net))
    return memory["reading"]


def corrected(stored: np.ndarray, lacking: dict[int, Fraction], *, rounded: bool = False) -> np.ndarray | None:
    """A bias with the missing constants added, or None where its type cannot hold a sum (``rounded``: the nearest)."""
    out = stored.copy()
    for unit, value in lacking.items():
        total = Fraction(float(stored[unit])) + value
        out[unit] = float(total)
        if not np.isfinite(out[unit]) or (not rounded and Fraction(float(out[unit])) != total):
            return None
    return out


def proved(a: Network, b: Network, ledger: Ledger) -> tuple[Network, str | None]:
    """b, with biases that hold the constants of units that are gone; and why the proof fails, or None."""
    proof = Proof(a, b, ledger)
    for _ in range(ROUNDS):
        if proof.reason is None and not ledger.slack:
            break
        changes = {}
        for name, lacking in proof.corrections().items():
            stored = b.weights[name].detach().cpu().numpy()
            bias = corrected(stored, lacking, rounded=ledger.slack)
            if bias is None:
                return b, "a bias cannot hold a constant exactly"
            if not np.array_equal(bias, stored):
                changes[name] = bias
        if not changes:
            break
        made = resized(b, changes, {})
        if made is None:
            return b, "the biases cannot be changed"
        b = made
        proof = Proof(a, b, ledger)
    if proof.reason is None and ledger.slack and lost(proof.walk):
        return b, "a constant has no bias to go into"
    return b, proof.reason


def lost(walk: Any) -> bool:
    """Whether more than rounding is dropped of a shift: more than a small part of what is stored there, or for sums of
    units of the largest number stored at all."""
    uses = [*walk.uses.values(), *(use for _, use in walk.ends)]
    slips = [slip for use in uses for before in use.before.values() for slip in before]
    most = max((float(np.abs(a).max(initial=0.0)) for a in walk.b.arrays.values() if a.dtype.kind == "f"), default=0.0)
    return any(
        np.any(slip.plus > np.where(slip.unit == -2, OF_SUMS * most, ROUNDING * added(walk, slip))) for slip in slips
    )


def added(walk: Any, slip: Any) -> np.ndarray:
    """Per unit of a slip the largest stored number that b adds to it since the last operation that is not affine."""
    from fiberscope_verify.channel_constants import rows

    at, rank, out = slip.value, len(walk.b.shape(slip.value)), np.zeros(len(slip.unit))
    while walk.b.nodes[at].op in ("add", "mul"):
        args = walk.b.nodes[at].args
        below = [u for u in args if u in walk.matcher.data_b]
        if len(below) != 1:
            break
        if walk.b.nodes[at].op == "add":
            number = rows(walk.near[1].value(next(u for u in args if u != below[0]))[0], slip.axis, rank)
            here = [np.abs(number.of(u)).max() if u >= 0 else 0.0 for u in slip.unit.tolist()]
            out = np.maximum(out, here)
        at = below[0]
    return out


def steady_units(
    net: Network, model: Any, box: tuple[np.ndarray, np.ndarray] | None, narrowing: Narrowing | None = None
) -> list[Steady]:
    """Units that are constant after a map, as ranges show on the domain, with the weight that writes them."""
    from fiberscope_verify.channel_ranges import ranges, steady
    from fiberscope_verify.lower import lower
    from fiberscope_verify.report import Reject

    try:
        graph = lower(model, None if box is None else open_sizes(net))
        if narrowing is None or box is None:
            known = ranges(graph, *(box or (None, None)))
        else:
            known = narrowing.intervals(graph, *box)
    except Reject:
        return []
    out = []
    for found in maps_of_units(net, model, graph):
        units = np.array(sorted(steady(known[found.value], found.along)), dtype=np.int64)
        if len(units):
            out.append(Steady(found.map, found.along, found.weight, found.axis, units))
    return out
