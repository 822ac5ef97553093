"""Brute-force measurements that know nothing of symmetry, for checking claims from above."""

from .nullity import Nullity, jacobian, measure, nullity_of, tensor_is_free
from .sampling import random_flat, random_inputs

__all__ = ["Nullity", "jacobian", "measure", "nullity_of", "random_flat", "random_inputs", "tensor_is_free"]
