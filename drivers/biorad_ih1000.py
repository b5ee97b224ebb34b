"""Bio-Rad IH-1000 and IH-500 immunohaematology analyzers behind IH-Com, LIS02-A2 records: cards well by well, then one line with all findings.

R.3 is ^^^well^profile^card: a well (AntiA, AntiB ...) holds a reaction code such as 40 (not the number 40), a detail of the line named
Result, whose R.4 holds ABO, RhD and further findings in components. What stands in which component depends on the profile: nothing of it is
mapped, and every Result goes to quarantine until the laboratory's own driver file says what its profiles mean. C in R.5 is no unit. Comments
name diluent and card with their lots. Status R is met on wells, S on the whole.

Orders are not declared: IH-Com gets them in a form that we have seen the analyzer send back (profile in O.5.4), not a host write.

Source: the capture below (published by blutspende/go-parser as of IH-Com 5.2), read field by field.
Evidence: capture (corpus:astm/ih-1000/bloodtype_por.astm).
"""

from labmw.driver.declaration import Driver, Evidence, Field, TestId


def split(components: tuple[str, ...]) -> TestId:
    """R.3: ^^^well^profile^card; only the line named Result is one."""
    parts = (*components, *[""] * 6)
    return TestId(code=parts[3], key=f"{parts[4]}/{parts[3]}", analyte=parts[4], main=parts[3] == "Result")


DRIVER = Driver(
    name="biorad-ih1000",
    recognises=r"^Bio-Rad(?:\^IH|$)",
    maker="Bio-Rad",
    models=("IH-1000", "IH-500"),
    evidence=Evidence.CAPTURE,
    completed_or=Field("R", 12),  # R.13 is empty in the capture
    serial=Field("R", 16),
    split=split,
)
