"""The answer of a comparison, with everything it rests on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fiberscope.equivalence.certificate import Certificate


@dataclass(frozen=True)
class Witness:
    """An input on which two networks differ: flat input and outputs, and a rigorous lower bound of the gap.

    ``exact``: the input as rationals "p/q" where no float shows the difference; ``input`` is then close to it.
    ``exact_gap``: the bound as "p/q" where it was found in rationals (it may be too small for a float).
    """

    input: tuple[float, ...]
    a: tuple[float, ...]
    b: tuple[float, ...]
    gap: float
    exact: tuple[str, ...] | None = None
    exact_gap: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Flat lists in input order."""
        found: dict[str, Any] = {"input": list(self.input), "a": list(self.a), "b": list(self.b), "gap": self.gap}
        if self.exact is not None:
            found["input_exact"] = list(self.exact)
        return found if self.exact_gap is None else {**found, "gap_exact": self.exact_gap}


@dataclass(frozen=True)
class Verdict:
    """``answer`` is equal, different or undecided; equal has a strength, different a witness.

    ``error_bound`` bounds ``max |a - b|`` on the domain rigorously where one was proved (0.0 for exact);
    ``backward_error_ulp`` is the largest distance of a weight of b from the transformed weight of a.
    """

    answer: str
    strength: str | None
    method: str
    domain: str | dict[str, list[float]]
    certificate: Path | Certificate | None = None
    witness: Witness | None = None
    error_bound: float | None = None
    backward_error_ulp: float | None = None
    tried: tuple[str, ...] = ()
    seed: int = 0

    def to_json(self) -> dict[str, Any]:
        """The dict that ``fiberscope compare --json`` prints."""
        return {
            "verdict": self.answer,
            "strength": self.strength,
            "method": self.method,
            "domain": self.domain,
            "backward_error_ulp": self.backward_error_ulp,
            "error_bound": self.error_bound,
            "witness": self.witness.to_json() if self.witness is not None else None,
            "tried": list(self.tried),
            "certificate": str(self.certificate) if isinstance(self.certificate, (str, Path)) else None,
            "seed": self.seed,
        }

    def __repr__(self) -> str:
        head = self.answer if self.strength is None else f"{self.answer} ({self.strength})"
        where = "on all inputs" if self.domain == "all" else "on the box"
        facts = []
        if self.backward_error_ulp is not None:
            facts.append(f"backward error {self.backward_error_ulp:.3g} ulp")
        if self.error_bound is not None:
            facts.append(f"|a - b| <= {self.error_bound:.3g}")
        if self.witness is not None:
            facts.append(f"|a - b| >= {self.witness.gap:.3g} at a witness input")
        second = "; ".join(facts) or ("tried: " + ", ".join(self.tried) if self.tried else "no further figures")
        proof = "certificate" if self.certificate is not None else "no certificate"
        return f"Verdict: {head} {where}\n  {second}\n  method {self.method}; {proof}; seed {self.seed}"
