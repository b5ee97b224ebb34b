"""The configuration refuses to be misunderstood: each error names file, key and remedy."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from labmw.config import Config, address, load
from labmw.errors import ConfigError

GOOD = """
[site]
id = "LAB1"
[[link]]
name = "xn"
listen = "127.0.0.1:4001"
[lis]
connect = "127.0.0.1:2575"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "labmw.toml"
    path.write_text(text, encoding="utf-8")
    return path


def refused(folder: Path, text: str) -> ConfigError:
    path = write(folder, text)
    with pytest.raises(ConfigError) as caught:
        load(path)
    error = caught.value
    assert error.file == str(path)
    assert error.remedy
    assert str(error) == f"{error.file}: {error.key}: {error.problem}; {error.remedy}"
    return error


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    config = load(write(tmp_path, GOOD))
    assert (config.site.id, config.site.timezone, config.site.language) == ("LAB1", "Europe/Paris", "fr")
    assert (config.store.commit_timeout, config.store.group) == (10.0, 50)
    assert (config.link[0].driver, config.link[0].protocol, config.link[0].connections) == ("auto", "astm", 4)
    assert config.limits == Config(site=config.site).limits


def test_relative_paths_start_at_the_file_and_shipped_packs_stay_names(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    config = load(
        write(
            tmp_path,
            GOOD
            + """
[store]
url = "sqlite:///data/labmw.db"
[rules]
packs = ["chemistry", "own", "sub/other"]
signatures = "signatures.toml"
[drivers]
folder = "drivers"
""",
        )
    )
    assert config.store.url == f"sqlite:///{tmp_path}/data/labmw.db"
    assert config.rules.packs == ["chemistry", f"{tmp_path}/own", f"{tmp_path}/sub/other"]
    assert config.rules.signatures == f"{tmp_path}/signatures.toml"
    assert config.drivers.folder == f"{tmp_path}/drivers"


@pytest.mark.parametrize("url", ["sqlite:////var/lib/labmw.db", "postgresql+asyncpg://host/labmw"])
def test_an_absolute_address_stays_as_it_is(url: str, tmp_path: Path) -> None:
    assert load(write(tmp_path, GOOD + f'[store]\nurl = "{url}"\n')).store.url == url


@pytest.mark.parametrize(
    ("change", "key", "problem"),
    [
        ("", "", None),
        ('[[link]]\nname = "two"\nlisten = "127.0.0.1:2"\nprotocol = "hl7"\nacknowledge = "both"\nbatch_reply = true', "", None),
        ('[[link]]\nname = "two"\nlisten = "127.0.0.1:2"\nacknowledge = "both"', "link[1] (two).acknowledge", "is HL7's"),
        ('[[link]]\nname = "two"\nlisten = "127.0.0.1:2"\nbatch_reply = true', "link[1] (two).batch_reply", "is HL7's"),
        ('[[link]]\nname = "two"\nlisten = "127.0.0.1:4002"\nconnect = "10.0.0.1:1"', "link[1] (two)", "listen and connect"),
        ('[[link]]\nname = "two"', "link[1] (two)", "no wire"),
        ('[[link]]\nname = "two"\nlisten = "127.0.0.1:2"\ntube = { pad = "0", length = 12, check = "luhn" }', "", None),
        ('[[link]]\nname = "two"\nlisten = "127.0.0.1:2"\ntube = { pad = "0" }', "link[1] (two).tube", "both or neither"),
        ('[[link]]\nname = "two"\nlisten = "127.0.0.1:2"\ntube = { }', "link[1] (two).tube", "says nothing"),
        ('[[link]]\nname = "two"\nlisten = "127.0.0.1:2"\ntube = { check = "mod7" }', "link[1].tube.check", "mod7"),
        ('[[link]]\nname = "two"\nlisten = "127.0.0.1:2"\nprotocol = "hl7"\ntube = { check = "luhn" }', "link[1] (two).tube", "of no use"),
        ('[[link]]\nname = "xn"\nlisten = "127.0.0.1:4002"', "link[1] (xn).name", "link[0]"),
        ('[[link]]\nname = " "\nlisten = "127.0.0.1:4002"', "link[1] ( ).name", "empty"),
        ('[[link]]\nname = "two"\nlisten = "127.0.0.1:4001"', "link[1] (two)", "used by link[0]"),
        ('[[link]]\nname = "LIS"\nlisten = "127.0.0.1:4002"', "lis.name", "is the name of a link"),
        ('dialect = "esperanto"', "lis.dialect", "no dialect"),
        ('listen = "2576"', "lis.listen", "is not host:port"),
        ('listen = "127.0.0.1:4001"', "lis.listen", "used by a link"),
        ('listen = "127.0.0.1:2576"\nprotocol = "astm"', "lis.listen", "of no use"),
        ('encoding = "utf-9"', "lis.encoding", "character set"),
        ('encoding = "utf-16"', "lis.encoding", "does not contain ASCII"),
        ('allow = ["ward"]', "lis.allow", "'ward' is not an address"),
        ('tests = { ALAT = "alat" }', "lis.tests.ALAT", "not a LOINC code"),
        ('tests = { B = [] }', "lis.tests.B", "not a LOINC code"),
        ('query_patience = 60.0', "lis.query_patience", "out of bounds"),
        ('window_days = 0', "lis.window_days", "out of bounds"),
        ('[[link]]\nname = "two"\nlisten = "4002"', "link[1] (two).listen", "is not host:port"),
        ('[[link]]\nname = "two"\nlisten = "127.0.0.1:99999"', "link[1] (two).listen", "is not host:port"),
        ('[[link]]\nname = "two"\nlisten = "127.0.0.1:4002"\ntimezone = "Paris"', "link[1] (two).timezone", "time zone"),
        ('[[link]]\nname = "two"\nlisten = "127.0.0.1:4002"\nencoding = "utf-9"', "link[1] (two).encoding", "character set"),
        ('[[link]]\nname = "two"\nlisten = "127.0.0.1:4002"\nprotocol = "hl7"\ntolerances = { checksum = "none" }', "link[1] (two).tolerances", "of no use"),
        ('[[link]]\nname = "two"\nlisten = "127.0.0.1:4002"\nallow = ["lab"]', "link[1] (two).allow", "'lab' is not an address"),
        ('[[link]]\nname = "two"\nlisten = "127.0.0.1:4002"\nconnections = 0', "link[1] (two).connections", "out of bounds"),
        ('[[link]]\nname = "two"\nlisten = "127.0.0.1:4002"\nconnections = 1001', "link[1] (two).connections", "out of bounds"),
        ('[[link]]\nname = "two"\nlisten = "127.0.0.1:4002"\nidle_timeout = -1.0', "link[1] (two).idle_timeout", "out of bounds"),
        ('[[link]]\nname = "two"\nserial = { device = "/dev/x", bits = 9 }', "link[1].serial.bits", "9"),
        ('[[link]]\nname = "two"\nserial = { device = "/dev/x", baud = 0 }', "link[1] (two).serial.baud", "out of bounds"),
        ('[[link]]\nname = "two"\nserial = { }', "link[1].serial", "device"),
        ('[[link]]\nname = "two"\nlisten = "127.0.0.1:4002"\nprotocol = "poct"', "link[1].protocol", "poct"),
        ('[[link]]\nname = "two"\nlisten = "127.0.0.1:4002"\nlisen = "x"', "link[1]", "`lisen`"),
        ('[[rules.mode]]\nname = "on call"\nbegins = "20:00"\nends = "07:30"', "rules.mode[0] (on call).name", "is no name"),
        ('[[rules.mode]]\nname = "night"\nbegins = "24:00"\nends = "07:30"', "rules.mode[0] (night).begins", "no time of day"),
        ('[[rules.mode]]\nname = "night"\nbegins = "20:00"\nends = "20:00"', "rules.mode[0] (night).ends", "when it begins"),
        ('[[rules.mode]]\nname = "night"\nbegins = "20:00"\nends = "07:30"\ndays = ["Monday"]', "rules.mode[0].days[0]", "Monday"),
        ('[rules]\ncall_hours = 1000.0', "rules.call_hours", "out of bounds"),
        ('[roles.chief]\nmay = ["everything"]', "roles[...].may[0]", "everything"),
        ('[stroe]\nurl = ""', "stroe", "`stroe`"),
        ("[store]\ncommit_timeout = 15.0", "store.commit_timeout", "out of bounds"),
        ("[store]\ncommit_timeout = nan", "store.commit_timeout", "out of bounds"),
        ("[store]\nqueue = 0", "store.queue", "out of bounds"),
        ("[store]\ngroup = 0", "store.group", "out of bounds"),
        ("[web]\nport = 70000", "web.port", "out of bounds"),
        ('[web]\nport = "8321"', "web.port", "Expected `int`"),
        ("[limits]\nconnections = 0", "limits.connections", "out of bounds"),
        ("[limits]\nmessage_bytes = 10", "limits.message_bytes", "out of bounds"),
    ],
)  # fmt: skip
def test_each_mistake_is_named_with_its_key(change: str, key: str, problem: str | None, tmp_path: Path) -> None:
    if problem is None:
        load(write(tmp_path, GOOD + change))
        return
    error = refused(tmp_path, GOOD + change)
    assert (error.key, problem in error.problem) == (key, True), str(error)


def test_what_may_be_a_password_is_not_repeated(tmp_path: Path) -> None:
    error = refused(tmp_path, GOOD.replace('connect = "', 'connect = "mllp://labmw:s3cret@', 1).replace(':2575"', '"'))
    assert (error.key, "s3cret" in str(error), "***@" in str(error)) == ("lis.connect", False, True)


def test_labmw_does_not_send_to_itself(tmp_path: Path) -> None:
    error = refused(tmp_path, GOOD + 'listen = "127.0.0.1:2575"')
    assert (error.key, error.problem) == ("lis.connect", "127.0.0.1:2575 is a port of labmw itself")


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ("retry_base = 0.0", "lis.retry_base"),
        ("retry_factor = 0.5", "lis.retry_factor"),
        ("retry_cap = 1.0", "lis.retry_cap"),
        ("retry_jitter = 1.0", "lis.retry_jitter"),
        ("ack_timeout = 0", "lis.ack_timeout"),
        ("attempts = 0", "lis.attempts"),
        ('connect = "lis"', "lis.connect"),
    ],
)
def test_numbers_that_would_make_delivery_spin_or_wait_for_ever_are_refused(
    change: str, key: str, tmp_path: Path
) -> None:
    text = GOOD if not change.startswith("connect") else GOOD.replace('connect = "127.0.0.1:2575"', "")
    assert refused(tmp_path, text + change).key == key


@pytest.mark.parametrize(
    ("text", "key", "problem"),
    [
        ("[site]\nid = 'two words'", "site.id", "not an identifier"),
        ("[site]\nid = ''", "site.id", "not an identifier"),
        ("[site]\nid = 'A'\ntimezone = 'Mars/Olympus'", "site.timezone", "time zone"),
        ("[site]\nid = 'A'\ntimezone = '../etc'", "site.timezone", "time zone"),
        ("[site]\nid = 'A'\nlanguage = 'de'", "site.language", "'de'"),
        ("[site]\nname = 'A'", "site", "`id`"),
        ("", "site", "`site`"),
    ],
)
def test_a_site_must_be_named(text: str, key: str, problem: str, tmp_path: Path) -> None:
    error = refused(tmp_path, text)
    assert error.key == key
    assert problem in error.problem


def test_what_is_no_configuration_at_all(tmp_path: Path) -> None:
    for path, problem in (
        (tmp_path / "missing.toml", "there is no such file"),
        (tmp_path, "cannot be read"),
        (write(tmp_path, "[site"), "is not TOML"),
    ):
        with pytest.raises(ConfigError, match=problem):
            load(path)
    (tmp_path / "latin.toml").write_bytes("[site]\nname = 'é'".encode("latin-1"))
    with pytest.raises(ConfigError, match="UTF-8"):
        load(tmp_path / "latin.toml")


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("127.0.0.1:4001", "127.0.0.1", 4001), ("[::1]:4001", "::1", 4001), ("lis.lab:0", "lis.lab", 0)],
)
def test_an_address_is_a_host_and_a_port(text: str, host: str, port: int) -> None:
    assert address("f", "k", text) == (host, port)


@pytest.mark.parametrize(
    "text", ["", "4001", ":4001", "host", "host:", "host:port", "host:-1", "host:65536", "host:４００１"]
)
def test_what_is_no_address_says_how_to_write_one(text: str) -> None:
    with pytest.raises(ConfigError, match=re.escape('write it like "127.0.0.1:4001"')):
        address("f", "k", text)


def test_the_example_is_what_it_claims(tmp_path: Path) -> None:
    example = Path(__file__).parents[3] / "deploy" / "labmw.toml"
    config = load(example)
    assert config.link


# --- TLS -------------------------------------------------------------------------------------------------------------------


def test_paths_of_tls_start_at_the_file(tmp_path: Path) -> None:
    secured = GOOD.replace(
        '[lis]', 'tls = { certificate = "tls/c.pem", key = "/etc/k.pem", trusted = "ca.pem" }\n[lis]\ntls = { trusted = "ca.pem" }'
    )  # fmt: skip
    config = load(write(tmp_path, secured))
    tls = config.link[0].tls
    assert tls is not None
    assert (tls.certificate, tls.key, tls.trusted) == (f"{tmp_path}/tls/c.pem", "/etc/k.pem", f"{tmp_path}/ca.pem")
    assert config.lis is not None
    assert config.lis.tls is not None
    assert (config.lis.tls.trusted, config.lis.tls.certificate) == (f"{tmp_path}/ca.pem", "")
    plain = load(write(tmp_path, GOOD))
    assert (plain.link[0].tls, plain.lis.tls if plain.lis else 1) == (None, None)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (GOOD.replace("[lis]", 'tls = { trusted = "ca.pem" }\n[lis]'), "link[0] (xn).tls.certificate"),
        (GOOD.replace("[lis]", 'tls = { certificate = "c.pem" }\n[lis]'), "link[0] (xn).tls.trusted"),
        (GOOD + "tls = {}\n", "lis.tls.trusted"),
        (GOOD.replace("[lis]", 'driver = "law"\nprotocol = "law"\norders = "127.0.0.1:1"\ntls = { certificate = "c.pem", mutual = false }\n[lis]'), "link[0] (xn).tls.trusted"),
        (GOOD.replace('listen = "127.0.0.1:4001"', 'serial = { device = "/dev/x" }\ntls = { trusted = "ca.pem" }'), "link[0] (xn).tls"),
        (GOOD + 'tls = { trusted = "ca.pem", verify = false }\n', "lis.tls"),
        (GOOD + 'tls = { trusted = "ca.pem", minimum = "1.1" }\n', "lis.tls.minimum"),
    ],
)  # fmt: skip
def test_tls_that_cannot_work_is_refused(text: str, key: str, tmp_path: Path) -> None:
    assert refused(tmp_path, text).key == key
