"""One question of `compare`: the two networks, the domain, what is accepted, and what has been tried so far."""

from __future__ import annotations

import math
import time
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fiberscope.equivalence.certificate import Certificate, certificate
from fiberscope.equivalence.chain import chain_of
from fiberscope.equivalence.chain_route import ChainRelation
from fiberscope.equivalence.domain import Domain, domain_of
from fiberscope.equivalence.rigorous import accepts, checker_source
from fiberscope.equivalence.verdict import Verdict, Witness
from fiberscope.errors import InputError

if TYPE_CHECKING:
    from fiberscope.equivalence.pair import Pair
    from fiberscope.network import Network


class Comparison:
    """A checked question; errors as `compare` lists them."""

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
        self.tolerated = 0.0 if exact or tol is None else float(tol)  # a difference up to this is none
        self.differences: Any = None  # both networks in the checker's table of names, where they fit in one
        self.unread = False  # a match was found that the checker does not read
        self.refused = False  # and it was a match up to rounding

    # -- verdicts ---------------------------------------------------------------------------------------------------

    def verdict(self, answer: str, strength: str | None, method: str, **more: Any) -> Verdict:
        """A verdict with all that the question knows; its certificate is written where a file was named."""
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
        """A certificate about the two networks and the domain."""
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

    # -- different --------------------------------------------------------------------------------------------------

    @cached_property
    def pair(self) -> Pair:
        """Both networks as functions of flat inputs."""
        from fiberscope.equivalence.pair import Pair

        chain_a, chain_b = chain_of(self.a), chain_of(self.b)
        return Pair(self.a, self.b, None if chain_a is None or chain_b is None else (chain_a, chain_b), self.domain)

    @property
    def remaining(self) -> float:
        """Seconds until the deadline."""
        return max(0.0, self.deadline - time.perf_counter())

    def witness(self) -> Witness | None:
        """The best witness that a search in float64 finds."""
        from fiberscope.equivalence.witness import search

        bounding = self.tol is not None and self.domain.box is not None and not self.exact
        deadline = self.deadline
        if bounding:
            deadline = self.deadline - self.remaining + min(self.remaining * 0.3, 2.0)
        return search(
            self.pair,
            rng=np.random.default_rng(self.seed),
            above=self.tolerated,
            deadline=deadline,
            difference=self.relation.difference() if self.relation is not None else None,
            tried=self.tried,
        )

    def different(self, witness: Witness) -> Verdict:
        """The verdict of a witness in floats."""
        arrays = {"input": np.array(witness.input, dtype=np.float64)}
        steps = [{"step": "witness", "input": "input", "gap": witness.gap}]
        proof = self.certify("different", None, "witness", steps, arrays=arrays)
        return self.verdict("different", None, "witness", certificate=proof, witness=witness)
