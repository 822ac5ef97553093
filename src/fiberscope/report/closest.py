"""How near two units of a space come to being one: the largest cosine between their incoming weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fiberscope.scene.boxes import boxes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from fiberscope.network import Network

MOST = 4096  # units; the comparison is quadratic


def closest_units(net: Network, report: Mapping[str, Any]) -> dict[str, str]:
    """A sentence per space whose units are told apart: the pair with the most nearly parallel incoming weights."""
    import torch

    writers = {(box.born, box.axis): box for box in boxes(net) if box.born is not None}
    out = {}
    for space in report["spaces"]:
        writer = next(
            (key for key in ((w["name"], w["axis"]) for w in space["weights"]) if key in writers),
            None,
        )
        if writer is None or space["mixing"] not in {"none", "permutation"} or not 2 <= space["size"] <= MOST:
            continue
        weight = net.weights[str(writer[0])].detach().double()
        if weight.shape[writer[1]] != space["size"]:
            continue
        rows = weight.movedim(writer[1], 0).reshape(space["size"], -1)
        if rows.shape[1] < 2:
            continue
        rows = rows / rows.norm(dim=1, keepdim=True).clamp_min(1e-300)
        cosines = rows @ rows.T
        signed = space["scaling"] in {"sign", "nonzero"}
        alike = (cosines.abs() if signed else cosines).fill_diagonal_(-2.0)
        at = int(torch.argmax(alike))
        i, j = sorted(divmod(at, space["size"]))
        out[str(space["id"])] = (
            f"Most alike: units {i} and {j}, cosine of incoming weights {float(alike[i, j]):.4g} in {writer[0]}."
        )
    return out
