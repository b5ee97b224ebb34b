"""Do `labmw hl7 check` and `show` tell what is in a file, in both languages, with exit codes that mean something, and never a traceback?"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from deviant import EXAMPLES, changed, example, put
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from labmw.cli.hl7 import app
from labmw.cli.hl7_file import read_bytes, read_file
from labmw.phrases import codes, facts_of
from protocols.capture import Piece, dumps
from protocols.hl7.er7 import Message
from protocols.hl7.mllp import wrap

ROOT = Path(__file__).parents[3]
GOOD = example("law_lab29_01")
BAD = changed("law_lab29_01", put("OBX-11", "S"), put("MSH-7", "20260315083020"))
FILES = sorted(EXAMPLES.glob("*.hl7"))


def hl7(*arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments], env={"LC_ALL": "C.UTF-8"}, catch_exceptions=False)


def kept(folder: Path, data: bytes, name: str = "message.hl7") -> str:
    path = folder / name
    path.write_bytes(data)
    return str(path)


def test_the_command_of_the_manual_exits_with_0() -> None:
    command = "from labmw.cli import main; main()"
    file = "tests/examples/law_lab29_01_oul_r22_patient_results.hl7"
    done = subprocess.run(
        [sys.executable, "-c", command, "hl7", "check", file, "--profile", "law"],
        capture_output=True, text=True, check=False, cwd=ROOT, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "OUL^R22^OUL_R22 A-1020 as law: errors 0, warnings 0, notes 0." in done.stdout


@pytest.mark.parametrize("profile", ["law", "ltw", "ilw"])
def test_every_example_passes_in_its_profile(profile: str) -> None:
    files = [str(path) for path in FILES if path.name.startswith(profile)]
    done = hl7("check", *files, "--profile", profile)
    assert done.exit_code == 0, done.output
    assert done.output.count("errors 0, warnings 0") == len(files)


def test_the_profile_is_found_when_it_is_not_named() -> None:
    done = hl7("check", *(str(path) for path in FILES))
    assert done.exit_code == 0, done.output
    assert {name: done.output.count(f" as {name}:") for name in ("law", "ltw", "ilw")} == {
        "law": 25,
        "ltw": 7,
        "ilw": 13,
    }


def test_a_deviation_is_one_line_with_place_rule_sentence_and_source(tmp_path: Path) -> None:
    done = hl7("check", kept(tmp_path, BAD), "-p", "law")
    assert done.exit_code == 1
    lines = [line.split(None, 3) for line in done.output.splitlines()[1:]]
    assert lines == [
        ["warning", "MSH[1]-7", "LAW-MSH-7-ZONE", "MSH[1]-7: 20260315083020 does not say its offset from UTC. (IHE LAW, common MSH)"],
        ["error", "OBX[1]-11", "LAW-OBX-11", "OBX[1]-11 is S; allowed: P, R, F, C, X. (IHE LAW LAB-29)"],
    ]  # fmt: skip


def test_the_same_in_french(tmp_path: Path) -> None:
    done = hl7("check", kept(tmp_path, BAD), "-p", "law", "--language", "fr")
    assert "erreurs 1, avertissements 1, remarques 0." in done.output
    assert (
        "  erreur   OBX[1]-11    LAW-OBX-11           OBX[1]-11 vaut S ; valeurs permises : P, R, F, C, X."
        in done.output
    )


def test_warnings_alone_do_not_fail(tmp_path: Path) -> None:
    warned = changed("law_lab29_01", put("MSH-7", "20260315083020"))
    assert hl7("check", kept(tmp_path, warned), "-p", "law").exit_code == 0


def test_json_holds_each_part_of_a_deviation(tmp_path: Path) -> None:
    done = hl7("check", kept(tmp_path, BAD), "-p", "law", "--json")
    assert done.exit_code == 1
    shown = json.loads(done.output)
    [message] = shown["messages"]
    assert (shown["problems"], message["type"], message["control_id"], message["profile"]) == ([], "OUL^R22^OUL_R22", "A-1020", "law")  # fmt: skip
    assert message["deviations"][1] == {
        "severity": "error", "segment": "OBX", "index": 1, "field": 11, "component": 0, "place": 6, "rule": "LAW-OBX-11",
        "source": "IHE LAW LAB-29", "text": "OBX[1]-11 is S; allowed: P, R, F, C, X.",
    }  # fmt: skip
    both = hl7("check", kept(tmp_path, BAD), kept(tmp_path, GOOD, "good.hl7"), "--json")
    assert [len(json.loads(line)["messages"]) for line in both.output.splitlines()] == [1, 1]


# --- files -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "hl7-file-empty"),
        (b"\r\n \r\n", "hl7-file-empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "hl7-file-other"),
        (b"H|\\^&|||XN-1000\rL|1|N\r", "hl7-file-other"),
        (b"PID|||P1\r", "hl7-file-other"),
        (b"\xef\xbb\xbf" + GOOD, "hl7-file-mark"),
        (GOOD.decode().encode("utf-16"), "hl7-file-mark"),
        (b"MSH", "hl7-unreadable"),
        (b"MSH|", "hl7-unreadable"),
        (b"MSH||||\r", "hl7-unreadable"),
        (b"MSHAAAAA\r", "hl7-unreadable"),
        (b"BHS|^~\\&\r" + GOOD + b"BTS|2\r", "hl7-unreadable"),
        (b"0.1 > 0b4d\n0.0 < 06\n", "hl7-unreadable"),
        (wrap(GOOD)[:-2], "hl7-block-cut"),
        (wrap(GOOD) + b"\x0bMSH|^~\\&|half", "hl7-block-cut"),
        (b"\x0bMSH|^~\\&|half" + wrap(GOOD), "hl7-block-again"),
        (wrap(GOOD) + b"stray" + wrap(GOOD), "hl7-block-outside"),
        (wrap(b"not HL7\r"), "hl7-unreadable"),
        (b"\x0b", "hl7-block-cut"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told_in_both_languages(data: bytes, code: str, tmp_path: Path) -> None:
    contents = read_bytes(data)
    [problem] = contents.problems
    assert problem.code == code
    file = kept(tmp_path, data)
    for language in ("en", "fr"):
        done = hl7("check", file, "-p", "law", "-l", language)
        assert done.exit_code == 1
        assert file in done.output
        assert problem.sentence(file, language) in done.output.replace("\n", " ")
        assert hl7("show", file).exit_code == 1


def test_what_is_whole_in_a_broken_stream_is_checked_all_the_same(tmp_path: Path) -> None:
    done = hl7("check", kept(tmp_path, wrap(BAD) + b"\x0bMSH|^~\\&|half"), "-p", "law")
    assert done.exit_code == 1
    assert "has no end" in done.output
    assert "LAW-OBX-11" in done.output


def test_every_sentence_about_a_file_has_its_facts() -> None:
    for code in (one for one in codes() if one.startswith(("hl7-file", "hl7-block"))):
        assert "file" in facts_of(code)


def test_blocks_batches_and_recordings_hold_messages(tmp_path: Path) -> None:
    recording = dumps([Piece(__import__("decimal").Decimal(0), ">", wrap(GOOD)), Piece(__import__("decimal").Decimal(1), "<", wrap(example("law_lab29_09")))])  # fmt: skip
    for data, number in (
        (wrap(GOOD) + b"\r\n" + wrap(GOOD), 2),
        (b"FHS|^~\\&\rBHS|^~\\&\r" + GOOD + GOOD + b"BTS|2\rFTS|1\r", 2),
        (GOOD.replace(b"\r", b"\r\n"), 1),
        (b"\r\n" + GOOD, 1),
        (recording.encode(), 1),
    ):
        contents = read_bytes(data)
        assert (len(contents.messages), contents.problems) == (number, ())


def test_a_huge_file_is_refused_before_it_is_read_whole(tmp_path: Path) -> None:
    file = Path(kept(tmp_path, GOOD + b"Z" * 5000))
    assert [problem.code for problem in read_file(file, largest=5000).problems] == ["hl7-file-large"]
    assert [problem.code for problem in read_file(tmp_path).problems] == ["hl7-unreadable"]


def test_files_that_are_not_there_are_wrong_usage(tmp_path: Path) -> None:
    assert hl7("check", str(tmp_path / "none.hl7")).exit_code == 2
    assert hl7("check", kept(tmp_path, GOOD), "-p", "lda").exit_code == 2
    assert hl7("check", kept(tmp_path, GOOD), "--encoding", "utf-16").exit_code == 2
    assert hl7().exit_code == 2


def test_the_character_set_of_a_sender_can_be_named(tmp_path: Path) -> None:
    file = kept(tmp_path, GOOD.replace("Léa".encode(), b"L\xe9a"))
    assert "HL7-CHARSET-BYTES" in hl7("check", file).output
    named = hl7("show", file, "--encoding", "iso8859-1")
    assert "DUPONT^Léa" in named.output


# --- show ------------------------------------------------------------------------------------------------------------------


def test_show_names_groups_segments_and_fields(tmp_path: Path) -> None:
    done = hl7("show", str(next(EXAMPLES.glob("law_lab29_01*.hl7"))))
    assert done.exit_code == 0
    lines = [" ".join(line.split()) for line in done.output.splitlines()]
    assert lines[0] == "MSH Message header"
    assert {"SPECIMEN", "CONTAINER", "ORDER", "RESULT"} <= set(lines)
    assert "4 Run (sub-id) 1" in lines
    assert "18[2] Equipment SN-4471^ACME" in lines
    assert "29 Observation type RSLT" in lines


def test_show_as_json_holds_every_filled_field() -> None:
    shown = json.loads(hl7("show", str(next(EXAMPLES.glob("law_lab28_01*"))), "--json").output)
    read = Message.parse(example("law_lab28_01"))
    assert [item["segment"] for item in shown["segments"]] == [item.name for item in read.segments]
    filled = sum(len(item.repetitions(n)) for item in read.segments for n in range(1, len(item.fields)))
    assert sum(len(item["fields"]) for item in shown["segments"]) == filled
    assert shown["segments"][5]["group"] == "SPECIMEN.ORDER"


def test_show_of_an_unknown_type_is_flat_and_harmless(tmp_path: Path) -> None:
    raw = b"MSH|^~\\&|A|B|C|D|20260315||ZZZ^Z01|1|P|2.5.1\rZXX|a\x1b[31mred\r"
    done = hl7("show", kept(tmp_path, raw))
    assert done.exit_code == 0
    assert "\x1b" not in done.output
    assert "a<1B>[31mred" in done.output


def test_a_document_does_not_flood_the_screen(tmp_path: Path) -> None:
    raw = changed("ilw_lab36_02", put("OBX[2]-5", "^application^pdf^Base64^" + "QUJD" * 5000))
    done = hl7("show", kept(tmp_path, raw))
    assert max(map(len, done.output.splitlines())) < 600
    assert "… (20024)" in done.output


# --- anything --------------------------------------------------------------------------------------------------------------


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=300)
    | st.builds(lambda a, b: GOOD[:a] + b + GOOD[a:], st.integers(0, len(GOOD)), st.binary(max_size=40))
    | st.builds(lambda a, b: wrap(GOOD)[:a] + b, st.integers(0, len(GOOD)), st.binary(max_size=40)),
)  # fmt: skip
def test_nothing_in_a_file_is_a_traceback(tmp_path: Path, data: bytes) -> None:
    file = kept(tmp_path, data)
    for command in (("check", file), ("check", file, "-p", "law", "--json"), ("show", file), ("show", file, "--json")):
        assert hl7(*command).exit_code in (0, 1)
