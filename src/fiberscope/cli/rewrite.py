"""The common end of `randomize` and `canonicalize`: save, read back, and measure what changed."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from fiberscope.cli.output import emit_json, say

if TYPE_CHECKING:
    from fiberscope.network import Network


def finish(net: Network, new: Network, out: Path, as_json: bool, **extra: object) -> None:
    """Saves `new` to `out` and reports its hash and how far the outputs moved, as the saved file has them."""
    import fiberscope as fs

    new.save(out)
    change = relative_change(net, fs.load(out), seed=0)
    digest = hashlib.sha256(out.read_bytes()).hexdigest()
    if as_json:
        result = {"sha256_in": net.sha256, "sha256_out": digest, "max_relative_change": change, "path": out}
        emit_json({**result, **extra})
        return
    say(f"{out}: sha256 {digest}", f"The outputs moved by at most {change:.1e} of their size on 64 random inputs.")


def relative_change(a: Network, b: Network, *, seed: int, samples: int = 64) -> float:
    """max |a(x) - b(x)| / max |a(x)| over random inputs, run in float64."""
    import numpy as np

    from fiberscope.equivalence.sampling import sample_inputs

    x = sample_inputs(a, samples, np.random.default_rng(seed))
    before, after = a.run_flat(x), b.run_flat(x)
    return float(np.abs(before - after).max() / max(np.abs(before).max(), np.finfo(float).tiny))
