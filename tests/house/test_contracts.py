"""Does every import go down? The contracts of pyproject.toml, asked as `make check` asks them."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]


def test_the_contracts_are_kept() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Contracts: {len(CONTRACTS)} kept, 0 broken" in done.stdout


def test_what_the_house_forbids_is_in_them() -> None:
    by_name = {contract["name"]: contract for contract in CONTRACTS}
    pure = set(by_name["Protocols are pure"]["forbidden_modules"])
    assert {"asyncio", "socket", "ssl", "time", "sqlite3", "threading", "logging", "os", "pathlib"} <= pure
    assert by_name["Every import goes down"]["layers"][:2] == ["labmw.__main__", "labmw.cli"]
    assert by_name["Every import goes down"]["layers"][-1] == "protocols"


def test_every_package_of_labmw_stands_on_a_floor() -> None:
    """What no layer names could import anything."""
    [layers] = [contract["layers"] for contract in CONTRACTS if contract["type"] == "layers"]
    named = {name.strip() for layer in layers for name in layer.replace(":", "|").split("|")}
    there = {f"labmw.{path.stem}" for path in (ROOT / "labmw").iterdir() if _is_module(path)}
    assert there - named <= {"labmw.phrases"}, "put it on a floor"
    assert _imports("labmw/phrases/__init__.py") <= {"labmw.errors"}  # the catalogue may be asked from every floor


def _is_module(path: Path) -> bool:
    if path.is_dir():
        return (path / "__init__.py").is_file()
    return path.suffix == ".py" and path.name != "__init__.py"


def _imports(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    found = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    found |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return {name for name in found if name.startswith("labmw")}
