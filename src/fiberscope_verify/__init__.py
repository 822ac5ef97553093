"""The independent checker of Fiberscope's certificates.

It imports numpy, python-flint and the standard library only, reads the model files itself, and accepts a certificate
only if every step holds. Public: verify, evaluate, read_model, read_chain, difference_bound, Report, Reject, Trouble.
"""

from .bound import difference_bound
from .check import read_chain, verify
from .evaluate import evaluate
from .read import read_model
from .report import Reject, Report, Trouble

__all__ = ["Reject", "Report", "Trouble", "difference_bound", "evaluate", "read_chain", "read_model", "verify"]
