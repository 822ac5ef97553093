"""The table of units covers each unit once."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from fiberscope.report.units import rows, statuses

unit_lists = st.lists(st.integers(0, 11), max_size=6)


@given(unit_lists, unit_lists, unit_lists)
def test_rows_cover_every_unit_once_with_its_status(dead: list[int], constant: list[int], twins: list[int]):
    space = {"id": "s0", "size": 12, "mixing": "permutation", "scaling": "sign"}
    kinds = {"dead": dead, "constant": constant, "duplicate": twins}
    redundant = {kind: [["s0", unit] for unit in units] + [["other", 0]] for kind, units in kinds.items()}
    status = statuses(space, redundant)
    table = rows(space, redundant)
    assert [unit for row in table for unit in range(row.first, row.last + 1)] == list(range(12))
    assert [row.status for row in table for _ in range(row.first, row.last + 1)] == status
    assert all((unit in dead) == (kind == "dead") for unit, kind in enumerate(status))
    assert all(kind == "live" for unit, kind in enumerate(status) if unit not in {*dead, *constant, *twins})
    assert all(a.status != b.status for a, b in pairwise(table))
