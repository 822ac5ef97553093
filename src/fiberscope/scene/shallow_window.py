"""Where to look: the window of inputs in which the boundaries of a network's units can be seen."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np

from fiberscope.errors import InputError
from fiberscope.shallow.box import Box
from fiberscope.shallow.hinges import as_floats
from fiberscope.shallow.model import ShallowModel

PAIRS = 4000  # crossings looked at
SEEN = 0.8  # the share of them that the window holds


def window(model: ShallowModel, box: Any) -> tuple[tuple[float, float], ...]:
    """A range per input: the box, or else a square around most crossings of boundaries and their feet.

    Errors: InputError for a box without interior.
    """
    if box is not None:
        low, high = (as_floats(edge) for edge in (Box.of(box, model.inputs).low, Box.of(box, model.inputs).high))
        if not (low < high).all():
            raise InputError("box: LO equals HI for some input; a picture needs an interior")
        return tuple(zip(low.tolist(), high.tolist(), strict=True))
    rows, offsets = lines(model)
    points = [-t * u for u, t in zip(rows, offsets, strict=True)]
    if model.inputs == 2:
        for (i, j), _ in zip(combinations(range(len(rows)), 2), range(PAIRS), strict=False):
            matrix = rows[[i, j]]
            if abs(np.linalg.det(matrix)) > 1e-6:
                points.append(np.linalg.solve(matrix, -offsets[[i, j]]))
    if not points:
        return ((-1.0, 1.0),) * model.inputs
    cloud = np.array(points)
    centre = np.median(cloud, axis=0) if len(cloud) > 2 else cloud.mean(axis=0)
    reach = np.quantile(np.abs(cloud - centre).max(axis=1), SEEN if len(cloud) > 4 else 1.0, method="lower")
    half = 1.5 * float(reach) if reach > 1e-9 * (1.0 + np.abs(centre).max()) else max(1.0, float(np.abs(centre).max()))
    return tuple((float(c) - half, float(c) + half) for c in centre)


def lines(model: ShallowModel) -> tuple[np.ndarray, np.ndarray]:
    """Unit normals and offsets of the boundaries of all units with w != 0, in floats."""
    W, b = as_floats(model.W1), as_floats(model.b1)
    length = np.linalg.norm(W, axis=1)
    bent = length > 0
    return W[bent] / length[bent, None], b[bent] / length[bent]
