"""Do the files for a server know what the program knows? Exit codes, patience, packages, addresses."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

from labmw.cli.serve import STORE_UNUSABLE
from labmw.config import Config, Web, load
from labmw.watch.supervisor import CONFIGURATION, DRAIN

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"


def read(name: str) -> str:
    return (DEPLOY / name).read_text(encoding="utf-8")


def settings(unit: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key, value in re.findall(r"(?m)^([A-Za-z]+)=(.*)$", unit):
        found.setdefault(key, []).append(value)
    return found


def test_the_unit_waits_for_the_drain_and_does_not_restart_in_vain() -> None:
    unit = settings(read("labmw.service"))
    assert int(unit["TimeoutStopSec"][0]) > DRAIN
    assert set(unit["RestartPreventExitStatus"][0].split()) == {"2", str(STORE_UNUSABLE), str(CONFIGURATION)}
    assert unit["ExecStart"] == ["/opt/labmw/bin/labmw serve"]
    assert unit["ProtectSystem"] == ["strict"]
    assert unit["CapabilityBoundingSet"] == [""]


def test_the_container_holds_the_five_packages_and_the_locked_files() -> None:
    file = read("Containerfile")
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]["targets"][
        "wheel"
    ]
    assert [line for line in wheel["packages"] if f"COPY {line} {line}" not in file] == []
    assert "--require-hashes -r requirements.lock" in file
    assert re.findall(r"(?m)^FROM (\S+)", file) == ["python:3.11-slim"] * 2
    assert f":{Web().port}/healthz" in file
    assert re.search(r"(?m)^USER labmw$", file)


def test_the_container_gets_time_to_stop() -> None:
    grace = re.search(r"stop_grace_period: (\d+)s", read("compose.yaml"))
    assert grace is not None
    assert int(grace[1]) > DRAIN


def test_the_example_configuration_is_read_and_shows_every_key() -> None:
    assert isinstance(load(DEPLOY / "labmw.toml"), Config)
    text = read("labmw.toml")
    files = [*(ROOT / "labmw" / "config").glob("*.py"), ROOT / "labmw" / "tls" / "settings.py"]
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in files]
    classes = [node for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)]
    assert {"Link", "Lis", "Tls"} <= {node.name for node in classes}
    for table in (node for node in classes if node.name not in ("Strict", "Config")):
        for field in (line for line in table.body if isinstance(line, ast.AnnAssign)):
            assert isinstance(field.target, ast.Name)
            name = field.target.id
            assert re.search(rf"\b{name}\b", text), f"{table.name.lower()}.{name} is not explained"


def test_the_readme_of_the_first_analyzer_is_a_configuration(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    [example] = re.findall(r"(?s)```toml\n(.*?)```", readme)
    file = tmp_path / "labmw.toml"
    file.write_text(example, encoding="utf-8")
    config = load(file)
    assert config.lis is not None
    assert [link.name for link in config.link] == ["counter-1"]
