"""`fiberscope doctor`: what this installation is made of."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

import typer

from fiberscope.cli.options import Json
from fiberscope.cli.output import NO, YES, emit_json, say

NEEDED = ("torch", "numpy", "scipy", "python-flint", "onnx", "safetensors", "networkx", "typer", "rich", "plotly")
OPTIONAL = ("matplotlib", "onnxruntime", "transformers")


def doctor(as_json: Json = False) -> None:
    """Show versions, cores and memory, and whether anything is missing.

    Example: [bold]fiberscope doctor --json[/bold]
    """
    from fiberscope import __version__

    packages = {name: installed(name) for name in (*NEEDED, *OPTIONAL)}
    missing = [name for name in NEEDED if packages[name] is None]
    report = {
        "fiberscope": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_bytes": memory(),
        "packages": packages,
        "missing": missing,
        "healthy": not missing and sys.version_info >= (3, 11),
    }
    if as_json:
        emit_json(report)
    else:
        gib = f"{report['memory_bytes'] / 2**30:.1f} GiB" if report["memory_bytes"] else "unknown"
        say(f"fiberscope {__version__}, Python {report['python']} on {report['platform']}")
        say(f"{report['cores']} cores, {gib} of memory")
        say(", ".join(f"{name} {number or 'not installed'}" for name, number in packages.items()))
        say("Everything needed is here." if not missing else f"Missing: {', '.join(missing)}; pip install them.")
    raise typer.Exit(YES if report["healthy"] else NO)


def installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def memory() -> int | None:
    """Physical memory in bytes, where the system says."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None
