"""Which keys and passwords does SFTP use? Read from their files, small, whole, and said to be wrong before anything is sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh

from labmw.errors import CertificateError
from labmw.sftp.settings import Sftp

MOST = 1 << 20  # bytes of a file of keys


@dataclass(frozen=True, slots=True)
class Secrets:
    """What opens the door, and by what the door is known."""

    known: asyncssh.SSHKnownHosts = field(repr=False)
    keys: Sequence[asyncssh.SSHKey] = field(repr=False)
    password: str | None = field(repr=False)

    def of_host(self, sftp: Sftp) -> list[str]:
        """The fingerprints by which the server is known; none when the file does not name it. Raises CertificateError."""
        try:
            trusted, authorities, *_ = self.known.match(sftp.host, "", sftp.port if sftp.port != SSH else None)
        except ValueError as error:
            raise CertificateError(f"{sftp.known_hosts} cannot be used ({error}); write one line for a key") from error
        return [one.get_fingerprint() for one in (*trusted, *authorities)]


SSH = 22


def read_secrets(sftp: Sftp) -> Secrets:
    """Read the files; raises CertificateError with file and remedy."""
    try:
        known = asyncssh.import_known_hosts(_text(sftp.known_hosts))
    except ValueError as error:
        raise CertificateError(
            f"{sftp.known_hosts} is no file of known hosts ({error}); ssh-keyscan writes its lines"
        ) from error
    passphrase = _text(sftp.passphrase_file).rstrip("\r\n") if sftp.passphrase_file else None
    password = _text(sftp.password_file).rstrip("\r\n") if sftp.password_file else None
    if password == "":
        raise CertificateError(f"{sftp.password_file} is empty; write the password into it, on one line")
    keys: list[asyncssh.SSHKey] = []
    if sftp.key:
        try:
            keys = [asyncssh.import_private_key(_text(sftp.key), passphrase)]
        except ValueError as error:
            if isinstance(error, asyncssh.KeyEncryptionError) or "passphrase" in str(error).lower():
                raise CertificateError(
                    f"{sftp.key} does not open ({error}); name the file of its passphrase in passphrase_file"
                ) from error
            raise CertificateError(
                f"{sftp.key} is no private key ({error}); make one with ssh-keygen -t ed25519"
            ) from error
    return Secrets(known, keys, password)


def _text(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            data = file.read(MOST + 1)
    except OSError as error:
        raise CertificateError(
            f"{path} cannot be read ({error.strerror or error}); check the path and its permissions"
        ) from error
    if len(data) > MOST:
        raise CertificateError(f"{path} is larger than {MOST} bytes; it is no file of keys")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CertificateError(f"{path} is not a text; it is no file of keys") from error
