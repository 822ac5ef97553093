"""Fiberscope: which other weights compute the same function?

    import fiberscope as fs

    net = fs.load("model.onnx")            # .onnx, .pt2, .npz; or fs.load(module, example_inputs)
    sym = fs.symmetries(net)               # .spaces, .dimension, .log10_order, .frozen
    other = sym.random(seed=0)(net)        # other weights, the same function
    verdict = fs.compare(net, other)       # .answer: "equal" (with proof), "different" (with a witness), "undecided"
    fs.verify(verdict.certificate, net, other)

Importing this package loads none of torch, scipy, onnx or the drawing libraries: each verb brings what it needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

# Each public name and the module it lives in; the names in _SUBMODULES are modules themselves.
_HOME = {
    "load": "network",
    "Network": "network",
    "symmetries": "symmetry.symmetries",
    "inspect": "equivalence.inspection",
    "canonicalize": "equivalence.canonical",
    "fingerprint": "equivalence.fingerprint",
    "randomize": "equivalence.randomize",
    "compare": "equivalence.compare",
    "compress": "equivalence.compression.compress",
    "verify": "equivalence.compare",
    "Verdict": "equivalence.compare",
}
_SUBMODULES = ("affine", "errors", "linear", "shallow", "testing")

__all__ = [
    "Network",
    "Verdict",
    "affine",
    "canonicalize",
    "compare",
    "compress",
    "errors",
    "fingerprint",
    "inspect",
    "linear",
    "load",
    "randomize",
    "shallow",
    "symmetries",
    "testing",
    "verify",
]

if TYPE_CHECKING:
    from fiberscope import affine, errors, linear, shallow, testing
    from fiberscope.equivalence.canonical import canonicalize
    from fiberscope.equivalence.compare import Verdict, compare, verify
    from fiberscope.equivalence.compression.compress import compress
    from fiberscope.equivalence.fingerprint import fingerprint
    from fiberscope.equivalence.inspection import inspect
    from fiberscope.equivalence.randomize import randomize
    from fiberscope.network import Network, load
    from fiberscope.symmetry.symmetries import symmetries


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name in _SUBMODULES:
        return import_module(f"fiberscope.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'fiberscope' has no attribute {name!r}; it has {', '.join(__all__)}")
    value = getattr(import_module(f"fiberscope.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
