"""labmw rules: are the rule packs sound, why a verdict, and what would a change have changed?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labmw.cli.options import (
    ConfigOption,
    JsonOption,
    LanguageOption,
    Tongue,
    configuration,
    console,
    fail,
    language_of,
)
from labmw.cli.rules_measured import indicators, shadow
from labmw.cli.rules_replay import replay, tune
from labmw.cli.rules_roster import roster
from labmw.cli.rules_states import activate, retire, sign, state
from labmw.cli.rules_stop import resume, stop, stops
from labmw.errors import LabmwError
from labmw.phrases import Language, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labmw.config import Config
    from labmw.watch.indicators import Watched
    from rules.pack import Pack
    from rules.replay.comparison import Comparison
    from rules.replay.judge import Judged

WRONG = 1
UNUSABLE = 2

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None)
PacksArgument = Annotated[
    list[Path] | None,
    typer.Argument(
        help="Folders of packs; when not given those of the configuration, else the shipped ones.", show_default=False
    ),
]


@app.callback()
def rules() -> None:
    """Check, test, explain and replay rule packs; stop what they let go, and let it go on."""


for _command in (stop, resume, stops):
    app.command()(_command)


@app.command()
def lint(
    packs: PacksArgument = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    language: LanguageOption = None,
) -> None:
    """Say what is wrong with packs, and what is worth a second look.

    Exit codes: 0 every pack can be used (there may be remarks), 1 one cannot, 2 wrong usage.
    """
    from labmw.cli.rules_view import remarks
    from rules.lint import lint as look

    tongue, good, broken = _packs(packs, config, language)
    rows = [(one.pack, one.file, "error", str(one.error)) for one in broken]
    rows += [(pack.name, remark.where, "remark", say(remark.code, tongue, **dict(remark.facts))) for pack in good for remark in look(pack)]  # fmt: skip
    if as_json:
        _json([dict(zip(("pack", "where", "weight", "sentence"), row, strict=True)) for row in rows])
    else:
        remarks(console(), tongue, rows, [pack.name for pack in good])
    raise typer.Exit(WRONG if broken else 0)


@app.command()
def test(
    packs: PacksArgument = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    language: LanguageOption = None,
) -> None:
    """Run the examples of packs, and a case at, inside and outside each of their limits.

    Exit codes: 0 all came out as they must, 1 not all, 2 wrong usage.
    """
    from labmw.cli.rules_view import tested
    from rules.boundary import boundaries

    tongue, good, broken = _packs(packs, config, language)
    found = []
    for pack in good:  # a pack whose examples do not hold is not loaded
        made = list(boundaries(pack))
        found.append((pack.name, len(pack.examples), len(made), [one for one in made if not one.holds]))
    wrong = bool(broken) or any(failed for _, _, _, failed in found)
    if as_json:
        _json(
            {
                "broken": [{"file": one.file, "error": str(one.error)} for one in broken],
                "packs": [
                    {"pack": name, "examples": examples, "boundaries": count, "failed": [_shown(one) for one in failed]}
                    for name, examples, count, failed in found
                ],
            }
        )
    else:
        tested(console(), tongue, found, [(one.file, str(one.error)) for one in broken])
    raise typer.Exit(WRONG if wrong else 0)


@app.command()
def coverage(
    packs: PacksArgument = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    language: LanguageOption = None,
) -> None:
    """Say which sides of each rule and condition the examples of packs have seen, and which never.

    Exit codes: 0 said, 1 a pack cannot be used, 2 wrong usage.
    """
    from labmw.cli.rules_view import covered
    from rules.coverage import coverage as count

    tongue, good, broken = _packs(packs, config, language)
    found = [(pack.name, one) for pack in good for one in count(pack)]
    if as_json:
        _json(
            [
                {"pack": name, "rule": one.rule, "condition": one.condition, "seen": dict(one.seen), "never": list(one.never)}
                for name, one in found
            ]
        )  # fmt: skip
    else:
        covered(console(), tongue, found)
    for one in broken:
        typer.echo(f"labmw: {one.error}", err=True)
    raise typer.Exit(WRONG if broken else 0)


@app.command()
def explain(
    specimen: Annotated[str, typer.Argument(help="The specimen's identifier, as on the tube.", show_default=False)],
    config: ConfigOption = None,
    as_json: JsonOption = False,
    language: LanguageOption = None,
) -> None:
    """Say why each result of a specimen was released or not, what every rule compared, and what would release it.

    Exit codes: 0 said, 1 nothing was judged of this specimen, 2 wrong usage, or the store cannot be read.
    """
    from zoneinfo import ZoneInfo

    from labmw.cli.rules_explain import explained
    from labmw.cli.rules_view import explanations
    from labmw.errors import StoreError
    from labmw.store import open_reader
    from labmw.watch.evidence import evidence

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    try:
        with open_reader(settings.store.url, key_file=settings.store.key_file) as reader:
            found = reader.look(lambda: evidence(settings.site.id, specimen.strip()))
    except StoreError as problem:
        fail(say("store-unreadable", tongue, problem=problem), UNUSABLE)
    told = explained(found.story, tongue, ZoneInfo(settings.site.timezone))
    if not told:
        fail(say("rules-nothing-judged", tongue, specimen=specimen), WRONG)
    if as_json:
        _json(told)
    else:
        explanations(console(), tongue, told)


@app.command()
def diff(
    old: Annotated[Path, typer.Argument(help="A pack's folder.", show_default=False)],
    new: Annotated[Path, typer.Argument(help="Another version of it.", show_default=False)],
    as_json: JsonOption = False,
    language: LanguageOption = None,
) -> None:
    """Say what has changed from one version of a pack to the other: rules and limits, not lines of files.

    Exit codes: 0 nothing, 1 something has changed, 2 a pack cannot be used.
    """
    from labmw.cli.rules_view import changed
    from rules.difference import difference
    from rules.pack import load

    tongue = language_of(None, language)
    try:
        found = list(difference(load(old), load(new)))
    except LabmwError as error:
        fail(str(error), UNUSABLE)
    if as_json:
        _json([_shown(one) for one in found])
    else:
        changed(console(), tongue, found)
    raise typer.Exit(1 if found else 0)


@app.command()
def report(
    pack: Annotated[Path, typer.Option("--pack", help="The pack's folder.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", help="dossier.pdf, or dossier.html.", show_default=False)],
    data: Annotated[
        Path | None, typer.Option("--data", help="A history to replay: a file, or store.", show_default=False)
    ] = None,
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Write the validation dossier of a pack: what it says, its tests, coverage, replay, signatures and hash.

    Exit codes: 0 written, 1 the pack, the history or the file cannot be used, 2 wrong usage.
    """
    from labmw.cli.rules_dossier import dossier
    from labmw.documents.paper import as_html, as_pdf
    from rules.pack import load
    from rules.signature import read_signatures

    settings, tongue = _settings(config, language)
    if out.suffix not in (".pdf", ".html"):
        fail(say("rules-report-kind", tongue, file=out), UNUSABLE)
    try:
        one = load(pack)
        kept = settings.rules.signatures if settings is not None else ""
        signatures = read_signatures(Path(kept)) if kept else ()
        alone, change = _replayed(one, data, settings, tongue)
        seen = _watched(settings, one, tongue)
        paper = dossier(one, signatures, alone, tongue, change=change, watched=seen)
    except LabmwError as error:
        fail(str(error), WRONG)
    content = as_pdf(paper) if out.suffix == ".pdf" else as_html(paper).encode()
    try:
        out.write_bytes(content)
    except OSError as error:
        fail(f"{out}: cannot be written ({error}); give another place", WRONG)
    typer.echo(say("rules-report-written", tongue, file=out, pack=one.name, bytes=len(content)))


app.command()(replay)
app.command()(tune)
app.command()(shadow)
app.command()(indicators)
app.command()(state)
app.command()(sign)
app.command()(activate)
app.command()(retire)
app.add_typer(roster, name="roster")


def _settings(config: Path | None, language: Tongue | None) -> tuple[Config | None, Language]:
    settings = configuration(config, UNUSABLE) if config is not None else None
    return settings, language_of(settings, language)


def _packs(
    paths: list[Path] | None, config: Path | None, language: Tongue | None
) -> tuple[Language, tuple[Pack, ...], Any]:
    """The packs that a command is about, and those that cannot be used."""
    from rules.pack import SHIPPED, load_all

    settings, tongue = _settings(config if not paths or config is None or config.exists() else None, language)
    if not paths and settings is not None and settings.rules.packs:
        paths = [Path(one) if "/" in one else SHIPPED / one for one in settings.rules.packs]
    good, broken = load_all(paths or [SHIPPED])
    return tongue, good, broken


def _replayed(
    pack: Pack, data: Path | None, settings: Config | None, tongue: Language
) -> tuple[Judged | None, Comparison | None]:
    """What a history shows: of the pack alone, and beside the packs in force where some are."""
    if data is None:
        return None, None
    import polars as pl

    from labmw.cli.rules_replay import as_signed, beside, history
    from rules.replay.comparison import compare
    from rules.replay.judge import judge, prepare

    packs = as_signed([pack])
    before, after = beside(settings, pack) if settings is not None else (packs, packs)
    table = prepare(history(data, settings, tongue), [packs, before, after])
    change = compare(judge(table, before), judge(table, after)) if before.active and settings is not None else None
    own = table.with_columns(pl.col("judged") & pl.col("loinc").is_in(sorted(pack.loincs)))
    return judge(own, packs), change


def _watched(settings: Config | None, pack: Pack, tongue: Language) -> Sequence[Watched]:
    """What the pack said while it was only watched; nothing where there is no store yet."""
    if settings is None:
        return ()
    from labmw.errors import StoreError
    from labmw.store import open_reader
    from labmw.watch.indicators import watched

    try:
        with open_reader(settings.store.url) as reader:
            found: Sequence[Watched] = reader.look(lambda: watched(settings.site.id, pack.name))
            return found
    except StoreError:
        return ()


def _shown(value: Any) -> Any:
    from dataclasses import asdict

    return asdict(value)


def _json(value: Any) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))
