"""TLS on a line, over real sockets: who is let in, what is said of who is not, and that a renewed certificate drops nobody."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from authority import DAY, NOW, Authority, Pair, self_signed
from stage import eventually, free_port

from labmw.clock import SYSTEM, Clock
from labmw.config import Link
from labmw.errors import CertificateError, HandshakeError, LinkError
from labmw.line import admission, dialling
from labmw.line.dialling import dial, shown_by_peer
from labmw.line.health import LinkHealth
from labmw.line.link import Doorkeeper, LinkRunner
from labmw.line.transport import Wire, connect_tcp
from labmw.metrics import CERTIFICATE_ENDS, CONNECTIONS_REFUSED
from labmw.phrases import codes, say
from labmw.tls.credentials import Credentials
from labmw.tls.handshake import CODES, diagnose
from labmw.tls.settings import Tls

HOST = "127.0.0.1"
NAME = "analyzer.lab.example"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def read(path: str) -> bytes:
    return Path(path).read_bytes()


def write(path: str, data: bytes) -> None:
    Path(path).write_bytes(data)


def remove(path: str) -> None:
    Path(path).unlink()


async def echo(wire: Wire) -> str:
    while data := await wire.read():
        wire.write(data)
        await wire.drain()
    return "hang-up"


@contextlib.asynccontextmanager
async def listening(tls: Tls, *, clock: Clock = SYSTEM, **settings: Any) -> AsyncIterator[LinkRunner]:
    """A link of ours that listens with TLS."""
    link = Link(name="secured", listen=f"{HOST}:{free_port()}", tls=tls, **settings)
    health = LinkHealth("T", "secured", clock)
    runner = LinkRunner(link, echo, health, Doorkeeper(1000), Credentials(tls, server=True))
    runner.bound = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(runner.run())
    try:
        await asyncio.wait_for(runner.bound, 60)
        yield runner
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def port_of(runner: LinkRunner) -> int:
    assert runner.bound is not None
    return runner.bound.result()[1]


@contextlib.asynccontextmanager
async def dialled(port: int, tls: Tls) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    streams = await dial(HOST, port, patience=10, tls=Credentials(tls, server=False))
    try:
        yield streams
    finally:
        await hang_up(streams[1])


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def echoes(streams: tuple[asyncio.StreamReader, asyncio.StreamWriter], word: bytes = b"ping") -> bool:
    reader, writer = streams
    writer.write(word)
    return await asyncio.wait_for(reader.readexactly(len(word)), 60) == word


# --- labmw listens ---------------------------------------------------------------------------------------------------------


async def test_both_sides_show_a_certificate_and_talk(authority: Authority) -> None:
    async with listening(authority.server()) as runner:
        async with dialled(port_of(runner), authority.client(authority.issue("one.example"))) as streams:
            assert await echoes(streams)
            secured = streams[1].get_extra_info("ssl_object")
            assert secured.version() == "TLSv1.3"
            shown = shown_by_peer(streams[1])
            assert shown is not None
            assert shown.names == (NAME,)
            assert runner.health.connected == 1
        await eventually(lambda: runner.health.connected == 0 and runner.doorkeeper.open == 0)


async def test_a_message_of_several_megabytes_passes(authority: Authority) -> None:
    async with (
        listening(authority.server()) as runner,
        dialled(port_of(runner), authority.client(authority.issue("one.example"))) as (reader, writer),
    ):
        block = bytes(range(256)) * (4 << 12)
        writer.write(block)
        assert await asyncio.wait_for(reader.readexactly(len(block)), 30) == block


async def test_without_mutual_authentication_anybody_talks(authority: Authority) -> None:
    async with (
        listening(authority.server(mutual=False)) as runner,
        dialled(port_of(runner), authority.client()) as streams,
    ):
        assert await echoes(streams)


async def test_a_listed_certificate_is_believed_itself(authority: Authority, tmp_path: Path) -> None:
    """ITI-19, direct trust: an analyzer whose certificate vouches for itself."""
    own = self_signed(tmp_path, "analyzer-9.example")
    pair = authority.issue(NAME)
    tls = Tls(certificate=str(pair.certificate), key=str(pair.key), trusted=str(own.certificate))
    async with listening(tls) as runner:
        async with dialled(port_of(runner), authority.client(own)) as streams:
            assert await echoes(streams)
        stranger = self_signed(tmp_path, "stranger.example")
        assert await refused(runner, authority.client(stranger)) == "tls-untrusted"


async def refused(runner: LinkRunner, tls: Tls) -> str:
    """Dial, see that nothing can be said, and return what the link noted."""
    with contextlib.suppress(OSError, HandshakeError, asyncio.IncompleteReadError):
        async with dialled(port_of(runner), tls) as streams:
            assert not await echoes(streams)
    return await noted(runner)


async def noted(runner: LinkRunner) -> str:
    await eventually(lambda: "unsafe" in runner.health.troubles)
    facts = runner.health.troubles["unsafe"]
    for language in ("en", "fr"):
        assert facts["peer"] in say(facts["reason"], language, **facts)
    return facts["reason"]


@pytest.mark.parametrize(
    ("made", "code"),
    [
        ({"days": -1, "since": 9}, "tls-expired"),
        ({"days": 9, "since": -2}, "tls-not-yet"),
    ],
)
async def test_a_client_whose_certificate_does_not_hold_now_is_not_let_in(authority: Authority, made: dict[str, Any], code: str) -> None:  # fmt: skip
    async with listening(authority.server()) as runner:
        assert await refused(runner, authority.client(authority.issue("late.example", **made))) == code
        assert CONNECTIONS_REFUSED.labels("secured", "handshake")._value.get() > 0


async def test_a_client_of_another_authority_or_without_certificate_is_not_let_in(authority: Authority, tmp_path: Path) -> None:  # fmt: skip
    async with listening(authority.server()) as runner:
        foreign = Authority(tmp_path).issue("foreign.example")
        assert await refused(runner, authority.client(foreign)) == "tls-untrusted"
        runner.health.well("unsafe")
        assert await refused(runner, authority.client()) == "tls-shows-none"


async def test_a_revoked_certificate_is_not_let_in_and_a_newer_list_is_taken_without_a_restart(
    authority: Authority,
) -> None:
    good, lost = authority.issue("one.example"), authority.issue("lost.example")
    lists = authority.revocations(lost)
    async with listening(authority.server(revoked=str(lists))) as runner:
        async with dialled(port_of(runner), authority.client(good)) as streams:
            assert await echoes(streams)
        assert await refused(runner, authority.client(lost)) == "tls-revoked"
        authority.revocations(lost, good)
        assert await refused(runner, authority.client(good)) == "tls-revoked"
    async with (  # the variant that lets it in: nobody looks at the list
        listening(authority.server()) as runner,
        dialled(port_of(runner), authority.client(lost)) as streams,
    ):
        assert await echoes(streams)


async def test_without_a_list_that_holds_today_nobody_is_let_in(authority: Authority, tmp_path: Path) -> None:
    other = Authority(tmp_path / "other")
    other.folder.mkdir()
    good = authority.issue("one.example")
    async with listening(authority.server(revoked=str(other.revocations()))) as runner:
        assert await refused(runner, authority.client(good)) == "tls-no-list"
    async with listening(authority.server(revoked=str(authority.revocations(ends=-1)))) as runner:
        assert await refused(runner, authority.client(good)) == "tls-list-ended"


async def test_a_line_is_for_the_name_that_it_is_for(authority: Authority) -> None:
    async with listening(authority.server(peer_name="One.example")) as runner:
        async with dialled(port_of(runner), authority.client(authority.issue("one.example"))) as streams:
            assert await echoes(streams)
        assert await refused(runner, authority.client(authority.issue("two.example"))) == "tls-name"


async def test_whoever_speaks_without_tls_is_told_apart(authority: Authority) -> None:
    async with listening(authority.server()) as runner:
        for word in (b"\x05", b"\x0bMSH|^~\\&|A\r\x1c\r", b"GET / HTTP/1.1\r\n\r\n"):
            reader, writer = await asyncio.open_connection(HOST, port_of(runner))
            writer.write(word * 20)
            with contextlib.suppress(OSError):
                await asyncio.wait_for(reader.read(), 60)
            await hang_up(writer)
            assert await noted(runner) == "tls-plain"
            runner.health.well("unsafe")


def only(version: ssl.TLSVersion, ciphers: str = "ALL:@SECLEVEL=0") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers(ciphers)
    context.minimum_version = context.maximum_version = version
    return context


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
@pytest.mark.parametrize(
    ("version", "ciphers", "code"),
    [
        (ssl.TLSVersion.TLSv1_1, "ALL:@SECLEVEL=0", "tls-version"),
        (ssl.TLSVersion.TLSv1_2, "AES128-SHA", "tls-cipher"),
        (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES128-SHA", "tls-cipher"),
        (ssl.TLSVersion.TLSv1_2, "AES128-GCM-SHA256", "tls-cipher"),
    ],
)
async def test_what_bcp_195_forbids_is_not_agreed(authority: Authority, version: ssl.TLSVersion, ciphers: str, code: str) -> None:  # fmt: skip
    async with listening(authority.server(mutual=False)) as runner:
        with pytest.raises(OSError):
            await asyncio.open_connection(HOST, port_of(runner), ssl=only(version, ciphers), server_hostname="")
        assert await noted(runner) == code


@pytest.mark.parametrize("ciphers", ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"])  # fmt: skip
async def test_tls_1_2_is_agreed_with_what_bcp_195_recommends(authority: Authority, ciphers: str) -> None:
    async with listening(authority.server(mutual=False)) as runner:
        context = only(ssl.TLSVersion.TLSv1_2, ciphers)
        streams = await asyncio.open_connection(HOST, port_of(runner), ssl=context, server_hostname="")
        assert await echoes(streams)
        await hang_up(streams[1])


async def test_a_line_for_tls_1_3_alone_speaks_no_1_2(authority: Authority) -> None:
    async with listening(authority.server(mutual=False, minimum="1.3")) as runner:
        with pytest.raises(OSError):
            await asyncio.open_connection(HOST, port_of(runner), ssl=only(ssl.TLSVersion.TLSv1_2), server_hostname="")
        assert await noted(runner) == "tls-version"


@pytest.mark.parametrize(
    ("who", "said"),
    [
        ("foreign", "TLSV1_ALERT_UNKNOWN_CA"),
        ("late", "SSLV3_ALERT_CERTIFICATE_EXPIRED"),
        ("nobody", "TLSV13_ALERT_CERTIFICATE_REQUIRED"),
    ],
)
async def test_who_is_refused_is_told_why(authority: Authority, tmp_path: Path, who: str, said: str) -> None:
    """The analyzer's own log has to know: seen with OpenSSL's blocking sockets, as its software would see it."""
    pair = {
        "foreign": Authority(tmp_path).issue("foreign.example"),
        "late": authority.issue("late.example", days=-1, since=9),
    }.get(who)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(authority.file)
    if pair:
        context.load_cert_chain(pair.certificate, pair.key)

    def dials(port: int) -> str:
        with socket.create_connection((HOST, port), 10) as plain, context.wrap_socket(plain) as secured:
            try:
                secured.recv(1)
            except ssl.SSLError as error:
                return str(error.reason)
        return ""

    async with listening(authority.server()) as runner:
        assert await asyncio.to_thread(dials, port_of(runner)) == said


async def test_who_is_not_allowed_does_not_even_begin_a_handshake(authority: Authority) -> None:
    async with listening(authority.server(), allow=["192.0.2.0/24"]) as runner:
        before = CONNECTIONS_REFUSED.labels("secured", "not-allowed")._value.get()
        with pytest.raises(HandshakeError) as told:
            await dial(HOST, port_of(runner), patience=10, tls=Credentials(authority.client(), server=False))
        assert told.value.code == "tls-hung-up"
        assert CONNECTIONS_REFUSED.labels("secured", "not-allowed")._value.get() == before + 1
        assert runner.health.troubles == {}


async def test_a_passer_by_is_counted_and_is_no_trouble(authority: Authority) -> None:
    async with listening(authority.server()) as runner:
        before = CONNECTIONS_REFUSED.labels("secured", "handshake")._value.get()
        _, writer = await asyncio.open_connection(HOST, port_of(runner))
        await hang_up(writer)
        await eventually(lambda: CONNECTIONS_REFUSED.labels("secured", "handshake")._value.get() == before + 1)
        assert runner.health.troubles == {}


async def test_a_stranger_is_no_trouble_while_the_analyzer_works_and_its_coming_ends_the_trouble(authority: Authority) -> None:  # fmt: skip
    client = authority.client(authority.issue("one.example"))
    async with listening(authority.server()) as runner:
        assert await refused(runner, authority.client()) == "tls-shows-none"
        async with dialled(port_of(runner), client) as streams:
            assert await echoes(streams)
            assert runner.health.troubles == {}
            before = CONNECTIONS_REFUSED.labels("secured", "handshake")._value.get()
            with contextlib.suppress(OSError, HandshakeError, asyncio.IncompleteReadError):
                async with dialled(port_of(runner), authority.client()) as stranger:
                    await echoes(stranger)
            await eventually(lambda: CONNECTIONS_REFUSED.labels("secured", "handshake")._value.get() > before)
            assert runner.health.troubles == {}


async def test_silent_peers_are_given_up_and_keep_nobody_out(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setattr(admission, "WAITING", 3)
    monkeypatch.setattr(admission, "HANDSHAKE", 600.0)  # so that nothing but a newcomer ends them
    async with listening(authority.server()) as runner:
        silent = [await asyncio.open_connection(HOST, port_of(runner)) for _ in range(8)]
        async with dialled(port_of(runner), authority.client(authority.issue("one.example"))) as streams:
            assert await echoes(streams)
        for reader, writer in silent[:4]:  # the first ones were hung up on, at once
            with contextlib.suppress(ConnectionResetError):
                assert await asyncio.wait_for(reader.read(1), 60) == b""
            await hang_up(writer)
        for _, writer in silent[4:]:
            await hang_up(writer)


async def test_a_handshake_without_an_answer_ends(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "HANDSHAKE", 0.2)
    async with listening(authority.server()) as runner:
        _, writer = await asyncio.open_connection(HOST, port_of(runner))
        assert await noted(runner) == "tls-silent"
        await hang_up(writer)


async def test_a_port_that_is_taken_is_told_and_listened_on_when_it_is_free(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setattr("labmw.line.link.RECONNECT", (0.05,))
    tls = authority.server(mutual=False)
    port = free_port()
    with socket.create_server((HOST, port)):
        health = LinkHealth("T", "secured", SYSTEM)
        link = Link(name="secured", listen=f"{HOST}:{port}", tls=tls)
        runner = LinkRunner(link, echo, health, Doorkeeper(10), Credentials(tls, server=True))
        task = asyncio.create_task(runner.run())
        await eventually(lambda: "cannot-listen" in health.troubles)
    try:
        await eventually(lambda: "cannot-listen" not in health.troubles)
        async with dialled(port, authority.client()) as streams:
            assert await echoes(streams)
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_a_link_that_ends_leaves_nothing_open(authority: Authority) -> None:
    async with listening(authority.server()) as runner:
        port = port_of(runner)
        streams = await dial(HOST, port, patience=10, tls=Credentials(authority.client(authority.issue("one.example")), server=False))  # fmt: skip
        assert await echoes(streams)
        _, waiting = await asyncio.open_connection(HOST, port)
    assert await asyncio.wait_for(streams[0].read(1), 60) == b""
    await hang_up(streams[1])
    await hang_up(waiting)
    with socket.socket() as one:
        assert one.connect_ex((HOST, port)) != 0
    with socket.create_server((HOST, port)):
        pass


# --- certificates that are renewed, and that end ---------------------------------------------------------------------------


async def test_a_renewed_certificate_is_shown_to_the_next_and_the_open_line_goes_on(authority: Authority) -> None:
    client = authority.client(authority.issue("one.example"))
    async with listening(authority.server()) as runner, dialled(port_of(runner), client) as open_line:
        assert await echoes(open_line)
        authority.issue(NAME, days=900)
        async with dialled(port_of(runner), client) as newcomer:
            assert await echoes(newcomer)
            old, new = shown_by_peer(open_line[1]), shown_by_peer(newcomer[1])
            assert old and new
            assert (new.ends - old.ends).days > 500
        assert await echoes(open_line, b"still here")


async def test_a_renewed_list_of_trusted_is_used_for_the_next(authority: Authority, tmp_path: Path) -> None:
    pair = authority.issue(NAME)
    trusted = tmp_path / "analyzers.pem"
    write(str(trusted), authority.file.read_bytes())
    tls = Tls(certificate=str(pair.certificate), key=str(pair.key), trusted=str(trusted))
    second = Authority(tmp_path)
    newcomer = authority.client(second.issue("two.example"))
    async with listening(tls) as runner:
        assert await refused(runner, newcomer) == "tls-untrusted"
        write(tls.trusted, second.file.read_bytes())
        async with dialled(port_of(runner), newcomer) as streams:
            assert await echoes(streams)
        runner.health.well("unsafe")
        assert await refused(runner, authority.client(authority.issue("one.example"))) == "tls-untrusted"


async def test_files_that_are_half_written_keep_nobody_out(authority: Authority) -> None:
    tls = authority.server()
    client = authority.client(authority.issue("one.example"))
    async with listening(tls) as runner:
        async with dialled(port_of(runner), client) as streams:
            assert await echoes(streams)
        write(tls.certificate, read(tls.certificate)[:200])
        async with dialled(port_of(runner), client) as streams:
            assert await echoes(streams)
        assert runner.tls is not None
        assert runner.tls.problem


async def test_a_line_without_usable_files_says_so_and_opens_when_they_come(authority: Authority) -> None:
    tls = authority.server()
    kept = read(tls.certificate)
    remove(tls.certificate)
    client = authority.client(authority.issue("one.example"))
    async with listening(tls) as runner:
        with pytest.raises(HandshakeError):
            await dial(HOST, port_of(runner), patience=10, tls=Credentials(client, server=False))
        await eventually(lambda: "unsafe" in runner.health.troubles)
        assert "cannot be read" in runner.health.troubles["unsafe"]["why"]
        write(tls.certificate, kept)
        async with dialled(port_of(runner), client) as streams:
            assert await echoes(streams)


async def test_the_end_of_the_other_sides_certificate_is_told_in_time(authority: Authority) -> None:
    soon = authority.issue("soon.example", days=10)
    async with listening(authority.server(warn_days=30)) as runner:
        async with dialled(port_of(runner), authority.client(soon)) as streams:
            assert await echoes(streams)
            facts = runner.health.troubles["peer-certificate-ends"]
            assert facts["ends"] == f"{NOW + 10 * DAY:%Y-%m-%d}"
            assert "soon.example" in facts["certificate"]
        assert abs(CERTIFICATE_ENDS.labels("secured", "peer")._value.get() - (NOW + 10 * DAY).timestamp()) < 2
        authority.issue("soon.example", days=300)
        async with dialled(port_of(runner), authority.client(soon)) as streams:
            assert await echoes(streams)
            assert runner.health.troubles == {}


# --- labmw dials -----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def blocking_server(context: ssl.SSLContext) -> Iterator[int]:
    """An echo on OpenSSL's own sockets, in a thread: asyncio's would not send the alerts of a failed handshake."""
    listening = socket.create_server((HOST, 0))

    def serve() -> None:
        while True:
            try:
                plain, _ = listening.accept()
            except OSError:
                return
            with plain, contextlib.suppress(OSError):
                plain.settimeout(10)
                with context.wrap_socket(plain, server_side=True) as secured:
                    while data := secured.recv(4096):
                        secured.sendall(data)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(20)


@contextlib.asynccontextmanager
async def other_side(
    pair: Pair | None,
    *,
    asks: Path | None = None,
    change: Callable[[ssl.SSLContext], None] = lambda context: None,
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]] | None = None,
) -> AsyncIterator[int]:
    """An analyzer or LIS that listens: with this certificate, asking for one of this authority; without a certificate it speaks plain TCP."""
    context = None
    if pair is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
        if asks:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(asks)
        change(context)
        with blocking_server(context) as port:
            yield port
        return

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(4096):
                writer.write(data)
        writer.close()

    server = await asyncio.start_server(serve or connected, HOST, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


async def failure(port: int, tls: Tls) -> str:
    """Dial, wait whether the other side objects, and say something: what a failed handshake is said to be."""
    try:
        reader, writer = await dial(HOST, port, patience=10, tls=Credentials(tls, server=False))
    except HandshakeError as error:
        return error.code
    try:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(reader.read(4), 0.3)
        writer.write(b"ping")
        await asyncio.wait_for(reader.read(4), 60)
    except OSError as error:
        return diagnose(error, HOST).code
    finally:
        await hang_up(writer)
    return ""


async def test_the_name_of_the_other_side_is_checked_when_it_is_set(authority: Authority) -> None:
    async with other_side(authority.issue("lis.example")) as port:
        assert await failure(port, authority.client()) == ""
        assert await failure(port, authority.client(peer_name="lis.example")) == ""
        assert await failure(port, authority.client(peer_name="other.example")) == "tls-name"


@pytest.mark.parametrize(
    ("made", "code"), [({"days": -1, "since": 9}, "tls-expired"), ({"days": 9, "since": -2}, "tls-not-yet")]
)
async def test_an_expired_certificate_of_the_other_side_is_told(authority: Authority, made: dict[str, Any], code: str) -> None:  # fmt: skip
    async with other_side(authority.issue("lis.example", **made)) as port:
        assert await failure(port, authority.client()) == code


async def test_an_unknown_authority_is_told(authority: Authority, tmp_path: Path) -> None:
    async with other_side(Authority(tmp_path).issue("lis.example")) as port:
        assert await failure(port, authority.client()) == "tls-untrusted"
    async with other_side(self_signed(tmp_path, "lis.example")) as port:
        assert await failure(port, authority.client()) == "tls-untrusted"


def weak(context: ssl.SSLContext) -> None:
    context.set_ciphers("AES128-SHA")
    context.maximum_version = ssl.TLSVersion.TLSv1_2


def old(context: ssl.SSLContext) -> None:
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1


def one_point_two(context: ssl.SSLContext) -> None:
    context.maximum_version = ssl.TLSVersion.TLSv1_2


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
async def test_a_side_that_is_too_old_is_told(authority: Authority) -> None:
    async with other_side(authority.issue("lis.example"), change=old) as port:
        assert await failure(port, authority.client()) == "tls-version"
    async with other_side(authority.issue("lis.example"), change=weak) as port:
        assert await failure(port, authority.client()) == "tls-cipher"


@pytest.mark.parametrize(("change", "code"), [(one_point_two, "tls-cipher"), (lambda context: None, "tls-wants-ours")])
async def test_a_side_that_wants_our_certificate_is_told(authority: Authority, change: Any, code: str) -> None:
    async with other_side(authority.issue("lis.example"), asks=authority.file, change=change) as port:
        assert await failure(port, authority.client()) == code
        assert await failure(port, authority.client(authority.issue("labmw.example"))) == ""


@pytest.mark.parametrize("change", [one_point_two, lambda context: None])
async def test_a_side_that_does_not_believe_us_is_told(authority: Authority, tmp_path: Path, change: Any) -> None:
    async with other_side(authority.issue("lis.example"), asks=Authority(tmp_path).file, change=change) as port:
        assert await failure(port, authority.client(authority.issue("labmw.example"))) == "tls-distrusts-us"
    expired = authority.issue("late.example", days=-1, since=9)
    async with other_side(authority.issue("lis.example"), asks=authority.file, change=change) as port:
        assert await failure(port, authority.client(expired)) == "tls-ours-expired"


async def test_a_side_without_tls_is_told(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    async def greets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x05" * 20)
        with contextlib.suppress(OSError):
            await reader.read()
        writer.close()

    async def hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async def says_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await reader.read()
        writer.close()

    async with other_side(None, serve=greets) as port:
        assert await failure(port, authority.client()) == "tls-plain"
    async with other_side(None, serve=hangs_up) as port:
        assert await failure(port, authority.client()) == "tls-hung-up"
    monkeypatch.setattr(dialling, "HANDSHAKE", 0.2)
    async with other_side(None, serve=says_nothing) as port:
        assert await failure(port, authority.client()) == "tls-silent"


async def test_nobody_there_is_the_networks_affair_and_files_are_ours(authority: Authority, tmp_path: Path) -> None:
    with pytest.raises(LinkError, match="refuses the connection"):
        await connect_tcp(HOST, free_port(), tls=Credentials(authority.client(), server=False))
    unusable = Credentials(Tls(trusted=str(tmp_path / "none.pem")), server=False)
    with pytest.raises(LinkError, match="check the path"):
        await connect_tcp(HOST, free_port(), tls=unusable)
    with pytest.raises(CertificateError):
        await dial(HOST, free_port(), patience=5, tls=unusable)


async def test_a_link_that_dials_tells_why_and_talks_when_it_is_mended(authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setattr("labmw.line.link.RECONNECT", (0.05,))
    pair = Authority(tmp_path).issue("analyzer.example")
    tls = authority.client(authority.issue("labmw.example"))
    async with other_side(pair) as port:
        link = Link(name="dials", connect=f"{HOST}:{port}", tls=tls)
        health = LinkHealth("T", "dials", SYSTEM)
        said: list[bytes] = []

        async def greet(wire: Wire) -> str:
            wire.write(b"hello")
            said.append(await wire.read())
            return "hang-up"

        runner = LinkRunner(link, greet, health, Doorkeeper(10), Credentials(tls, server=False))
        task = asyncio.create_task(runner.run())
        try:
            await eventually(lambda: "unreachable" in health.troubles)
            facts = health.troubles["unreachable"]
            assert facts["reason"] == "tls-untrusted"
            assert say("tls-untrusted", "en", **facts) == facts["why"]
            write(tls.trusted, pair.certificate.read_bytes())  # direct trust in what it shows
            await eventually(lambda: said == [b"hello"] or len(said) > 1)
            assert "unreachable" not in health.troubles
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


# --- sentences -------------------------------------------------------------------------------------------------------------


def test_every_diagnosis_has_its_sentence_with_peer_and_words() -> None:
    for code in CODES:
        assert code in codes()
        for language in ("en", "fr"):
            sentence = say(code, language, peer="192.0.2.1:2575", words="what openssl says")
            assert "192.0.2.1:2575" in sentence
            assert "what openssl says" in sentence


def test_what_openssl_says_otherwise_is_passed_on() -> None:
    found = diagnose(ssl.SSLError(1, "[SSL: SOMETHING_NEW] something new (_ssl.c:1006)"), "192.0.2.1:1")
    assert (found.code, found.facts["words"]) == ("tls-other", "something new")
    assert diagnose(ssl.SSLError(), "192.0.2.1:1").facts["words"]


def test_the_dates_of_a_peer_are_read_with_the_clock_of_the_line(authority: Authority) -> None:
    from labmw.tls.certificate import read_file

    [shown] = read_file(authority.issue("x.example", days=100).certificate)
    later = Clock(lambda: NOW + dt.timedelta(days=90), SYSTEM.monotonic)
    health = LinkHealth("T", "x", later)
    health.met(shown, 30)
    assert "peer-certificate-ends" in health.troubles
    health.met(None, 30)
    health.met(shown, 5)
    assert health.troubles == {}
