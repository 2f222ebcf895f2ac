"""``[[sink]]`` tables: what is understood, what is refused, and that no secret shows."""

from __future__ import annotations

import dataclasses
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pprofwatch.config.document import quote
from pprofwatch.config.load import load
from pprofwatch.config.settings import Secret, SinkConfig
from pprofwatch.config.show import show_config
from pprofwatch.config.sinks import SINK_OPTIONS
from pprofwatch.errors import ConfigError
from pprofwatch.leaks.severity import Severity

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"
STDERR = SinkConfig("stderr", "stderr")


def sinks(folder: Path, text: str) -> tuple[SinkConfig, ...]:
    path = folder / "config.toml"
    path.write_text(text)
    return load({}, path, {}).config.sinks


def mistakes(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        sinks(folder, text)
    return [line.replace(f"{folder}/", "") for line in caught.value.mistakes]


def test_without_any_there_is_stderr(tmp_path: Path) -> None:
    assert sinks(tmp_path, "") == (STDERR,)


def test_sinks_of_all_types_are_understood(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t0ken")
    text = """
[[sink]]
type = "webhook"
url = "https://user:pass@hooks.example.org:8443/services/T0/B0?x=1"
header = { X-Scope = "production" }
[[sink]]
type = "webhook"
url = "http://[::1]/hook"
format = "slack"
timeout = "3s"
[[sink]]
type = "alertmanager"
name = "ops"
url = "http://localhost:9093"
labels = { team = "shop", env = "live" }
resend = "30s"
bearer_token_file = "token"
[[sink]]
type = "command"
command = ["cat", "-u"]
min-severity = "proven"
[[sink]]
type = "stderr"
min_severity = "runaway"
"""
    assert sinks(tmp_path, text) == (
        SinkConfig("stderr", "stderr", Severity.RUNAWAY),
        SinkConfig(
            "webhook",
            "webhook hooks.example.org:8443",
            url=Secret("https://hooks.example.org:8443/services/T0/B0?x=1"),
            address="https://hooks.example.org:8443/…",
            basic_auth=Secret("user:pass"),
            headers=(("X-Scope", Secret("production")),),
        ),
        SinkConfig(
            "webhook",
            "webhook [::1]",
            timeout=3.0,
            url=Secret("http://[::1]/hook"),
            address="http://[::1]/…",
            format="slack",
        ),
        SinkConfig(
            "alertmanager",
            "ops",
            url=Secret("http://localhost:9093"),
            address="http://localhost:9093/…",
            labels=(("env", "live"), ("team", "shop")),
            resend=30.0,
            bearer_token_file=tmp_path / "token",
        ),
        SinkConfig("command", "command cat", Severity.PROVEN, command=("cat", "-u")),
    )


def test_sinks_of_one_kind_and_place_are_numbered(tmp_path: Path) -> None:
    hook = '[[sink]]\ntype = "webhook"\nurl = "http://a/{}"\n'
    text = "".join(map(hook.format, range(3)))
    assert [sink.name for sink in sinks(tmp_path, text)] == ["stderr", "webhook a", "webhook a 2", "webhook a 3"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sink = 1", "config.toml:1: sink: expected [[sink]] tables"),
        (
            '[[sink]]\ntype = "email"',
            'config.toml:2: sink[0].type: expected webhook, alertmanager, command or stderr, got "email"',
        ),
        (
            '[[sink]]\nurl = "http://a"',
            "config.toml:1: sink[0].type: expected webhook, alertmanager, command or stderr",
        ),
        ('[[sink]]\ntype = "webhook"', "config.toml:1: sink[0]: expected the key url"),
        ('[[sink]]\ntype = "command"', "config.toml:1: sink[0]: expected the key command"),
        (
            '[[sink]]\ntype = "webhook"\nurl = "http://a"\nlabels = {a = "b"}',
            "config.toml:4: sink[0].labels: is a key of the type alertmanager",
        ),
        (
            '[[sink]]\ntype = "webhook"\nurl = "http://a"\nfromat = "json"',
            "config.toml:4: sink[0].fromat: unknown key (did you mean format?)",
        ),
        (
            '[[sink]]\ntype = "stderr"\nmin_severity = "suspected"',
            'config.toml:3: sink[0].min_severity: expected stuck, leak, proven or runaway, got "suspected"',
        ),
        (
            '[[sink]]\ntype = "webhook"\nurl = "http://a"\nname = "x"\n' * 2,
            "config.toml:8: sink[1].name: another sink has this name",
        ),
        (
            '[[sink]]\ntype = "command"\ncommand = ["no-such-program-here"]',
            'config.toml:3: sink[0].command[0]: "no-such-program-here" is no program that can be run',
        ),
        (
            '[[sink]]\ntype = "command"\ncommand = ["./page"]',
            (
                "config.toml:3: sink[0].command[0]: expected an absolute path, or the name of a program in PATH, "
                'got "./page"'
            ),
        ),
        (
            '[[sink]]\ntype = "command"\ncommand = "cat"',
            (
                "config.toml:3: sink[0].command: expected a list of a program and its arguments, such as "
                '["/usr/local/bin/page", "--urgent"] (Expected array, got str)'
            ),
        ),
        (
            '[[sink]]\ntype = "alertmanager"\nurl = "http://a"\nlabels = { target = "x" }',
            "config.toml:4: sink[0].labels.target: is a label that pprofwatch sets itself",
        ),
        (
            '[[sink]]\ntype = "alertmanager"\nurl = "http://a"\nlabels = { "a-b" = "x" }',
            (
                "config.toml:4: sink[0].labels.a-b: expected a label's name: letters, digits and _, not beginning "
                "with a digit"
            ),
        ),
        (
            '[[sink]]\ntype = "webhook"\nurl = "http://u:p@a"\nheader = "Authorization: x"',
            (
                "config.toml:1: sink[0]: the user in the URL and the header Authorization can't both authorize a "
                "request: keep one"
            ),
        ),
        (
            '[[sink]]\ntype = "stderr"\n' * 2,
            "config.toml:3: sink[1]: expected one [[sink]] of type stderr: there is one stderr",
        ),
    ],
)
def test_a_mistake_is_one_line_with_its_key(tmp_path: Path, text: str, expected: str) -> None:
    assert mistakes(tmp_path, text) == [expected]


def test_files_that_it_names_are_looked_at(tmp_path: Path) -> None:
    text = '[[sink]]\ntype = "webhook"\nurl = "https://a"\nbearer_token_file = "gone"\nca_file = "gone"'
    assert mistakes(tmp_path, text) == [
        "config.toml:4: sink[0].bearer_token_file: gone does not exist",
        "config.toml:5: sink[0].ca_file: gone does not exist",
    ]


@pytest.mark.parametrize(
    "url",
    [
        "hooks.example.org/very-secret",
        "ftp://a/very-secret",
        "http://a b/very-secret",
        "http://a:0/very-secret",
        "http://a:99999/very-secret",
        "http://a/very-secret#x",
        "http://a/very-secret\\n",
        "http:///very-secret",
        "http://[::1/very-secret",
        "",
    ],
)
def test_a_refused_url_keeps_its_secret(tmp_path: Path, url: str) -> None:
    (line,) = mistakes(tmp_path, f'[[sink]]\ntype = "webhook"\nurl = "{url}"')
    assert line.startswith("config.toml:3: sink[0].url: expected an http or https URL")
    assert "secret" not in line


def test_no_secret_shows_in_what_is_shown(tmp_path: Path) -> None:
    text = '[[sink]]\ntype = "webhook"\nurl = "https://u:secret@a/secret"\nheader = "X-Key: secret"'
    path = tmp_path / "config.toml"
    path.write_text(text)
    config = load({}, path, {}).config
    assert "secret" not in show_config(config)
    assert "secret" not in repr(config)
    assert '# url = "https://a/…"' in show_config(config)


def test_what_is_shown_makes_the_same_sinks(tmp_path: Path) -> None:
    text = """
log_format = "json"
[[sink]]
type = "command"
name = "my pager"
command = ["cat", "a \\"b\\""]
min_severity = "leak"
timeout = "1m30s"
[[sink]]
type = "stderr"
min_severity = "proven"
"""
    path = tmp_path / "config.toml"
    path.write_text(text)
    config = load({}, path, {}).config
    path.write_text(show_config(config))
    assert load({}, path, {}).config == config


def test_the_example_has_every_key_and_its_sinks_are_ones(tmp_path: Path) -> None:
    part = EXAMPLE.read_text().partition("# Where incidents are told")[2]
    _, *tables = re.split(r"(?m)^# (?=\[\[sink\]\]$)", part)
    text = "".join(
        line.removeprefix("# ") + "\n" for table in tables for line in re.split(r"\n\n", table)[0].split("\n")
    )
    found = sinks(tmp_path, text)
    assert [sink.type for sink in found] == ["stderr", "webhook", "alertmanager", "command"]
    known = {option.name for options in SINK_OPTIONS.values() for option in options}
    assert known == {word for word in re.findall(r"[a-z_]+", part) if word in known}
    defaults = {field.name: field.default for field in dataclasses.fields(SinkConfig)}
    assert (found[1].timeout, found[2].resend) == (defaults["timeout"], defaults["resend"])


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(["http://a", "1s", "leak"])
VALUES = TEXTS | st.integers() | st.lists(TEXTS, max_size=2) | st.booleans()
KEYS = st.sampled_from(sorted({option.name for options in SINK_OPTIONS.values() for option in options}))


@given(st.sampled_from(sorted(SINK_OPTIONS)), st.dictionaries(KEYS, VALUES, max_size=5))
def test_any_values_give_sinks_or_mistakes_a_line_each(kind: str, table: dict[str, object]) -> None:
    text = "[[sink]]\n" + "".join(f"{key} = {toml(value)}\n" for key, value in {"type": kind, **table}.items())
    with tempfile.TemporaryDirectory() as folder:
        try:
            sinks(Path(folder), text)
        except ConfigError as error:
            lines = error.mistakes
        else:
            lines = ["accepted"]
    assert lines
    assert all(line and "\n" not in line for line in lines)


def toml(value: object) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return quote(value) if isinstance(value, str) else str(value).lower()
