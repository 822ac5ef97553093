"""`python -m fiberscope`: the command line."""

from __future__ import annotations

from fiberscope.cli.main import run

run()
