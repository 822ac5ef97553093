"""The activation functions of networks in files, by the names of `fiberscope.activations.table`.

A name may carry its parameter in brackets: ``leaky_relu(0.1)``.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from fiberscope.activations.in_torch import torch_function
from fiberscope.errors import InputError, LoadError


def activation(text: str) -> Callable[[Tensor], Tensor]:
    """The function that a name in a file means.

    Errors: :class:`LoadError` for an unknown name or a bad parameter.

    >>> import torch
    >>> activation("leaky_relu(0.5)")(torch.tensor([-2.0, 3.0]))
    tensor([-1.,  3.])
    """
    try:
        return torch_function(text)
    except InputError as error:
        raise LoadError(str(error)) from error
