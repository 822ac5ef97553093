"""Where words go: results to standard output, everything else to standard error."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping
from inspect import cleandoc
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fiberscope.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

YES, NO, TROUBLE, UNDECIDED = 0, 1, 2, 3


def plain(value: Any) -> Any:
    """The same value in JSON's own types: arrays become lists, paths text, NaN and infinities null."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):  # numpy and torch arrays and scalars
        value = value.tolist()
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def emit_json(result: Mapping[str, Any]) -> None:
    """The one JSON object of a `--json` run."""
    sys.stdout.write(json.dumps(plain(result), ensure_ascii=False, allow_nan=False) + "\n")


def say(*lines: str) -> None:
    """Result lines for a person, on standard output."""
    console = result_console()
    for line in lines:
        console.print(line, soft_wrap=True, markup=False, highlight=False)


def note(message: str) -> None:
    """A progress line, on standard error; only where a person is looking at it."""
    if sys.stderr.isatty():
        sys.stderr.write(f"{message}\n")


def result_console() -> Console:
    """rich's console on standard output; it obeys NO_COLOR and writes no colour into a pipe."""
    from rich.console import Console

    return Console(file=sys.stdout, highlight=False)


def writable(path: Path | None) -> None:
    """Refuses, before any work is done, a place where no file can be written."""
    if path is not None and (path.is_dir() or not path.parent.is_dir()):
        raise InputError(f"{path}: cannot write there; name a file in a folder that exists")


def one_line(error: BaseException | str) -> str:
    """An error's message on one line."""
    return " ".join(str(error).split())


def prose(function: Callable[..., object]) -> str:
    """A docstring with each paragraph on one line, so that the terminal wraps it where it likes."""
    paragraphs = cleandoc(function.__doc__ or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
