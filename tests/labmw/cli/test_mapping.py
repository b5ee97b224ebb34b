"""Do the pages' steps work: a version is checked, signed by two people, shown, and stops what it names when it is changed?"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from labmw.cli.mapping import app
from labmw.config import load
from labmw.watch.inspection import inspect

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "mapping.md").read_text(encoding="utf-8")

ROLES = """
[roles.biologist]
may = ["mapping", "biological"]
people = ["Dr C. Petit", "X"]
[roles.technician]
may = ["mapping"]
people = ["A. Martin", "a. martin"]
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The example of the page, on two links of an analyzer that labmw knows."""
    toml, csv = re.findall(r"(?s)```toml\n(.*?)```", PAGE), re.findall(r"(?s)```csv\n(.*?)```", PAGE)
    folder = tmp_path / "mapping"
    folder.mkdir()
    version = toml[1].replace("2026-12-01", "2026-01-01")
    (folder / "2026-1.toml").write_text(version, encoding="utf-8")
    (folder / "catalogue.csv").write_bytes(csv[0].encode("cp1252"))
    (folder / "codes.csv").write_text(csv[1].replace("acme-x100", "erba-xl"), encoding="utf-8")
    file = tmp_path / "labmw.toml"
    links = "".join(
        f'[[link]]\nname = "counter-{n}"\nlisten = "127.0.0.1:410{n}"\ndriver = "erba-xl"\n' for n in (1, 2)
    )
    file.write_text('[site]\nid = "T"\nlanguage = "en"\n' + toml[0] + links + ROLES, encoding="utf-8")
    assert load(file).mapping.folder == str(folder)
    return file


def run(config: Path, *arguments: str) -> Result:
    more = ["--config", str(config)] if arguments[0] != "import" else []
    return CliRunner().invoke(app, [*arguments, *more], catch_exceptions=False)


def sign(config: Path, who: str, role: str = "biologist") -> Result:
    version = config.parent / "mapping" / "2026-1.toml"
    return run(config, "sign", str(version), "--by", who, "--role", role, "--reason", "compared")


@pytest.mark.parametrize("language", ["en", "fr"])
def test_from_a_draft_to_what_holds_and_back(config: Path, language: str) -> None:
    done = run(config, "check", "-l", language)
    assert done.exit_code == 1
    assert "LAB1@2026.1#" in done.output
    assert "labmw mapping sign" in done.output
    assert "loinc.org/license" in done.output
    assert sign(config, "A. Martin", "technician").exit_code == 0
    again = sign(config, "a. martin", "technician")
    assert again.exit_code == 1
    posing = run(
        config,
        "sign",
        str(config.parent / "mapping" / "2026-1.toml"),
        "--by",
        "a. martin",
        "--reason",
        "x",
        "-l",
        language,
    )  # a technician who says that he is a biologist
    assert posing.exit_code == 1
    assert ("biologist" if language == "en" else "valider biologiquement") in posing.output
    assert sign(config, "Somebody", "technician").exit_code == 1
    assert (config.parent / "mapping-signatures.toml").read_text().count("[[signature]]") == 1
    assert run(config, "check").exit_code == 1
    assert "(biologist)" in (signed := sign(config, "Dr C. Petit").output)
    assert "in force from" in signed
    assert run(config, "check", "-l", language).exit_code == 0
    shown = run(config, "show", "-l", language)
    assert shown.exit_code == 0
    assert "3016-3" in shown.output
    assert "…" not in shown.output
    told = json.loads(run(config, "show", "--json").output)
    by_link = {one["link"]: {row["code"]: row for row in one["codes"]} for one in told["links"]}
    assert by_link["counter-1"]["41"]["analyte"] == "TSH"
    assert by_link["counter-1"]["41"]["specimens"] == ["SER", "PLAS"]
    assert by_link["counter-1"]["42"]["loinc"] == "2823-3"
    assert by_link["counter-2"]["42"]["analyte"] == "not reported"
    assert by_link["counter-1"]["ALTT"]["from"] == "driver"
    codes = config.parent / "mapping" / "codes.csv"
    codes.write_text(codes.read_text().replace(";41;TSH", ";41;K"))
    changed = run(config, "show", "-l", "en")
    assert changed.exit_code == 1
    assert "was changed after it was signed" in " ".join(changed.output.split())
    found = inspect(config)
    assert "mapping-altered" in [one.code for one in found.findings]


def test_the_schema_is_printed_for_editors() -> None:
    printed = CliRunner().invoke(app, ["schema"], catch_exceptions=False).output
    assert json.loads(printed)["required"] == ["id", "version", "author", "from"]


def test_wrong_usage_and_strangers(config: Path) -> None:
    codes = config.parent / "mapping" / "codes.csv"
    codes.write_text(codes.read_text() + "nobody;;7;TSH;\nerba-xl;nowhere;7;TSH;\n")
    told = run(config, "check", "-l", "en").output
    assert "the code 7 is for driver nobody" in told
    assert "the code 7 is for link nowhere" in told
    assert run(config, "show", "--link", "nowhere").exit_code == 2
    assert sign(config, "  ").exit_code == 2
    assert sign(config, "X", "king").exit_code == 2
    assert run(config, "sign", str(config), "--by", "X", "--reason", "y").exit_code == 1
    bare = config.parent / "bare.toml"
    bare.write_text('[site]\nid = "T"\n')
    assert run(bare, "show", "-l", "en").exit_code == 0
    assert run(bare, "sign", "x.toml", "--by", "X", "--reason", "y").exit_code == 2


def test_a_livd_table_becomes_a_draft_that_wants_units(config: Path, tmp_path: Path) -> None:
    livd = tmp_path / "livd.csv"
    livd.write_text(
        "Model,Vendor Analyte Code,Vendor Analyte Name,LOINC Code\n"
        "XL 640,41,TSH,3016-3\nXL 640,43,Glucose,2345-7\nXL 640,43,Glucose,14749-6\nOther,44,K,2823-3\n"
    )
    out = tmp_path / "mapping" / "xl"
    done = run(config, "import", str(livd), "--driver", "erba-xl", "--model", "XL", "--out", str(out), "-l", "en")
    assert done.exit_code == 0, done.output
    assert "several LOINC codes" in done.output
    assert (tmp_path / "mapping" / "xl-codes.csv").read_text().splitlines() == [
        "driver,link,code,analyte,unit",
        "erba-xl,,41,41,",
    ]
    page = tmp_path / "mapping" / "draft.toml"
    page.write_text(
        'id = "LAB1"\nversion = "9"\nauthor = "x"\nfrom = 2026-01-01T00:00:00Z\ncatalogue = "xl-catalogue.csv"\ncodes = ["xl-codes.csv"]\n'
    )
    told = run(config, "check", str(page), "-l", "en")
    assert told.exit_code == 1
    assert "neither a unit nor words" in told.output
    catalogue = tmp_path / "mapping" / "xl-catalogue.csv"
    catalogue.write_text(catalogue.read_text().replace("3016-3,", "3016-3,m[IU]/L"))
    assert run(config, "check", str(page)).exit_code == 0
    again = run(config, "import", str(livd), "--driver", "erba-xl", "--out", str(out))
    assert again.exit_code == 2
    livd.write_text("nothing")
    assert run(config, "import", str(livd), "--driver", "erba-xl", "--out", str(out)).exit_code == 1
    assert run(config, "import", str(tmp_path / "no"), "--driver", "erba-xl", "--out", str(out)).exit_code == 2
