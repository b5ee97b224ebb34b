"""Do the pages say what the code says? Tables and drawings that repeat the code are held against it, word for word.

A failing test prints the block as it must be: paste it into the page.
"""

from __future__ import annotations

import ast
import re
import tomllib
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from typing import Literal, get_args, get_origin, get_type_hints
from xml.etree import ElementTree

import pytest
from prometheus_client.metrics import MetricWrapperBase

from labmw import metrics
from labmw.cli import COMMANDS
from labmw.line.registry import Registry
from labmw.phrases import codes, read
from labmw.tls.handshake import CODES
from labmw.tls.settings import Tls
from protocols.astm.diagram import mermaid
from protocols.astm.events import SECONDS, Deadline
from protocols.astm.tolerance import STRICT, Tolerances
from protocols.capture import dumps, loads

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "deploy").glob("*.md")])
DATALINK = (ROOT / "docs" / "astm-datalink.md").read_text(encoding="utf-8")
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def holds(page: str, block: str) -> None:
    assert block in page, f"the page must hold this block:\n\n{block}"


# --- docs/astm-datalink.md ------------------------------------------------------------------------------------------------


def test_the_drawing_of_the_link_is_the_table() -> None:
    holds(DATALINK, f"```mermaid\n{mermaid()}```\n")


def docstrings_of_fields(source: str, name: str) -> dict[str, str]:
    """The text under each field of a class."""
    [body] = [node.body for node in ast.parse(source).body if isinstance(node, ast.ClassDef) and node.name == name]
    found = {}
    for field, text in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            assert isinstance(field.target, ast.Name)
            found[field.target.id] = " ".join(str(text.value.value).split())
    return found


def tolerance_table() -> str:
    """Name, values, default, and what is said of it in the code."""
    said = docstrings_of_fields(
        (ROOT / "protocols" / "astm" / "tolerance.py").read_text(encoding="utf-8"), "Tolerances"
    )
    hints = get_type_hints(Tolerances)
    lines = ["| tolerance | values | strict | what it is for |", "|---|---|---|---|"]
    for field in fields(Tolerances):
        hint, strict = hints[field.name], getattr(STRICT, field.name)
        choices = get_args(hint) if get_origin(hint) is Literal else ()
        values = (
            ", ".join(f"`{choice}`" for choice in choices)
            or {bool: "`true`, `false`", int: "bytes", float: "seconds"}[hint]
        )
        shown = str(strict).lower() if isinstance(strict, bool) else strict
        lines.append(f"| `{field.name}` | {values} | `{shown}` | {said[field.name]} |")
    return "\n".join(lines) + "\n"


def test_every_tolerance_is_on_the_page_as_the_code_has_it() -> None:
    holds(DATALINK, tolerance_table())


def test_the_check_of_the_table_can_fail() -> None:
    with pytest.raises(AssertionError, match="must hold this block"):
        holds(DATALINK.replace("| `max_frame` |", "| `max_frames` |"), tolerance_table())


def test_every_timer_is_on_the_page_with_its_seconds() -> None:
    for deadline in Deadline:
        seconds = "the link's own" if deadline is Deadline.TURNAROUND else f"{SECONDS[deadline]:g} s"
        assert re.search(rf"(?m)^\| `{deadline.name}` \| {re.escape(seconds)} \|", DATALINK), (
            f"{deadline.name}: {seconds}"
        )
    assert len(re.findall(r"(?m)^\| `[A-Z_]+` \| (?:\d+ s|the link's own) \|", DATALINK)) == len(Deadline)


# --- docs/wire-format.md --------------------------------------------------------------------------------------------------


def test_the_example_capture_is_one() -> None:
    page = (ROOT / "docs" / "wire-format.md").read_text(encoding="utf-8")
    [example] = re.findall(r"(?s)```wire\n(.*?)```", page)
    pieces = loads(example)
    assert loads(dumps(pieces)) == pieces
    assert {piece.direction for piece in pieces} == {">", "<"}
    with pytest.raises(Exception, match="line"):
        loads(example.replace(" > ", " ? ", 1))


# --- docs/operations.md ---------------------------------------------------------------------------------------------------


def counted() -> set[str]:
    """The metrics of the lines process, as Prometheus sees their names."""
    found = set()
    for value in vars(metrics).values():
        if isinstance(value, MetricWrapperBase):
            name = value._name
            found.add(f"{name}_total" if value._type == "counter" else name)
    return found


def asked_of_the_store() -> set[str]:
    """The metrics that the web process reads from the store: every text in its collector that is a metric's name."""
    source = (ROOT / "labmw" / "console" / "collector.py").read_text(encoding="utf-8")
    texts = (node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant))
    return {text for text in texts if isinstance(text, str) and re.fullmatch(r"labmw_[a-z_]+", text)}


def test_every_metric_is_on_the_page_and_no_other() -> None:
    described = set(re.findall(r"(?m)^\| `(labmw_[a-z_]+)`", OPERATIONS))
    assert described == counted() | asked_of_the_store()
    assert {"labmw_messages_total", "labmw_ack_seconds", "labmw_outbox_depth"} <= described


def test_the_alerts_ask_for_metrics_that_exist() -> None:
    rules = (ROOT / "deploy" / "prometheus-alerts.yml").read_text(encoding="utf-8")
    asked = set(re.findall(r"\blabmw_[a-z_]+", rules))
    known = counted() | asked_of_the_store()
    histograms = {f"{name}_{part}" for name in known for part in ("bucket", "sum", "count")}
    assert asked
    assert asked <= known | histograms, asked - known - histograms


PARTS = {"for-example"}
"""Phrases that stand inside another sentence."""


def test_every_sentence_of_status_has_its_line_of_advice() -> None:
    said = set(read([ROOT / "labmw" / "phrases" / "status.toml"])) - PARTS
    advised = set(re.findall(r"`([a-z-]+)`", OPERATIONS.split("## When `labmw status`", 1)[1].split("\n## ", 1)[0]))
    assert said - advised == set()
    assert advised & codes() >= said


# --- docs/tls.md ----------------------------------------------------------------------------------------------------------

TLS = (ROOT / "docs" / "tls.md").read_text(encoding="utf-8")


def settings_table() -> str:
    """Each key of a tls table, its default, and what is said of it in the code."""
    source = (ROOT / "labmw" / "tls" / "settings.py").read_text(encoding="utf-8")
    lines = ["| key | default | what it is for |", "|---|---|---|"]
    for name, default, said in re.findall(r"(?m)^    (\w+): .+? = (.+?)  # (.+)$", source):
        shown = {"True": "true", "False": "false"}.get(default, default)
        lines.append(f"| `{name}` | `{shown}` | {said} |")
    assert len(lines) == 2 + len(Tls.__struct_fields__)
    return "\n".join(lines) + "\n"


def test_every_setting_of_tls_is_on_the_page_as_the_code_has_it() -> None:
    holds(TLS, settings_table())


def test_every_reason_of_a_failed_handshake_is_on_the_page() -> None:
    assert set(re.findall(r"`(tls-[a-z-]+)`", TLS)) == CODES


# --- README and the others ------------------------------------------------------------------------------------------------


def test_make_has_every_target_that_a_page_names() -> None:
    targets = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8")))
    for page in PAGES:
        named = set(re.findall(r"(?m)(?:^|`|&& )make ([a-z]+)", page.read_text(encoding="utf-8")))
        assert named <= targets, f"{page.name}: make has no {', '.join(named - targets)}"
    assert {"demo", "test"} <= set(re.findall(r"(?m)^make ([a-z]+)", README))


NOT_YET: set[str] = set()
"""Commands that pages speak of as missing."""


def test_labmw_has_every_command_that_a_page_names() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        named = set(
            re.findall(r"(?m)(?:^|`|[ /(])labmw ((?!is|does|has|and)[a-z]+)(?= [A-Z-]|`| show| [a-z./]+\.toml|$)", text)
        )
        assert named <= COMMANDS.keys() | NOT_YET, (
            f"{page.name}: there is no command {', '.join(named - COMMANDS.keys())}"
        )
    assert NOT_YET.isdisjoint(COMMANDS), "it is there now: tell the pages"


def test_the_drivers_of_the_readme_are_those_shipped_with_the_evidence_they_have() -> None:
    shipped = {driver.name: driver for driver in Registry.find().drivers.values() if not driver.name.startswith("any-")}
    rows = re.findall(r"(?m)^\| `([a-z0-9-]+)` \|.*\| (unverified|restated|manual|capture|bench|routine) \|$", README)
    assert rows
    for name, evidence in rows:
        assert name in shipped, f"the README speaks of a driver {name} that is not there"
        assert evidence == shipped[name].evidence.name.lower(), f"{name}: the README claims {evidence}"
    missing = {name for name, driver in shipped.items() if driver.protocol == "astm"} - {name for name, _ in rows}
    assert not missing, f"give each a row in the README: {', '.join(sorted(missing))}"


def test_the_table_in_the_readme_is_of_the_demo_as_it_is() -> None:
    """It was pasted from a run; the cases planted today are in it, and each ended well."""
    scenario = tomllib.loads((ROOT / "simulators" / "scenarios" / "demo.toml").read_text(encoding="utf-8"))
    analyzers = [*scenario["analyzer"], *scenario["law"]]
    planted = [case["case"] for analyzer in analyzers for case in analyzer.get("planted", [])]
    shown = re.findall(r"(?m)^ ([✓✗]) +([a-z-]+)  ", README)
    assert shown == [("✓", case) for case in planted]
    for analyzer in analyzers:
        assert re.search(rf"(?m)^ {analyzer['name']} .* 0 +0$", README), (
            f"{analyzer['name']}: nothing lost, nothing twice"
        )


def test_the_picture_can_be_drawn_and_be_read_aloud() -> None:
    """Well-formed, with a title and a description, and a ground of its own, so that it is legible on light and on dark pages."""
    root = ElementTree.parse(ROOT / "docs" / "life-of-a-result.svg").getroot()
    space = "{http://www.w3.org/2000/svg}"
    assert root.attrib["role"] == "img"
    assert all((root.findtext(f"{space}{name}") or "").strip() for name in ("title", "desc"))
    width, height = (float(root.attrib[name]) for name in ("width", "height"))
    [ground] = root.findall(f"{space}rect")[:1]
    assert (float(ground.attrib["width"]), float(ground.attrib["height"])) == (width - 2, height - 2)
    said = " ".join("".join(text.itertext()) for text in root.iter(f"{space}text"))
    assert {"frame", "journal", "intake", "verification", "outbox", "delivered", "quarantined"} <= set(said.split())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)|src(?:set)?=\"([^\"]+)\"", page.read_text(encoding="utf-8")):
        place = target[0] or target[1]
        if not place.startswith(("http://", "https://", "mailto:")):
            assert (page.parent / place).exists(), f"{page.name} links to {place}"
