"""Compare two networks: equal with a certificate, different with a witness, or undecided with what was tried."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fiberscope.equivalence.bound_route import bound
from fiberscope.equivalence.certificate import Certificate
from fiberscope.equivalence.chain import chain_of
from fiberscope.equivalence.chain_match import MOST_ASSIGNED
from fiberscope.equivalence.chain_route import relate
from fiberscope.equivalence.comparison import Comparison
from fiberscope.equivalence.names_route import names, tiny_difference
from fiberscope.equivalence.shallow_route import shallow_of
from fiberscope.equivalence.verdict import Verdict, Witness
from fiberscope.equivalence.verify import verify
from fiberscope.errors import InputError
from fiberscope.numerics.tolerance import DEFAULT_ULP, MEANINGFUL_ULP

if TYPE_CHECKING:
    from fiberscope.network import Network

__all__ = ["Certificate", "Verdict", "Witness", "compare", "verify"]

FEW_ASSIGNED = 1024
"""Where the normal forms decide anyway, units are not assigned by their distances beyond this number (it is cubic)."""


def compare(
    a: Network | str | Path,
    b: Network | str | Path,
    *,
    box: Any = None,
    tol: float | None = None,
    ulp: int = DEFAULT_ULP,
    exact: bool = False,
    seed: int = 0,
    budget_seconds: float = 10.0,
    certificate: str | Path | None = None,
) -> Verdict:
    """Decide whether two networks compute the same function, on all inputs or on a ``box``.

    ``box = (lo, hi)`` (numbers or sequences, flat input order) restricts the question. ``tol`` accepts strength
    "bound" on the box. ``ulp`` is the largest backward error per weight that strength "rounding" accepts;
    ``exact=True`` accepts only strength "exact". ``certificate`` names a file to write. Inputs and outputs are matched
    in order and by element count. Precedence: exact, rounding, witness, bound. Networks with at most one hidden layer
    of (leaky) ReLU units are always decided; only a difference within a ``tol`` asked on a box may stay undecided.
    Networks of tanh and sigmoid units in any wiring are decided by the names of their units (`names_route`).
    Errors: InputError for sizes that do not fit, a malformed box, or a tolerance that is not a non-negative number.

    >>> compare("a.onnx", "b.onnx", box=(-1.0, 1.0), tol=1e-3).answer            # doctest: +SKIP
    'equal'
    """
    return _Ways(_network(a), _network(b), box, tol, ulp, exact, seed, budget_seconds, certificate).run()


def _network(model: Network | str | Path) -> Network:
    from fiberscope.network import Network, load

    if isinstance(model, Network):
        return model
    if isinstance(model, (str, Path)):
        return load(model)
    raise InputError(f"compare: expected a Network or a path, got {type(model).__name__}; use fiberscope.load first")


class _Ways(Comparison):
    """The ways that show two networks equal, in their order; `Comparison` holds the question and what was tried."""

    # -- the order of the ways --------------------------------------------------------------------------------------

    def run(self) -> Verdict:
        verdict = self.same_bytes() or self.chain() or self.shallow() or self.reversal() or self.graph() or names(self)
        verdict = verdict or tiny_difference(self)
        if verdict is not None:
            return verdict
        witness = self.witness()
        if witness is not None and witness.gap > self.tolerated and not self.refused:
            return self.different(witness)
        least: float | None = None
        if self.tol is not None and not self.exact:
            verdict, least = bound(self)
            if verdict is not None:
                return verdict
        return self.verdict("undecided", None, "none", witness=witness, error_bound=least)

    # -- equal ------------------------------------------------------------------------------------------------------

    def same_bytes(self) -> Verdict | None:
        self.tried.append("same bytes")
        if self.a is not self.b and self.a.sha256 != self.b.sha256:
            return None
        proof = self.certify("equal", "exact", "same-bytes", [])
        return self.verdict("equal", "exact", "same-bytes", certificate=proof, backward_error_ulp=0.0)

    def chain(self) -> Verdict | None:
        chain_a, chain_b = chain_of(self.a), chain_of(self.b)
        if chain_a is None or chain_b is None:
            return None
        self.tried.append("matching units layer by layer")
        decidable = self.exact and shallow_of(chain_a) is not None and shallow_of(chain_b) is not None
        self.relation = relate(chain_a, chain_b, self.ulp, FEW_ASSIGNED if decidable else MOST_ASSIGNED)
        if self.relation is None:
            return None
        judgement = self.relation.judgement
        if judgement.ulps < MEANINGFUL_ULP:
            self.backward = judgement.ulps
        if not judgement.exact and (self.exact or not judgement.ulps <= self.ulp):
            return None
        strength = "exact" if judgement.exact else "rounding"
        steps, arrays = self.relation.steps()
        most = None if judgement.exact else math.ceil(judgement.ulps)
        proof = self.certify("equal", strength, "chain", steps, arrays=arrays, max_ulp=most)
        if not self.accepted(proof, plain=self.relation.plain() and self.from_files()):
            return None
        return self.verdict("equal", strength, "chain", certificate=proof)

    def shallow(self) -> Verdict | None:
        """One hidden layer of ReLU-like units: equal or different, decided exactly."""
        from fiberscope.equivalence.shallow_route import decide, exact_witness, plain_to_see

        answer = decide(self.a, self.b, self.domain)
        if answer is None:
            return None
        self.tried.append("exact normal forms of the hidden layers")
        if answer.equal:
            proof = self.certify("equal", "exact", "shallow", [])
            good = self.accepted(proof, plain=False)
            return self.verdict("equal", "exact", "shallow", certificate=proof) if good else None
        if self.tol is not None and not self.exact and self.domain.box is not None:
            return None  # different; whether by more than the tolerance is another question
        rounded = None if self.exact else self.graph()
        if rounded is not None:
            return rounded  # the weights are those of an equal network, rounded
        if plain_to_see(self.pair, np.random.default_rng(self.seed)):
            witness = self.witness()
            if witness is not None:
                return self.different(witness)
        witness, steps = exact_witness(answer, self.pair)
        proof = self.certify("different", None, "witness", steps)
        good = self.accepted(proof, plain=False)
        return self.verdict("different", None, "witness", certificate=proof, witness=witness) if good else None

    def reversal(self) -> Verdict | None:
        """One hidden layer with as many units each, turned round by the reflection law (GELU, SiLU, ...)."""
        from fiberscope.equivalence.reversal import turned_round

        found = turned_round(chain_of(self.a), chain_of(self.b))
        if found is None:
            return None
        self.tried.append("units turned round")
        proof = self.certify("equal", "exact", "reversal", found[0], arrays=found[1])
        good = self.accepted(proof, plain=False)
        return self.verdict("equal", "exact", "reversal", certificate=proof) if good else None

    def graph(self) -> Verdict | None:
        """The isomorphism of general graphs, unless the chains have already said all there is to say."""
        chains = chain_of(self.a), chain_of(self.b)
        if not self.unread and all(chain is not None and chain.exact_in_floats for chain in chains):
            return None
        try:
            from fiberscope.equivalence.isomorphism import find_isomorphism
        except ImportError:
            return None
        found = find_isomorphism(self.a, self.b)
        self.tried.append("matching the graphs")
        if found is None:
            return None
        error = float(found.backward_error_ulp)
        if error < MEANINGFUL_ULP:
            self.backward = error if self.backward is None else min(error, self.backward)
        if not found.exact and (self.exact or not error <= self.ulp):
            return None
        strength = "exact" if found.exact else "rounding"
        steps, arrays = found.steps()
        most = None if found.exact else math.ceil(error)
        proof = self.certify("equal", strength, "graph", steps, arrays=arrays, max_ulp=most)
        if not self.accepted(proof, plain=False):
            return None
        return self.verdict("equal", strength, "graph", certificate=proof, backward_error_ulp=error)
