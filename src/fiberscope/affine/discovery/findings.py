"""What is known of an activation's affine symmetries, with what was searched and what is proved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fiberscope.affine.discovery.dictionary import Dictionary
from fiberscope.affine.relation import OneUnit, Relation, plain


@dataclass(frozen=True)
class Findings:
    """Everything that `fiberscope activation` prints.

    ``one_unit``: laws rho(beta t + gamma) = lambda rho(t) + mu that generate those found. ``symmetries``: minimal
    relations with more terms, up to substitution, one-unit laws and combination; those with ``linear`` not 0 need t.
    ``reflection``: L of rho(t) - rho(-t) = L t. ``complete`` only where ``theorem`` says that these are all.
    """

    name: str
    expression: str | None
    mixing: str
    scaling: str
    one_unit: tuple[OneUnit, ...]
    symmetries: tuple[Relation, ...]
    reflection: Relation | None
    almost_everywhere: tuple[Relation, ...]
    dictionary: Dictionary
    counts: dict[int, int]
    gap: int
    refuted: int
    omitted: int
    complete: bool
    theorem: str
    families: tuple[str, ...]
    source: str
    same_as: str | None = None

    @property
    def offset(self) -> float | int | str | None:
        """The number L, or None."""
        return None if self.reflection is None else plain(self.reflection.linear)

    def __repr__(self) -> str:
        return (
            f"Findings({self.name!r}, group {self.mixing} x {self.scaling}, {len(self.one_unit)} one-unit laws,\n"
            f"         {len(self.symmetries)} symmetries, reflection {self.offset}, complete {self.complete})"
        )

    def to_json(self) -> dict[str, Any]:
        """The very object that the command prints."""
        return {
            "name": self.name,
            "expression": self.expression,
            "same_as": self.same_as,
            "group": {"mixing": self.mixing, "scaling": self.scaling},
            "one_unit": [law.to_json() for law in self.one_unit],
            "symmetries": [relation.to_json() for relation in self.symmetries],
            "reflection": self.offset,
            "almost_everywhere": [relation.to_json() for relation in self.almost_everywhere],
            "dictionary": {
                **self.dictionary.to_json(),
                "circuits": {str(size): count for size, count in sorted(self.counts.items())},
                "independent_above": f"1e{self.gap - 1}",
                "refuted": self.refuted,
                "omitted": self.omitted,
            },
            "complete": self.complete,
            "theorem": self.theorem,
            "families": list(self.families),
            "source": self.source,
        }
