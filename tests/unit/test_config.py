"""The configuration: what is understood, what is refused, and how mistakes are told."""

from __future__ import annotations

import dataclasses
import re
import shutil
import ssl
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import event, example, given
from hypothesis import strategies as st

from pprofwatch.config.addresses import parse_address
from pprofwatch.config.document import find_lines, quote
from pprofwatch.config.kinds import format_size, parse_size
from pprofwatch.config.load import Loaded, default_paths, load
from pprofwatch.config.options import OPTIONS
from pprofwatch.config.requests import PROFILES, format_spec, make_requests, parse_spec
from pprofwatch.config.settings import Secret, TargetConfig
from pprofwatch.config.show import show_config
from pprofwatch.errors import ConfigError
from pprofwatch.model import ProfileRequest, Target
from pprofwatch.times import format_duration, parse_duration

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"
#: Without its sinks, which have tests of their own.
EXAMPLE_TEXT = EXAMPLE.read_text().partition("# Where incidents are told")[0]
NO_FILES = {"HOME": "/nonexistent"}


def write(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text)
    return path


def load_text(folder: Path, text: str, **flags: Any) -> Loaded:
    return load(flags, write(folder, text), {})


def mistakes(folder: Path, text: str, **flags: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_text(folder, text, **flags)
    return [line.replace(f"{folder}/", "") for line in caught.value.mistakes]


def only_target(loaded: Loaded) -> TargetConfig:
    (target,) = loaded.config.targets
    return target


# Durations and sizes


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10s", 10),
        ("200ms", 0.2),
        ("5m", 300),
        ("24h", 86400),
        ("90d", 7776000),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("2w", 1209600),
    ],
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "10", "s", "10 s", "-5s", "10x", "1e3s", "10s5", "٣s", "9999999999w"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a duration"):
        parse_duration(text)


@given(st.integers(min_value=0, max_value=10**12))
@example(86_400_000)
@example(172_800_000)
def test_a_formatted_duration_is_read_back_to_the_millisecond(milliseconds: int) -> None:
    assert round(parse_duration(format_duration(milliseconds / 1000)) * 1000) == milliseconds


@pytest.mark.parametrize(
    ("seconds", "text"), [(10, "10s"), (5400, "1h30m"), (86400, "24h"), (7776000, "90d"), (0.2, "200ms"), (0, "0s")]
)
def test_durations_are_written_as_people_write_them(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("64MiB", 64 << 20),
        ("2GiB", 2 << 30),
        ("64MB", 64_000_000),
        ("4096", 4096),
        ("1.5kib", 1536),
        ("2 TiB", 2 << 40),
        ("5000B", 5000),
    ],
)
def test_sizes_are_read(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MiB", "-1", "64M", "64Mbit", "1e6", "1.2.3MiB", "12", "9999999999TiB"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a size"):
        parse_size(text)


@given(st.integers(min_value=1024, max_value=1 << 50))
def test_a_formatted_size_is_read_back(size: int) -> None:
    assert parse_size(format_size(size)) == size


# Addresses


@pytest.mark.parametrize(
    ("address", "name", "url", "socket"),
    [
        ("localhost:6060", "localhost:6060", "http://localhost:6060/debug/pprof/", ""),
        (":6060", "localhost:6060", "http://localhost:6060/debug/pprof/", ""),
        ("[::1]:6060", "[::1]:6060", "http://[::1]:6060/debug/pprof/", ""),
        ("10.1.2.3:80/debug/pprof/", "10.1.2.3:80", "http://10.1.2.3:80/debug/pprof/", ""),
        ("http://app:6060", "app:6060", "http://app:6060/debug/pprof/", ""),
        ("http://app:6060/", "app:6060", "http://app:6060/debug/pprof/", ""),
        ("http://app:6060/debug/pprof", "app:6060", "http://app:6060/debug/pprof/", ""),
        ("HTTPS://App/internal/pprof", "app:443/internal/pprof", "https://app:443/internal/pprof/", ""),
        ("http://app/x/", "app:80/x", "http://app:80/x/", ""),
        ("unix:/run/app.sock", "unix:/run/app.sock", "http://localhost/debug/pprof/", "/run/app.sock"),
        ("unix:///run/app.sock", "unix:/run/app.sock", "http://localhost/debug/pprof/", "/run/app.sock"),
    ],
)
def test_addresses_are_understood(address: str, name: str, url: str, socket: str) -> None:
    assert parse_address(address) == (Target(name, url, socket), None)


def test_a_name_of_its_own_replaces_the_address() -> None:
    assert parse_address("localhost:6060", "shop")[0].name == "shop"


def test_credentials_are_split_off_an_url() -> None:
    target, secret = parse_address("https://me:p%40ss@app:6060/")
    assert target == Target("app:6060", "https://app:6060/debug/pprof/")
    assert secret == Secret("me:p@ss")
    assert "p@ss" not in repr(secret)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("", "expected host:port"),
        ("localhost", "a port from 1 to 65535"),
        ("6060", "a port from 1 to 65535"),
        ("localhost:0", "a port"),
        ("localhost:70000", "expected host:port"),
        ("localhost:http", "expected host:port"),
        ("::1:6060", "in brackets|host:port"),
        ("ftp://app:21", 'got the scheme "ftp"'),
        ("http://", "expected host:port"),
        ("http://app:6060/?debug=1", "what to poll is said by profile"),
        ("http://app:6060/debug/pprof/goroutine", "without /goroutine"),
        ("localhost:6060#x", "without [?] and #"),
        ("app :6060", "without spaces"),
        ("app\n:6060", "without spaces"),
        ("app\u202e:6060", "without spaces or control"),
        ("http://app:6060/\x1b[2J", "without spaces or control"),
        ("http://a<b>:6060", "expected host:port"),
        ("unix:app.sock", "an absolute path"),
        ("unix:/" + "x" * 107, "at most 107 bytes"),
        ("x" * 3000, "expected host:port"),
    ],
)
def test_what_is_no_address_is_refused(address: str, expected: str) -> None:
    with pytest.raises(ValueError, match=expected) as caught:
        parse_address(address)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("name", ["my shop", "a\tb", "\x1b[2J", "\u202ex", "x" * 201])
def test_names_that_could_not_stand_in_a_log_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="expected a name"):
        parse_address("localhost:6060", name)


@pytest.mark.parametrize(
    "address",
    [
        "http://me:hunter2@app:x",
        "http://me:hunter2@app/?",
        "ftp://me:hunter2@app",
        "me:hunter2@",
        "http://me:hun/ter2@app:6 0",
    ],
)
def test_a_refused_address_keeps_its_password_to_itself(address: str) -> None:
    with pytest.raises(ValueError, match="expected") as caught:
        parse_address(address)
    assert "hun" not in str(caught.value)


@given(
    st.text(max_size=80) | st.from_regex(r"(https?://)?[a-z@:\[\].0-9]{1,12}:[0-9]{1,5}(/[a-z%/]*)?", fullmatch=True)
)
def test_any_address_gives_a_clean_target_or_one_line(address: str) -> None:
    try:
        target, _ = parse_address(address)
    except ValueError as error:
        target = Target(str(error), "http://refused/")
        event("refused")
    assert re.fullmatch(r"https?://[^\s@?#]+/", target.url)
    assert target.name.isprintable()


# Profiles


@pytest.mark.parametrize(
    ("text", "request_"),
    [
        ("goroutine", ProfileRequest("goroutine", 0, 10.0)),
        ("heap:every=1m", ProfileRequest("heap", 0, 60.0)),
        ("threadcreate:seconds=1", ProfileRequest("threadcreate", 1, 10.0)),
        ("block:seconds=30:every=5m", ProfileRequest("block", 30, 300.0)),
        ("block:every=5m:seconds=30", ProfileRequest("block", 30, 300.0)),
        ("alloc", ProfileRequest("allocs", 0, 10.0)),
        ("cpu", ProfileRequest("profile", 10, 300.0)),
        ("trace", ProfileRequest("trace", 1, 600.0)),
        ("goroutineleak", ProfileRequest("goroutineleak", 0, 3600.0)),
        ("mutex:seconds=30", ProfileRequest("mutex", 30, 31.0)),
    ],
)
def test_profiles_are_understood(text: str, request_: ProfileRequest) -> None:
    assert make_requests((parse_spec(text),), 10.0) == (request_,)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "unknown profile"),
        ("goroutines", "did you mean goroutine"),
        ("Heap", "expected one of goroutine, threadcreate"),
        ("heap:debug=1", "expected :seconds=N or :every=DURATION"),
        ("heap:seconds=1:seconds=2", "each once"),
        ("heap:seconds=0", "expected whole seconds from 1"),
        ("heap:seconds=1.5", "expected whole seconds from 1"),
        ("heap:seconds=-1", "expected whole seconds from 1"),
        ("heap:seconds=99999999", "expected whole seconds from 1"),
        ("heap:every=", "expected a duration"),
        ("heap:every=5", "expected a duration"),
        ("heap:every=1ms", "at least 10ms"),
        ("heap:seconds=10:every=10s", "don't fit into every=10s"),
        ("profile:every=5s", "10 seconds don't fit into every=5s"),
    ],
)
def test_what_is_no_profile_is_refused(text: str, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        parse_spec(text)


@given(
    st.sampled_from(PROFILES),
    st.integers(min_value=1, max_value=3600),
    st.integers(min_value=3601, max_value=10**9).map(lambda milliseconds: milliseconds / 1000 + 3600),
)
def test_a_formatted_request_is_read_back(name: str, seconds: int, every: float) -> None:
    request = ProfileRequest(name, seconds, round(every, 3))
    (again,) = make_requests((parse_spec(format_spec(request)),), 10.0)
    assert (again.name, again.seconds, round(again.every, 3)) == (name, seconds, request.every)


@pytest.mark.parametrize(
    ("interval", "everies"), [(10.0, [10.0, 10.0, 60.0]), (0.2, [0.2, 2.0, 60.0]), (90.0, [90.0, 90.0, 90.0])]
)
def test_the_default_profiles_follow_the_interval_as_far_as_they_fit(interval: float, everies: list[float]) -> None:
    requests = make_requests((), interval)
    assert [(request.name, request.seconds) for request in requests] == [
        ("goroutine", 0),
        ("threadcreate", 1),
        ("heap", 0),
    ]
    assert [request.every for request in requests] == everies


@pytest.mark.parametrize(
    ("listed", "implied"),
    [
        ((), {"goroutineleak": 3600.0, "threadcreate": 60.0}),
        (("goroutineleak:every=5m",), {"threadcreate": 60.0}),
        (("threadcreate", "goroutine"), {"goroutineleak": 3600.0}),
        (("threadcreate:seconds=1", "goroutineleak:seconds=1"), {"goroutineleak": 3600.0, "threadcreate": 60.0}),
        (("threadcreate", "goroutineleak"), {}),
    ],
)
def test_levels_that_the_detector_needs_are_polled_beside_what_is_listed(
    tmp_path: Path, listed: tuple[str, ...], implied: dict[str, float]
) -> None:
    target = only_target(load_text(tmp_path, "", profile=listed))
    assert {request.name: request.every for request in target.implied} == implied
    assert all(request.implied and not request.seconds for request in target.implied)
    assert not any(request.implied for request in target.requests)


@pytest.mark.parametrize("off", ['"off"', '"0"', '"0s"', "0"])
def test_goroutineleak_can_be_left_to_suspicions(tmp_path: Path, off: str) -> None:
    loaded = load_text(tmp_path, f"goroutineleak_every = {off}\ninterval = '2m'")
    assert loaded.config.leaks.goroutineleak_every == 0.0
    assert [(request.name, request.every) for request in only_target(loaded).implied] == [
        ("goroutineleak", 0.0),
        ("threadcreate", 120.0),
    ]
    assert 'goroutineleak_every = "off"' in show_config(loaded.config)
    flag = off.strip('"')
    assert load_text(tmp_path, "", goroutineleak_every=flag).config.leaks.goroutineleak_every == 0.0


def test_limits_may_be_0(tmp_path: Path) -> None:
    leaks = load_text(tmp_path, "max_goroutines = 5000\nevidence_max_goroutines = 0", max_goroutines="0").config.leaks
    assert (leaks.max_goroutines, leaks.evidence_max_goroutines) == (0, 0)


# Loading


def test_without_anything_the_defaults_hold(tmp_path: Path) -> None:
    loaded = load(
        {}, None, {"CONFIGURATION_DIRECTORY": str(tmp_path), "LOGS_DIRECTORY": f"{tmp_path}/logs:{tmp_path}/other"}
    )
    assert loaded.path is None
    assert loaded.config.logs.folder == tmp_path / "logs"
    target = only_target(loaded)
    assert target.target == Target("localhost:6060", "http://localhost:6060/debug/pprof/")
    assert (target.interval, target.timeout, target.max_body) == (10.0, 5.0, 64 << 20)


def test_the_systemd_folder_is_looked_at_first(tmp_path: Path) -> None:
    path = write(tmp_path, 'target = "app:1"')
    environ = {"CONFIGURATION_DIRECTORY": f"{tmp_path}:/etc/other"}
    assert default_paths(environ)[0] == path
    assert load({}, None, environ).path == path


def test_flags_win_over_the_file_and_a_target_table_over_both(tmp_path: Path) -> None:
    text = """
        interval = "20s"
        max-body = "1MiB"
        leak_window = "1h"
        [[target]]
        url = "app:1"
        interval = "7s"
        [[target]]
        url = "app:2"
        name = "second"
    """
    first, second = load_text(tmp_path, text, interval="30s", leak_min_count="5").config.targets
    assert (first.interval, second.interval) == (7.0, 30.0)
    assert first.max_body == second.max_body == 1 << 20
    assert second.target.name == "second"
    config = load_text(tmp_path, text, leak_window="2h", leak_min_count="5").config
    assert (config.leaks.window, config.leaks.min_count) == (7200.0, 5)


def test_targets_of_the_command_line_replace_those_of_the_file(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, '[[target]]\nurl = "app:1"\n', target=("a:1", "b:1"))
    assert [target.target.name for target in loaded.config.targets] == ["a:1", "b:1"]


@pytest.mark.parametrize(
    "text",
    [
        'target = "app:1"',
        'target = ["app:1"]',
        '[target]\nurl = "app:1"',
        '[[target]]\nurl = "app:1"',
        'target = [{url = "app:1"}]',
    ],
)
def test_targets_may_be_written_in_any_form(tmp_path: Path, text: str) -> None:
    assert only_target(load_text(tmp_path, text)).target.name == "app:1"


@pytest.mark.parametrize(
    "text", ['header = "X-A: 1"', 'header = ["X-A: 1"]', 'header = {X-A = "1"}', "[header]\nX-A = '1'"]
)
def test_headers_may_be_written_in_any_form(tmp_path: Path, text: str) -> None:
    assert only_target(load_text(tmp_path, text)).headers == (("X-A", Secret("1")),)


def test_paths_in_a_file_start_at_its_folder(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t0ken\n")
    loaded = load_text(tmp_path, 'log_dir = "logs"\nbearer_token_file = "token"')
    assert loaded.config.logs.folder == tmp_path / "logs"
    assert only_target(loaded).bearer_token_file == tmp_path / "token"


def test_other_names_for_profiles_are_noted(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, 'profile = ["alloc"]', profile=("cpu", "alloc"))
    assert loaded.notes == (
        "--profile: Go's name for the profile cpu is profile: polling that",
        "--profile: Go's name for the profile alloc is allocs: polling that",
    )


@pytest.mark.parametrize(("interval", "timeout"), [("10s", 5.0), ("3s", 3.0), ("200ms", 1.0)])
def test_the_default_timeout_fits_into_the_interval(tmp_path: Path, interval: str, timeout: float) -> None:
    assert only_target(load_text(tmp_path, "", interval=interval)).timeout == timeout


# Mistakes


def test_all_mistakes_are_told_at_once_each_with_its_line_and_key(tmp_path: Path) -> None:
    text = """\
log_dir = 5
leak-windw = "30m"
interval = 10
keep_size = "64M"
profile = ["goroutine", "foo"]
header = ["X-A: 1", "nonsense"]

[[target]]
url = "app:1"
interval = "2s"
timeout = "30s"

[[target]]
name = "second"
rotate_size = "1MiB"

[[target]]
url = "ftp://app"
insecure = "yes"
"""
    assert mistakes(tmp_path, text, leak_min_count="none") == [
        "config.toml:1: log_dir: expected the path of a folder (Expected str, got int)",
        "config.toml:2: leak-windw: unknown key (did you mean leak_window?)",
        'config.toml:3: interval: expected a duration with its unit, such as "10s" (Expected str, got int)',
        'config.toml:4: keep_size: expected a size, such as 64MiB, 2GiB or a number of bytes, got "64M"',
        'config.toml:5: profile[1]: unknown profile "foo": expected one of ' + ", ".join(PROFILES),
        "config.toml:6: header[1]: expected a header such as 'X-Scope: production'",
        '--leak-min-count: expected a whole number from 1 on, got "none"',
        (
            "config.toml:10: target[0].interval: a timeout of 30s can't fit into an interval of 2s: "
            "expected a timeout of at most 2s"
        ),
        "config.toml:15: target[1].rotate_size: holds for all targets: move it above the first [[target]]",
        "config.toml:13: target[1]: Object missing required field url",
        "config.toml:19: target[2].insecure: expected true or false (Expected bool, got str)",
        'config.toml:17: target[2]: expected host:port, an http or https URL, or unix:/path.sock, got the scheme "ftp"',
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = \n", "config.toml:1: not valid TOML: Invalid value, at column 5"),
        ("a = 1\na = 2\n", "config.toml:2: not valid TOML: Cannot overwrite a value, at column 6"),
        ("a = [", "config.toml: not valid TOML: Invalid value (at end of document)"),
        ("a = " + "[" * 5000, "config.toml: not valid TOML: nested too deeply"),
        ("a = " + "9" * 5000, "config.toml: not valid TOML: .*"),
        ('url = "app:1"', "config.toml:1: url: is a key of .*"),
        ("target = []", "config.toml:1: target: expected at least one target"),
        ("target = [1]", "config.toml:1: target: expected addresses of targets.*"),
        ('log_dir = "a"\nlog-dir = "b"', "config.toml:2: log-dir: given twice, with a dash and with an underscore"),
        (
            'profile = ["heap", "heap:every=5m"]',
            "config.toml:1: profile: heap is asked for twice for one target: keep one",
        ),
        (
            'profile = ["heap:seconds=1", "heap:seconds=5"]',
            "config.toml:1: profile: heap is asked for twice with seconds=N .*",
        ),
        ('timeout = "30s"', "config.toml:1: timeout: a timeout of 30s can't fit into an interval of 10s: .*"),
        ('target = ["app:1", "http://app:1"]', "config.toml:1: target.1.: app:1 is the same target as app:1"),
        ('max_body = "1GiB"', "config.toml:1: max_body: expected at most 128MiB, .*"),
        ("header = {X-A = '1', TE = 'gzip'}", "config.toml:1: header.TE: the header TE can't be set: .*"),
        ('log_dir = ""', 'config.toml:1: log_dir: expected a path of printable characters, got ""'),
        ("leak_min_count = 0", "config.toml:1: leak_min_count: expected a whole number from 1 on, got .*"),
        (
            "max_goroutines = -1",
            'config.toml:1: max_goroutines: expected a whole number from 1 on, or 0 for none, got "-1"',
        ),
        (
            "goroutineleak_every = 10",
            'config.toml:1: goroutineleak_every: expected a duration with its unit, such as .*, or off, got "10"',
        ),
        ("sync_interval = '1ms'", "config.toml:1: sync_interval: expected a duration of at least 10ms, got .*"),
    ],
)
def test_a_mistake_in_a_file_is_one_clear_line(tmp_path: Path, text: str, expected: str) -> None:
    (line,) = mistakes(tmp_path, text)
    assert line == expected or re.fullmatch(expected, line)


def test_two_targets_may_not_share_a_log_folder(tmp_path: Path) -> None:
    text = '[[target]]\nurl = "app:1"\nname = "shop/a"\n[[target]]\nurl = "app:2"\nname = "shop_a"\n'
    (line,) = mistakes(tmp_path, text)
    assert line == (
        "config.toml:4: target[1]: shop_a would have the same log folder as shop/a: "
        "give one of them a name of its own, in a [[target]] table"
    )


def test_a_file_that_is_not_there_or_no_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.toml: can't be read: No such file"):
        load({}, tmp_path / "missing.toml", {})
    with pytest.raises(ConfigError, match="can't be read: Is a directory"):
        load({}, tmp_path, {})
    path = tmp_path / "binary.toml"
    path.write_bytes(b"a = 1\n\xff\xfe")
    with pytest.raises(ConfigError, match="byte 6 is not UTF-8"):
        load({}, path, {})
    path.write_bytes(b"#" * (1 << 20) + b"##")
    with pytest.raises(ConfigError, match="at most 1048576 bytes"):
        load({}, path, {})


def test_files_that_it_names_are_looked_at(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "two").write_text("one two\n")
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\nhunter2\n")
    (tmp_path / "folder").mkdir()
    text = """
ca_file = "ca.pem"
[[target]]
url = "app:1"
bearer_token_file = "empty"
[[target]]
url = "app:2"
basic_auth_file = "two"
ca_file = "folder"
[[target]]
url = "app:3"
bearer_token_file = "missing"
"""
    assert mistakes(tmp_path, text) == [
        "config.toml:5: target[0].bearer_token_file: expected one token in empty: printable ASCII without spaces",
        "config.toml:2: ca_file: expected certificates in PEM form in ca.pem",
        "config.toml:8: target[1].basic_auth_file: expected one line user:password in two",
        "config.toml:9: target[1].ca_file: folder is not a file",
        "config.toml:12: target[2].bearer_token_file: missing does not exist",
    ]


def test_authorities_in_pem_form_are_taken(tmp_path: Path) -> None:
    bundle = ssl.get_default_verify_paths().cafile
    if bundle is None:
        pytest.skip("needs the system's bundle of certificate authorities")
    shutil.copy(bundle, tmp_path / "ca.pem")
    assert only_target(load_text(tmp_path, 'ca_file = "ca.pem"')).ca_file == tmp_path / "ca.pem"


def test_a_target_authorizes_in_one_way_its_own_before_the_general(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t0ken")
    (tmp_path / "basic").write_text("me:secret\n")
    text = """
bearer_token_file = "token"
[[target]]
url = "http://me:secret@app:1"
[[target]]
url = "app:2"
basic_auth_file = "basic"
[[target]]
url = "app:3"
"""
    by_url, by_file, general = load_text(tmp_path, text).config.targets
    assert (by_url.bearer_token_file, by_url.basic_auth) == (None, Secret("me:secret"))
    assert (by_file.bearer_token_file, by_file.basic_auth_file) == (None, tmp_path / "basic")
    assert (general.bearer_token_file, general.basic_auth_file) == (tmp_path / "token", None)
    both = '[[target]]\nurl = "http://a:b@app:1"\nbearer_token_file = "token"\nheader = "authorization: x"'
    assert mistakes(tmp_path, both) == [
        (
            "config.toml:1: target[0]: bearer_token_file and the user in the URL and the header Authorization "
            "can't both authorize a request: keep one"
        )
    ]


def test_no_secret_shows_in_a_mistake_or_in_what_is_shown(tmp_path: Path) -> None:
    wrong = """
header = ["X-Key: hunter2\\n", "hunter2", "Bad Name: hunter2"]
target = ["http://me:hunter2@app:1/?x", "http://me:hunter2@app:99999", "http://me:hunter2@ app"]
"""
    lines = mistakes(tmp_path, wrong)
    assert len(lines) == 6
    assert "hunter2" not in "".join(lines)
    right = 'target = "https://me:hunter2@app:1"\nheader = "X-Key: hunter2"'
    loaded = load_text(tmp_path, right)
    assert "hunter2" not in show_config(loaded.config) + repr(loaded)


@given(st.text(alphabet='[]="\'\n#abtrginelu.:{},-_0123456789\\ "', max_size=60) | st.text(max_size=60))
def test_any_text_gives_a_config_or_mistakes(text: str) -> None:
    # tomllib decides what is TOML; find_lines must take whatever that accepts.
    try:
        tomllib.loads(text)
    except ValueError:
        return
    assert all(1 <= line <= text.count("\n") + 1 for line in find_lines(text).values())


def toml(value: object) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quote(key)} = {toml(item)}" for key, item in value.items()) + "}"
    return quote(value) if isinstance(value, str) else str(value).lower()


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(
    [
        "10s",
        "1h",
        "64MiB",
        "goroutine",
        "heap:seconds=5",
        "cpu",
        "X-A: 1",
        "app:1",
        "unix:/a",
        "http://a:b@c/d",
        "~",
        ".",
    ]
)
VALUES = st.recursive(
    TEXTS | st.integers() | st.booleans() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS | st.sampled_from(["url", "interval"]), inner),
    max_leaves=5,
)
NAMES = st.sampled_from([option.name for option in OPTIONS]) | TEXTS.filter(bool)


@given(st.dictionaries(NAMES, VALUES, max_size=5), st.dictionaries(NAMES, TEXTS, max_size=3))
def test_any_values_give_a_config_or_mistakes_a_line_each(table: dict[str, object], flags: dict[str, str]) -> None:
    text = "".join(f"{quote(key)} = {toml(value)}\n" for key, value in table.items())
    with tempfile.TemporaryDirectory() as folder:
        try:
            show_config(load(flags, write(Path(folder), text), {}).config)
        except ConfigError as error:
            event("refused")
            lines = error.mistakes
        else:
            lines = ["accepted"]
    assert lines
    assert all(line and "\n" not in line for line in lines)


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ('keep_size = "32MiB"', "1: keep_size: expected at least rotate_size (64MiB), got 32MiB"),
        ('rotate_size = "4GiB"', "1: rotate_size: expected at most keep_size (2GiB), got 4GiB"),
        ('rotate_size = "2MiB"\nkeep_size = "1MiB"', "2: keep_size: expected at least rotate_size (2MiB), got 1MiB"),
    ],
)
def test_a_budget_smaller_than_one_log_file_is_refused(tmp_path: Path, text: str, mistake: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_text(tmp_path, text)
    assert [line.partition("config.toml:")[2] for line in error.value.mistakes] == [mistake]


def test_lines_inside_a_long_text_are_no_keys() -> None:
    assert find_lines('a = """\ninterval = 1\n[[target]]\n"""\n[[target]]\nurl = "x"') == {
        ("a",): 1,
        ("target", 0): 5,
        ("target", 0, "url"): 6,
    }


# Showing, and the example


def test_what_is_shown_makes_the_same_config(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t0ken")
    text = """
keep_size = "10GiB"
keep_free = "1GiB"
leak_min_count = 100
max_goroutines = 20000
goroutineleak_every = "off"
interval = "1m"
timeout = "30s"
[[target]]
url = "unix:/run/app.sock"
profile = ["goroutine:every=1s", "cpu"]
bearer_token_file = "token"
[[target]]
url = "https://app/pprof"
name = "shop"
insecure = true
"""
    config = load_text(tmp_path, text).config
    assert load_text(tmp_path, show_config(config)).config == config


def example_keys(text: str) -> list[str]:
    return re.findall(r"^# ([a-z_]+) = ", text, flags=re.MULTILINE)


def test_the_example_has_every_option_and_uncommented_changes_nothing(tmp_path: Path) -> None:
    general, _, table = EXAMPLE_TEXT.partition("\n# [[target]]\n")
    assert example_keys(general) == [option.name for option in OPTIONS]
    optional = {option.name for option in OPTIONS if not option.default}
    settings = [
        line[2:]
        for line in general.split("\n")
        if set(example_keys(line)) - optional | {"profile"} & set(example_keys(line))
    ]
    assert len(settings) == len(OPTIONS) - len(optional) + 1
    assert load_text(tmp_path, "\n".join(settings)) == load_text(tmp_path, "")
    own = {option.name for option in OPTIONS if option.per_target}
    assert {"url", "name"} < set(example_keys(table)) < {"url", "name"} | own


def test_the_example_is_a_configuration_as_it_is_and_with_its_target_uncommented(tmp_path: Path) -> None:
    _, header, table = EXAMPLE_TEXT.partition("# [[target]]\n")
    shutil.copy(EXAMPLE, tmp_path / "config.toml")
    assert only_target(load({}, tmp_path / "config.toml", {})).target.name == "localhost:6060"
    (tmp_path / "token").write_text("t0ken")
    text = (header + table).replace("# ", "").replace("/etc/pprofwatch/shop.token", "token")
    assert only_target(load_text(tmp_path, text)).target.name == "shop"


def test_every_field_of_the_config_is_set_by_an_option() -> None:
    for owner in {option.owner for option in OPTIONS}:
        fields = {field.name for field in dataclasses.fields(owner)}
        assert {option.field for option in OPTIONS if option.owner is owner} <= fields
