"""Cepheid GeneXpert molecular analyzers, LIS02-A2 with the delimiters @^\\ : words in R.4.1, numbers in R.4.2.

One R record with status F per assay or target is the result; the others are details: target words, Ct, end points, the logarithm. The
number format follows the language of the software: a decimal point in English, a decimal comma in French, never a grouping mark
(range "40.00 to 10000000.00" and "40,00 to 10000000,00"), at most two decimals: so 60,96 is a number here and 161,152 is not. The
character set follows it too (UTF-8 or Latin-1 in the captures). The logarithm carries the linear unit in R.5, and is not in it.
Tests are found by the assay's name (R.3.5) and target (R.3.7): the code in R.3.4 is each laboratory's own.

An order is answered to a query only: one that nobody asked for is rejected. One O record per test, A in O.12 for new, ORH in O.16, the host test code in
O.5.4. That code is each laboratory's own ("Define Test Code"): what to order is said in the laboratory's own driver file (`codes`). No work is
L|1|I; after 60 s the analyzer takes silence for that.

Source: the captures below; Cepheid 302-7279 (6.1.1 to 6.3.1) and 303-0251, whose example messages are in the corpus.
Evidence: capture (corpus:astm/genexpert/fr-vl-60-96-latin1.astm, corpus:astm/genexpert/fr-vl-erreur-utf8.astm, corpus:astm/genexpert/qual-detected.astm, corpus:astm/genexpert-docs/hivvl-quantified.astm, corpus:astm/genexpert-docs/302-7279-6.1.1.1.astm).
"""

from labmw.driver.declaration import STANDARD_FLAGS, Driver, Evidence, Field, Test, TestId
from labmw.driver.ordering import OrderDialect
from labmw.quantity import NumberFormat

_ORDERS = "Cepheid 301-2002 revision E (December 2014), order download, as restated field by field in public"


def split(components: tuple[str, ...]) -> TestId:
    """R.3: ^panel^^code^assay^version^target^detail; a test ordered as one with several targets has its code in the second component."""
    parts = (*components, *[""] * 8)
    assay, target, detail = parts[4], parts[6], parts[7]
    code = parts[3] or parts[1]
    key = f"{assay}/{target}" if assay and target else assay
    return TestId(code=code, key=key or "-", detail=detail, analyte=target, assay=assay)


def is_main(test: TestId, status: str) -> bool:
    """The reportable records are those with a status, except the logarithm beside a viral load."""
    return status == "F" and not test.detail


_FOUND = ("DETECTED", "NOT DETECTED")
_POSITIVE = ("POSITIVE", "NEGATIVE")


def _targets(assay: str) -> dict[str, Test]:
    """The targets of the respiratory panels (LOINC: presence of RNA in a respiratory specimen by NAA)."""
    return {
        f"{assay}/SARS-CoV-2": Test("94500-6", name="SARS-CoV-2 ARN", text=True, values=_POSITIVE),
        f"{assay}/Flu A": Test("92142-9", name="Grippe A ARN", text=True, values=_POSITIVE),
        f"{assay}/Flu B": Test("92141-1", name="Grippe B ARN", text=True, values=_POSITIVE),
        f"{assay}/RSV": Test("92131-2", name="VRS ARN", text=True, values=_POSITIVE),
    }


_VIRAL_LOAD = Test("20447-9", "{copies}/mL", name="VIH-1 charge virale", values=_FOUND)

DRIVER = Driver(
    name="cepheid-genexpert",
    recognises=r"\^GeneXpert\^",
    maker="Cepheid",
    models=("GeneXpert Dx", "GeneXpert Infinity", "GeneXpert Xpress"),
    evidence=Evidence.CAPTURE,
    value=Field("R", 4, 1),
    value_or=Field("R", 4, 2),
    serial=Field("R", 14, 2),
    software=Field("H", 5, 3),
    split=split,
    main=is_main,
    orders=OrderDialect(
        header={3: "{message}", 5: "{host}", 10: "{analyzer}", 12: "P", 13: "{version}", 14: "{now}"},
        patient={5: "{patient}", 6: "{family}^{given}", 8: "{birth}", 9: "{sex}"},
        order={
            3: "{specimen}",
            5: "^^^{code}",
            6: "{priority}",
            7: "{ordered}",
            12: "{action}",
            16: "ORH",
            26: "{report}",
        },
        tests="records",
        codes={},
        new="A",
        cancel="",
        unable="",
        unasked="",
        priorities={"S": "S", "R": "R"},
        patience=60.0,
        keeps_worklist=False,
        sources={
            "H.3 P.5 O.3 O.5 O.6 O.7 O.16": _ORDERS,
            "O.12 O.26 L.3": _ORDERS,
            "tests": f"{_ORDERS}: two tests of a specimen are O|1 and O|2; other host programs agree",
        },
    ),
    numbers=NumberFormat(decimal=".,", decimals=2),
    encodings=("utf-8",),
    flags={**STANDARD_FLAGS},
    no_value=frozenset(
        {
            "ERROR",
            "INVALID",
            "NO RESULT",
            "NO RESULT - REPEAT TEST",
            "ERREUR",
            "PAS DE RÉSULTAT",
        }  # words of the captures
    ),
    details={"LOG": {"{copies}/mL": "{Log_copies}/mL", "[IU]/mL": "{Log_IU}/mL"}},
    tests={
        "Xpert HIV-1 Viral Load XC": _VIRAL_LOAD,
        "Xpert_HIV-1 Viral Load": _VIRAL_LOAD,
        "Xpert_HIV-1 Qual/HIV-1": Test("5017-9", name="VIH-1 ARN", text=True, values=_FOUND),
        **_targets("Xpress SARS-CoV-2_Flu_RSV plus"),
        **_targets("Xpress SARS-CoV-2_Flu plus"),
        "Xpress SARS-CoV-2 plus": Test("94500-6", name="SARS-CoV-2 ARN", text=True, values=_POSITIVE),
    },
)
