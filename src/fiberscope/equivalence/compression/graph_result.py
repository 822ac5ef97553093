"""The result for a network that is no chain, and the certificate about the file that it writes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fiberscope.equivalence.certificate import Certificate
from fiberscope.equivalence.compression.bounded import bound_of_files, box_of_file
from fiberscope.equivalence.compression.ledger import Ledger
from fiberscope.equivalence.compression.linear_units import linear_units
from fiberscope.equivalence.compression.proof import steady_units
from fiberscope.equivalence.compression.result import Compression
from fiberscope.equivalence.rigorous import accepts, checker_model


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class GraphCompression(Compression):
    """The result for a network that is no chain. ``error_bound`` is 0 when every weight kept is a stored one or an
    exact sum; a bound on the box when batch norms were folded or constants rounded there; None without a box, or when
    no proof covers the cuts (an operation that the checker does not know): ``difference`` is what was measured."""

    difference: float
    ledger: Ledger | None = field(default=None, repr=False)

    @property
    def proved(self) -> bool:
        return self.error_bound is not None and super().proved

    def written(self, path: str | Path) -> tuple[Certificate | None, str | None]:
        """Writes the smaller network; returns a certificate about that file, or None and why there is none."""
        from fiberscope.equivalence.compare import compare
        from fiberscope.network import load

        self.network.save(path)
        if self.error_bound is None and "batch norm" in self.methods:
            return None, self.no_certificate
        saved = load(Path(path))
        reason = None
        if self.ledger is not None and self.network is not self.original:
            ledger = self.ledger.copy()
            if ledger.box is not None:
                ledger.box = box_of_file(self.original, ledger.box)
            if ledger.steady:
                ledger.steady = steady_units(self.original, checker_model(self.original), ledger.box, ledger.narrowing)
            if ledger.linear:
                ledger.linear = linear_units(self.original, checker_model(self.original), ledger.box, ledger.narrowing)
            found = self.error_bound
            if ledger.slack:
                found, reason = bound_of_files(self.original, saved, ledger)
                if found is None or self.error_bound is None:
                    return None, reason
                found = max(found, self.error_bound)
            proof = ledger.certificate(self.original, saved, found if ledger.slack else None)
            reason = accepts(proof, self.original, saved)
            if reason is None:
                return proof, None
        try:
            verdict = compare(self.original, saved, seed=self.seed)
        except RuntimeError as error:  # the file is written and was checked; only the proof is missing
            return None, f"the comparison with the original stopped ({type(error).__name__})"
        if isinstance(verdict.certificate, Certificate) and verdict.answer == "equal":
            return verdict.certificate, None
        return None, f"the checker cannot follow this graph ({reason}); outputs were compared instead"

    def bound_in_words(self) -> str:
        if self.error_bound is not None:
            return super().bound_in_words() if self.error_bound else "exact"
        why = "batch norms folded" if "batch norm" in self.methods else "not proved"
        return f"{why}, difference {self.difference:.1e} seen"

    def to_json(self) -> dict[str, Any]:
        """The dict that the command prints."""
        return {**super().to_json(), "difference": self.difference}
