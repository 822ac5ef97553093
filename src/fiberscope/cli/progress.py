"""A bar on standard error for work with a budget of seconds; nothing where no person is looking."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress(seconds: float) -> Iterator[Callable[[str], None]]:
    """Gives a function that shows a line of text beside a bar of the time used; the bar goes away at the end.

    >>> with progress(10.0) as say:  # off a terminal nothing is written
    ...     say("layer 1")
    """
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress, ProgressColumn, Task, TextColumn, TimeElapsedColumn
    from rich.progress_bar import ProgressBar

    class Used(ProgressColumn):
        """The part of the budget that is used, as time goes by."""

        def render(self, task: Task) -> ProgressBar:
            return ProgressBar(total=seconds, completed=min(task.elapsed or 0.0, seconds), width=24)

    columns = Used(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False)
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as bar:
        task = bar.add_task("starting", total=None)
        yield lambda text: bar.update(task, description=text)
