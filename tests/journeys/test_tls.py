"""A result from an analyzer to the LIS with TLS on both sides, through certificates that are renewed, run out and are wrong."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import typer
from authority import DAY, NOW, Authority, Pair
from prometheus_client import REGISTRY
from stage import Lis, Stage, eventually, free_port, message, session
from typer.testing import CliRunner

from labmw.app import Laboratory
from labmw.cli.check import check
from labmw.cli.status import status
from labmw.config import load
from labmw.fitting import rounds
from labmw.tls.credentials import Credentials
from labmw.tls.settings import Tls

HOST = "127.0.0.1"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "CERTIFICATES_EVERY", 0.05)
    monkeypatch.setattr(rounds, "HEALTH_EVERY", 0.05)


def secured(folder: Path, authority: Authority) -> Stage:
    """labmw listens with TLS and dials an LIS with TLS; it shows the same certificate to both."""
    ours = authority.issue("labmw.example", days=100)
    own = f'certificate = "{ours.certificate.name}", key = "{ours.key.name}", trusted = "{authority.file.name}"'
    stage = Stage(
        folder, free_port(), free_port(), extra=f'[lis.tls]\npeer_name = "lis.example"\n{own.replace(", ", chr(10))}'
    )
    return stage.build(["S1", "S2"], link=f'driver = "erba-xl"\ntls = {{ {own} }}')


@contextlib.asynccontextmanager
async def running(stage: Stage) -> AsyncIterator[Laboratory]:
    laboratory = Laboratory(load(stage.config))
    try:
        await laboratory.start()
        await eventually(lambda: listens(stage.analyzer_port))
        yield laboratory
    finally:
        await laboratory.stop()


def listens(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex((HOST, port)) == 0


@contextlib.asynccontextmanager
async def lis_behind_tls(stage: Stage, authority: Authority, pair: Pair) -> AsyncIterator[Lis]:
    """The LIS of the journeys, with a TLS proxy before it as hospitals have one."""
    inner = free_port()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.file)

    async def passes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs_reader, theirs_writer = await asyncio.open_connection(HOST, inner)
        await asyncio.gather(passes(reader, theirs_writer), passes(theirs_reader, writer))

    async with Lis(inner) as lis:
        server = await asyncio.start_server(connected, HOST, stage.lis_port, ssl=context)
        try:
            yield lis
        finally:
            server.close()
            await server.wait_closed()


async def sends(stage: Stage, tls: Tls, specimen: str) -> bool:
    context = Credentials(tls, server=False).context()
    reader, writer = await asyncio.open_connection(HOST, stage.analyzer_port, ssl=context, server_hostname="")
    try:
        return await session(reader, writer, message(specimen))
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def command(function: Callable[..., None]) -> typer.Typer:
    alone = typer.Typer(add_completion=False)
    alone.command()(function)
    return alone


def said(stage: Stage, language: str) -> list[dict[str, str]]:
    done = CliRunner().invoke(command(status), ["-c", str(stage.config), "--json", "-l", language])
    found: list[dict[str, str]] = json.loads(done.output)["findings"]
    return found


def ends(link: str, whose: str) -> float:
    return REGISTRY.get_sample_value("labmw_certificate_ends_seconds", {"link": link, "whose": whose}) or 0.0


# Scenario 7.10.
async def test_from_the_analyzer_to_the_lis_everything_is_encrypted(tmp_path: Path, authority: Authority) -> None:
    stage = secured(tmp_path, authority)
    analyzer = authority.client(authority.issue("analyzer.example", days=50))
    lis_certificate = authority.issue("lis.example", days=200)
    async with lis_behind_tls(stage, authority, lis_certificate) as lis, running(stage):
        assert await sends(stage, analyzer, "S1")
        await eventually(lambda: lis.values == [("S1", "22")])
        await eventually(lambda: ends("analyzer", "peer") > 0 and ends("analyzer", "own") > 0)
        assert ends("analyzer", "own") == (NOW + 100 * DAY).timestamp()
        assert ends("analyzer", "peer") == (NOW + 50 * DAY).timestamp()
        assert ends("LIS", "peer") == (NOW + 200 * DAY).timestamp()
        assert ends("LIS", "trusted") > NOW.timestamp()
        authority.issue("labmw.example", days=300)  # renewed while all is running
        await eventually(lambda: ends("LIS", "own") == (NOW + 300 * DAY).timestamp())
        assert await sends(stage, analyzer, "S2")
        await eventually(lambda: len(lis.values) == 2)


async def test_an_analyzer_that_nobody_vouches_for_brings_nothing_in(tmp_path: Path, authority: Authority) -> None:
    stage = secured(tmp_path, authority)
    foreign = Authority(tmp_path)
    stranger = Tls(**{**_files(foreign.issue("stranger.example")), "trusted": str(authority.file)})  # type: ignore[arg-type]
    async with running(stage):
        with pytest.raises((OSError, asyncio.IncompleteReadError)):
            await sends(stage, stranger, "S1")
        await eventually(lambda: stage.ask("SELECT facts FROM link_state WHERE link = 'analyzer' AND trouble LIKE '%unsafe%'"))  # fmt: skip
    assert stage.ask("SELECT count(*) FROM message") == [(0,)]
    assert stage.ask("SELECT count(*) FROM journal") == [(0,)]
    with pytest.MonkeyPatch.context() as patch:  # what status says of it, while a daemon runs
        patch.setattr("labmw.watch.snapshot.holder", lambda url: 42)
        told = {language: [one["sentence"] for one in said(stage, language) if one["code"] == "unsafe"] for language in ("en", "fr")}  # fmt: skip
    assert "nobody whom labmw trusts vouches" in told["en"][0]
    assert "personne en qui labmw a confiance" in told["fr"][0]


def _files(pair: Pair) -> dict[str, str]:
    return {"certificate": str(pair.certificate), "key": str(pair.key)}


# Scenario 7.11.
async def test_results_wait_while_the_certificate_of_the_lis_is_wrong_and_leave_when_it_is_mended(tmp_path: Path, authority: Authority) -> None:  # fmt: skip
    stage = secured(tmp_path, authority)
    analyzer = authority.client(authority.issue("analyzer.example"))
    async with running(stage):
        async with lis_behind_tls(stage, authority, authority.issue("lis.example", days=-1, since=9)) as lis:
            assert await sends(stage, analyzer, "S1")
            await eventually(lambda: stage.ask("SELECT trouble FROM link_state WHERE link = 'LIS'") == [("lis-unreachable",)])  # fmt: skip
            [(facts,)] = stage.ask("SELECT facts FROM link_state WHERE link = 'LIS'")
            assert json.loads(str(facts))["lis-unreachable"]["reason"] == "tls-expired"
            assert lis.values == []
        async with lis_behind_tls(stage, authority, authority.issue("lis.example")) as lis:
            await eventually(lambda: lis.values == [("S1", "22")])
        await eventually(lambda: stage.ask("SELECT trouble FROM link_state WHERE link = 'LIS'") == [("",)])


async def test_new_files_that_cannot_be_used_are_told_and_the_old_ones_serve(tmp_path: Path, authority: Authority) -> None:  # fmt: skip
    stage = secured(tmp_path, authority)
    analyzer = authority.client(authority.issue("analyzer.example"))
    query = "SELECT count(*) FROM link_state WHERE trouble LIKE '%certificate-files%'"
    async with running(stage):
        (tmp_path / "labmw.example.pem").write_text("half a file")
        await eventually(lambda: stage.ask(query) == [(2,)])
        assert await sends(stage, analyzer, "S1")
        authority.issue("labmw.example")
        await eventually(lambda: stage.ask(query) == [(0,)])
        assert await sends(stage, analyzer, "S2")


async def test_status_and_check_tell_what_ends_and_what_cannot_be_used(tmp_path: Path, authority: Authority) -> None:
    stage = secured(tmp_path, authority)
    assert [one["code"] for one in said(stage, "en")] == ["never-run"]
    authority.issue("labmw.example", days=20)
    assert [one["code"] for one in said(stage, "en")] == ["never-run", "certificate-ends", "certificate-ends"]
    assert "expire dans 19 jours" in said(stage, "fr")[1]["sentence"]
    authority.issue("labmw.example", days=-1, since=9)
    assert {one["code"] for one in said(stage, "en")} == {"never-run", "certificate-ended"}
    authority.issue("labmw.example", since=-2)
    assert {one["code"] for one in said(stage, "en")} == {"never-run", "certificate-early"}
    authority.issue("labmw.example").key.chmod(0o644)
    assert {one["code"] for one in said(stage, "en")} == {"never-run", "key-readable"}
    (tmp_path / "labmw.example.key").unlink()
    assert {one["code"] for one in said(stage, "en")} == {"never-run", "certificate-unusable"}
    checked = CliRunner().invoke(command(check), [str(stage.config), "--json", "-l", "en"])
    assert checked.exit_code == 1
    assert "certificate-unusable" in checked.output
    authority.issue("labmw.example")
    checked = CliRunner().invoke(command(check), [str(stage.config), "--json", "-l", "fr"])
    assert checked.output.count("TLS est utilisable") == 2
