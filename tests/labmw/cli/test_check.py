"""labmw check: errors name file and key and end with 1, what is merely absent is a warning, and nothing is ever written."""

from __future__ import annotations

import json
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.labmw.cli.conftest import House

DEPLOY = Path(__file__).parents[3] / "deploy" / "labmw.toml"


def findings(house: House, *options: str) -> tuple[int, dict[str, Any]]:
    done = house.labmw("check", str(house.config), "--json", *options)
    found: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, found


def codes(found: dict[str, Any], weight: str) -> list[str]:
    return [one["code"] for one in found["findings"] if one["weight"] == weight]


def test_the_configuration_that_is_shipped_can_be_used(house: House) -> None:
    done = house.labmw("check", str(DEPLOY), "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 0, done.stdout
    assert not codes(found, "error")
    assert set(codes(found, "warning")) <= {
        "check-device",
        "check-host",
        "pack-unsigned",
        "check-packs-none-active",
        "check-store-folder",
    }


def test_every_key_stands_in_the_configuration_that_is_shipped() -> None:
    import msgspec

    from labmw import config

    text = DEPLOY.read_text(encoding="utf-8")
    for table in (
        config.Site,
        config.Store,
        config.Web,
        config.Serial,
        config.Link,
        config.Lis,
        config.Orders,
        config.Route,
        config.Comparison,
        config.Rules,
        config.Drivers,
        config.Limits,
    ):
        for field in msgspec.structs.fields(table):
            assert field.name in text, f"{table.__name__}.{field.name} is not explained in {DEPLOY}"


def test_the_defaults_it_tells_are_the_defaults(tmp_path: Path) -> None:
    """Every commented-out key, put in, changes nothing."""
    import re

    from labmw.config import load

    text = DEPLOY.read_text(encoding="utf-8")
    skip = ("signatures", "key_file", "folder", "tolerances", "tls", "tube", "device")
    spelled = "\n".join(
        line[2:] if (match := re.match(r"# ([a-z_]+) = ", line)) and match[1] not in skip else line
        for line in text.splitlines()
    )
    assert spelled != text.rstrip("\n")
    for name, content in (("as-shipped.toml", text), ("spelled-out.toml", spelled)):
        (tmp_path / name).write_text(content, encoding="utf-8")
    assert load(tmp_path / "as-shipped.toml") == load(tmp_path / "spelled-out.toml")


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ('driver = "sysmex-xn"', "driver"),
        ("listen = ", "lisen"),
        ('id = "TEST"', "site.id"),
        ("port = ", "port"),
    ],
)
def test_an_error_names_file_and_key(house: House, change: str, key: str) -> None:
    wrong = {
        "driver": 'driver = "sysmex-xm"',
        "lisen": "lisen = ",
        "site.id": 'id = "a laboratory"',
        "port": "port = 'eighty' # ",
    }[key]
    house.config.write_text(house.config.read_text().replace(change, wrong, 1))
    done = house.labmw("check", str(house.config))
    assert done.returncode == 1
    flat = " ".join(done.stdout.split())
    assert key in flat and house.config.name in flat


def test_a_broken_driver_file_is_named_and_the_others_are_counted_on(house: House) -> None:
    (house.folder / "own").mkdir()
    (house.folder / "own" / "acme.py").write_text("DRIVER = 1 / 0\n")
    house.config.write_text(house.config.read_text() + '[drivers]\nfolder = "own"\n')
    code, found = findings(house)
    assert code == 1 and codes(found, "error") == ["check-driver"]
    (broken,) = [one for one in found["findings"] if one["weight"] == "error"]
    assert "acme.py:1" in broken["sentence"] and "ZeroDivisionError" in broken["sentence"]


def test_a_driver_of_another_protocol_than_the_links_is_an_error(house: House) -> None:
    line = '[[link]]\nname = "other"\nlisten = "127.0.0.1:0"\ndriver = "law"\n'
    house.config.write_text(house.config.read_text() + line)
    code, found = findings(house)
    assert code == 1
    (wrong,) = [one for one in found["findings"] if one["weight"] == "error"]
    assert "'law' reads hl7 and the link speaks astm" in wrong["sentence"]


def test_a_line_that_is_to_be_told_what_to_do_by_a_driver_that_cannot_is_an_error(house: House) -> None:
    line = '[[link]]\nname = "other"\nlisten = "127.0.0.1:0"\ndriver = "horiba-pentra"\nwork = "asked"\n'
    house.config.write_text(house.config.read_text() + line)
    code, found = findings(house)
    assert code == 1
    (wrong,) = [one for one in found["findings"] if one["weight"] == "error"]
    assert "does not say how orders are written" in wrong["sentence"]


def test_a_broken_rule_pack_and_unreadable_signatures_are_errors(house: House) -> None:
    (house.folder / "pack").mkdir()
    (house.folder / "pack" / "pack.toml").write_text("[pack\n")
    house.config.write_text(house.config.read_text() + '[rules]\npacks = ["pack"]\nsignatures = "nowhere.toml"\n')
    code, found = findings(house)
    assert code == 1
    assert sorted(codes(found, "error")) == ["check-signatures", "pack-broken"]


def test_two_lines_on_one_port_are_an_error(house: House) -> None:
    house.config.write_text(house.config.read_text() + f'[[link]]\nname = "other"\nlisten = "0.0.0.0:{house.line}"\n')
    code, found = findings(house)
    assert code == 1 and codes(found, "error") == ["check-listen-twice"]


def test_what_is_absent_is_a_warning(house: House) -> None:
    house.config.write_text(
        house.config.read_text()
        + '[[link]]\nname = "serial"\nserial = { device = "/dev/ttyNowhere7" }\n[[link]]\nname = "low"\nlisten = "127.0.0.1:99"\n'
    )
    code, found = findings(house)
    assert code == 0
    assert {"check-device", "check-port-privileged", "check-no-lis", "check-packs-none"} <= set(codes(found, "warning"))


@pytest.mark.parametrize(
    ("wrong", "key", "code"),
    [
        ('tolerances = { chekcsum = "none" }', "tolerances", "check-key"),
        ('allow = ["192.168.1.0/33"]', "allow", "config-network"),
    ],
)
def test_wrong_settings_of_a_line_name_the_line(house: House, wrong: str, key: str, code: str) -> None:
    house.config.write_text(house.config.read_text() + wrong + "\n")
    exit_code, found = findings(house)
    assert exit_code == 1 and codes(found, "error") == [code]
    (finding,) = [one for one in found["findings"] if one["weight"] == "error"]
    assert finding["subject"] == f"link[0] (counter).{key}"


def test_live_tries_the_wires(house: House) -> None:
    with socket.create_server(("127.0.0.1", 0)) as analyzer:
        there = analyzer.getsockname()[1]
        house.config.write_text(
            house.config.read_text()
            + f'[[link]]\nname = "there"\nconnect = "127.0.0.1:{there}"\n'
            + '[[link]]\nname = "gone"\nconnect = "127.0.0.1:1"\n[[link]]\nname = "serial"\nserial = { device = "/dev/ttyNowhere7" }\n'
        )
        code, found = findings(house, "--live")
    assert code == 1
    tried = {one["subject"]: one["code"] for one in found["findings"] if one["code"].startswith("check-live")}
    assert tried == {
        "counter": "check-live-listens", "there": "check-live-good", "gone": "check-live-failed", "serial": "check-live-failed",
        "web": "check-live-listens",
    }  # fmt: skip
    assert codes(findings(house)[1], "error") == []  # and without --live none of it is an error


@pytest.mark.xdist_group("daemon")
def test_live_leaves_a_running_labmw_alone(house: House, daemon: subprocess.Popen[str]) -> None:
    code, found = findings(house, "--live")
    assert code == 0 and "check-live-running" in codes(found, "warning")


def test_it_writes_nothing(house: House) -> None:
    before = {path: path.stat().st_mtime_ns for path in house.folder.rglob("*")}
    house.labmw("check", str(house.config), "--live")
    assert {path: path.stat().st_mtime_ns for path in house.folder.rglob("*")} == before


def test_the_table_is_in_the_language_asked_for_and_without_colours(house: House) -> None:
    french = house.labmw("check", str(house.config), "--language", "fr").stdout
    assert "est utilisable" in french and "attention" in french
    assert "\x1b" not in french and max(map(len, french.splitlines()[:-1])) <= 100


@pytest.mark.parametrize(
    ("tolerances", "wrong"), [("{ pause = 0.3 }", 0), ('{ acknowledge = "records" }', 1), ('{ check = "crc" }', 1)]
)
def test_a_setting_that_a_plain_link_does_not_know_is_an_error(tolerances: str, wrong: int, house: House) -> None:
    link = f'\n[[link]]\nname = "au"\nlisten = "127.0.0.1:0"\nprotocol = "au"\ndriver = "beckman-au"\ntolerances = {tolerances}\n'
    house.config.write_text(house.config.read_text(encoding="utf-8") + link, encoding="utf-8")
    _, found = findings(house)
    named = [one for one in found["findings"] if one["code"] == "check-key" and "tolerances" in json.dumps(one)]
    assert len(named) == wrong, found


@pytest.mark.parametrize(
    ("protocol", "driver", "wrong"),
    [("pk", "any-plain", 0), ("tags", "any-plain", 0), ("astm", "any-plain", 1), ("pk", "beckman-au", 1)],
)
def test_any_plain_keeps_the_texts_of_every_plain_link(protocol: str, driver: str, wrong: int, house: House) -> None:
    link = f'\n[[link]]\nname = "pk"\nlisten = "127.0.0.1:0"\nprotocol = "{protocol}"\ndriver = "{driver}"\n'
    house.config.write_text(house.config.read_text(encoding="utf-8") + link, encoding="utf-8")
    _, found = findings(house)
    named = [one for one in found["findings"] if one["code"] == "check-key" and "reads " in json.dumps(one)]
    assert len(named) == wrong, found
