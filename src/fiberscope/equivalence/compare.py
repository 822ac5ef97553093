"""Compare two networks: equal with a certificate, different with a witness, or undecided with what was tried."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fiberscope.equivalence.certificate import Certificate, certificate
from fiberscope.equivalence.chain import chain_of
from fiberscope.equivalence.chain_match import MOST_ASSIGNED
from fiberscope.equivalence.chain_route import ChainRelation, relate
from fiberscope.equivalence.domain import Domain, domain_of
from fiberscope.equivalence.rigorous import accepts, checker_source
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
    Errors: InputError for sizes that do not fit, a malformed box, or a tolerance that is not a non-negative number.

    >>> compare("a.onnx", "b.onnx", box=(-1.0, 1.0), tol=1e-3).answer            # doctest: +SKIP
    'equal'
    """
    return _Comparison(_network(a), _network(b), box, tol, ulp, exact, seed, budget_seconds, certificate).run()


def _network(model: Network | str | Path) -> Network:
    from fiberscope.network import Network, load

    if isinstance(model, Network):
        return model
    if isinstance(model, (str, Path)):
        return load(model)
    raise InputError(f"compare: expected a Network or a path, got {type(model).__name__}; use fiberscope.load first")


class _Comparison:
    def __init__(
        self,
        a: Network,
        b: Network,
        box: Any,
        tol: float | None,
        ulp: int,
        exact: bool,
        seed: int,
        budget_seconds: float,
        target: str | Path | None,
    ) -> None:
        for kind, of_a, of_b in (("inputs", a.n_in, b.n_in), ("outputs", a.n_out, b.n_out)):
            if of_a != of_b:
                raise InputError(f"{a.name} and {b.name} differ in their number of {kind}: {of_a} and {of_b} elements")
        if tol is not None and not (isinstance(tol, (int, float)) and math.isfinite(tol) and tol >= 0):
            raise InputError(f"tol: expected a number >= 0, got {tol!r}")
        if isinstance(ulp, bool) or not (isinstance(ulp, (int, float)) and math.isfinite(ulp) and ulp >= 0):
            raise InputError(f"ulp: expected a number >= 0, got {ulp!r}")
        if not (isinstance(budget_seconds, (int, float)) and budget_seconds > 0):
            raise InputError(f"budget_seconds: expected a number > 0, got {budget_seconds!r}")
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
            raise InputError(f"seed: expected a whole number >= 0, got {seed!r}")
        self.a, self.b = a, b
        self.domain = domain_of(a, box)
        other = domain_of(b, box)
        if (self.domain.integer != other.integer).any():
            raise InputError(f"{a.name} and {b.name} take different kinds of input (whole numbers against reals)")
        self.domain = Domain(
            self.domain.box,
            self.domain.integer,
            np.maximum(self.domain.floor, other.floor),
            np.minimum(self.domain.ceiling, other.ceiling),
        )
        self.tol = None if tol is None else float(tol)
        self.ulp, self.exact, self.seed = ulp, exact, int(seed)
        self.deadline = time.perf_counter() + float(budget_seconds)
        self.target = target
        self.tried: list[str] = []
        self.backward: float | None = None
        self.relation: ChainRelation | None = None
        self.unread = False  # a match was found that the checker does not read
        self.refused = False  # and it was a match up to rounding

    # -- the order of the ways --------------------------------------------------------------------------------------

    def run(self) -> Verdict:
        verdict = self.same_bytes() or self.chain() or self.shallow() or self.reversal() or self.graph()
        if verdict is not None:
            return verdict
        witness = self.witness()
        accepted = 0.0 if self.exact or self.tol is None else self.tol
        if witness is not None and witness.gap > accepted and not self.refused:
            return self.different(witness)
        bound: float | None = None
        if self.tol is not None and not self.exact:
            verdict, bound = self.bound()
            if verdict is not None:
                return verdict
        return self.verdict("undecided", None, "none", witness=witness, error_bound=bound)

    def verdict(self, answer: str, strength: str | None, method: str, **more: Any) -> Verdict:
        found: Certificate | None = more.pop("certificate", None)
        where: Path | Certificate | None = found
        if found is not None and self.target is not None:
            where = found.save(self.target)
        if answer == "equal" and strength == "exact":
            more.setdefault("error_bound", 0.0)
        more.setdefault("backward_error_ulp", self.backward)
        return Verdict(
            answer,
            strength,
            method,
            self.domain.to_json(),
            certificate=where,
            tried=tuple(self.tried),
            seed=self.seed,
            **more,
        )

    def certify(
        self, claim: str, strength: str | None, method: str, steps: list[dict[str, Any]], **more: Any
    ) -> Certificate:
        return certificate(
            self.a,
            self.b,
            claim=claim,
            strength=strength,
            method=method,
            steps=steps,
            domain=self.domain.to_json(),
            **more,
        )

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
        from fiberscope.equivalence.pair import Pair
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
        chain_a, chain_b = chain_of(self.a), chain_of(self.b)
        pair = Pair(self.a, self.b, None if chain_a is None or chain_b is None else (chain_a, chain_b), self.domain)
        if plain_to_see(pair, np.random.default_rng(self.seed)):
            witness = self.witness()
            if witness is not None:
                return self.different(witness)
        witness, steps = exact_witness(answer, pair)
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

    def from_files(self) -> bool:
        """Whether both networks are as read from an ONNX file or an array file."""
        return all(net.format in ("onnx", "npz") and isinstance(checker_source(net), str) for net in (self.a, self.b))

    def accepted(self, proof: Certificate, *, plain: bool) -> bool:
        """Whether the checker takes the proof (not asked for plain ReLU chains from files, which it always reads)."""
        reason = None if plain else accepts(proof, self.a, self.b)
        if reason is not None:
            self.tried.append(f"a match of the weights that the checker does not accept ({reason})")
            self.unread = True
            self.refused = self.refused or proof.document["strength"] == "rounding"
        return reason is None

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

    # -- different --------------------------------------------------------------------------------------------------

    def witness(self) -> Witness | None:
        from fiberscope.equivalence.pair import Pair
        from fiberscope.equivalence.witness import search

        chain_a, chain_b = chain_of(self.a), chain_of(self.b)
        chains = None if chain_a is None or chain_b is None else (chain_a, chain_b)
        pair = Pair(self.a, self.b, chains, self.domain)
        bounding = self.tol is not None and self.domain.box is not None and not self.exact
        now = time.perf_counter()
        deadline = now + min((self.deadline - now) * 0.3, 2.0) if bounding else self.deadline
        return search(
            pair,
            rng=np.random.default_rng(self.seed),
            above=0.0 if self.exact or self.tol is None else self.tol,
            deadline=deadline,
            difference=self.relation.difference() if self.relation is not None else None,
            tried=self.tried,
        )

    def different(self, witness: Witness) -> Verdict:
        arrays = {"input": np.array(witness.input, dtype=np.float64)}
        steps = [{"step": "witness", "input": "input", "gap": witness.gap}]
        proof = self.certify("different", None, "witness", steps, arrays=arrays)
        return self.verdict("different", None, "witness", certificate=proof, witness=witness)

    # -- equal up to a tolerance ------------------------------------------------------------------------------------

    def bound(self) -> tuple[Verdict | None, float | None]:
        chain_a, chain_b = chain_of(self.a), chain_of(self.b)
        assert self.tol is not None
        if self.domain.box is None:
            self.tried.append("no bound without a box")
            return None, None
        import fiberscope_verify

        difference_bound = getattr(fiberscope_verify, "difference_bound", None)
        if chain_a is None or chain_b is None or difference_bound is None:
            self.tried.append("no bound for networks that are not chains")
            return None, None
        from fiberscope.equivalence.splitting import split

        try:
            models = [fiberscope_verify.read_chain(checker_source(net)) for net in (self.a, self.b)]
            result = split(
                chain_a,
                chain_b,
                *self.domain.box,
                self.tol,
                rigorous=lambda lo, hi: difference_bound(*models, lo, hi),
                deadline=self.deadline,
            )
        except fiberscope_verify.Reject as reason:
            self.tried.append(f"no rigorous bound: {reason}")
            return None, None
        self.tried.append(f"splitting the box: {result.leaves} leaves in {result.seconds:.1f} s")
        if not result.proved:
            return None, result.bound if math.isfinite(result.bound) else None
        steps = [{"step": "tree", **{name: name for name in result.tree}}]
        proof = self.certify("equal", "bound", "bound", steps, arrays=result.tree, error_bound=result.bound)
        return self.verdict("equal", "bound", "bound", certificate=proof, error_bound=result.bound), result.bound
