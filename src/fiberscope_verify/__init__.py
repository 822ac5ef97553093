"""The independent checker of Fiberscope's certificates.

It imports numpy, python-flint and the standard library only, reads the model files itself, and accepts a certificate
only if every step holds. Public: verify, evaluate, read_model, read_chain, difference_bound, Differences,
nearly_same_names, Report, Reject, Trouble.
"""

from .bound import difference_bound
from .check import read_chain, verify
from .evaluate import evaluate
from .fine_witness import Differences
from .names_steps import nearly_same_names
from .read import read_model
from .report import Reject, Report, Trouble

__all__ = [
    "Differences",
    "Reject",
    "Report",
    "Trouble",
    "difference_bound",
    "evaluate",
    "nearly_same_names",
    "read_chain",
    "read_model",
    "verify",
]
