"""A small picture of an identity: the terms of sum alpha rho(beta t + gamma), and what they add up to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from fiberscope.errors import InputError

FORMATS = {".svg", ".png", ".pdf"}


def draw_identity(
    path: Path,
    rho: Callable[[np.ndarray], np.ndarray],
    terms: Sequence[tuple[float, float, float]],
    constant: float,
    linear: float,
    title: str,
) -> None:
    """Writes the terms as thin lines, their sum as a thick one and constant + linear t as dots upon it.

    ``rho`` acts elementwise on float64 arrays. Errors: `InputError` for a file that is not .svg, .png or .pdf.
    """
    if path.suffix.lower() not in FORMATS:
        raise InputError(f"{path}: the picture's name has to end in .svg, .png or .pdf")
    from matplotlib.figure import Figure

    t = np.linspace(-6.0, 6.0, 601)
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.add_subplot()
    total = np.zeros_like(t)
    for alpha, beta, gamma in terms:
        term = alpha * rho(beta * t + gamma)
        total += term
        axes.plot(t, term, linewidth=1.0, alpha=0.7)
    axes.plot(t, total, linewidth=2.2, color="black", label="sum of the terms")
    sparse = t[::40]
    axes.plot(sparse, constant + linear * sparse, "o", markersize=4, color="crimson", label="right-hand side")
    axes.set_xlabel("t")
    axes.set_title(title, fontsize=9)
    axes.legend(fontsize=8, frameon=False)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.savefig(path, metadata={"Date": None} if path.suffix.lower() == ".svg" else None)
