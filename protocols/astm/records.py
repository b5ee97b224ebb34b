"""What is each field of each record type called, and what do its codes mean?

Numbers count the record letter as field 1. CLAUSES + the field number is the clause of LIS02-A2: R.4 is §9.4, O.12 is
§8.4.12.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

CLAUSES: Final[Mapping[str, str]] = MappingProxyType(
    {"H": "6.", "P": "7.", "O": "8.4.", "R": "9.", "C": "10.", "Q": "11.", "L": "12.", "S": "13.", "M": "14."}
)

LEVELS: Final[Mapping[str, int]] = MappingProxyType({"H": 0, "L": 0, "P": 1, "Q": 1, "S": 1, "O": 2, "R": 3})
"""Place in the hierarchy (LIS02-A2 §4.1); C and M have none of their own, they belong to the record before them."""


def _numbered(names: str) -> Mapping[int, str]:
    return MappingProxyType(dict(enumerate(names.split(), 1)))


FIELDS: Final[Mapping[str, Mapping[int, str]]] = MappingProxyType(
    {
        "H": _numbered(
            "type delimiters message_id password sender sender_address reserved sender_telephone sender_characteristics "
            "receiver comment processing_id version datetime"
        ),
        "P": _numbered(
            "type sequence practice_id laboratory_id id3 name mother_maiden_name birth_date sex race address reserved "
            "telephone physician special1 special2 height weight diagnosis medications diet practice1 practice2 "
            "admission_discharge admission_status location diagnostic_code_nature diagnostic_code religion "
            "marital_status isolation_status language hospital_service hospital_institution dosage_category"
        ),
        "O": _numbered(
            "type sequence specimen_id instrument_specimen_id test_id priority requested collected collection_end volume "
            "collector action danger clinical_information received specimen_descriptor physician physician_telephone "
            "user1 user2 laboratory1 laboratory2 reported charge section report_type reserved collection_location "
            "nosocomial_flag specimen_service specimen_institution"
        ),
        "R": _numbered(
            "type sequence test_id value units reference_range flags abnormality_nature status norms_changed operator "
            "started completed instrument"
        ),
        "C": _numbered("type sequence source text comment_type"),
        "Q": _numbered(
            "type sequence start_id end_id test_id time_limit_nature begin end physician physician_telephone user1 user2 status"
        ),
        "L": _numbered("type sequence termination"),
        "S": _numbered(
            "type sequence method instrumentation reagents units quality_control specimen_descriptor reserved container "
            "specimen_id analyte result result_units collected resulted preprocessing diagnosis birth_date sex race"
        ),
        "M": _numbered("type sequence"),
    }
)


def clause(type: str, number: int) -> str:
    """Where LIS02-A2 defines a field, such as 9.4 for R and 4."""
    return f"{CLAUSES[type]}{number}"


def _codes(table: str) -> Mapping[str, str]:
    return MappingProxyType(dict(line.strip().split(" ", 1) for line in table.strip().splitlines()))


PROCESSING: Final = _codes("""
    P production
    T training
    D debugging
    Q quality control""")
"""H.12, §6.12."""

PRIORITIES: Final = _codes("""
    S stat
    A as soon as possible
    R routine
    C callback
    P preoperative""")
"""O.6, §8.4.6; repeatable."""

ACTIONS: Final = _codes("""
    C cancel
    A add to an existing specimen
    N new, with a new specimen
    P pending specimen
    L reserved
    X in process
    Q quality control specimen""")
"""O.12, §8.4.12."""

REPORT_TYPES: Final = _codes("""
    O order
    C correction
    P preliminary
    F final
    X cannot be done
    I pending in the instrument
    Y no order on record
    Z no record of this patient
    Q answer to a query""")
"""O.26, §8.4.26."""

FLAGS: Final = _codes("""
    L low
    H high
    LL panic low
    HH panic high
    < below the scale
    > above the scale
    N normal
    A abnormal
    U significant change up
    D significant change down
    B better
    W worse""")
"""R.7, §9.7."""

RESULT_STATUS: Final = _codes("""
    C correction
    P preliminary
    F final
    X cannot be done
    I pending in the instrument
    S partial
    M MIC level
    R previously transmitted
    N information for a new order
    Q answer to a query
    V verified by operator
    W validity questionable""")
"""R.9, §9.9. R means previously transmitted, which is not HL7's R (entered, not verified)."""

COMMENT_SOURCES: Final = _codes("""
    P practice
    L information system
    I instrument""")
"""C.3, §10.3."""

COMMENT_TYPES: Final = _codes("""
    G generic
    T result name
    P positive result
    N negative result
    I instrument flag""")
"""C.5, §10.5."""

QUERY_STATUS: Final = _codes("""
    C correction
    P preliminary
    F final
    X cannot be done, request cancelled
    I pending in the instrument
    S partial
    M MIC level
    R previously transmitted
    A abort the last request
    N new or edited only
    O orders and demographics only
    D demographics only""")
"""Q.13, §11.13."""

TERMINATIONS: Final = _codes("""
    N normal
    T sender aborted
    R receiver asked for abort
    E system error
    Q error in the last request
    I no information for the last query
    F last request processed""")
"""L.3, §12.3; empty is normal."""
