"""How does a child process notice that its parent is gone? It holds the reading end of a pipe whose other end only the parent holds.

When the parent ends, however it ends, the kernel closes the pipe and the child stops as if it had been asked to. This is portable, and
unlike PR_SET_PDEATHSIG it is tied to the process and not to the thread that started the child.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Mapping

VARIABLE = "LABMW_LIFELINE"
"""Names the file descriptor of the pipe in the child's environment."""

PATIENCE = 30.0
"""Seconds an orphan may take to stop in order, as long as its parent would have waited (labmw.watch.supervisor)."""


def hold_on(
    environment: Mapping[str, str] = os.environ,
    stop: Callable[[], None] = lambda: os.kill(os.getpid(), signal.SIGTERM),
    end: Callable[[], None] = lambda: os._exit(1),
    patience: float = PATIENCE,
) -> threading.Thread | None:
    """Stop this process in order when its parent ends; call it once, first thing in the child. None when nobody supervises it."""
    text = environment.get(VARIABLE, "")
    if not text.isdecimal():
        return None
    descriptor = int(text)
    os.set_inheritable(descriptor, False)  # a grandchild must not keep it
    thread = threading.Thread(target=_wait, args=(descriptor, stop, end, patience), name="lifeline", daemon=True)
    thread.start()
    return thread


def _wait(descriptor: int, stop: Callable[[], None], end: Callable[[], None], patience: float) -> None:
    while os.read(descriptor, 1):  # nothing is ever written: this returns when the last holder of the other end is gone
        pass
    stop()
    threading.Event().wait(patience)
    end()
