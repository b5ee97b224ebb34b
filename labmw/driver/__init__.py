"""What a driver declares, and reading an analyzer's message with it."""

from labmw.driver.declaration import Control, Driver, Evidence, Field, Hl7Driver, Measure, Test, TestId
from labmw.driver.reading import (
    Inventory,
    ObxRead,
    OrderControl,
    OrderRead,
    PatientRead,
    QueryRead,
    Reading,
    ResultRead,
)

__all__ = [
    "Control",
    "Driver",
    "Evidence",
    "Field",
    "Hl7Driver",
    "Inventory",
    "Measure",
    "ObxRead",
    "OrderControl",
    "OrderRead",
    "PatientRead",
    "QueryRead",
    "Reading",
    "ResultRead",
    "Test",
    "TestId",
]
