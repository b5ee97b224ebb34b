"""One SSH connection to a partner's server: opened when it is needed, kept, opened again when it is lost; only a known host key is believed (RFC 4251 §4.1).

Every step has its time. After a step that took too long the connection is thrown away: an answer that comes late must not be taken for the next one.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import asyncssh
import structlog

from labmw.errors import CertificateError, PlaceError
from labmw.sftp import diagnosis
from labmw.sftp.keys import Secrets, read_secrets
from labmw.sftp.settings import Sftp

log = structlog.get_logger("labmw.line")

ALIVE = 15.0  # seconds of silence after which the server is asked whether it is there; three times without an answer ends the connection


class _Distrust(asyncssh.SSHClient):
    """Remembers which key a server showed that no file vouches for, and never believes it."""

    shown = ""

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """Called by asyncssh for a key that is not known."""
        self.shown = key.get_fingerprint()
        return False


class SftpSession:
    """The connection to one partner, for whoever lays files there or takes them."""

    def __init__(self, sftp: Sftp) -> None:
        self.sftp = sftp
        self._opening = asyncio.Lock()
        self._connection: asyncssh.SSHClientConnection | None = None
        self._client: asyncssh.SFTPClient | None = None

    @contextlib.asynccontextmanager
    async def step(self, place: str) -> AsyncIterator[asyncssh.SFTPClient]:
        """The client for one step at a place; raises PlaceError, or lets through what a server answers about one file (SFTPError)."""
        client = await self._opened(place)
        late = asyncio.Event()

        def hang_up() -> None:
            late.set()
            self._drop(client)

        # The connection is thrown away, and with it whatever waits: a mere cancellation would still wait for the server to close a handle.
        watch = asyncio.get_running_loop().call_later(self.sftp.read_timeout, hang_up)
        try:
            yield client
        except asyncssh.SFTPError as error:
            if not late.is_set() and not diagnosis.is_lost(error):
                raise
            self._drop(client)
            raise diagnosis.of_step(TimeoutError() if late.is_set() else error, place) from error
        except (asyncssh.Error, OSError, ValueError, EOFError) as error:
            self._drop(client)
            raise diagnosis.of_step(TimeoutError() if late.is_set() else error, place) from error
        except asyncio.CancelledError:
            self._drop(client)  # its answer may be on the way
            raise
        finally:
            watch.cancel()

    def has(self, client: asyncssh.SFTPClient) -> bool:
        """Whether a client is that of the connection that is open now."""
        return self._client is client

    async def _opened(self, place: str) -> asyncssh.SFTPClient:
        async with self._opening:
            if self._client is not None and self._connection is not None and not self._connection.is_closed():
                return self._client
            self._client = self._connection = None
            self._connection, self._client = await self._open(place)
            log.info("connected over SFTP", place=place)
            return self._client

    async def _open(self, place: str) -> tuple[asyncssh.SSHClientConnection, asyncssh.SFTPClient]:
        sftp, distrust = self.sftp, _Distrust()
        known: list[str] = []
        connection: asyncssh.SSHClientConnection | None = None
        try:
            secrets = await asyncio.to_thread(read_secrets, sftp)
            known = secrets.of_host(sftp)
            async with asyncio.timeout(sftp.connect_timeout):
                connection = await asyncssh.connect(
                    sftp.host, sftp.port, options=_options(sftp, secrets, distrust), config=None
                )
                return connection, await connection.start_sftp_client(path_encoding=None)
        except (asyncssh.Error, OSError, ValueError, EOFError, CertificateError) as error:
            if connection is not None:
                connection.abort()
            raise diagnosis.of_connection(
                error, place, shown=distrust.shown, known=known, files=sftp.known_hosts
            ) from error
        except BaseException:
            if connection is not None:
                connection.abort()
            raise

    def abandon(self) -> None:
        """Throw the connection away, and with it whatever waits for the server."""
        if self._client is not None:
            self._drop(self._client)

    def _drop(self, client: asyncssh.SFTPClient) -> None:
        if self._client is client and self._connection is not None:
            self._connection.abort()
            self._client = self._connection = None

    async def close(self) -> None:
        """Hang up."""
        connection, self._client, self._connection = self._connection, None, None
        if connection is None:
            return
        connection.close()
        try:
            async with asyncio.timeout(2.0):
                await connection.wait_closed()
        except (TimeoutError, asyncssh.Error, OSError):
            connection.abort()


def _options(sftp: Sftp, secrets: Secrets, distrust: _Distrust) -> asyncssh.SSHClientConnectionOptions:
    """Nothing but what is set: no configuration of this machine's user, no agent, no key that lies about, no forwarding."""
    return asyncssh.SSHClientConnectionOptions(
        config=None,
        client_factory=lambda: distrust,
        username=sftp.user,
        known_hosts=secrets.known,
        client_keys=secrets.keys or None,
        password=secrets.password,
        preferred_auth=["publickey", "password", "keyboard-interactive"],
        agent_path=None,
        agent_forwarding=False,
        gss_host=None,
        x509_trusted_certs=None,
        client_host_keysign=False,
        compression_algs=["none"],
        connect_timeout=sftp.connect_timeout,
        login_timeout=sftp.connect_timeout,
        keepalive_interval=ALIVE,
        keepalive_count_max=3,
    )


async def try_once(sftp: Sftp, folders: dict[str, str]) -> list[PlaceError]:
    """Log in and look at each folder; return what is wrong. For `labmw check --live`."""
    session = SftpSession(sftp)
    found: list[PlaceError] = []
    try:
        for title, folder in folders.items():
            try:
                async with session.step(title) as client:
                    if not await client.isdir(folder.encode()):
                        raise diagnosis.place_error("place-missing", title, "")
            except asyncssh.SFTPError as error:
                found.append(diagnosis.of_step(error, title))
            except PlaceError as error:
                found.append(error)
                if error.code.startswith("sftp-"):
                    break
    finally:
        await session.close()
    return found
