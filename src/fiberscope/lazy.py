"""Public names of a package that are brought in at first use, so that importing the package loads nothing heavy.

A module is often named after its one function (`fiberscope.linear.path` holds `path`). The import system would bind the
module to that name in the package as a side effect; here the public name stays the function.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any


def lazy(package: str, home: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a package: ``home`` gives the module (inside it) of each public name.

    >>> import fiberscope.linear.path
    >>> callable(fiberscope.linear.path)
    True
    """

    class Page(ModuleType):
        def __setattr__(self, name: str, value: object) -> None:
            if not (name in home and isinstance(value, ModuleType)):
                super().__setattr__(name, value)

    sys.modules[package].__class__ = Page

    def get(name: str) -> Any:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}; it has {', '.join(sorted(home))}")
        return getattr(import_module(f"{package}.{home[name]}"), name)

    return get, lambda: sorted(home)
