"""labmw qc order: have a LAW analyzer measure a control."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from labmw.cli.options import ByOption, ConfigOption, LanguageOption, WhyOption, configuration, fail, language_of
from labmw.cli.qc_words import UNUSABLE, decide, decision
from labmw.phrases import Language, say

if TYPE_CHECKING:
    from labmw.config import Config
    from labmw.lab.law_orders import LawLink

LinkArgument = Annotated[str, typer.Argument(help="The link's name.", show_default=False)]
MaterialArgument = Annotated[str, typer.Argument(help="What analyzers read on the material.", show_default=False)]
TestsArgument = Annotated[
    list[str] | None, typer.Argument(help="LOINC codes; none: all that have a target for it.", show_default=False)
]


def order(
    analyzer: LinkArgument,
    material: MaterialArgument,
    why: WhyOption,
    tests: TestsArgument = None,
    by: ByOption = None,
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Order a control of an IHE LAW analyzer: told at once where it keeps a worklist, else when it asks about the tube.

    Exit codes: 0 ordered, 1 it cannot be ordered, and nothing was; 2 wrong usage, or the store cannot be written.
    """
    from labmw.lab.qc_orders import order_control

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    link = _link(settings, analyzer.strip(), tongue)
    named = material.strip()
    wanted = [test.strip() for test in tests or []]
    ordered = decide(settings, order_control(decision(settings, why, by, tongue), link, named, wanted), tongue)
    how = say("qc-ordered-told" if ordered.told else "qc-ordered-asked", tongue, material=named)
    names = ", ".join(name for _, name in ordered.tests)
    typer.echo(say("qc-ordered", tongue, material=named, analyzer=link.name, tests=names, how=how))


def _link(settings: Config, name: str, tongue: Language) -> LawLink:
    from pathlib import Path

    from labmw.clock import SYSTEM
    from labmw.errors import DriverError
    from labmw.fitting.work_links import law_link
    from labmw.line.registry import Registry
    from labmw.mapping.site import find

    law = {link.name: link for link in settings.link if link.protocol == "law"}
    if name not in law:
        fail(say("qc-order-no-link", tongue, analyzer=name, known=", ".join(law) or "-"), UNUSABLE)
    registry = Registry.find([Path(settings.drivers.folder)] if settings.drivers.folder else [])
    mapped = find(settings.mapping.folder, settings.mapping.signatures)
    try:
        driver = mapped.driver(registry.named(law[name].driver), name, SYSTEM.now())
        return law_link(law[name], driver, settings)
    except DriverError as problem:
        fail(str(problem), UNUSABLE)
