"""Which driver reads this sender? Drivers are found by path, one value named DRIVER per file, and chosen by the header (law 8)."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType

import drivers
from labmw.driver.check import faults
from labmw.driver.declaration import Driver
from labmw.driver.plain import sender_of
from labmw.errors import DriverError
from protocols.astm.message import Message as AstmMessage
from protocols.hl7.er7 import Message as Hl7Message
from protocols.plain.message import NAMES as PLAIN
from protocols.plain.message import PlainMessage

SHIPPED = Path(drivers.__file__).parent


def reads(driver: Driver, content: str) -> bool:
    """Whether a driver reads what a link carries; any-plain keeps the texts of every plain link."""
    return driver.protocol == content or (driver.name == "any-plain" and content in PLAIN)


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Several drivers claim one sender: nobody chooses for the laboratory."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Registry:
    """The drivers of this installation. `broken` are the files that cannot be used, `replaced` the shipped ones that a site file replaces."""

    drivers: dict[str, Driver] = field(default_factory=dict)
    broken: dict[str, DriverError] = field(default_factory=dict)
    replaced: dict[str, str] = field(default_factory=dict)  # name: the file used in place of the shipped one

    @staticmethod
    def find(folders: Iterable[Path | str] = (), *, shipped: bool = True) -> Registry:
        """Load every driver file of these folders, in their order: a later file of the same name replaces an earlier one.

        A file that cannot be used stops its analyzer alone: it is in `broken`, with a sentence saying why.
        """
        found: dict[str, Driver] = {}
        broken: dict[str, DriverError] = {}
        replaced: dict[str, str] = {}
        for folder in ([SHIPPED] if shipped else []) + [Path(one) for one in folders]:
            within: dict[str, str] = {}
            for path in _files(folder, broken):
                try:
                    driver = load(path)
                except DriverError as error:
                    broken[str(path)] = error
                    continue
                if driver.name in within:
                    broken[str(path)] = DriverError(
                        f"{path}: the name {driver.name!r} is used by {within[driver.name]} too; give each driver its own name"
                    )
                    continue
                within[driver.name] = str(path)
                if driver.name in found:
                    replaced[driver.name] = str(path)
                found[driver.name] = driver
        return Registry(found, broken, replaced)

    def named(self, name: str) -> Driver:
        """The driver of this name; raises DriverError naming those there are."""
        driver = self.drivers.get(name)
        if driver is None:
            raise DriverError(f"there is no driver {name!r}; use one of {', '.join(sorted(self.drivers))}")
        return driver

    def recognise(self, sender: str, protocol: str = "astm") -> Driver | Ambiguous | None:
        """The one driver that claims this sender, Ambiguous when several do, None when nobody does."""
        claims = [
            driver
            for driver in self.drivers.values()
            if driver.protocol == protocol and driver.recognises and sender and re.search(driver.recognises, sender)
        ]
        if len(claims) > 1:
            return Ambiguous(tuple(sorted(driver.name for driver in claims)))
        return claims[0] if claims else None

    def recognise_message(self, message: AstmMessage) -> Driver | Ambiguous | None:
        """The driver that the header of a message names; a header that cannot be split names nobody."""
        header = message.header if message.fault is None else None
        return self.recognise(header.field(5)) if header else None

    def recognise_hl7(self, message: Hl7Message) -> Driver | Ambiguous | None:
        """The driver that MSH-3 and MSH-4 name."""
        return self.recognise(f"{message.header.field(3)}|{message.header.field(4)}", "hl7")

    def recognise_plain(self, message: PlainMessage) -> Driver | Ambiguous | None:
        """The driver that the tags or fields of a message name; no other plain link says who sends."""
        return self.recognise(sender_of(message), message.protocol)

    def reader(self, found: Driver | Ambiguous | None, protocol: str = "astm") -> Driver:
        """The driver to read with: the one found, or the one that reads as sent and quarantines everything.

        So too for a driver of the other protocol, which a link may name by mistake: what it knows of places would be read wrongly.
        """
        if isinstance(found, Driver) and found.protocol == protocol:
            return found
        driver = self.named("any-plain" if protocol in PLAIN else f"any-{protocol}")
        return replace(driver, rivals=found.names) if isinstance(found, Ambiguous) else driver


def load(path: Path) -> Driver:
    """Load one driver file by its path; raises DriverError with a sentence saying what is wrong with it."""
    try:
        source = path.read_bytes()
    except OSError as error:
        raise DriverError(f"{path}: cannot be read ({error.strerror}); check its permissions") from None
    module = _run(path)
    driver = getattr(module, "DRIVER", None)
    if not isinstance(driver, Driver):
        raise DriverError(f"{path}: defines no value DRIVER of type Driver; see drivers/README.md")
    others = [name for name, value in vars(module).items() if isinstance(value, Driver) and value is not driver]
    if others:
        raise DriverError(f"{path}: holds a second driver, {others[0]}; one file is one family")
    try:
        wrong = faults(driver, module.__doc__ or "")
    except Exception as error:
        raise DriverError(
            f"{path}: its value cannot be checked ({type(error).__name__}: {error}); see drivers/README.md"
        ) from None
    if wrong:
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise DriverError(f"{path}: {wrong[0]}{more}")
    return replace(driver, file=str(path), mapping_version=hashlib.sha256(source).hexdigest()[:12])


def _files(folder: Path, broken: dict[str, DriverError]) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.suffix == ".py" and not path.name.startswith("_"))
    except OSError as error:
        broken[str(folder)] = DriverError(
            f"{folder}: cannot be listed ({error.strerror}); correct [drivers] folder in the configuration"
        )
        return []


def _run(path: Path) -> ModuleType:
    """Run a driver file under a name of its own, so that a site file never shadows a module."""
    name = f"labmw_driver_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise DriverError(f"{path}: is not a Python file; see drivers/README.md")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up by name
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # whatever a file of the laboratory does wrong stops that file alone
        line = _line_of(error, path)
        raise DriverError(
            f"{path}{line}: {type(error).__name__}: {error}; mend the file, or take it out of the folder"
        ) from None
    finally:
        sys.modules.pop(name, None)
    return module


def _line_of(error: BaseException, path: Path) -> str:
    if isinstance(error, SyntaxError) and error.lineno:
        return f":{error.lineno}"
    trace, line = error.__traceback__, ""
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = f":{trace.tb_lineno}"
        trace = trace.tb_next
    return line
