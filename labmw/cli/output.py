"""What if the terminal cannot write a letter, or the file that a command prints into is full? The rest is printed, or one sentence says why not."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
UNWRITABLE = 74  # EX_IOERR in sysexits.h


@contextmanager
def written() -> Iterator[None]:
    """Print whatever a command says; ends with 74 and a sentence where standard output takes no more.

    A terminal of another character set (ISO 8859-15, plain ASCII) shows a question mark for what it has no sign for.
    """
    out = sys.stdout
    if isinstance(out, io.TextIOWrapper) and out.errors == "strict":
        utf8 = out.encoding.lower().replace("-", "") == "utf8"
        out.reconfigure(errors="backslashreplace" if utf8 else "replace")
    try:
        yield
    except OSError as error:
        if error.errno not in FULL or error.filename is not None:  # of a file: the command's own affair
            raise
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), out.fileno()
        )  # what is still to be written would fail once more at the end
        sys.stderr.write(f"labmw: the output cannot be written ({error.strerror}); free space, or print elsewhere\n")
        sys.exit(UNWRITABLE)
