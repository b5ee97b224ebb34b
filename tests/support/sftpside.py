"""A partner's SFTP server in this process (asyncssh), and what may be wrong with it: it hangs, drops the line, is full, forbids, or shows another key."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh
from stage import Stage, free_port

from labmw.sftp.settings import Sftp

USER = "labmw"
PASSWORD = "correct horse"


class PartnerFiles(asyncssh.SFTPServer):
    """Serves the server's folder; does what the server says is wrong."""

    def __init__(self, channel: asyncssh.SSHServerChannel[bytes], server: PartnerServer) -> None:
        self.server = server
        super().__init__(channel, chroot=os.fsencode(server.root))

    async def _fault(self, step: str) -> None:
        server = self.server
        server.steps.append(step)
        if step in server.hangs:
            await asyncio.get_running_loop().create_future()
        if step in server.drops:
            server.drops.discard(step)
            self.connection.abort()
            await asyncio.get_running_loop().create_future()
        if step in server.forbids:
            raise asyncssh.SFTPPermissionDenied("Permission denied")

    async def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
        await self._fault("create" if pflags & asyncssh.FXF_CREAT else "open")
        if Path(os.fsdecode(path)).name.removeprefix(".labmw-") in self.server.unreadable:
            raise asyncssh.SFTPPermissionDenied("Permission denied")
        opened = super().open(path, pflags, attrs)
        self.server.opened.append(opened)
        return opened

    async def read(self, file_obj: object, offset: int, size: int) -> bytes:
        await self._fault("read")
        data = super().read(file_obj, offset, size)
        assert isinstance(data, bytes)
        return data

    async def write(self, file_obj: object, offset: int, data: bytes) -> int:
        await self._fault("write")
        if self.server.room is not None:
            if len(data) > self.server.room:
                raise asyncssh.SFTPFailure("Failure")  # what OpenSSH answers to ENOSPC
            self.server.room -= len(data)
        written = super().write(file_obj, offset, data)
        assert isinstance(written, int)
        return written

    def statvfs(self, path: bytes) -> os.statvfs_result:
        found = list(os.statvfs(self.server.root))
        if self.server.room is not None:
            found[4] = self.server.room // found[1]
        return os.statvfs_result(found)

    async def rename(self, oldpath: bytes, newpath: bytes) -> None:
        await self._fault("rename")
        super().rename(oldpath, newpath)

    async def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
        if self.server.old:
            raise asyncssh.SFTPOpUnsupported("posix-rename is not supported")
        await self._fault("rename")
        super().posix_rename(oldpath, newpath)

    def fsync(self, file_obj: object) -> None:
        if self.server.old:
            raise asyncssh.SFTPOpUnsupported("fsync is not supported")
        super().fsync(file_obj)

    async def scandir(self, path: bytes) -> AsyncIterator[asyncssh.SFTPName]:
        await self._fault("look")
        for name in self.server.extra_names:
            yield asyncssh.SFTPName(name, attrs=asyncssh.SFTPAttrs(permissions=0o100644, size=10))
        async for one in super().scandir(path):
            yield one


class _Door(asyncssh.SSHServer):
    def __init__(self, server: PartnerServer) -> None:
        self.server = server

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (USER, PASSWORD)

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self.server.connections.append(conn)


@dataclass(slots=True)
class PartnerServer:
    """The server, and what is wrong with it at this moment."""

    root: Path
    secrets: Path  # folder of our side's key, and of the known hosts
    host_key: asyncssh.SSHKey = field(default_factory=lambda: asyncssh.generate_private_key("ssh-ed25519"))
    hangs: set[str] = field(default_factory=set)
    drops: set[str] = field(default_factory=set)
    forbids: set[str] = field(default_factory=set)
    unreadable: set[str] = field(default_factory=set)  # names of files
    room: int | None = None  # bytes left on its disk
    old: bool = False  # without the extensions of OpenSSH
    extra_names: list[bytes] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    connections: list[asyncssh.SSHServerConnection] = field(default_factory=list)
    opened: list[Any] = field(default_factory=list)  # files: of a line that was cut, nobody else closes them
    port: int = field(default_factory=free_port)
    _listening: asyncssh.SSHAcceptor | None = None

    def __post_init__(self) -> None:
        for folder in (self.root, self.root / "in", self.root / "out", self.secrets):
            folder.mkdir(parents=True, exist_ok=True)
        key = asyncssh.generate_private_key("ssh-ed25519")
        key.write_private_key(self.secrets / "key")
        (self.secrets / "key").chmod(0o600)
        key.write_public_key(self.secrets / "key.pub")
        (self.secrets / "password").write_text(f"{PASSWORD}\n", encoding="utf-8")
        (self.secrets / "password").chmod(0o600)

    async def open(self) -> None:
        """Listen; on the same port again after it was shut."""
        self._listening = await asyncssh.listen(
            "127.0.0.1",
            self.port,
            server_host_keys=[self.host_key],
            authorized_client_keys=str(self.secrets / "key.pub"),
            server_factory=lambda: _Door(self),
            sftp_factory=lambda channel: PartnerFiles(channel, self),
        )
        self.port = self._listening.get_port()

    async def shut(self) -> None:
        """Hang up on everybody, and listen no more."""
        assert self._listening is not None
        self._listening.close()
        for one in self.connections:
            one.abort()
        self.connections.clear()
        await self._listening.wait_closed()
        for one in self.opened:
            one.close()
        self.opened.clear()

    def write_known(self, key: asyncssh.SSHKey | None = None) -> None:
        """Write the known hosts as the partner has told us its key."""
        line = (key or self.host_key).export_public_key().decode().split()[:2]
        (self.secrets / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {' '.join(line)}\n", encoding="utf-8")

    def settings(self, *, read_timeout: float = 60.0, **other: str) -> Sftp:
        """What our side sets about it."""
        told = {"key": str(self.secrets / "key"), **other}
        return Sftp(
            connect=f"127.0.0.1:{self.port}",
            user=USER,
            known_hosts=str(self.secrets / "known_hosts"),
            connect_timeout=60.0,
            read_timeout=read_timeout,
            **told,
        )


@contextlib.asynccontextmanager
async def partner_server(folder: Path) -> AsyncIterator[PartnerServer]:
    """A server that is well."""
    server = PartnerServer(folder / "server", folder / "secrets")
    await server.open()
    server.write_known()
    try:
        yield server
    finally:
        await server.shut()


def partner_over_sftp(folder: Path, server: PartnerServer, more: str = "") -> tuple[Stage, int]:
    """A stage with one partner whose files lie on this server, and the port of the LIS's line. `more`: further keys of its `sftp`."""
    feed = free_port()
    sftp = f'connect = "127.0.0.1:{server.port}", user = "{USER}", known_hosts = "secrets/known_hosts", key = "secrets/key"{more}'
    extra = f"""
[[partners]]
name = "SPE"
retry_base = 0.05
retry_cap = 0.1
routes = [{{ tests = ["1742-6"] }}]
[partners.files]
out = "out"
into = "in"
every = 0.05
settle = 0.05
sftp = {{ {sftp} }}
"""
    stage = Stage(folder, free_port(), free_port(), extra)
    if not stage.config.exists():
        stage.build([])
    text = stage.config.read_text(encoding="utf-8").replace("[rules]", f'listen = "127.0.0.1:{feed}"\n[rules]', 1)
    stage.config.write_text(text, encoding="utf-8")
    return stage, feed
