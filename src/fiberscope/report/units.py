"""The table of units: what each hidden unit does, and how far its direction is determined."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from fiberscope.report.words import identifiability

MEANING = {
    "live": "takes part in the function",
    "dead": "reaches no output, or is always zero: it can be removed",
    "constant": "has the same value at every input: it can be folded into the biases of its readers",
    "duplicate": "does what another unit does, up to the group: the two can be merged",
}
_UNTIED = {
    "dead": "not at all: its remaining weights can be anything",
    "constant": "not at all: only its constant value matters",
    "duplicate": "only together with its twin: how they share the outgoing weights is free",
}


@dataclass(frozen=True)
class Row:
    """Units `first` to `last` of a space, all with one status."""

    first: int
    last: int
    status: str
    meaning: str
    identifiable: str

    @property
    def units(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}–{self.last}"


def statuses(space: Mapping[str, Any], redundant: Mapping[str, Any]) -> list[str]:
    """The status of each unit of a space; dead outranks constant, constant outranks duplicate."""
    out = ["live"] * space["size"]
    for kind in ("duplicate", "constant", "dead"):
        for space_id, unit in redundant.get(kind, []):
            if str(space_id) == str(space["id"]) and unit < len(out):
                out[unit] = kind
    return out


def rows(space: Mapping[str, Any], redundant: Mapping[str, Any]) -> list[Row]:
    """The units of a space, neighbours of one status folded into one row.

    >>> space = {"id": 0, "size": 3, "mixing": "permutation", "scaling": "positive"}
    >>> [(row.units, row.status) for row in rows(space, {"dead": [[0, 2]]})]
    [('0–1', 'live'), ('2', 'dead')]
    """
    out, at = [], 0
    for status, group in groupby(statuses(space, redundant)):
        length = sum(1 for _ in group)
        known = _UNTIED.get(status) or identifiability(space)
        out.append(Row(at, at + length - 1, status, MEANING[status], known))
        at += length
    return out
