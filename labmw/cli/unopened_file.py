"""Why can a file not be read or written? What the system says, in the reader's language where it is one of the usual reasons."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import Final

from labmw.phrases import Language, say

_USUAL: Final[Mapping[int, str]] = {
    errno.ENOENT: "file-missing",
    errno.ENOTDIR: "file-missing",
    errno.EACCES: "file-forbidden",
    errno.EPERM: "file-forbidden",
    errno.EISDIR: "file-folder",
    errno.EEXIST: "file-there",
    errno.ENOSPC: "file-no-room",
    errno.EDQUOT: "file-no-room",
    errno.EROFS: "file-read-only",
    errno.ENAMETOOLONG: "file-name-long",
    errno.ELOOP: "file-loop",
}


def code_of(problem: OSError) -> str:
    """The phrase of a usual reason; "" for an unusual one."""
    return _USUAL.get(problem.errno or 0, "")


def why_not(problem: OSError, language: Language) -> str:
    """The reason in words; of an unusual one what the system says, as it says it: that is what one searches for."""
    code = code_of(problem)
    return say(code, language) if code else problem.strerror or str(problem)
