"""What a partner writes into HPRIM files: its answer to a sub-order, and its results."""

from __future__ import annotations

from protocols.hprim import HprimFile


def accepted(asked: HprimFile, code: str = "OK", why: str = "") -> bytes:
    """The partner's answer to a file of ours."""
    control = asked.values(asked.records[0], 3)[1]
    number = asked.records[2].field(2)
    rows = [
        "H|~^\\&|ANSWER.ACK||SPE||ACK|||LABMW^TEST||P|H2.1^L|20261101080000",
        f"ERR|1|AA|{control}",
        f"OBR|1|{number}|S-1^SPE|{'|' * 6}|{code}",
    ]
    return "\r\n".join([*rows, *([f"C|1|M|{why}"] if why else []), "L|1", ""]).encode("cp1252")


def result(
    asked: HprimFile,
    value: str = "22",
    name: str = "Lefèvre^Zoé",
    encoding: str = "cp1252",
    file: str = "SPE000001.HPR",
) -> bytes:
    number, test = asked.records[2].field(2), asked.records[2].field(4)
    rows = [
        f"H|~^\\&|{file}^R-{file}||SPE||ORU|||LABMW^TEST||P|H2.1^L|20261201080000+0100",
        f"P|1|P1^HOSPITAL|||{name}||19700101|F",
        f"OBR|1|{number}|S-1^SPE|{test}{'|' * 21}F",
        f"OBX|1|NM|{test}||{value}|U/L^U/L^UCUM|10-40||||F|||20261201075000+0100|690999902^Labo spécialisé",
        "C|1|L|Valeur contrôlée",
        "L|1",
    ]
    return "".join(row + "\r\n" for row in rows).encode(encoding)
