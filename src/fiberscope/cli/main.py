"""The entry point: run a command, turn any failure into one line on standard error and an exit status.

0  yes, or done        1  no, or different        2  trouble        3  undecided        130  interrupted
"""

from __future__ import annotations

import os
import sys

from fiberscope.cli.output import TROUBLE, one_line
from fiberscope.errors import FiberscopeError

INTERRUPTED = 130  # as of every program that Ctrl-C stops
ISSUE = "this is a bug in Fiberscope: please report it, with the lines that FIBERSCOPE_TRACEBACK=1 shows"


def fail(message: str) -> int:
    sys.stderr.write(f"fiberscope: {message}\n")
    return TROUBLE


def main(arguments: list[str] | None = None) -> int:
    """Runs one command and returns its exit status.

    >>> main(["compare", "missing.onnx", "other.onnx"])  # doctest: +SKIP
    2
    """
    from typer.exceptions import Abort, Exit, TyperException
    from typer.main import get_command

    from fiberscope.cli.app import app

    if not sys.warnoptions:
        import warnings

        warnings.simplefilter("ignore")  # a library's warning is not the user's failure
    try:
        status = get_command(app).main(arguments, prog_name="fiberscope", standalone_mode=False)
        if status == INTERRUPTED:
            raise KeyboardInterrupt
        return status if isinstance(status, int) else 0
    except Exit as stop:
        return stop.exit_code
    except TyperException as error:  # wrong usage: unknown option, missing argument
        if type(error).__name__ == "NoArgsIsHelpError":  # nothing was asked, and the help page has been shown
            return 0
        return fail(f"{one_line(error.format_message()).rstrip('.')}; see `fiberscope --help`")
    except FiberscopeError as error:
        return fail(one_line(error))
    except (KeyboardInterrupt, Abort):
        sys.stderr.write("fiberscope: interrupted\n")
        return INTERRUPTED
    except BrokenPipeError:  # the reader has seen enough (`| head`)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except MemoryError:
        return fail("out of memory; `fiberscope doctor` shows how much there is")
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        return fail(f"{name}{one_line(error.strerror or error)}")
    except Exception as error:
        if os.environ.get("FIBERSCOPE_TRACEBACK"):
            raise
        return fail(f"{type(error).__name__}: {one_line(error)[:300]} ({ISSUE})")


def run() -> None:
    """The console script."""
    sys.exit(main())
