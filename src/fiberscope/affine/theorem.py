"""When is the list complete? The theorems that say that reductions, flips and relabellings reach every network.

Proved:

* tanh and sigmoid units on any graph: Vlacic and Boelcskei (2021), the theorem on tanh-type nonlinearities; a sigmoid
  is a tanh, ``1/2 + tanh(t/2)/2``. Linear readouts of the inputs change nothing: hidden units are bounded, so the
  linear parts of two equal networks agree.
* one hidden layer of tanh, sigmoid, erf, arctan and softsign units, mixed or not: the functions ``rho(w x + b)``, one
  for each (rho, +-(w, b)) with w != 0, are linearly independent together with affine functions. On a generic line,
  softsigns are the only functions with kinks in their second derivative, and those of one kink at different scales c
  contribute ``c^2k |t| t^(2k-1)``, k = 1, 2, ...: a Vandermonde system; arctans are the only ones with branch points,
  ``(+-i - b)/w``, each its own pair; tanhs the only ones with poles, told apart from the steepest down (Sussmann 1992);
  erf has the Gaussians as derivatives, independent by their growth.

Not proved here: deeper networks of erf or arctan. False: deeper networks of softsign, since

    s(a s(t)) = a/(1+|a|) * s((1+|a|) t)           for s(t) = t/(1+|t|),

so a chain of two softsigns without bias in between equals one softsign.
"""

from __future__ import annotations

from dataclasses import dataclass

from fiberscope.affine.dag import DagNetwork

TANH_ANY = (
    "Vlacic and Boelcskei, Affine symmetries and neural network identifiability (Adv. Math. 2021): irreducible tanh "
    "networks on any graph with the same function differ by sign flips and relabelling; a sigmoid is a rescaled tanh"
)
NO_UNITS = "an affine function has one matrix and one vector"
ONE_LAYER = (
    "Sussmann (1992) and linear independence of tanh, erf, arctan and softsign units: irreducible networks with one "
    "hidden layer and the same function differ by sign flips and relabelling"
)


@dataclass(frozen=True)
class Completeness:
    """``complete``: whether the known symmetries are all; ``theorem`` says why, or ``reason`` why that is not known."""

    complete: bool
    theorem: str | None
    reason: str | None


def completeness(net: DagNetwork) -> Completeness:
    """Whether every irreducible network with the function of this one is known to be its relabelled, flipped copy.

    >>> completeness(DagNetwork.from_layers([([[1.0]], None), ([[1.0]], None)])).complete
    True
    >>> completeness(DagNetwork.from_layers([([[1.0]], None), ([[1.0]], None)], "gelu")).reason
    'gelu has more symmetries than the flips and relabellings counted here, or no theorem says that it has none'
    """
    names = net.activations
    if not names:
        return Completeness(True, NO_UNITS, None)
    other = [name for name in names if not net.law(name).tanh_type]
    if other:
        shown = ", ".join(other)
        have = "have" if len(other) > 1 else "has"
        they = "they have" if len(other) > 1 else "it has"
        reason = (
            f"{shown} {have} more symmetries than the flips and relabellings counted here, or no theorem says that "
        )
        return Completeness(False, None, f"{reason}{they} none")
    if all(net.law(name).core == "tanh" for name in names):
        return Completeness(True, TANH_ANY, None)
    if all(depth == 1 for depth in net.depth):
        return Completeness(True, ONE_LAYER, None)
    if any(net.law(name).core == "softsign" for name in names):
        reason = "softsign units in a row have further symmetries: s(a s(t)) = a/(1+|a|) s((1+|a|) t)"
    else:
        reason = f"no theorem covers {' and '.join(names)} beyond one hidden layer"
    return Completeness(False, None, reason)
