"""Every error that Fiberscope raises on purpose.

One base class. Each message says which file or tensor is meant, what was
expected, and what the reader can do about it.
"""

from __future__ import annotations


class FiberscopeError(Exception):
    """Base class of every error that Fiberscope raises on purpose."""


class LoadError(FiberscopeError):
    """A model file cannot be read: missing, damaged, unsafe, or outside what Fiberscope supports."""


class UnsupportedOperatorError(LoadError):
    """A model uses an operator that the loader does not know; the message names it and its node."""


class WeightError(FiberscopeError):
    """A weight tensor has the wrong name, shape or dtype, or holds NaN or infinity."""


class InputError(FiberscopeError):
    """An argument is wrong: input shape, box, tolerance, seed, or two models that do not fit together."""


class CertificateError(FiberscopeError):
    """A certificate file cannot be read."""
