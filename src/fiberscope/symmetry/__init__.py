"""Symmetries of networks: groups of hidden spaces, found by typing every axis of every tensor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fiberscope.symmetry.element import Element as Element
    from fiberscope.symmetry.space import Space as Space
    from fiberscope.symmetry.symmetries import Symmetries as Symmetries
    from fiberscope.symmetry.symmetries import symmetries as symmetries

_HOMES = {"Element": "element", "Space": "space", "Symmetries": "symmetries"}
__all__ = ["Element", "Space", "Symmetries"]


def __getattr__(name: str) -> Any:
    import importlib

    if name in _HOMES:
        return getattr(importlib.import_module(f"fiberscope.symmetry.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
