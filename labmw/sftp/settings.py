"""What can be set about SFTP towards a partner? Who it is, by which key it is known, and by which we are."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from labmw.errors import ConfigError


class Sftp(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where a partner's SFTP server is. Nothing of the machine's own SSH (configuration, agent, known hosts) is looked at."""

    connect: str  # "host:port"; port 22 as a rule
    user: str
    known_hosts: str  # file of the server's key, as known_hosts of OpenSSH; what is not in it is never believed
    key: str = ""  # file of our private key
    passphrase_file: str = ""  # file with the passphrase of that key; "" = it has none
    password_file: str = ""  # file with a password, where the partner takes no key
    connect_timeout: float = 15.0  # seconds until we are let in
    read_timeout: float = 30.0  # seconds for one step: a look into a folder, a piece of a file, a change of name

    def resolved(self, found: Callable[[str], str]) -> Sftp:
        """The same with the paths as `found` makes them."""
        return msgspec.structs.replace(
            self,
            known_hosts=found(self.known_hosts),
            key=found(self.key),
            passphrase_file=found(self.passphrase_file),
            password_file=found(self.password_file),
        )

    @property
    def host(self) -> str:
        """The server's name or address."""
        return self.connect.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The server's port."""
        return int(self.connect.rpartition(":")[2])

    def title(self, folder: str) -> str:
        """What a folder there is called in a sentence."""
        return f"sftp://{self.user}@{self.connect}/{folder.lstrip('/') if folder.startswith('/') else f'~/{folder}'}"


def check(file: str, key: str, sftp: Sftp) -> None:
    """Whether the settings can work together; raises ConfigError."""
    if not sftp.user.strip() or not sftp.user.isprintable():
        raise ConfigError(
            file,
            f"{key}.user",
            "is empty or cannot be printed",
            "give the name under which we log in",
            "sftp-config-user",
        )
    if not sftp.known_hosts:
        remedy = "name the file with the server's host key (ssh-keyscan writes it), and compare its fingerprint with the partner's by telephone"
        raise ConfigError(file, f"{key}.known_hosts", "is not set", remedy, "sftp-config-known-hosts")
    if not sftp.key and not sftp.password_file:
        raise ConfigError(
            file,
            f"{key}.key",
            "is not set",
            "name the file of our private key, or password_file where none is taken",
            "sftp-config-key",
        )
    if sftp.passphrase_file and not sftp.key:
        raise ConfigError(
            file,
            f"{key}.passphrase_file",
            "is of no use without key",
            "set key too, or leave the passphrase out",
            "sftp-config-passphrase",
        )
    for name, seconds in (("connect_timeout", sftp.connect_timeout), ("read_timeout", sftp.read_timeout)):
        if not 0.05 <= seconds <= 600:
            raise ConfigError(
                file,
                f"{key}.{name}",
                f"{seconds:g} is out of bounds",
                "give a number from 0.05 to 600 (seconds)",
                "sftp-config-seconds",
                value=f"{seconds:g}",
            )
