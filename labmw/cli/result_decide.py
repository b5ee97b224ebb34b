"""labmw result release, hold, reject, rerun, comment: what does a person decide about a result?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from labmw.cli.house import decide, house_of, rights_of
from labmw.cli.options import ByOption, ConfigOption, LanguageOption, configuration, language_of
from labmw.cli.writing import UNUSABLE, now, reason_given, who
from labmw.phrases import Language, say

if TYPE_CHECKING:
    from labmw.config import Config
    from labmw.lab.deciding import Decision
    from labmw.lab.validation import Chosen, Stage
    from labmw.store import Row

Specimen = Annotated[str, typer.Argument(help="The specimen's identifier, as on the tube.", show_default=False)]
Test = Annotated[
    str, typer.Argument(help="The test: its code, LOINC code or name; all of the tube without it.", show_default=False)
]
ReasonOption = Annotated[
    str, typer.Option("--reason", "--why", help="The reason; it goes into the audit.", show_default=False)
]
NumberOption = Annotated[
    int | None,
    typer.Option("--number", help="The one result of this number, from `labmw result list`.", show_default=False),
]


def release(
    specimen: Specimen,
    reason: ReasonOption,
    test: Test = "",
    by: ByOption = None,
    technical: Annotated[
        bool, typer.Option("--technical", help="Only say that the measurement is sound: a biologist decides after.")
    ] = False,
    number: NumberOption = None,
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Validate what is held: biologically, and it leaves; or with --technical, and it waits for a biologist.

    Where the biological validation is done in the LIS, what leaves is told as technically validated, and a technician may let go what
    the rules only wanted reviewed. Each is an act of a role: see [roles] in the configuration.

    Exit codes: 0 done, 1 refused (not held, no role that may, two runs or two patients), 2 wrong usage, or the store cannot be written.
    """
    from labmw.lab.validation import release as script

    settings, tongue, decision, chosen = _meant(config, language, by, reason, specimen, test, number)
    rights = rights_of(settings)
    only = not rights.may(decision.by, "biological") and rights.may(decision.by, "technical")
    stage: Stage = "technical" if technical or only else "biological"
    found = decide(settings, script(decision, chosen, house_of(settings), stage), tongue)
    for row, becomes in found:
        code = "decided-released" if becomes == "released" else "decided-technical"
        typer.echo(say(code, tongue, **_facts(row, decision)))


def hold(
    specimen: Specimen,
    reason: ReasonOption,
    test: Test = "",
    by: ByOption = None,
    number: NumberOption = None,
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Keep results back: before the rules, after a technician, or released ones that have not begun to leave.

    What a person holds by name no rule lets go. What has been sent is taken back with `labmw result withdraw`.

    Exit codes: 0 done, 1 refused (on its way, no role that may), 2 wrong usage, or the store cannot be written.
    """
    from labmw.lab.validation import hold as script

    settings, tongue, decision, chosen = _meant(config, language, by, reason, specimen, test, number)
    _each("decided-held", decide(settings, script(decision, chosen, house_of(settings)), tongue), decision, tongue)


def reject(
    specimen: Specimen,
    reason: ReasonOption,
    test: Test = "",
    by: ByOption = None,
    number: NumberOption = None,
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Refuse results: they are kept and shown, and go nowhere. The LIS is told that the test cannot be obtained, if no other run stands.

    Exit codes: 0 done, 1 refused (not held, no role that may), 2 wrong usage, or the store cannot be written.
    """
    from labmw.lab.validation import reject as script

    settings, tongue, decision, chosen = _meant(config, language, by, reason, specimen, test, number)
    _each("decided-rejected", decide(settings, script(decision, chosen, house_of(settings)), tongue), decision, tongue)


def rerun(
    specimen: Specimen,
    reason: ReasonOption,
    test: Test = "",
    by: ByOption = None,
    number: NumberOption = None,
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Ask for a test once more: an analyzer that is told what to do gets a new order, for any other a task is written down.

    Exit codes: 0 asked for, 1 refused (not held, no role that may), 2 wrong usage, or the store cannot be written.
    """
    from labmw.lab.validation import rerun as script

    settings, tongue, decision, chosen = _meant(config, language, by, reason, specimen, test, number)
    found = decide(settings, script(decision, chosen, house_of(settings, orders=True)), tongue)
    for row, awos in found:
        code = "decided-rerun" if awos else "decided-rerun-by-hand"
        typer.echo(say(code, tongue, awos=awos, analyzer=row.link, **_facts(row, decision)))


def comment(
    specimen: Specimen,
    reason: Annotated[
        str, typer.Option("--reason", "--text", help="The sentence that goes out with the result.", show_default=False)
    ],
    test: Test = "",
    by: ByOption = None,
    number: NumberOption = None,
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Add a sentence to what is held; the LIS gets it with the result, when that leaves.

    Exit codes: 0 done, 1 refused (not held, no role that may), 2 wrong usage, or the store cannot be written.
    """
    from labmw.lab.validation import comment as script

    settings, tongue, decision, chosen = _meant(config, language, by, reason, specimen, test, number)
    _each("decided-comment", decide(settings, script(decision, chosen, house_of(settings)), tongue), decision, tongue)


DECISIONS: Mapping[str, Callable[..., None]] = {
    "release": release,
    "hold": hold,
    "reject": reject,
    "rerun": rerun,
    "comment": comment,
}


def _meant(
    config: ConfigOption,
    language: LanguageOption,
    by: str | None,
    reason: str,
    specimen: str,
    test: str,
    number: int | None,
) -> tuple[Config, Language, Decision, Chosen]:
    from labmw.lab.deciding import Decision
    from labmw.lab.validation import Chosen

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    decision = Decision(settings.site.id, now(), who(by), reason_given(reason, tongue))
    return settings, tongue, decision, Chosen(specimen.strip(), test.strip(), number)


def _each(code: str, rows: list[Row], decision: Decision, tongue: Language) -> None:
    for row in rows:
        typer.echo(say(code, tongue, **_facts(row, decision)))


def _facts(row: Row, decision: Decision) -> dict[str, object]:
    value = f"{row.value} {row.unit_raw}".strip()
    return {"specimen": row.specimen, "test": row.test_name or row.code, "value": value, "by": decision.by}
