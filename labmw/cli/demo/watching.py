"""What does a person see while the morning is played? Bars that move, and what the analyzers and the LIS are doing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from labmw.cli.demo.perform import Progress as Stand
from labmw.cli.demo.perform import Watching
from labmw.phrases import Language, say

TOLD = ("LIS:", "hung up", "not acknowledged", "attempt ", "all analyzers")
"""Which lines of the simulators' log are worth a person's eye: what goes wrong on purpose, and how it was mended."""


@contextmanager
def watch(console: Console, ordered: int, language: Language) -> Iterator[Watching]:
    """Show three bars; `ordered` is how many results the LIS waits for."""
    columns = (TextColumn("{task.description}"), BarColumn(30), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        stored = progress.add_task(say("demo-bar-stored", language), total=ordered)
        judged = progress.add_task(say("demo-bar-judged", language), total=ordered)
        delivered = progress.add_task(say("demo-bar-delivered", language), total=ordered)

        def told(stand: Stand, lines: Sequence[str]) -> None:
            progress.update(stored, completed=stand.stored, total=max(ordered, stand.stored))
            progress.update(judged, completed=stand.judged, total=max(ordered, stand.judged))
            progress.update(delivered, completed=stand.delivered)
            for line in lines:
                if any(word in line for word in TOLD):
                    progress.console.print(Text(f"  {line}", "dim"))

        yield told
