"""A folder of this machine and one of a partner's SFTP server: the same questions to both, then what only a server can do wrong."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import asyncssh
import msgspec
import pytest
from sftpside import PASSWORD, PartnerServer, partner_server
from stage import eventually

from labmw.errors import CertificateError, PlaceError
from labmw.line import file_place
from labmw.line.file_place import ASIDE, FileGone, FilePlace, Lying, other_name, shown
from labmw.line.local_folder import LocalFolder
from labmw.line.sftp_folder import PIECE, SftpFolder
from labmw.phrases import codes, say
from labmw.sftp import diagnosis
from labmw.sftp.keys import read_secrets
from labmw.sftp.session import SftpSession, try_once
from labmw.sftp.settings import Sftp

DIGEST = hashlib.sha256(b"x").hexdigest()


@dataclass(slots=True)
class Place:
    """A place, and the folder behind it."""

    place: FilePlace
    folder: Path
    server: PartnerServer | None = None


@contextlib.asynccontextmanager
async def opened(kind: str, folder: Path) -> AsyncIterator[Place]:
    if kind == "local":
        yield Place(LocalFolder(folder), folder)
        return
    async with partner_server(folder) as server:
        server.old = kind == "old server"
        session = SftpSession(server.settings())
        place = SftpFolder(session, "in")
        try:
            yield Place(place, server.root / "in", server)
        finally:
            await place.close()


@contextlib.asynccontextmanager
async def sftp(folder: Path, read_timeout: float = 60.0) -> AsyncIterator[tuple[SftpFolder, PartnerServer]]:
    async with partner_server(folder) as server:
        place = SftpFolder(SftpSession(server.settings(read_timeout=read_timeout)), "in")
        try:
            yield place, server
        finally:
            await place.close()


KINDS = pytest.mark.parametrize("kind", ["local", "server", "old server"])


def names(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir() if one.is_file())


@KINDS
async def test_what_lies_there_is_seen_read_and_put_away(kind: str, tmp_path: Path) -> None:
    async with opened(kind, tmp_path) as one:
        (one.folder / "B.HPR").write_bytes(b"second")
        (one.folder / "A.HPR").write_bytes(b"first")
        (one.folder / "folder.HPR").mkdir()
        found = {lying.name: lying.state for lying in await one.place.look()}
        assert [name for name in found if name.endswith(".HPR")] == ["A.HPR", "B.HPR"]
        assert found["A.HPR"][0] == 5
        assert await one.place.read("A.HPR", 100) == b"first"
        assert await one.place.read("A.HPR", 3) == b"firs"  # one more than the limit tells that it is larger
        assert await one.place.set_aside("A.HPR", found["A.HPR"])
        assert await one.place.read(f"{ASIDE}A.HPR", 100) == b"first"
        await one.place.put_away("A.HPR", DIGEST)
        assert (one.folder / "taken" / "A.HPR").read_bytes() == b"first"
        with pytest.raises(FileGone):
            await one.place.read("A.HPR", 100)
        with pytest.raises(FileGone):
            await one.place.set_aside("A.HPR", found["A.HPR"])


@KINDS
async def test_the_second_of_a_name_does_not_replace_the_first_among_what_was_taken(kind: str, tmp_path: Path) -> None:
    async with opened(kind, tmp_path) as one:
        for text in (b"first", b"second"):
            (one.folder / "A.HPR").write_bytes(text)
            [lying] = [lying for lying in await one.place.look() if lying.name == "A.HPR"]
            await one.place.set_aside("A.HPR", lying.state)
            await one.place.put_away("A.HPR", DIGEST)
        assert (one.folder / "taken" / "A.HPR").read_bytes() == b"first"
        assert (one.folder / "taken" / other_name("A.HPR", DIGEST)).read_bytes() == b"second"


@KINDS
async def test_a_file_that_changed_since_it_was_seen_goes_back(kind: str, tmp_path: Path) -> None:
    async with opened(kind, tmp_path) as one:
        (one.folder / "A.HPR").write_bytes(b"whole")
        assert not await one.place.set_aside("A.HPR", (3, 0))
        assert (one.folder / "A.HPR").read_bytes() == b"whole"
        assert not (one.folder / f"{ASIDE}A.HPR").exists()


@KINDS
async def test_what_is_laid_is_whole_and_replaces_nothing_of_others(kind: str, tmp_path: Path) -> None:
    async with opened(kind, tmp_path) as one:
        data = os.urandom(PIECE + 5)
        assert await one.place.lay("A.HPR", data)
        assert await one.place.lay("A.HPR", data)  # its receipt was lost
        assert not await one.place.lay("A.HPR", b"other")
        assert (one.folder / "A.HPR").read_bytes() == data
        assert await one.place.lay("A.HPR", b"other", replace=True)
        assert (one.folder / "A.HPR").read_bytes() == b"other"
        assert names(one.folder) == ["A.HPR"]


@KINDS
async def test_a_file_cut_off_by_a_kill_is_written_over(kind: str, tmp_path: Path) -> None:
    async with opened(kind, tmp_path) as one:
        (one.folder / file_place.partial("A.HPR")).write_bytes(b"half of a longer text")
        assert await one.place.lay("A.HPR", b"whole")
        assert names(one.folder) == ["A.HPR"]
        assert (one.folder / "A.HPR").read_bytes() == b"whole"


@KINDS
async def test_a_name_that_is_no_text_is_read_all_the_same(kind: str, tmp_path: Path) -> None:
    async with opened(kind, tmp_path) as one:
        name = os.fsdecode(b"r\xe9sultat\n.HPR")
        (one.folder / name).write_bytes(b"text")
        [lying] = [lying for lying in await one.place.look() if lying.name.endswith(".HPR")]
        assert lying.name == name
        assert await one.place.read(name, 10) == b"text"
        assert await one.place.set_aside(name, lying.state)
        await one.place.put_away(name, DIGEST)
        assert shown(name) == "r\\xe9sultat\\x0a.HPR"


@KINDS
async def test_a_folder_that_is_not_there_is_said(kind: str, tmp_path: Path) -> None:
    async with opened(kind, tmp_path) as one:
        for place in (
            SftpFolder(SftpSession(one.server.settings()), "nowhere") if one.server else LocalFolder(tmp_path / "nowhere"),
        ):  # fmt: skip
            with pytest.raises(PlaceError, match="nowhere is not there") as caught:
                await place.look()
            assert caught.value.code == "place-missing"
            with pytest.raises(PlaceError):
                await place.lay("A.HPR", b"x")
            await place.close()


@KINDS
async def test_a_folder_that_nobody_clears_is_said(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labmw.line.local_folder.MOST", 3)
    monkeypatch.setattr("labmw.line.sftp_folder.MOST", 5)  # "." and ".." are of its listing
    async with opened(kind, tmp_path) as one:
        for place in range(5):
            (one.folder / f"{place}.HPR").touch()
        with pytest.raises(PlaceError) as caught:
            await one.place.look()
        assert caught.value.code == "place-crowded"


async def test_a_full_disk_here_leaves_nothing_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("labmw.line.local_folder.os.fsync", full)
    with pytest.raises(PlaceError) as caught:
        await LocalFolder(tmp_path).lay("A.HPR", b"x")
    assert caught.value.code == "place-full"
    assert names(tmp_path) == []


# --- a server ----------------------------------------------------------------------------------------------------------------------


async def test_a_full_server_leaves_nothing_half_and_takes_it_when_there_is_room(tmp_path: Path) -> None:
    async with sftp(tmp_path) as (place, server):
        server.room = 3
        with pytest.raises(PlaceError) as caught:
            await place.lay("A.HPR", b"longer")
        assert caught.value.code == "place-full"
        assert names(server.root / "in") == []
        server.room = None
        assert await place.lay("A.HPR", b"longer")


@pytest.mark.parametrize("step", ["look", "open", "read"])
async def test_a_server_that_hangs_is_let_go_and_called_again(step: str, tmp_path: Path) -> None:
    async with sftp(tmp_path, read_timeout=1.0) as (place, server):
        (server.root / "in" / "A.HPR").write_bytes(b"text")
        server.hangs = {step}
        with pytest.raises(PlaceError) as caught:
            await (place.look() if step == "look" else place.read("A.HPR", 10))
        assert caught.value.code == "sftp-silent"
        server.hangs = set()
        assert await place.read("A.HPR", 10) == b"text"
        assert len(server.connections) == 2


@pytest.mark.parametrize("step", ["create", "write", "rename"])
async def test_a_line_lost_while_writing_is_made_good(step: str, tmp_path: Path) -> None:
    async with sftp(tmp_path) as (place, server):
        server.drops = {step}
        with pytest.raises(PlaceError) as caught:
            await place.lay("A.HPR", b"text")
        assert caught.value.code == "sftp-lost"
        assert "A.HPR" not in names(server.root / "in")  # it never had its name before it was whole
        assert await place.lay("A.HPR", b"text")
        assert names(server.root / "in") == ["A.HPR"]


@pytest.mark.parametrize("step", ["look", "open", "read"])
async def test_a_hang_that_is_cancelled_ends_at_once(step: str, tmp_path: Path) -> None:
    """Long before the server's time is over, and as a cancellation: a daemon that stops must not take it for a server that is lost, and go on."""
    async with sftp(tmp_path, read_timeout=600.0) as (place, server):
        (server.root / "in" / "A.HPR").write_bytes(b"text")
        server.hangs = {step}
        task = asyncio.create_task(place.look() if step == "look" else place.read("A.HPR", 10))
        await eventually(lambda: step in server.steps)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            async with asyncio.timeout(60):
                await task
        server.hangs = set()
        assert [one.name for one in await place.look()] == ["A.HPR"]


async def test_what_a_server_forbids_is_said(tmp_path: Path) -> None:
    async with sftp(tmp_path) as (place, server):
        (server.root / "in" / "A.HPR").write_bytes(b"text")
        server.forbids = {"open", "rename"}
        with pytest.raises(PlaceError) as caught:
            await place.read("A.HPR", 10)
        assert caught.value.code == "place-file-denied"
        with pytest.raises(PlaceError) as caught:
            await place.set_aside("A.HPR", (4, 0))
        assert caught.value.code == "place-denied"
        assert len(server.connections) == 1  # an answer is no reason to hang up


async def test_a_folder_that_may_be_written_and_not_read_is_written(tmp_path: Path) -> None:
    async with sftp(tmp_path) as (place, server):
        server.forbids = {"open"}
        assert await place.lay("A.HPR", b"text")


async def test_names_that_lead_out_of_the_folder_are_no_files_of_it(tmp_path: Path) -> None:
    async with sftp(tmp_path) as (place, server):
        server.extra_names = [b"../../secret.HPR", b"/etc/passwd.HPR", b"", b"a\0.HPR", b"plain.HPR"]
        assert [one.name for one in await place.look()] == ["plain.HPR"]


async def test_a_host_key_that_nobody_told_is_never_believed(tmp_path: Path) -> None:
    async with partner_server(tmp_path) as server:
        known = server.secrets / "known_hosts"
        line = known.read_text(encoding="utf-8")
        known.write_text(line.replace("127.0.0.1", "192.0.2.7"), encoding="utf-8")
        place = SftpFolder(SftpSession(server.settings()), "in")
        with pytest.raises(PlaceError) as caught:
            await place.look()
        assert caught.value.code == "sftp-host-key-unknown"
        assert caught.value.facts["shown"] == server.host_key.get_fingerprint()
        assert known.read_text(encoding="utf-8") == line.replace("127.0.0.1", "192.0.2.7")  # nothing was learnt
        assert server.steps == []
        await place.close()


@pytest.mark.parametrize("algorithm", ["ssh-ed25519", "ecdsa-sha2-nistp256"])
async def test_a_host_key_that_changed_stops_everything(algorithm: str, tmp_path: Path) -> None:
    async with sftp(tmp_path) as (place, server):
        await place.look()
        before = server.host_key.get_fingerprint()
        await server.shut()
        server.host_key = asyncssh.generate_private_key(algorithm)
        await server.open()
        steps = len(server.steps)
        for _ in range(2):  # the first may only notice that the connection is gone
            with pytest.raises(PlaceError) as caught:
                await place.lay("A.HPR", b"of a patient")
        assert caught.value.code == "sftp-host-key-changed"
        assert before in caught.value.facts["known"]
        assert len(server.steps) == steps
        server.write_known()  # the partner has told us its new key
        assert await place.lay("A.HPR", b"of a patient")


async def test_a_password_from_a_file_opens_too_and_a_wrong_key_does_not(tmp_path: Path) -> None:
    async with partner_server(tmp_path) as server:
        settings = server.settings(key="", password_file=str(server.secrets / "password"))
        place = SftpFolder(SftpSession(settings), "in")
        assert await place.look() == []
        await place.close()
        asyncssh.generate_private_key("ssh-ed25519").write_private_key(server.secrets / "other")
        place = SftpFolder(SftpSession(server.settings(key=str(server.secrets / "other"))), "in")
        with pytest.raises(PlaceError) as caught:
            await place.look()
        assert caught.value.code == "sftp-denied"
        assert PASSWORD not in str(caught.value)


async def test_nothing_but_what_is_set_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without this, a key or a known host of whoever starts labmw would count."""
    async with partner_server(tmp_path) as server:
        home = tmp_path / "home"
        (home / ".ssh").mkdir(parents=True)
        (home / ".ssh" / "id_ed25519").write_bytes((server.secrets / "key").read_bytes())
        (home / ".ssh" / "known_hosts").write_bytes((server.secrets / "known_hosts").read_bytes())
        (home / ".ssh" / "config").write_text("Host *\n  StrictHostKeyChecking no\n", encoding="utf-8")
        monkeypatch.setenv("HOME", str(home))
        (server.secrets / "password").write_text("wrong\n", encoding="utf-8")
        settings = server.settings(key="", password_file=str(server.secrets / "password"))
        with pytest.raises(PlaceError) as caught:
            await SftpFolder(SftpSession(settings), "in").look()
        assert caught.value.code == "sftp-denied"
        (server.secrets / "known_hosts").write_text("", encoding="utf-8")
        with pytest.raises(PlaceError) as caught:
            await SftpFolder(SftpSession(settings), "in").look()
        assert caught.value.code == "sftp-host-key-unknown"


async def test_a_port_that_is_not_sftp_or_says_nothing_is_said(tmp_path: Path) -> None:
    async with partner_server(tmp_path) as server:
        held: list[asyncio.StreamWriter] = []

        async def rubbish(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 100)
            writer.close()

        async def nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            held.append(writer)

        for say_it, code, patience in ((rubbish, "sftp-lost", 60.0), (nothing, "sftp-silent", 0.3)):
            async with await asyncio.start_server(say_it, "127.0.0.1", 0) as other:
                port = other.sockets[0].getsockname()[1]
                settings = Sftp(
                    connect=f"127.0.0.1:{port}", user="x", known_hosts=str(server.secrets / "known_hosts"),
                    key=str(server.secrets / "key"), connect_timeout=patience,
                )  # fmt: skip
                with pytest.raises(PlaceError) as caught:
                    await SftpFolder(SftpSession(settings), "in").look()
                assert caught.value.code == code
                for writer in held:
                    writer.close()
        await server.shut()
        with pytest.raises(PlaceError) as caught:
            await SftpFolder(SftpSession(server.settings()), "in").look()
        assert caught.value.code == "sftp-unreachable"
        await server.open()


async def test_trying_once_says_what_is_wrong_with_each_folder(tmp_path: Path) -> None:
    async with partner_server(tmp_path) as server:
        assert await try_once(server.settings(), {"in": "in", "out": "out"}) == []
        [problem] = await try_once(server.settings(), {"in": "in", "none": "none"})
        assert problem.code == "place-missing"


def test_files_of_keys_are_read_whole_or_said_to_be_wrong(tmp_path: Path) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    key.write_private_key(tmp_path / "key")
    (tmp_path / "locked").write_bytes(key.export_private_key("pkcs8-pem", "sesame"))
    (tmp_path / "passphrase").write_text("sesame\n", encoding="utf-8")
    (tmp_path / "empty").write_text("\n", encoding="utf-8")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "huge").write_bytes(b"x" * ((1 << 20) + 1))
    public = key.export_public_key().decode().strip()
    (tmp_path / "known").write_text(f"spe.example {public}\n", encoding="utf-8")

    def reads(**other: str) -> Callable[[], object]:
        named = {name: str(tmp_path / file) for name, file in {"known_hosts": "known", "key": "key", **other}.items()}
        return lambda: read_secrets(msgspec.convert({"connect": "spe.example:22", "user": "x", **named}, Sftp))

    secrets = read_secrets(Sftp(connect="spe.example:22", user="x", known_hosts=str(tmp_path / "known"), key=str(tmp_path / "key")))  # fmt: skip
    assert secrets.of_host(Sftp(connect="spe.example:22", user="x", known_hosts="")) == [key.get_fingerprint()]
    assert secrets.of_host(Sftp(connect="192.0.2.1:22", user="x", known_hosts="")) == []
    assert "PRIVATE" not in repr(secrets)
    reads(key="locked", passphrase_file="passphrase")()
    for wrong, words in (
        ({"key": "locked"}, "passphrase_file"),
        ({"key": "known"}, "no private key"),
        ({"key": "nowhere"}, "cannot be read"),
        ({"key": "huge"}, "larger"),
        ({"key": "binary"}, "not a text"),
        ({"password_file": "empty"}, "is empty"),
        ({"known_hosts": "nowhere"}, "cannot be read"),
    ):
        with pytest.raises(CertificateError, match=words):
            reads(**wrong)()


def test_every_failure_has_its_sentence_in_both_languages() -> None:
    assert codes() >= diagnosis.CODES
    for code in diagnosis.CODES:
        assert say(code, "en", place="P") != say(code, "fr", place="P")


def test_lying_is_a_value() -> None:
    assert Lying("a", (1, 2)) == Lying("a", (1, 2))
