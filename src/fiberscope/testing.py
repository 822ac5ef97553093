"""For the tests of users: assert that two networks compute the same function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fiberscope.equivalence.verdict import Verdict


def assert_same_function(net: Any, other: Any, **options: Any) -> Verdict:
    """Raise AssertionError unless ``compare(net, other, **options)`` answers equal; returns the verdict.

    Options are those of ``compare`` (``box``, ``tol``, ``ulp``, ``exact``, ...). An undecided comparison fails too.

    >>> assert_same_function("a.onnx", "b.onnx", ulp=2)                           # doctest: +SKIP
    """
    from fiberscope.equivalence.compare import compare

    verdict = compare(net, other, **options)
    if verdict.answer == "equal":
        return verdict
    message = repr(verdict)
    if verdict.witness is not None:
        w = verdict.witness
        message += f"\n  input {_short(w.input)}\n  a {_short(w.a)}\n  b {_short(w.b)}"
    raise AssertionError(message)


def _short(values: tuple[float, ...]) -> str:
    shown = ", ".join(f"{v:.6g}" for v in values[:8])
    return f"[{shown}{', ...' if len(values) > 8 else ''}]"
