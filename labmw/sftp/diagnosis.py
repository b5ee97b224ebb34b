"""Why did SFTP fail, and what is to be done? From the words of asyncssh and the partner's server to one sentence that names the remedy."""

from __future__ import annotations

import asyncssh

from labmw.errors import CertificateError, PlaceError
from labmw.phrases import say

FOLDER = {
    "place-missing": (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath, asyncssh.SFTPNotADirectory),
    "place-denied": (asyncssh.SFTPPermissionDenied, asyncssh.SFTPWriteProtect, asyncssh.SFTPCannotDelete),
    "place-full": (asyncssh.SFTPNoSpaceOnFilesystem, asyncssh.SFTPQuotaExceeded),
}
"""What a server may answer about a folder or a file: the connection is as it was."""
CODES = frozenset(
    {
        "sftp-host-key-unknown", "sftp-host-key-changed", "sftp-denied", "sftp-algorithms", "sftp-silent", "sftp-lost", "sftp-unreachable", "sftp-files",
        "place-fails", "place-crowded", "place-file-denied", *FOLDER,
    }
)  # fmt: skip
"""Every sentence that a failure can come to."""


def place_error(code: str, place: str, words: object, **facts: str) -> PlaceError:
    """The error of a code; `words` are those of the system or of the server."""
    told = {"place": place, "words": str(words) or type(words).__name__, **facts}
    return PlaceError(say(code, "en", **told), code, told)


def of_connection(error: BaseException, place: str, *, shown: str, known: list[str], files: str) -> PlaceError:
    """Why we were not let in. `shown`: the fingerprint of the key that the server showed, `known`: those that we believe."""
    match error:
        case CertificateError():
            return place_error("sftp-files", place, error)
        case asyncssh.HostKeyNotVerifiable():
            code = "sftp-host-key-changed" if known else "sftp-host-key-unknown"
            return place_error(code, place, error, shown=shown or "-", known=", ".join(known) or "-", file=files)
        case asyncssh.KeyExchangeFailed() if known and "host key" in str(error).lower():  # it has one of another kind
            return place_error("sftp-host-key-changed", place, error, shown="-", known=", ".join(known), file=files)
        case asyncssh.KeyExchangeFailed():
            return place_error("sftp-algorithms", place, error)
        case asyncssh.PermissionDenied():
            return place_error("sftp-denied", place, error)
        case TimeoutError():
            return place_error("sftp-silent", place, error)
        case asyncssh.Error() | ValueError() | EOFError() | ConnectionResetError():
            return place_error("sftp-lost", place, error)
    return place_error("sftp-unreachable", place, error)


def of_step(error: BaseException, place: str) -> PlaceError:
    """Why a step in an open session failed."""
    for code, kinds in FOLDER.items():
        if isinstance(error, kinds):
            return place_error(code, place, error)
    if isinstance(error, TimeoutError):
        return place_error("sftp-silent", place, error)
    if is_lost(error):
        return place_error("sftp-lost", place, error)
    return place_error("place-fails", place, error)


def is_lost(error: BaseException) -> bool:
    """Whether the connection is of no use any more after an error: only an answer of the server leaves it as it was."""
    return not isinstance(error, asyncssh.SFTPError) or isinstance(
        error, asyncssh.SFTPConnectionLost | asyncssh.SFTPNoConnection | asyncssh.SFTPBadMessage
    )
