"""Does `labmw decode` show what captures say, with exit codes that mean something, and never a traceback?"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import forked
import pytest
from effort import no_hang
from hypothesis import given, settings
from hypothesis import strategies as st

from labmw.cli.decode import print_json
from labmw.cli.decoder import Decoder
from labmw.cli.render import Decoded, clean, print_table, to_json
from labmw.line.registry import Registry
from protocols.astm.frame import encode
from protocols.capture import Piece, dumps

PARIS = __import__("zoneinfo").ZoneInfo("Europe/Paris")
DECODER = Decoder(Registry.find(), None, PARIS)
COMPOSED = Path(__file__).parents[2] / "captures"
GOOD = (
    r"H|\^&|||c311^1|||||host|RSUPL^REAL|P|1",
    "P|1",
    "O|1|A17|1^5^1^^S1^SC|^^^990/|R||||||N||||1|||||||20260310091122|||F",
    "R|1|^^^990/|4.1|mmol/l||N||F|||||ISE1",
    "L|1|N",
)


def wire(*records: str) -> bytes:
    return (
        b"\x05"
        + b"".join(encode(n % 8, (r + "\r").encode("latin-1"), True) for n, r in enumerate(records, 1))
        + b"\x04"
    )


def read(data: bytes) -> dict[str, Any]:
    return to_json(DECODER.read("x", data))


def labmw(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return forked.run(*arguments, env={**os.environ, "COLUMNS": "100", **(env or {})})


# --- the command ---------------------------------------------------------------------------------------------------------


def test_help_imports_no_command() -> None:
    done = labmw("--help")
    assert done.returncode == 0
    assert "decode" in done.stdout
    check = "import sys; from labmw.cli import main\ntry: main()\nexcept SystemExit: pass\nprint(sorted(m for m in sys.modules if m.startswith('labmw.')))"
    loaded = subprocess.run([sys.executable, "-c", check, "--help"], capture_output=True, text=True, check=True).stdout
    assert "labmw.cli.decode" not in loaded
    assert "labmw.store" not in loaded


def test_one_file_is_plain_json_and_several_are_lines(tmp_path: Path) -> None:
    (tmp_path / "a.astm").write_bytes(wire(*GOOD))
    (tmp_path / "b.astm").write_bytes(wire(*GOOD))
    one = labmw("decode", str(tmp_path / "a.astm"), "--json")
    assert one.returncode == 0
    assert json.loads(one.stdout)["messages"][0]["results"][0]["loinc"] == "2823-3"
    assert one.stdout.count("\n") > 20
    both = labmw("decode", str(tmp_path), "--json")
    assert [json.loads(line)["file"][-6:] for line in both.stdout.splitlines()] == ["a.astm", "b.astm"]


def test_a_folder_is_walked_in_order_without_what_lies_beside_captures(tmp_path: Path) -> None:
    for name in ("z.astm", "b/y.astm", "b/x.astm"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(wire(*GOOD))
    for name in ("z.astm.expected.json", "z.orig.txt", "z.transcript.json", "manifest.toml", "README.md", ".hidden"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "b" / "loop").symlink_to(tmp_path, target_is_directory=True)
    lines = labmw("decode", str(tmp_path), "--json").stdout.splitlines()
    assert [json.loads(line)["file"].removeprefix(str(tmp_path)) for line in lines] == [
        "/z.astm",
        "/b/x.astm",
        "/b/y.astm",
    ]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("decode",), "Missing argument"),
        (("decode", "/nowhere/at/all"), "there is no file"),
        (("decode", ".", "--driver", "sysmex"), "sysmex-xn"),
        (("decode", ".", "--timezone", "Mars/Olympus"), "not a time zone"),
        (("decode", ".", "--language", "de"), "Invalid value for"),
        (("decode", ".", "--encoding", "utf-9"), "not a character set"),
        (("decode", ".", "--wrong"), "No such option"),
        (("decoed",), "No such command"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_is_wrong(arguments: tuple[str, ...], word: str) -> None:
    done = labmw(*arguments)
    assert done.returncode == 2
    assert word in done.stderr.replace("\n", " ")
    assert "Traceback" not in done.stderr


def test_a_folder_without_captures_is_wrong_usage(tmp_path: Path) -> None:
    answer = labmw("decode", str(tmp_path))
    assert answer.returncode == 2
    assert "there is no capture in" in answer.stderr


def test_a_driver_of_another_protocol_is_not_ignored_in_silence(tmp_path: Path) -> None:
    (tmp_path / "one.astm").write_bytes(wire(*GOOD))
    answer = labmw("decode", str(tmp_path / "one.astm"), "--driver", "law", "--json")
    assert "--driver law reads hl7 and this is astm: its header chose the driver" in answer.stderr
    assert not labmw("decode", str(tmp_path / "one.astm"), "--driver", "erba-xl", "--json").stderr


def test_an_empty_file_and_a_dump_in_letters_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "log.txt").write_text("03:00:01 <STX>1H|\\^&|||c311^1<CR><ETX>A7<CR><LF>")
    empty, dump = labmw("decode", str(tmp_path / "empty")), labmw("decode", str(tmp_path / "log.txt"))
    assert (empty.returncode, dump.returncode) == (1, 1)
    assert "The file is empty" in empty.stdout
    assert "turned back into bytes" in dump.stdout


def test_a_damaged_frame_is_named_with_both_checksums(tmp_path: Path) -> None:
    (tmp_path / "bad.astm").write_bytes(wire(*GOOD).replace(b"|4.1|", b"|4.2|"))
    answer = labmw("decode", str(tmp_path / "bad.astm"), "--language", "en")
    assert answer.returncode == 1
    assert "frame 4 (number 4): checksum" in answer.stdout


def test_exit_codes_tell_read_from_refused(tmp_path: Path) -> None:
    (tmp_path / "good").write_bytes(wire(*GOOD))
    (tmp_path / "quarantined").write_bytes(wire(GOOD[0].replace("c311", "x311"), *GOOD[1:]))
    (tmp_path / "damaged").write_bytes(wire(*GOOD).replace(b"4.1", b"9.1"))
    (tmp_path / "noise").write_bytes(b"hello")
    codes = {
        name: labmw("decode", str(tmp_path / name)).returncode for name in ("good", "quarantined", "damaged", "noise")
    }
    assert codes == {"good": 0, "quarantined": 0, "damaged": 1, "noise": 1}


def test_the_table_speaks_both_languages(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(wire(*GOOD[:3], GOOD[3].replace("4.1", "4,1"), GOOD[4]))
    english = labmw("decode", str(tmp_path / "a"), "--language", "en").stdout
    french = labmw("decode", str(tmp_path / "a"), env={"LC_ALL": "fr_FR.UTF-8"}).stdout
    assert "not a number as this analyzer writes them" in " ".join(english.split())
    assert "Échantillon A17" in french
    assert "en quarantaine" in french


def test_a_screen_that_knows_no_accents_is_no_reason_to_fall(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(wire(*GOOD[:4], "C|1|I|\xe9t\xe9 \x1b[31m", GOOD[4]))
    env = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    table = labmw("decode", str(tmp_path / "a"), "--language", "fr", env=env)
    assert (table.returncode, table.stderr) == (0, "")
    assert "\x1b[31m" not in table.stdout
    assert json.loads(labmw("decode", str(tmp_path / "a"), "--json", env=env).stdout)["messages"][0]["comments"][0][
        "text_raw"
    ].startswith("été")


def test_a_site_driver_is_used_and_a_broken_one_is_told(tmp_path: Path) -> None:
    source = Path(Registry.find().named("roche-cobas-c311").file).read_text(encoding="utf-8")
    (tmp_path / "mine.py").write_text(
        source.replace('name="roche-cobas-c311"', 'name="mine"').replace(r"^c311\^", r"^x311\^"), encoding="utf-8"
    )
    (tmp_path / "bad.py").write_text("x =")
    capture = tmp_path / "capture.astm"
    capture.write_bytes(wire(GOOD[0].replace("c311", "x311"), *GOOD[1:]))
    done = labmw("decode", str(capture), "--json", "--drivers", str(tmp_path))
    assert json.loads(done.stdout)["messages"][0]["driver"] == "mine"
    assert "bad.py" in done.stderr


# --- the reading ---------------------------------------------------------------------------------------------------------


def test_a_damaged_frame_is_shown_and_refused() -> None:
    decoded = read(wire(*GOOD).replace(b"|4.1|", b"|9.1|"))
    (message,) = decoded["messages"]
    assert (message["disposition"], message["reason"]) == ("refused", "damaged")
    assert [(one["value"], one["disposition"]) for one in message["results"]] == [("9.1", "refused")]
    assert decoded["frames"]["checksum"] == {"valid": 4, "invalid": 1, "absent": 0}


def test_a_frame_sent_again_heals_its_message() -> None:
    frame = encode(4, (GOOD[3] + "\r").encode(), True)
    decoded = read(wire(*GOOD).replace(frame, frame.replace(b"4.1", b"9.1") + frame))
    (message,) = decoded["messages"]
    assert (message["disposition"], [one["value"] for one in message["results"]]) == ("accepted", ["4.1"])
    assert decoded["frames_sent_again"] == 1


def test_a_frame_whose_number_was_damaged_heals_too() -> None:
    frame = encode(1, (GOOD[0] + "\r").encode(), True)
    decoded = read(wire(*GOOD).replace(frame, b"\x02\x7f" + frame[2:] + frame))
    assert [message["disposition"] for message in decoded["messages"]] == ["accepted"]


def test_a_message_with_a_frame_lost_is_never_accepted_beside_its_whole_twin() -> None:
    lost = wire(*GOOD).replace(encode(3, (GOOD[2] + "\r").encode(), True), b"")
    for order in (lost + wire(*GOOD), wire(*GOOD) + lost):
        assert sorted(message["disposition"] for message in read(order)["messages"]) == ["accepted", "refused"]


def test_a_message_without_end_is_quarantined() -> None:
    (message,) = read(wire(*GOOD[:4]))["messages"]
    assert (message["disposition"], message["reason"], message["terminator"]) == ("quarantined", "unterminated", None)


def test_the_good_neighbour_of_a_damaged_message_stays_good() -> None:
    bad = wire(*GOOD).replace(b"|4.1|", b"|9.1|")
    decoded = read(bad + wire(*GOOD))
    assert [message["disposition"] for message in decoded["messages"]] == ["refused", "accepted"]


def test_tolerances_are_named_when_used() -> None:
    decoded = read(wire(*GOOD)[1:])
    assert decoded["tolerances"] == ["implicit_session"]
    records = "\n".join(GOOD).encode()
    assert "record_line_feeds" in read(records)["tolerances"]
    assert read(records)["messages"][0]["disposition"] == "accepted"


def test_wire_recordings_are_replayed_from_the_instruments_side() -> None:
    pieces = [
        Piece(__import__("decimal").Decimal(n), ">" if n % 2 else "<", part)
        for n, part in enumerate((b"\x06", wire(*GOOD)))
    ]
    (message,) = read(dumps(pieces, "a morning").encode())["messages"]
    assert message["results"][0]["number"] == "4.1"
    assert read(b"0.0 > zz\n0.1 > 05\n")["disposition"] == "refused"


def test_empty_sessions_alone_are_no_fault() -> None:
    decoded = DECODER.read("x", b"\x05\x04\x05\x04")
    assert decoded.sound
    assert to_json(decoded)["frames"]["empty_sessions"] == 2


def test_hl7_is_read_as_sent_and_what_is_not_served_is_refused() -> None:
    oru = b"MSH|^~\\&|ACME||LIS||20260310||ORU^R01|1|P|2.5.1\rSPM|1|A17\rOBR|1\rOBX|1|NM|K||4.1|mmol/L|||||F\r"
    (message,) = read(oru)["messages"]
    assert (message["disposition"], message["reason"], message["results"][0]["number"]) == (
        "quarantined",
        "unknown-sender",
        "4.1",
    )
    framed = read(b"\x0b" + oru + b"\x1c\r")
    assert (framed["framing"], framed["frames"]["count"]) == ("mllp", 1)
    (adt,) = read(oru.replace(b"ORU^R01", b"ADT^A01"))["messages"]
    assert (adt["disposition"], adt["reason"]) == ("refused", "unsupported-type")


def test_an_hl7_block_that_breaks_off_is_shown_and_refused_and_its_neighbour_is_read() -> None:
    oru = b"MSH|^~\\&|ACME||LIS||20260310||ORU^R01|1|P|2.5.1\rSPM|1|A17\rOBR|1\rOBX|1|NM|K||4.1|mmol/L|||||F\r"
    decoded = read(b"\x0b" + oru + b"\x1c\r\x0b" + oru)
    assert [message["reason"] for message in decoded["messages"]] == ["unknown-sender", "damaged"]
    assert decoded["receiver"] == "nak"
    bad = read(b"\x0bPID|1\r\x1c\r\x0b" + oru + b"\x1c\r")
    assert (bad["receiver"], bad["reason"], len(bad["messages"])) == ("refuse", "malformed", 1)


LAB29 = (
    b"MSH|^~\\&|cobas 4800 software 2.3|LAB|LIS|H|20260613145247+0100||OUL^R22^OUL_R22|1|P|2.5.1|||ER|AL\rPID|||P1\r"
    b'SPM|1|A17&ROCHE\rSAC|||A17\rOBR||""||0BHIV1^^99ROC\rORC|SC||||CM\r'
    b"OBX|1|ST|0BHIV1^^99ROC|1.1|3.26E+05 cp/mL|1/mL^^UCUM||Full^^99ROC|||F|||20260612||op||C4800^Roche|20260612194324\r"
    b"INV|MMX^^99ROC|OK^^HL70383|SR^^HL70384|||||||||||||L7\r"
)


def test_hl7_is_shown_through_the_driver_of_its_header_with_what_only_segments_say() -> None:
    decoded = read(b"\x0b" + LAB29 + b"\x1c\r")
    (message,) = decoded["messages"]
    assert (message["driver"], message["disposition"]) == ("roche-cobas-4800", "accepted")
    assert message["patients"] == [{"pid2": "", "pid3": "P1", "name": "", "birth": "", "sex": ""}]
    assert message["inventory"] == [LAB29.decode().split("\r")[-2]]
    (order,) = message["orders"]
    assert (order["placer"], order["awos"], order["orc"]["status"]) == ('""', "", "CM")
    (result,) = message["results"]
    assert (result["number"], result["ucum"], result["loinc"]) == ("326000", "{copies}/mL", "20447-9")
    assert (result["time"], result["analysis_time"], result["completed"]) == (
        "20260612",
        "20260612194324",
        "2026-06-12T19:43:24+01:00",
    )
    assert [item["lot"] for item in result["contributing"]] == ["L7"]
    shown(DECODER.read("x", LAB29))


def test_a_driver_named_for_hl7_reads_any_header() -> None:
    decoder = Decoder(Registry.find(), Registry.find().named("law"), PARIS)
    oul = b"MSH|^~\\&|X||LIS||20260310||OUL^R22|1|P|2.5.1\rSPM|1|A17\rOBR|1|W1\rOBX|1|NM|2823-3^^LN|1|4.1|mmol/L^^UCUM|||||F\r"
    (message,) = to_json(decoder.read("x", oul))["messages"]
    assert (message["driver"], message["results"][0]["awos"], message["results"][0]["loinc"]) == ("law", "W1", "2823-3")


# --- garbage -------------------------------------------------------------------------------------------------------------


def shown(decoded: Decoded) -> None:
    """Both ways of showing must hold."""
    from rich.console import Console

    json.dumps(to_json(decoded, "fr"))
    with open(os.devnull, "w", encoding="utf-8") as nothing:  # noqa: PTH123
        print_table(decoded, Console(file=nothing), "fr")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00" * 10_000_000,
        b"\x05" * 100_000,
        b"\x05\x02" * 50_000,
        b"\x0b" * 1000,
        b"H|\\^&" * 10_000,
        b"H" + b"|" * 1_000_000,
    ],
)
def test_large_nonsense_is_refused_and_has_an_end(data: bytes) -> None:
    with no_hang():
        shown(DECODER.read("x", data))


def test_random_bytes_never_raise() -> None:
    chance = random.Random(7)
    for start in (
        b"",
        b"\x05",
        b"\x05\x021H|\\^&|||c311^1",
        b"H|\\^&|||",
        b"\x0bMSH|^~\\&|",
        b"MSH|^~\\&|A",
        b"# wire\n",
        b"\x02",
    ):
        for size in (1, 50, 3000):
            for _ in range(12):
                shown(DECODER.read("x", start + chance.randbytes(size)))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                b"\x05",
                b"\x02",
                b"\x03",
                b"\x17",
                b"\x04",
                b"\r",
                b"\n",
                b"1H|\\^&|||c311^1",
                b"2R|1|^^^990/|4.1|mmol/l",
                b"L|1",
                b"A3",
                b"\xff",
                b"0",
            ]
        ),
        max_size=40,
    )
)
def test_control_characters_in_any_order_never_raise(parts: list[bytes]) -> None:
    shown(DECODER.read("x", b"\x05" + b"".join(parts)))


def test_every_prefix_of_a_capture_is_told() -> None:
    data = (COMPOSED / "roche-cobas-c311" / "composed-chemistry.astm").read_bytes()
    for cut in range(len(data)):
        shown(DECODER.read("x", data[:cut]))


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    decoded = DECODER.decode(tmp_path)  # a folder in the place of a file
    assert decoded.refused == "file-folder"


def test_nothing_from_the_wire_moves_the_cursor() -> None:
    assert clean("a\x1b[2J\r\nb\udce9") == "a<1B>[2J<0D><0A>b<DCE9>"


def test_bytes_without_meaning_become_json_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"value": "x\udce9é"}, pretty=False)
    assert json.loads(capsys.readouterr().out) == {"value": "x\udce9é"}
