"""`labmw link replay` shows each record, what has no place, and the answer; it opens no line and no store."""

from __future__ import annotations

import json
import os
import struct
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any

import forked
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labmw.cli.decoder import Decoder
from labmw.cli.replayed import Replayed
from labmw.cli.replaying import Replay
from labmw.cli.worklist_file import LARGEST, read_worklist
from labmw.clock import SYSTEM
from labmw.errors import WorklistError
from labmw.line.registry import Registry
from labmw.phrases import said
from protocols.astm.frame import encode
from protocols.capture import Piece, dumps

ROOT = Path(__file__).parents[3]
CORPUS = Path(os.environ.get("LABMW_CORPUS", ROOT.parent / "shared" / "corpus"))
WORKLIST = ROOT / "tests/data/worklist.toml"
VITROS = CORPUS / "astm/vitros-3600/2020-11-21-13-10-55-150376-query.astm"
PARIS = __import__("zoneinfo").ZoneInfo("Europe/Paris")
needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason="no corpus")
ASKS = (r"H|\^&|||c311^1|||||host|TSREQ^REAL|P|1", "Q|1|^^LAB0000044^44^50013^1^^S1^SC||ALL||||||||O", "L|1|N")


def labmw(*arguments: str) -> subprocess.CompletedProcess[str]:
    return forked.run("link", "replay", *arguments, env={**os.environ, "LANG": "en_US.UTF-8", "LC_ALL": ""})


def session(*records: str) -> bytes:
    frames = [encode(number % 8, (one + "\r").encode("latin-1"), True) for number, one in enumerate(records, 1)]
    return b"\x05" + b"".join(frames) + b"\x04"


def shown(path: Path, *options: str) -> dict[str, Any]:
    done = labmw(str(path), "--json", *options)
    assert done.stderr == ""
    (capture,) = json.loads(done.stdout)["captures"]
    return dict(capture)


def capture(folder: Path, data: bytes, name: str = "x.astm") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


@needs_corpus
def test_the_command_of_the_manual() -> None:
    done = labmw(str(VITROS), "--driver", "ortho-vitros-3600", "--worklist", str(WORKLIST))
    assert (done.returncode, done.stderr) == (0, "")
    assert "Q|1|^1068687||ALL||||||||O" in done.stdout
    assert "asks what is to be done with 1068687" in done.stdout
    assert "labmw would answer: work" in done.stdout
    assert "O|1|1068687||^^^1.0000+002+1.0|R||" in done.stdout


@needs_corpus
def test_it_speaks_french() -> None:
    done = labmw(str(VITROS), "--driver", "ortho-vitros-3600", "--worklist", str(WORKLIST), "-l", "fr")
    assert "demande ce qu'il faut faire de 1068687" in done.stdout
    assert "labmw répondrait : du travail" in done.stdout


def test_without_a_worklist_it_says_how_to_see_the_answer(tmp_path: Path) -> None:
    done = labmw(str(capture(tmp_path, session(*ASKS))))
    assert "--worklist" in done.stdout
    assert "would answer: " not in done.stdout


def test_what_has_no_place_is_named(tmp_path: Path) -> None:
    records = (
        r"H|\^&|||c311^1|||||host|RSUPL^REAL|P|1",
        "P|1|||||||||||||||||||||||||||||||||XX",
        "O|1|A17|1^5^1^^S1^SC|^^^990/|R||||||N||||1|||||||20260310091122|||F",
        "R|1|^^^990/|4.1|mmol/l||N||F|||||ISE1",
        "R|2|^^^877/|4.1|mmol/l||N||F|||||ISE1",
        "Z|1|what is this",
        "L|1|N",
    )
    found = shown(capture(tmp_path, session(*records)))
    (message,) = found["messages"]
    by = {record["raw"][:3]: record for record in message["records"]}
    assert by["P|1"]["unplaced"] == ["XX"]
    assert by["R|1"]["unplaced"] == []
    assert by["R|1"]["became"][0]["code"] == "replay-result-accepted"
    assert by["R|2"]["became"][0]["code"] == "replay-result-quarantined"
    assert "877 has no mapping" in by["R|2"]["became"][0]["text"]
    assert by["Z|1"]["unplaced"] == ["Z", "1", "what is this"]
    assert not by["Z|1"]["became"][0]["well"]


@pytest.mark.parametrize(("fresh", "said", "again"), [("true", "no-work", []), ("false", "unable", ["LAB0000044"])])
def test_no_work_is_said_only_while_orders_are_fresh(tmp_path: Path, fresh: str, said: str, again: list[str]) -> None:
    worklist = tmp_path / "w.toml"
    worklist.write_text(f"fresh = {fresh}\n")
    found = shown(capture(tmp_path, session(*ASKS)), "--worklist", str(worklist))
    answer = found["messages"][0]["answer"]
    assert (answer["said"], answer["present_again"]) == (said, again)
    assert len(answer["messages"]) == (fresh == "true")  # this family knows no word for "not now"


def test_a_damaged_query_gets_no_answer_and_a_code(tmp_path: Path) -> None:
    data = session(*ASKS).replace(b"TSREQ", b"TSREX")
    done = labmw(str(capture(tmp_path, data)), "--worklist", str(WORKLIST))
    assert done.returncode == 1
    assert "would not answer" in done.stdout


def test_a_wire_and_a_network_recording_say_the_same(tmp_path: Path) -> None:
    data = session(*ASKS)
    wire = dumps([Piece(Decimal(0), ">", data[:9]), Piece(Decimal(1), "<", b"\x06"), Piece(Decimal(2), ">", data[9:])])
    from_wire = shown(capture(tmp_path, wire.encode(), "x.wire"), "--worklist", str(WORKLIST))
    tcp = struct.pack(">HHIIBBHHH", 4000, 5000, 1, 0, 5 << 4, 0x18, 1024, 0, 0) + data
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0, b"\x0a\0\0\1", b"\x0a\0\0\2") + tcp
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)
    pcap = head + struct.pack("<IIII", 0, 0, len(ip), len(ip)) + ip
    from_pcap = shown(capture(tmp_path, pcap, "x.pcap"), "--worklist", str(WORKLIST))
    assert from_wire["messages"] == from_pcap["messages"]
    assert from_pcap["file"].endswith("10.0.0.1:4000 → 10.0.0.2:5000")
    assert from_pcap["messages"][0]["answer"]["said"] == "work"


def test_a_law_query_is_answered_too(tmp_path: Path) -> None:
    worklist = tmp_path / "w.toml"
    worklist.write_text('[[tube]]\nspecimen = "26031500123"\ntests = ["2823-3"]\n')
    path = ROOT / "tests/examples/law_lab27_01_qbp_q11_by_container.hl7"
    found = shown(path, "--driver", "law", "--worklist", str(worklist))
    answer = found["messages"][0]["answer"]
    assert answer["said"] == "work"
    assert [message[0].split("|")[8] for message in answer["messages"]] == ["RSP^K11^RSP_K11", "OML^O33^OML_O33"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere.astm"], "there is no file nowhere.astm"),
        ([str(WORKLIST), "--worklist", "nowhere.toml"], "cannot be read"),
        ([str(WORKLIST), "--driver", "nobody"], "there is no driver"),
        ([str(WORKLIST), "--profile", "nobody"], "there is no profile nobody"),
        ([str(WORKLIST), "--timezone", "Nowhere/Now"], "not a time zone"),
    ],
)
def test_wrong_usage_says_what_to_do(arguments: list[str], sentence: str) -> None:
    done = labmw(*arguments)
    assert done.returncode == 2
    assert sentence in done.stderr.replace("\n", " ").replace("│", " ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("text", "english", "french"),
    [
        ("[[tube]]\nspecimen = ''\ntests = ['1']", "tube[0]: has no specimen", "tube[0] : n'a pas d'échantillon"),
        ("[[tube]]\nspecimen = 'x'\ntests = []", "or no test", "ou pas d'analyse"),
        (
            "[[tube]]\nspecimen = 'x'\ntests = ['1']\ncolected = 1",
            "tube[0]: colected is no key",
            "tube[0] : colected n'est pas une clé",
        ),
        ("[[tube]]\nspecimen = 'x'", "tests is missing", "tests manque"),
        ("[[tube]]\nspecimen = 7\ntests = ['1']", "is int where str is wanted", "contient int là où il faut str"),
        (
            "[[tube]]\nspecimen = 'x'\ntests = ['1']\ncollected = 2026-01-01T00:00:00",
            "tube[0].collected: has no time zone",
            "n'a pas de fuseau horaire",
        ),
        (
            "[[tube]]\nspecimen = 'x'\ntests = ['1']\npriority = 'urgent'",
            "'urgent' is none of its values",
            "'urgent' n'est pas une de ses valeurs",
        ),
        ("fresh = maybe", "is not TOML", "n'est pas du TOML"),
    ],
)
def test_a_worklist_that_cannot_be_used_names_the_place(tmp_path: Path, text: str, english: str, french: str) -> None:
    path = tmp_path / "w.toml"
    path.write_text(text)
    with pytest.raises(WorklistError) as caught:
        read_worklist(path)
    assert english in str(caught.value)
    assert french in said(caught.value, "fr")


def test_a_worklist_that_is_not_there_or_is_no_worklist_at_all(tmp_path: Path) -> None:
    (tmp_path / "long.toml").write_bytes(b" " * (LARGEST + 1))
    for name, french in (("none.toml", "ne peut pas être lu"), ("long.toml", "dépasse")):
        with pytest.raises(WorklistError) as caught:
            read_worklist(tmp_path / name)
        assert french in said(caught.value, "fr")


DECODER = Decoder(Registry.find(), None, PARIS)


def replayed(data: bytes) -> list[Replayed]:
    return Replay(PARIS, SYSTEM.now(), read_worklist(WORKLIST)).of(DECODER.read("x", data))


def test_a_histogram_is_told_from_other_records_of_the_maker() -> None:
    records = (r"H|\^&|||H500^1", "P|1", "O|1|S1", "M|1|HISTOGRAM|RBC|Along|FLOATLE^AA", "M|2|REAGENT|CLEANER", "L|1|N")
    (one,) = replayed(session(*records))
    told = {
        record.kind + str(place): became.code for place, record in enumerate(one.records) for became in record.became
    }
    assert (told["M3"], told["M4"]) == ("replay-histogram", "replay-kept")


@needs_corpus
def test_every_capture_of_the_corpus_is_replayed_whole() -> None:
    for path in sorted(CORPUS.glob("*/*/*")):
        if path.name.endswith((".json", ".txt")) or not path.is_file():
            continue
        for one in replayed(path.read_bytes()):
            if one.shown.reading.protocol == "astm" and one.shown.reading.reason != "bad-delimiters":
                assert [record.raw for record in one.records] == [record.raw for record in one.shown.message.records]  # type: ignore[attr-defined]


@settings(max_examples=200)
@given(
    st.lists(st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=40), max_size=6), st.integers(0, 400)
)
def test_whatever_is_replayed_nothing_breaks(fields: list[str], cut: int) -> None:
    records = ("H|\\^&|||c311^1", *(f"{letter}|" + "|".join(fields) for letter in "PORQCMZ"), "L|1|N")
    replayed(session(*records)[: -cut or None])
