"""Which driver reads a sender? Found by path, chosen by the header, and never guessed."""

from __future__ import annotations

from pathlib import Path

import pytest

from labmw.driver.declaration import Driver
from labmw.errors import DriverError
from labmw.line.registry import Ambiguous, Registry, load
from protocols.astm.message import Message
from protocols.hl7.er7 import Message as Hl7Message

GOOD = '''"""Acme X100.

Source: Acme X100 Host Interface Manual, rev. 4, p. 12.
Evidence: manual.
"""

from labmw.driver import Driver, Evidence, Test

DRIVER = Driver(name="{name}", recognises=r"{pattern}", evidence=Evidence.MANUAL, tests={{"TSH": Test("3016-3", "m[IU]/L")}})
'''


def write(folder: Path, file: str, name: str = "acme-x100", pattern: str = r"^ACME X100\^", text: str = "") -> Path:
    path = folder / file
    path.write_text(text or GOOD.format(name=name, pattern=pattern), encoding="utf-8")
    return path


def test_the_shipped_drivers_are_all_fit() -> None:
    registry = Registry.find()
    assert registry.broken == {}
    assert {"any-astm", "any-hl7", "sysmex-xn", "roche-cobas-c311", "cepheid-genexpert"} <= set(registry.drivers)
    assert {"horiba-yumizen-h500", "ortho-vitros-3600", "erba-xl"} <= set(registry.drivers)
    assert all(
        driver.file.endswith(".py") and len(driver.mapping_version) == 12 for driver in registry.drivers.values()
    )


@pytest.mark.parametrize(
    ("sender", "name"),
    [
        ("H500^906YOXH02459^2.2.0.5", "horiba-yumizen-h500"),
        ("H550^909YAXH02732^1.2.1.4", "horiba-yumizen-h500"),
        ("GeneXpert PC^GeneXpert^6.3", "cepheid-genexpert"),
        ("    XN-550^00-24^22723^^^^BD634545", "sysmex-xn"),
        ("c311^1", "roche-cobas-c311"),
        ("cobas-e411^1", "roche-cobas-e411"),
        ("XP-300^00-07^^^^A1573^AP807129", "sysmex-xp"),
        ("CS-2000i^01-70^1", "sysmex-cs"),
        ("m2000^8.1.9.0^275000001", "abbott-m2000"),
        ("MAGLUMI X3", "snibe-maglumi"),
        ("LABO^Roche^c111^4.2^1^13147", "roche-cobas-c111"),
    ],
)
def test_a_header_names_its_driver(sender: str, name: str) -> None:
    found = Registry.find().recognise(sender)
    assert isinstance(found, Driver)
    assert found.name == name


@pytest.mark.parametrize(
    "sender",
    ["", "3600796", "m20000^8.1^2", "xcobas-e411^1", "XP-1000^1", "H5000^1", "Xc311^1", "CS-25^1", "ACCESSORY^1"],
)
def test_a_header_that_names_nobody_is_not_guessed(sender: str) -> None:
    registry = Registry.find()
    assert registry.recognise(sender) is None
    assert registry.reader(registry.recognise(sender)).name == "any-astm"


def test_a_site_file_replaces_the_shipped_one_and_it_is_told(tmp_path: Path) -> None:
    path = write(tmp_path, "my_erba.py", name="erba-xl")
    registry = Registry.find([tmp_path])
    assert registry.named("erba-xl").file == str(path)
    assert registry.replaced == {"erba-xl": str(path)}
    assert Registry.find().named("erba-xl").mapping_version != registry.named("erba-xl").mapping_version


def test_a_changed_file_has_another_mapping_version(tmp_path: Path) -> None:
    before = load(write(tmp_path, "acme.py"))
    after = load(write(tmp_path, "acme.py", text=GOOD.format(name="acme-x100", pattern="x") + "\n# one line more\n"))
    assert before.mapping_version != after.mapping_version


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("DRIVER = ", ":1: SyntaxError"),
        ("import nothing_of_that_name", ":1: ModuleNotFoundError"),
        ("x = 1\nraise SystemError('no')", ":2: SystemError"),
        ("x = 1", "defines no value DRIVER"),
        ("DRIVER = 7", "defines no value DRIVER"),
        (GOOD.format(name="acme", pattern="x") + "\nOTHER = Driver(name='b')\n", "a second driver, OTHER"),
        (GOOD.format(name="acme", pattern="("), "regular expression"),
        (GOOD.format(name="acme", pattern="x").replace("3016-3", "3016-4"), "check digit"),
        (GOOD.format(name="acme", pattern="x").replace("Evidence: manual", "Evidence: routine"), "claims evidence"),
        (GOOD.format(name="acme", pattern="x").replace("tests={", "tests={'A': 5, "), "cannot be checked"),
    ],
)
def test_a_broken_file_stops_itself_alone(tmp_path: Path, text: str, word: str) -> None:
    write(tmp_path, "a_good.py", name="acme-good")
    bad = write(tmp_path, "b_bad.py", text=text)
    registry = Registry.find([tmp_path])
    assert list(registry.broken) == [str(bad)]
    assert word in str(registry.broken[str(bad)])
    assert str(bad) in str(registry.broken[str(bad)])
    assert "acme-good" in registry.drivers
    assert "sysmex-xn" in registry.drivers


def test_a_file_that_ends_the_process_is_stopped_too(tmp_path: Path) -> None:
    bad = write(tmp_path, "bad.py", text="import sys\nsys.exit(3)\n")
    registry = Registry.find([tmp_path])
    assert "SystemExit" in str(registry.broken[str(bad)])


def test_two_files_of_one_name_in_one_folder_are_a_fault(tmp_path: Path) -> None:
    write(tmp_path, "a.py")
    second = write(tmp_path, "b.py")
    registry = Registry.find([tmp_path])
    assert "give each driver its own name" in str(registry.broken[str(second)])
    assert registry.named("acme-x100").file.endswith("a.py")


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    registry = Registry.find([tmp_path / "nowhere"])
    assert "correct [drivers] folder" in str(registry.broken[str(tmp_path / "nowhere")])
    assert "sysmex-xn" in registry.drivers


def test_two_drivers_that_claim_one_sender_leave_it_to_the_laboratory(tmp_path: Path) -> None:
    write(tmp_path, "a.py", name="acme-a", pattern="^ACME")
    write(tmp_path, "b.py", name="acme-b", pattern="X100")
    registry = Registry.find([tmp_path])
    found = registry.recognise("ACME X100^1")
    assert found == Ambiguous(("acme-a", "acme-b"))
    reader = registry.reader(found)
    assert (reader.name, reader.rivals) == ("any-astm", ("acme-a", "acme-b"))


def test_a_message_names_its_driver_by_its_header() -> None:
    registry = Registry.find()
    found = registry.recognise_message(Message.parse(b"H|@^\\|GXM-1||PC^GeneXpert^6.3\rL|1|N\r")[0])
    assert isinstance(found, Driver)
    assert found.name == "cepheid-genexpert"
    raw = b"H|\\\\^&|||c311^1\rL|1|N\r"
    assert (
        registry.recognise_message(Message(raw, tuple(raw.split(b"\r")[:-1]))) is None
    )  # delimiters that mean nothing


def test_an_unknown_name_is_told_with_those_there_are() -> None:
    with pytest.raises(DriverError, match=r"use one of .*sysmex-xn"):
        Registry.find().named("sysmex")


def test_nothing_of_a_driver_file_stays_behind(tmp_path: Path) -> None:
    import sys

    before = set(sys.modules)
    Registry.find([tmp_path])
    assert not [name for name in set(sys.modules) - before if name.startswith("labmw_driver_")]


def test_an_hl7_sender_is_looked_up_among_hl7_drivers(tmp_path: Path) -> None:
    write(
        tmp_path,
        "acme.py",
        text=GOOD.format(name="acme-hl7", pattern=r"^ACME\|LAB$").replace("Driver", "Hl7Driver"),
    )
    registry = Registry.find([tmp_path])
    message = Hl7Message.parse(b"MSH|^~\\&|ACME|LAB|LIS||20260310||ORU^R01|1|P|2.5.1\r")
    found = registry.recognise_hl7(message)
    assert isinstance(found, Driver)
    assert found.name == "acme-hl7"
    assert registry.recognise("ACME|LAB", "astm") is None
    assert registry.reader(Registry.find().recognise_hl7(message), "hl7").name == "any-hl7"


def test_a_driver_of_the_other_protocol_reads_nothing() -> None:
    registry = Registry.find()
    assert registry.reader(registry.named("sysmex-xn"), "hl7").name == "any-hl7"
    assert registry.reader(registry.named("roche-citm"), "astm").name == "any-astm"
    assert registry.reader(registry.named("roche-citm"), "hl7").name == "roche-citm"


@pytest.mark.parametrize(
    ("sender", "name"),
    [
        ("cobas pro|", "roche-cobas-pro"),
        ("cobas® pro|", "roche-cobas-pro"),
        ("cobas 4800 software 2.3.0.1905^56450_00001^M|LAB", "roche-cobas-4800"),
        ("GeneXpert PC^GeneXpert^Dx4.7b|", "cepheid-genexpert-hl7"),
        ("Roche Diagnostics|cITm 1.10.02.0572", "roche-citm"),
        ("BC-5380|Mindray", "mindray-bc5380"),
    ],
)
def test_an_hl7_header_names_its_driver(sender: str, name: str) -> None:
    found = Registry.find().recognise(sender, "hl7")
    assert isinstance(found, Driver)
    assert found.name == name


@pytest.mark.parametrize(
    "sender",
    ["|", "CHEM-X1|LABODEMO", "cobas proto|", "cobas 6800|", "Roche Diagnostics|", "BC-5380|Other", "BC-6800|Mindray"],
)
def test_an_hl7_header_of_nobody_known_is_claimed_by_nobody(sender: str) -> None:
    assert Registry.find().recognise(sender, "hl7") is None
