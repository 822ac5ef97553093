"""How a given model writes its function: the orientation of each fold, which folds are doubled, and the stored rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fiberscope.numerics.exact import rationals
from fiberscope.shallow.boundaries import boundaries
from fiberscope.shallow.box import Box
from fiberscope.shallow.model import ShallowModel
from fiberscope.shallow.normal_form import NormalForm, sides_on
from fiberscope.shallow.orientation import Choice

Row = tuple[np.ndarray, object]


@dataclass(frozen=True, eq=False)
class Written:
    """The model's own ``choice``, and ``rows[j] = (w, b)`` of a unit on fold j."""

    choice: Choice
    rows: list[Row]


def written(model: ShallowModel, form: NormalForm) -> Written:
    """Read the orientations of a model against its exact normal form (units with q = 0 count as absent)."""
    if isinstance(form.domain, Box):
        model = form.domain.without_fixed(model)
    used = (sides_on(model, form.domain) == 0) & np.asarray(model.W2 != 0, dtype=bool).any(axis=0)
    W, b = model.W1[used], model.b1[used]
    found = boundaries(W, b)
    place = {
        (tuple(u), t): j for j, (u, t) in enumerate(zip(form.normals.tolist(), form.offsets.tolist(), strict=True))
    }
    lead = rationals(found.lead)
    fold = np.full(found.count, -1)
    for h, i in enumerate(found.leader.tolist()):
        normal = rationals(W[i]) / lead[i]
        fold[h] = place.get((tuple(normal.tolist()), rationals(b[i : i + 1])[0] / lead[i]), -1)
    signs = np.zeros(form.folds, dtype=np.int64)
    doubled, rows = set(), list[Row | None]([None] * form.folds)
    for i, h in enumerate(found.label.tolist()):
        j, s = int(fold[h]), 1 if lead[i] > 0 else -1
        if j < 0:
            continue
        if signs[j] == -s:
            doubled.add(j)
        if rows[j] is None:
            rows[j], signs[j] = (W[i], b[i]), s
    return Written(Choice(tuple(sorted(doubled)), signs), rows)  # type: ignore[arg-type]
