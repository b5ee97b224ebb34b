"""What a driver declares, and reading an analyzer's message with it."""

from labmw.driver.declaration import Control, Driver, Evidence, Field, Test, TestId
from labmw.driver.reading import OrderRead, PatientRead, QueryRead, Reading, ResultRead

__all__ = [
    "Control",
    "Driver",
    "Evidence",
    "Field",
    "OrderRead",
    "PatientRead",
    "QueryRead",
    "Reading",
    "ResultRead",
    "Test",
    "TestId",
]
