"""Which codes do the HL7 tables allow, and which fields hold them? For checking, never for refusing what was sent.

Table numbers and codes: HL7 2.5.1 appendix A and the versions named beside a table. Tables that a site may extend are
named in ``USER_DEFINED``.
"""

from __future__ import annotations

TABLES: dict[str, frozenset[str]] = {
    name: frozenset(codes.split())
    for name, codes in {
        "0001": "F M O U A N",
        "0004": "B C E I N O P R U",
        "0008": "AA AE AR CA CE CR",
        "0038": "A CA CM DC ER HD IP RP SC",
        "0065": "A G L O P R S",
        "0078": "< > A AA B D H HH I L LL MS N R S U VS W "  # 2.5.1
        "AC DET EX HX IE IND LU LX ND NEG NR NS POS QCF RR SDD SYN-R SYN-S TOX WR HM HU E EXP OBX UNE NCL",  # to 2.8.2
        "0085": "C D F I N O P R S U W X",
        "0103": "D P T",
        "0104": "2.1 2.2 2.3 2.3.1 2.4 2.5 2.5.1 2.6 2.7 2.7.1 2.8 2.8.1 2.8.2",
        "0105": "L P O A Z",  # A analyzer manager and Z analyzer: LAW
        "0119": "AF CA CH CN CP CR DC DE DF DR FU HD HR LI MC NA NR NW OC OD OE OF OH OK OP OR PA PR PY RE RF RL RO RP RQ RR "
        "RU SC SN SR SS UA UC UD UF UH UM UN UR UX XO XR XX",
        "0123": "O I S A P C R F X Y Z",
        "0125": "AD CE CF CK CN CP CX DT ED FT MO NM PN RP SN ST TM TN TS TX XAD XCN XON XPN XTN "
        "CWE CNE DTM DR EI NA",  # after 2.5.1, and met in LAW
        "0136": "Y N",
        "0155": "AL ER NE SU",
        "0208": "OK NF AE AR",
        "0357": "0 100 101 102 103 200 201 202 203 204 205 206 207",
        "0369": "B C E F G L O P Q R U V",  # U: LAW
        "0383": "CE CW EE EW NE NW OE OK OW QE QW",
        "0384": "CO DI LI LW MR OT PT PW RC SC SR SW",
        "0389": "D F O R",
        "0394": "B R T",
        "0485": "S A R P C T PRN",
        "0490": "EX QS RA RB RC RD RE RH RI RM RN RP RR RS",
        "0516": "E F I W",
        "0936": "QST RSLT SCI",  # 2.8.1
        "0937": "AOE ASC MIR MIRM MNIR SUP SUR UNSP",  # 2.8.2
    }.items()
}

USER_DEFINED = frozenset({"0001", "0004", "0078", "0105", "0369", "0383", "0384", "0389", "0485", "0490", "0104"})
"""Tables that sites and vendors extend: another code is unusual, not wrong."""

IN_FIELD: dict[tuple[str, int], str] = {
    ("MSH", 11): "0103",
    ("MSH", 15): "0155",
    ("MSH", 16): "0155",
    ("MSA", 1): "0008",
    ("ERR", 3): "0357",
    ("ERR", 4): "0516",
    ("QAK", 2): "0208",
    ("PID", 8): "0001",
    ("PV1", 2): "0004",
    ("ORC", 1): "0119",
    ("ORC", 5): "0038",
    ("OBR", 11): "0065",
    ("OBR", 25): "0123",
    ("TQ1", 9): "0485",
    ("OBX", 2): "0125",
    ("OBX", 8): "0078",
    ("OBX", 11): "0085",
    ("OBX", 29): "0936",
    ("OBX", 30): "0937",
    ("SPM", 11): "0369",
    ("SPM", 20): "0136",
    ("SPM", 21): "0490",
    ("INV", 2): "0383",
    ("INV", 3): "0384",
    ("TCD", 8): "0389",
    ("NTE", 2): "0105",
}
"""The table of a field. A coded value that names another coding system than the table's own is not looked up."""

BY_SYSTEM = {f"HL7{number}": number for number in TABLES}
"""The table that a coding system such as HL70369 names, wherever it is named."""
