"""labmw mapping: what does this laboratory call things, who has signed it, and what do its analyzers mean by it?"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labmw.cli.house import require
from labmw.cli.options import ConfigOption, JsonOption, LanguageOption, configuration, console, fail, language_of
from labmw.cli.unopened_file import why_not
from labmw.phrases import Language, say

if TYPE_CHECKING:
    from labmw.config import Config
    from labmw.mapping.livd import Livd
    from labmw.mapping.site import Mappings
    from labmw.mapping.version import Version
    from labmw.watch.finding import Finding

WRONG, USAGE = 1, 2

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None)
FileArgument = Annotated[
    Path, typer.Argument(help="One version: a TOML file of the mapping folder.", show_default=False)
]


@app.callback()
def mapping() -> None:
    """Check, show and sign the laboratory's own codes, catalogue and units."""


@app.command()
def check(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Versions; when not given those of the configuration.", show_default=False),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    language: LanguageOption = None,
) -> None:
    """Check versions of the mapping: LOINC check digits, UCUM units, codes that name nothing, who has signed, what holds now.

    Exit codes: 0 every version can be used and, with a configuration, one is in force; 1 not so; 2 wrong usage.
    """
    from labmw.watch.finding import Weight
    from labmw.watch.mapping import of_config, of_files

    settings = configuration(config, USAGE) if config is not None or not files else None
    tongue = language_of(settings, language)
    findings = list(of_files(files, settings)) if files else list(of_config(_given(settings)))
    if as_json:
        typer.echo(json.dumps([one.row(tongue) for one in findings], ensure_ascii=False, indent=2))
    else:
        _say(findings, tongue)
        typer.echo("\n" + say("mapping-loinc", tongue))
    raise typer.Exit(WRONG if any(one.weight is Weight.ERROR for one in findings) else 0)


@app.command()
def show(
    link: Annotated[str, typer.Option("--link", help="One link only.", show_default=False)] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
    language: LanguageOption = None,
) -> None:
    """Show what is in force: for each link and driver, every code with its analyte, LOINC code, unit, decimals and specimens.

    A link that chooses its driver by the header is shown with the drivers that the mapping names for it.

    Exit codes: 0 shown, 1 no mapping is in force, 2 wrong usage.
    """
    from labmw.clock import SYSTEM
    from labmw.mapping import site
    from labmw.watch.mapping import verdict

    settings = configuration(config, USAGE)
    tongue = language_of(settings, language)
    if link and link not in [one.name for one in settings.link]:
        fail(
            say("link-test-unknown", tongue, link=link, names=", ".join(one.name for one in settings.link) or "-"),
            USAGE,
        )
    found = site.find(settings.mapping.folder, settings.mapping.signatures)
    state = found.state(SYSTEM.now())
    told = list(verdict(found, SYSTEM.now()))
    tables = [table for table in _tables(settings, found, tongue) if not link or table["link"] == link]
    if as_json:
        name = state.version.name if state.version else None
        typer.echo(
            json.dumps({"schema": "labmw-mapping/1", "mapping": name, "links": tables}, ensure_ascii=False, indent=2)
        )
    else:
        _say(told, tongue)
        for table in tables:
            _draw(table, tongue)
        typer.echo("\n" + say("mapping-loinc", tongue))
    raise typer.Exit(0 if state.version or not found.configured else WRONG)


@app.command()
def sign(
    file: FileArgument,
    by: Annotated[str, typer.Option("--by", help="Who signs, by name.", show_default=False)],
    reason: Annotated[str, typer.Option("--reason", help="What was compared.", show_default=False)],
    role: Annotated[str, typer.Option("--role", help="biologist, technician, informatics or quality.")] = "biologist",
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Sign one version exactly as it is. It holds when two different people have signed it, one of them a biologist.

    Whoever signs needs a role that may (`mapping`), and as a biologist one that may validate biologically too.

    Exit codes: 0 signed, 1 the version cannot be used, this person has signed it before, or no role that may; 2 wrong usage.
    """
    from labmw.clock import SYSTEM
    from labmw.errors import MappingError
    from labmw.mapping.read import load
    from labmw.mapping.signature import ROLES, Signature, as_toml, four_eyes, person, read_signatures, signers

    settings = configuration(config, USAGE)
    tongue = language_of(settings, language)
    kept = settings.mapping.signatures
    if not kept:
        fail(say("mapping-no-signatures", tongue), USAGE)
    if role not in ROLES or not by.strip() or not reason.strip():
        raise typer.BadParameter(f"give --by NAME, --reason TEXT, and a role of {', '.join(ROLES)}")
    who = " ".join(by.split())
    require(settings, who, "mapping", tongue)
    if role == "biologist":  # the word alone proves nothing
        require(settings, who, "biological", tongue)
    try:
        version = load(file)
        before = read_signatures(Path(kept))
    except MappingError as problem:
        fail(str(problem), WRONG)
    if person(by) in {person(one.who) for one in signers(version, before)}:
        fail(say("mapping-signed-before", tongue, who=by), WRONG)
    now = SYSTEM.now().replace(microsecond=0)
    one = Signature(version.id, version.version, version.hash, who, role, now, " ".join(reason.split()))
    try:
        with Path(kept).open("a", encoding="utf-8") as out:
            out.write("\n" + as_toml(one))
    except OSError as problem:
        fail(say("mapping-not-written", tongue, file=kept, problem=why_not(problem, tongue)), USAGE)
    typer.echo(
        say("mapping-signed", tongue, mapping=version.name, who=one.who, role=say(f"mapping-role-{role}", tongue))
    )
    whole = four_eyes(version, (*before, one))
    typer.echo(
        say(
            "mapping-signed-whole" if whole else "mapping-signed-alone",
            tongue,
            begins=f"{version.begins:%Y-%m-%d %H:%M}",
        )
    )


@app.command("import")
def import_(
    livd: Annotated[
        Path, typer.Argument(help="The mapping sheet of a maker's LIVD workbook, exported as CSV.", show_default=False)
    ],
    driver: Annotated[str, typer.Option("--driver", help="Whose codes they are.", show_default=False)],
    out: Annotated[
        Path,
        typer.Option(
            "--out", help="Writes OUT-catalogue.csv and OUT-codes.csv; neither may be there yet.", show_default=False
        ),
    ],
    model: Annotated[str, typer.Option("--model", help="Only lines of this model.", show_default=False)] = "",
    language: LanguageOption = None,
) -> None:
    """Make tables of a version from a maker's LIVD table. Units are left empty: LIVD has none, and labmw guesses none.

    Exit codes: 0 written (lines that propose nothing usable are told), 1 nothing usable in it, 2 wrong usage.
    """
    from labmw.errors import MappingError
    from labmw.mapping.livd import LARGEST, read_livd

    tongue = language_of(None, language)
    try:
        with livd.open("rb") as file:
            data = file.read(LARGEST + 1)
        table = read_livd(str(livd), data)
    except OSError as problem:
        fail(say("draft-unreadable", tongue, file=livd, problem=why_not(problem, tongue)), USAGE)
    except MappingError as problem:
        fail(str(problem), WRONG)
    for line, code, what in table.refused:
        typer.echo(say(code, tongue, line=line, what=what), err=True)
    rows = _proposed(table, model, tongue)
    if not rows:
        raise typer.Exit(WRONG)
    analytes = [("analyte", "name", "loinc", "unit", "also", "words", "decimals", "specimens", "class")]
    analytes += [(row["code"], row["name"], row["loinc"], "", "", "", "", "", "") for row in rows]
    codes = [
        ("driver", "link", "code", "analyte", "unit"),
        *((driver, "", row["code"], row["code"], "") for row in rows),
    ]
    for suffix, lines in (("catalogue", analytes), ("codes", codes)):
        place = out.with_name(f"{out.name}-{suffix}.csv")
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows(lines)
        try:
            with place.open("x", encoding="utf-8", newline="") as target:
                target.write(text.getvalue())
        except OSError as problem:
            fail(say("mapping-not-written", tongue, file=place, problem=why_not(problem, tongue)), USAGE)
    facts = {"file": out, "codes": len(rows), "count": len(table.proposals), "publication": table.publication or "–"}
    typer.echo(say("livd-done", tongue, **facts))


@app.command()
def schema() -> None:
    """Print the JSON Schema of a version, for editors: labmw mapping schema > mapping.schema.json

    Exit code: 0.
    """
    from importlib.resources import files

    typer.echo((files("labmw.mapping") / "mapping.schema.json").read_text(encoding="utf-8"), nl=False)


def _proposed(table: Livd, model: str, tongue: Language) -> list[dict[str, str]]:
    """One row for each code with one LOINC code; a code with several is left to a person."""
    by_code: dict[str, dict[str, Any]] = {}
    for one in table.proposals:
        if model and model.casefold() not in one.model.casefold():
            continue
        found = by_code.setdefault(
            one.code, {"code": one.code, "name": one.name or one.long, "loincs": set(), "line": one.line}
        )
        found["loincs"].add(one.loinc)
    rows = []
    for found in by_code.values():
        if len(found["loincs"]) > 1:
            typer.echo(say("livd-several", tongue, line=found["line"], what=found["code"]), err=True)
        else:
            rows.append({"code": found["code"], "name": found["name"], "loinc": found["loincs"].pop()})
    return rows


def _given(settings: Config | None) -> Config:
    assert settings is not None
    return settings


def _say(findings: list[Finding], tongue: Language) -> None:
    for one in findings:
        typer.echo(f"{say(f'check-weight-{one.weight.value}', tongue)}: {one.sentence(tongue)}")


def _tables(settings: Config, found: Mappings, tongue: Language) -> Iterator[dict[str, Any]]:
    """What each link means by each code, as it is read now."""
    from labmw.clock import SYSTEM
    from labmw.config import content_of
    from labmw.line.registry import Registry

    registry = Registry.find([settings.drivers.folder] if settings.drivers.folder else [])
    now = SYSTEM.now()
    version = found.state(now).version
    for link in settings.link:
        named = (
            {one.driver for one in version.codes if one.driver and one.link in ("", link.name)} if version else set()
        )
        for name in sorted(named) if link.driver == "auto" else [link.driver]:
            driver = registry.drivers.get(name)
            if driver is None or (link.driver == "auto" and driver.protocol != content_of(link)):
                continue
            used = found.driver(driver, link.name, now)
            yield {
                "link": link.name,
                "driver": name,
                "mapping_version": used.mapping_version,
                "codes": _codes(used, version, link.name, tongue),
            }


def _codes(driver: Any, version: Version | None, link: str, tongue: Language) -> list[dict[str, Any]]:
    ours = version.codes_of(link, driver.name) if version else {}
    rows = []
    for code, test in driver.tests.items():
        analyte = version.analytes.get(ours[code].analyte) if version and code in ours else None
        rows.append(
            {
                "code": code,
                "analyte": analyte.id if analyte else test.name,
                "loinc": test.loinc,
                "unit": " ".join((test.unit, *test.also)).strip() or " ".join(test.values),
                "decimals": analyte.decimals if analyte else None,
                "specimens": list(analyte.specimens) if analyte else [],
                "class": analyte.kind if analyte else "",
                "from": say("mapping-from-site" if analyte else "mapping-from-driver", tongue),
            }
        )
    unreported = [code for code in ours if code in driver.unreported]
    rows += [
        {
            "code": code,
            "analyte": say("mapping-not-reported", tongue),
            "loinc": "",
            "unit": "",
            "decimals": None,
            "specimens": [],
            "class": "",
            "from": say("mapping-from-site", tongue),
        }
        for code in unreported
    ]
    return rows


def _draw(table: dict[str, Any], tongue: Language) -> None:
    from rich.table import Table
    from rich.text import Text

    typer.echo(
        "\n" + say("mapping-link", tongue, link=table["link"], driver=table["driver"]) + " " + table["mapping_version"]
    )
    grid = Table(box=None, pad_edge=False)
    for head in ("code", "analyte", "loinc", "unit", "decimals", "specimens", "class", "from"):
        grid.add_column("LOINC" if head == "loinc" else say(f"mapping-column-{head}", tongue), overflow="fold")
    for row in table["codes"]:
        decimals = "" if row["decimals"] is None else str(row["decimals"])
        cells = (
            row["code"],
            row["analyte"],
            row["loinc"],
            row["unit"],
            decimals,
            " ".join(row["specimens"]),
            say(f"class-{row['class']}", tongue) if row["class"] else "",
            row["from"],
        )
        grid.add_row(*(Text(cell) for cell in cells))
    console().print(grid)
