"""Is the header of a load balancer read as the specification writes it, and anything else refused?"""

from __future__ import annotations

import contextlib
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import ProxyError
from protocols.proxy import FIRST, LONGEST_1, LONGEST_2, Declared, length_2, read_1, read_2, version

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


@pytest.mark.parametrize(
    ("line", "peer"),
    [
        (b"PROXY TCP4 192.0.2.7 192.0.2.1 51234 4102\r\n", "192.0.2.7:51234"),
        (b"PROXY TCP6 2001:db8::7 2001:db8::1 51234 4102\r\n", "2001:db8::7:51234"),
        (b"PROXY UNKNOWN\r\n", ""),
        (b"PROXY UNKNOWN ffff:f... whatever it says\r\n", ""),
    ],
)
def test_lines_of_version_1(line: bytes, peer: str) -> None:
    assert version(line[:FIRST]) == 1
    assert read_1(line).peer == peer


@pytest.mark.parametrize(
    "line",
    [
        b"PROXY TCP4 192.0.2.7 192.0.2.1 51234\r\n",
        b"PROXY TCP4 192.0.2.700 192.0.2.1 51234 4102\r\n",
        b"PROXY TCP4 2001:db8::7 192.0.2.1 51234 4102\r\n",
        b"PROXY TCP6 192.0.2.7 192.0.2.1 51234 4102\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.1 99999 4102\r\n",
        b"PROXY TCP5 192.0.2.7 192.0.2.1 51234 4102\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.1 51234 4102\n",
        b"PROXY UNKNOWN " + b"x" * LONGEST_1 + b"\r\n",
    ],
)
def test_what_is_no_line_is_refused(line: bytes) -> None:
    with pytest.raises(ProxyError):
        read_1(line)


def test_version_2() -> None:
    assert version(SIGNATURE) == 2
    four = bytes((192, 0, 2, 7, 192, 0, 2, 1)) + (51234).to_bytes(2, "big") + (4102).to_bytes(2, "big")
    six = ip_address("2001:db8::7").packed + ip_address("2001:db8::1").packed + four[8:]
    assert read_2(b"\x21\x11\x00\x0c", four).peer == "192.0.2.7:51234"
    assert read_2(b"\x21\x11\x00\x0f", four + b"tlv").peer == "192.0.2.7:51234"
    assert read_2(b"\x21\x21\x00\x24", six).peer == "2001:db8::7:51234"
    assert read_2(b"\x20\x11\x00\x0c", four) == Declared()  # LOCAL: a health check
    assert read_2(b"\x21\x31\x00\x00", b"").peer == ""
    assert length_2(b"\x21\x11\x01\x02") == 258
    for rest in (b"\x11\x11\x00\x0c", b"\x2f\x11\x00\x0c", b"\x21\x11" + (LONGEST_2 + 1).to_bytes(2, "big")):
        with pytest.raises(ProxyError):
            length_2(rest)
    for family in (b"\x11", b"\x21"):
        with pytest.raises(ProxyError):
            read_2(b"\x21" + family + b"\x00\x02", b"xx")


@given(st.binary(min_size=FIRST, max_size=FIRST))
def test_other_first_bytes_begin_no_header(first: bytes) -> None:
    with contextlib.suppress(ProxyError):
        assert version(first) == (2 if first == SIGNATURE else 1)
        assert first == SIGNATURE or first.startswith(b"PROXY ")


@given(st.binary(max_size=120), st.binary(min_size=4, max_size=4), st.binary(max_size=60))
def test_nothing_else_than_a_protocol_error_comes_of_rubbish(line: bytes, rest: bytes, body: bytes) -> None:
    for read in (lambda: read_1(line), lambda: length_2(rest), lambda: read_2(rest, body)):
        with contextlib.suppress(ProxyError):
            read()


@given(st.ip_addresses(), st.integers(0, 65535))
def test_what_a_balancer_writes_is_what_is_read(host: object, port: int) -> None:
    family = "TCP4" if ip_address(str(host)).version == 4 else "TCP6"
    declared = read_1(f"PROXY {family} {host} {host} {port} 4102\r\n".encode())
    assert (ip_address(declared.host), declared.port) == (host, port)
