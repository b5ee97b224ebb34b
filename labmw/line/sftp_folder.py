"""Files in a folder of a partner's SFTP server: what is written has its whole size there before it has its name.

Names travel as bytes: a server may hold names that are no UTF-8. SFTP version 3 is what OpenSSH speaks (draft-ietf-secsh-filexfer-02); its rename refuses a
name that is taken, `posix-rename@openssh.com` replaces it in one step, `fsync@openssh.com` waits for the disk (OpenSSH PROTOCOL §4.3, §4.8).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import posixpath
from collections.abc import AsyncGenerator, AsyncIterator, Sequence

import asyncssh

from labmw.errors import PlaceError
from labmw.line.file_place import ASIDE, MOST, PUT_AWAY, FileGone, Lying, State, other_name, partial
from labmw.sftp import diagnosis
from labmw.sftp.session import SftpSession

PIECE = 256 * 1024  # bytes that are read or written within one step's time
_GONE = diagnosis.FOLDER["place-missing"]
_TYPES = (asyncssh.FILEXFER_TYPE_REGULAR, asyncssh.FILEXFER_TYPE_UNKNOWN)


class SftpFolder:
    """One folder of a partner's server."""

    def __init__(self, session: SftpSession, folder: str) -> None:
        self._session, self._folder, self.title = session, folder, session.sftp.title(folder)

    def _path(self, *names: str) -> bytes:
        return os.fsencode(posixpath.join(self._folder, *names))

    async def look(self) -> Sequence[Lying]:
        """The files that lie there, by name."""
        looking = asyncio.create_task(self._look())
        try:
            return await asyncio.shield(looking)
        except asyncio.CancelledError:
            # asyncssh would ask the server to close the folder's handle and wait for its word; a loss meanwhile would take the place of the cancellation,
            # and whoever looks again and again would go on.
            self._session.abandon()
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
            raise

    async def _look(self) -> list[Lying]:
        found: list[Lying] = []
        try:
            async with self._session.step(self.title) as sftp:
                listing = sftp.scandir(self._path())
                assert isinstance(listing, AsyncGenerator)  # closed below, so that its handle is not left open
                async with contextlib.aclosing(listing) as entries:
                    found += await self._plain(entries)
        except asyncssh.SFTPError as error:
            raise diagnosis.of_step(error, self.title) from error
        return sorted(found, key=lambda one: one.name)

    async def _plain(self, entries: AsyncIterator[asyncssh.SFTPName]) -> list[Lying]:
        found: list[Lying] = []
        seen = 0
        async for entry in entries:
            seen += 1
            if seen > MOST:
                raise diagnosis.place_error("place-crowded", self.title, MOST)
            if (one := _lying(entry)) is not None:
                found.append(one)
        return found

    @contextlib.asynccontextmanager
    async def _opened(self, path: bytes, mode: str) -> AsyncIterator[asyncssh.SFTPClientFile]:
        async with self._session.step(self.title) as sftp:
            file = await sftp.open(path, mode)
        try:
            yield file
        finally:
            if self._session.has(sftp):  # of a connection that is gone, the server has closed it
                with contextlib.suppress(asyncssh.SFTPError, PlaceError):
                    async with self._session.step(self.title):
                        await file.close()

    async def read(self, name: str, limit: int) -> bytes:
        """The bytes of a file, and one more than the limit where it is larger; raises FileGone."""
        data = bytearray()
        try:
            async with self._opened(self._path(name), "rb") as file:
                while len(data) <= limit:
                    async with self._session.step(self.title):
                        piece = await file.read(min(PIECE, limit + 1 - len(data)))
                    if not piece:
                        break
                    data += piece if isinstance(piece, bytes) else piece.encode()
        except _GONE as error:
            raise FileGone(name) from error
        except asyncssh.SFTPPermissionDenied as error:
            raise diagnosis.place_error("place-file-denied", f"{self.title}/{name}", error) from error
        except asyncssh.SFTPError as error:
            raise diagnosis.of_step(error, self.title) from error
        return bytes(data[: limit + 1])

    async def set_aside(self, name: str, state: State) -> bool:
        """Take a file away from its sender; one that was changed goes back, unless the next one lies there already."""
        path, aside = self._path(name), self._path(f"{ASIDE}{name}")
        try:
            async with self._session.step(self.title) as sftp:
                await sftp.rename(path, aside)
                if _state(await sftp.stat(aside)) == state:
                    return True
                try:
                    await sftp.rename(aside, path)
                except asyncssh.SFTPError:
                    return True
                return False
        except _GONE as error:
            raise FileGone(name) from error
        except asyncssh.SFTPError as error:
            raise diagnosis.of_step(error, self.title) from error

    async def put_away(self, name: str, digest: str) -> None:
        """Move a file that was set aside to what was taken."""
        aside = self._path(f"{ASIDE}{name}")
        try:
            async with self._session.step(self.title) as sftp:
                if not await sftp.isdir(self._path(PUT_AWAY)):
                    await sftp.mkdir(self._path(PUT_AWAY))
                target = self._path(PUT_AWAY, name)
                if await sftp.exists(target):
                    target = self._path(PUT_AWAY, other_name(name, digest))
                await _rename(sftp, aside, target)
        except asyncssh.SFTPError as error:
            raise diagnosis.of_step(error, self.title) from error

    async def lay(self, name: str, data: bytes, *, replace: bool = False) -> bool:
        """Write a file whole before it has its name; False when one with other bytes has it and may not be replaced."""
        target, unread = self._path(name), self._path(partial(name))
        if await self._exists(target) and ((there := await self.read(name, len(data))) == data or not replace):
            return there == data
        try:
            await self._write(unread, data)
            async with self._session.step(self.title) as sftp:
                await _rename(sftp, unread, target)
        except asyncssh.SFTPError as error:
            with contextlib.suppress(asyncssh.SFTPError, PlaceError):
                async with self._session.step(self.title) as sftp:
                    await sftp.remove(unread)
            raise await self._why(error, len(data)) from error
        return True

    async def _exists(self, path: bytes) -> bool:
        """Whether something has this name; where a folder may be written and not read, this is all there is to ask."""
        try:
            async with self._session.step(self.title) as sftp:
                return await sftp.exists(path)
        except asyncssh.SFTPError as error:
            raise diagnosis.of_step(error, self.title) from error

    async def _write(self, path: bytes, data: bytes) -> None:
        async with self._opened(path, "wb") as file:
            for start in range(0, len(data), PIECE):
                async with self._session.step(self.title):
                    await file.write(data[start : start + PIECE])
            async with self._session.step(self.title):
                with contextlib.suppress(asyncssh.SFTPOpUnsupported):
                    await file.fsync()
        async with self._session.step(self.title) as sftp:
            size = await sftp.getsize(path)
        if size != len(data):  # some servers say only then that there is no room
            raise asyncssh.SFTPFailure(f"{size} of {len(data)} bytes arrived")

    async def _why(self, error: asyncssh.SFTPError, size: int) -> PlaceError:
        """A server without a word for it answers "Failure" when its disk is full: its free space tells."""
        if isinstance(error, asyncssh.SFTPFailure):
            with contextlib.suppress(asyncssh.SFTPError, PlaceError):
                async with self._session.step(self.title) as sftp:
                    free = await sftp.statvfs(self._path())
                    if free.bavail * free.frsize < size:
                        return diagnosis.place_error("place-full", self.title, error)
        return diagnosis.of_step(error, self.title)

    async def close(self) -> None:
        """Hang up."""
        await self._session.close()


async def _rename(sftp: asyncssh.SFTPClient, old: bytes, new: bytes) -> None:
    """In one step where the server can; otherwise what has the name goes first, and a kill between leaves the file under its other name."""
    try:
        await sftp.posix_rename(old, new)
    except asyncssh.SFTPOpUnsupported:
        if await sftp.exists(new):
            await sftp.remove(new)
        await sftp.rename(old, new)


def _lying(entry: asyncssh.SFTPName) -> Lying | None:
    """A plain file with a plain name: what a server calls `a/b` or `..` is no file of this folder."""
    name = os.fsdecode(entry.filename)
    if entry.attrs.type not in _TYPES or not name or name in (".", "..") or "/" in name or "\0" in name:
        return None
    return Lying(name, _state(entry.attrs))


def _state(attrs: asyncssh.SFTPAttrs) -> State:
    return attrs.size or 0, attrs.mtime or 0
