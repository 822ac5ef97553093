"""Fiberscope: which other weights compute the same function?"""

from __future__ import annotations
