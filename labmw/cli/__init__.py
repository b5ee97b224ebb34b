"""The commands, one file per noun; each is imported only when it is asked for, so that `labmw --help` answers at once."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from labmw.cli.help_page import Told, telling, wrong_usage

# name: what `labmw --help` says of it. The command is the function, or the group `app`, of labmw.cli.<name>.
# Its French, and that of the commands' own help, is in labmw/phrases/help.
COMMANDS = {
    "serve": "Run the daemon: lines, laboratory, delivery and the web side.",
    "check": "Check a configuration, its drivers and rule packs.",
    "status": "Say what is in trouble, and what to do about it.",
    "result": "Show the whole story of a result.",
    "order": "Show what was ordered of which analyzer, and what became of it.",
    "rules": "Check, test, explain and replay rule packs.",
    "mapping": "Check, show and sign the laboratory's own codes, catalogue and units.",
    "qc": "Quality control: materials, targets, how it stands, charts, averages of patients.",
    "link": "Listen to a wire, record it, replay it, follow a line, test one.",
    "lis": "Load the LIS's history, type orders while it is away, compare what both sides hold.",
    "interlab": "Show and steer what goes to other laboratories and comes from them.",
    "task": "Show what a person has to do by hand, and note that it is done.",
    "decode": "Show what captures say, without a daemon or a store.",
    "quarantine": "Show what is in quarantine; assign, replay, discard.",
    "outbox": "Show what has not arrived; send again, hold back.",
    "call": "Show critical values that prescribers have still to be told; document a call.",
    "lookback": "What a lot, calibrator, module, mapping or rule has touched.",
    "alert": "Show critical values nobody has closed; close one.",
    "audit": "Verify the audit's chain; the dossier of a specimen.",
    "store": "Bring the store up to date, check it, back it up, restore it, export it.",
    "retention": "What is kept how long; legal holds, and destruction by a signed plan.",
    "driver": "List the drivers and show what each knows.",
    "hl7": "Check HL7 messages against LAW, LTW or ILW, and show them with field names.",
    "demo": "Play a morning in the laboratory and count the results.",
}


class Commands(TyperGroup):
    """The group `labmw`: knows every command by its line of help, and imports the one that is called."""

    context_class = Told
    words: tuple[str, ...] = ()
    """The command line, where it may say in which language help is wanted."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Read the options that stand before the command."""
        self.words = tuple(args)
        with wrong_usage(self.words):
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: Any) -> Any:
        """Read the command's own words, and run it."""
        with wrong_usage(self.words):
            return super().invoke(ctx)

    def list_commands(self, ctx: Any) -> list[str]:
        """The commands of this installation, in the order in which a laboratory meets them."""
        return [name for name in COMMANDS if find_spec(f"{__name__}.{name}") is not None]

    def get_command(self, ctx: Any, cmd_name: str) -> TyperCommand | None:
        """The line of help of a command."""
        return TyperCommand(cmd_name, short_help=COMMANDS[cmd_name]) if cmd_name in self.list_commands(ctx) else None

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The command that is called, imported now."""
        name, stub, rest = super().resolve_command(ctx, args)
        return name, (load(name) if stub is not None and name else stub), rest


def load(name: str) -> Any:
    """Import one command: its module's group `app`, or the function of its name."""
    from labmw.cli.dashed import taking_dashed

    module = importlib.import_module(f"{__name__}.{name}")
    app = getattr(module, "app", None)
    if not isinstance(app, typer.Typer):
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        app.command(name)(getattr(module, name))
    command = typer.main.get_command(app)
    command.name = name
    return telling(taking_dashed(command))


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"labmw {version('labmw')}")
        raise typer.Exit


def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """Middleware between the analyzers of a medical laboratory and its information system."""


def root() -> typer.Typer:
    """The command `labmw`."""
    app = typer.Typer(
        cls=Commands,
        add_completion=False,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback()(_root)
    return app


def main() -> None:
    """Run the command that was asked for."""
    from labmw.cli.output import written

    app = root()
    with written():
        app()
