"""`compress`: fewer hidden units, the same function, with a proof per unit."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fiberscope.equivalence.bounds import can_bound
from fiberscope.equivalence.chain import Chain, chain_of
from fiberscope.equivalence.compression.boxed import compress_boxed
from fiberscope.equivalence.compression.carrying import Unfit
from fiberscope.equivalence.compression.chain import ChainCompression, merged, rounded, stored_dtype
from fiberscope.equivalence.compression.destination import check_destination, write
from fiberscope.equivalence.compression.everywhere import compress_everywhere
from fiberscope.equivalence.compression.graph import compress_graph
from fiberscope.equivalence.compression.result import Compression
from fiberscope.equivalence.compression.smooth import compress_smooth, nearly_reduced
from fiberscope.equivalence.domain import Domain, domain_of
from fiberscope.errors import InputError
from fiberscope.network.stack import can_write

if TYPE_CHECKING:
    from fiberscope.network import Network


def compress(
    net: Network,
    *,
    box: Any = None,
    polytope: Any = None,
    budget: float = 120.0,
    seed: int = 0,
    certificate: str | Path | None = None,
    out: str | Path | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Compression:
    """A network with fewer hidden units that computes the same function, on all inputs or on a bounded part of them.

    Without a box only what holds for every input is removed: units that nobody reads, that no input reaches, that read
    what is never negative with weights and a bias that are never positive, or that are multiples of others; exactly.
    With ``box=(lo, hi)`` a ReLU unit that is nowhere positive on the box goes, and those that are nowhere negative
    there, being linear, are carried by as few units as their rank in the reduced inputs (at most ``budget`` seconds
    are spent on proofs; what stays open stays); with smooth activations repeated and constant units go there even where
    that rounds. ``polytope=(G, h)`` cuts the box by G x <= h.
    Nothing is ever approximated: the only error is the rounding of stored
    numbers, bounded rigorously. ``out`` writes the smaller model, ``certificate`` the proof about it.

    Networks that are no chain of fully connected layers (convolutions, residual sums) lose channels that nobody reads,
    that repeat another, that are constant on the domain, or linear there and a combination of others. Batch norms are
    folded first where there is a box, within a bound on it; those of an ONNX file in any case.

    Errors: InputError for a wrong box or budget, constraints that no input meets, or, before any work, a path that
    cannot be written, has another format's ending, or names the model itself.

    >>> import numpy as np, torch, fiberscope as fs
    >>> layers = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
    >>> with torch.no_grad():
    ...     _ = layers[0].weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))
    ...     _ = layers[0].bias.copy_(torch.tensor([0.0, -5.0, 9.0]))
    >>> small = compress(fs.load(layers.eval(), (torch.zeros(2, 2),)), box=(-1, 1))
    >>> small.units_before, small.units_after, small.layers[0].dead
    (3, 2, 1)
    """
    start = time.perf_counter()
    if not budget > 0:
        raise InputError(f"budget: {budget} seconds; give a positive number")
    check_destination(net, out, certificate)
    chain = chain_of(net)
    domain = domain_of(net, box, polytope)  # refuses a wrong one
    result: Compression | None = None
    apart = True  # not made by the means for chains, or linear layers in a row are better left apart
    if chain is not None and (chain.activations or merged(chain)) and writable(net, chain):
        result = whole = compress_chain(net, chain, domain, budget, seed, say, start)
        apart = merged(chain) > 0 and not whole.changed
    if result is None or apart:
        cut = compress_graph(net, domain, budget=budget, seed=seed, say=say, start=start)
        result = cut if result is None or cut.network is not net else result
    if out is not None:
        reason = write(result, Path(out), None if certificate is None else Path(certificate))
        result = replace(result, no_certificate=reason)
    return result


def compress_chain(
    net: Network, chain: Chain, domain: Domain, budget: float, seed: int, say: Callable[[str], None], start: float
) -> ChainCompression:
    """By the means for fully connected layers; linear layers in a row are left apart where their product is larger."""
    from fiberscope_verify.report import Reject

    dtype, result = stored_dtype(net), None
    if domain.box is None or not chain.activations or not can_bound(chain):
        result = compress_everywhere(net, chain, dtype, seed, say, start)
        result = replace(result, notes=what_stays(chain, result, boxed=domain.box is not None))
    if domain.box is not None and not can_bound(chain) and result is not None:
        say("only (leaky) ReLUs are looked at on the box itself: what goes here is redundant for every input")
        nearly = compress_smooth(net, chain, domain, dtype, seed, start)
        return nearly if nearly is not None and nearly.units_after < result.units_after else result
    if domain.box is not None and can_bound(chain) and not (result is not None and result.changed):
        try:
            result = compress_boxed(net, chain, domain, dtype, budget, seed, say, start)
        except Reject as reason:
            raise InputError(f"{net.name}: its numbers are beyond what can be bounded ({reason})") from reason
        except Unfit:
            say("the numbers are too unequal for a useful bound on the box: what goes is redundant for every input")
            result = result or compress_everywhere(net, chain, dtype, seed, say, start)
    assert result is not None
    return result


def writable(net: Network, chain: Chain) -> bool:
    """Whether the model's format can hold such a chain."""
    return can_write(net, rounded(chain.floats(), stored_dtype(net)), chain.activations)


def what_stays(chain: Chain, result: ChainCompression, *, boxed: bool) -> tuple[str, ...]:
    """A line about redundant units whose removal rounds."""
    left = result.units_after - sum(max(width, 1) for width in nearly_reduced(chain).chain.widths[1:-1])
    if left <= 0:
        return ()
    units, them, they = ("1 redundant unit stays", "it", "it goes")
    if left > 1:
        units, them, they = (f"{left} redundant units stay", "them", "they go")
    else_ = "no useful bound is known on this box" if boxed else f"on a box (--box) {they} within a stated error bound"
    return (f"{units}: without {them} the stored numbers would have to be rounded; {else_}.",)
