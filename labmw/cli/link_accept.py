"""labmw link accept: who has compared the analyzer that a line has now?"""

from __future__ import annotations

from typing import Annotated

import typer

from labmw.cli.house import require
from labmw.cli.options import ByOption, ConfigOption, LanguageOption, configuration, fail, language_of
from labmw.cli.writing import UNUSABLE, look, now, reason_given, who, write
from labmw.phrases import say

NOTHING = 1


def accept(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A link of the configuration.", show_default=False)],
    reason: Annotated[
        str, typer.Option("--reason", help="How it was compared; it goes into the audit.", show_default=False)
    ],
    by: ByOption = None,
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Accept the serial number or software version that the analyzer of a line gives now: until then nothing of it is released by itself.

    Exit codes: 0 accepted, 1 nothing waits on this line, or no role that may, 2 wrong usage, or the store cannot be written.
    """
    from labmw.lab import sameness
    from labmw.store.statements import analyzers
    from labmw.store.transaction import ask

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    names = [link.name for link in settings.link]
    if name not in names:
        fail(say("link-test-unknown", tongue, link=name, names=", ".join(names) or "-"), UNUSABLE)
    why = reason_given(reason, tongue)
    site, person = settings.site.id, who(by)
    require(settings, person, "accept", tongue)
    if not look(settings, lambda: ask(analyzers.waiting_on(site, name)), tongue):
        fail(say("accept-none", tongue, link=name), NOTHING)
    [accepted] = write(settings, sameness.accept(site, name, at=now(), by=person, why=why), tongue=tongue)
    for row in accepted:
        one = sameness.Identity(row.link, row.serial, row.software)
        typer.echo(say("accept-done", tongue, link=name, now=one, by=person))
