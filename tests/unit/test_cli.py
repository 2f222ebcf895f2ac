"""The command line as a shell sees it: exit statuses, messages, help."""

from __future__ import annotations

import io
import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pprofwatch import __version__
from pprofwatch.cli.chart import draw_chart
from pprofwatch.cli.messages import Messages, Style, detect_style
from pprofwatch.cli.safe_text import safe_text
from pprofwatch.cli.verbs import VERBS, Group
from pprofwatch.cli.when import parse_when
from pprofwatch.config.options import OPTIONS

BINARY = Path(sys.executable).with_name("pprofwatch")
# 2026-11-22T13:50:00Z
NOW = 1795355400.0


def run(*args: str | Path, env: dict[str, str] | None = None, **options: object) -> subprocess.CompletedProcess[str]:
    environ = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LOGS_DIRECTORY": "/nonexistent/logs", **(env or {})}
    options = {
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "text": True,
        "timeout": 60,
        "env": environ,
        **options,
    }
    return subprocess.run([BINARY, *args], check=False, **options)  # type: ignore[call-overload, no-any-return]


# Exit statuses and messages


def test_version_and_help_end_with_0() -> None:
    assert run("--version").stdout == f"pprofwatch {__version__}\n"
    for flag in ("-h", "--help"):
        result = run(flag)
        assert (result.returncode, result.stderr) == (0, "")
        assert all(f"  {verb}" in result.stdout for verb in VERBS)


def test_python_m_is_the_same_program() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "pprofwatch", "nonsense"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    assert result.stderr.startswith("pprofwatch: No such command 'nonsense'")


@pytest.mark.parametrize(
    ("args", "line"),
    [
        ("totls", "No such command 'totls'. Did you mean 'totals'[?] .see 'pprofwatch --help'."),
        ("config check --nonsense", "No such option '--nonsense' .see 'pprofwatch config check --help'."),
        ("config show --interval", "Option '--interval' requires an argument"),
        ("config show --interval 10", '--interval: expected a duration with its unit, such as 200ms, .*, got "10"'),
        ("completion tcsh", r"Invalid value for '\{bash\|zsh\|fish\}': 'tcsh' is not one of .*"),
        ("config check --config /nonexistent", "/nonexistent: can't be read: No such file or directory"),
        ("config check --config \x1b[2J", r"\\x1b\[2J: can't be read: No such file or directory"),
    ],
)
def test_a_usage_mistake_is_one_line_and_2(args: str, line: str) -> None:
    result = run(*args.split(" "))
    assert (result.returncode, result.stdout) == (2, "")
    assert re.fullmatch(f"pprofwatch: {line}\n", result.stderr)


def test_no_verb_shows_the_help_on_stderr_and_is_a_mistake() -> None:
    result = run()
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("Usage: pprofwatch [OPTIONS] COMMAND [ARGS]...\n")


def test_every_mistake_of_the_configuration_is_a_line(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('interval = 5\nnonsense = 1\ntarget = "http://me:hunter2@app:99999"\n')
    result = run("config", "check", "--config", path)
    assert result.returncode == 2
    lines = result.stderr.splitlines()
    assert [line.split(": ")[:3] for line in lines] == [
        ["pprofwatch", f"{path}:1", "interval"],
        ["pprofwatch", f"{path}:2", "nonsense"],
        ["pprofwatch", f"{path}:3", "target[0]"],
    ]
    assert "hunter2" not in result.stderr


def test_a_reader_that_went_away_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as pipe:
        result = run("config", "show", stdout=pipe)
    assert (result.returncode, result.stderr) == (141, "")


def test_a_full_disk_under_stdout_is_said() -> None:
    with Path("/dev/full").open("wb") as full:
        result = run("config", "show", stdout=full)
    assert (result.returncode, result.stderr) == (3, "pprofwatch: No space left on device\n")


def test_it_runs_with_its_streams_closed() -> None:
    result = subprocess.run(["sh", "-c", f"{BINARY} config show >&- 2>&-"], check=False)
    assert result.returncode == 0


def test_a_character_that_the_terminal_lacks_is_shown_by_its_number() -> None:
    result = run("config", "show", "--log-dir", "/ü→", env={"PYTHONIOENCODING": "latin-1"}, encoding="latin-1")
    assert 'log_dir = "/ü\\u2192"' in result.stdout


def test_under_the_journal_an_error_has_its_priority() -> None:
    reading, writing = os.pipe()
    state = os.fstat(writing)
    env = {"JOURNAL_STREAM": f"{state.st_dev}:{state.st_ino}"}
    result = run("totls", stderr=writing, env=env)
    os.close(writing)
    with os.fdopen(reading) as journal:
        assert (result.returncode, journal.read()[:15]) == (2, "<3>pprofwatch: ")


# config


def test_config_check_and_show_without_a_file(tmp_path: Path) -> None:
    env = {"CONFIGURATION_DIRECTORY": str(tmp_path)}
    result = run("config", "check", env=env)
    assert result.returncode == 0
    assert result.stdout.startswith(f"no configuration file, so the defaults hold; looked for {tmp_path}/config.toml, ")
    shown = run("config", "show", env=env).stdout
    assert shown.startswith('# no configuration file\nlog_dir = "/nonexistent/logs"\n')


def test_config_check_and_show_with_a_file(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('target = ["app:1", "app:2"]\nprofile = "alloc"\n')
    env = {"CONFIGURATION_DIRECTORY": str(tmp_path)}
    result = run("config", "check", env=env)
    assert (result.returncode, result.stdout) == (0, f"{path}: no mistakes, 2 targets\n")
    assert result.stderr == f"pprofwatch: {path}:2: profile: Go's name for the profile alloc is allocs: polling that\n"
    again = tmp_path / "again.toml"
    again.write_text(run("config", "show", "--interval", "1m", env=env).stdout)
    assert run("config", "check", "--config", again).stdout == f"{again}: no mistakes, 2 targets\n"
    assert again.read_text().count('interval = "1m"') == 2


# Help and completion


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_examples_that_name_it(verb: str) -> None:
    result = run(verb, "--help")
    assert result.returncode == 0
    assert re.search(rf"Examples:\n( .*\n)* .*pprofwatch {verb}", result.stdout) or "Commands:" in result.stdout


def test_start_has_a_flag_for_every_option_with_its_default() -> None:
    text = " ".join(run("start", "--help").stdout.split())
    for option in OPTIONS:
        assert f"{option.flag} " in text
        assert option.help in text
        assert not option.shown_default or f"[default: {option.shown_default}]" in text


def test_bash_completes_verbs_and_flags(tmp_path: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("needs bash")
    script = tmp_path / "completion"
    script.write_text(run("completion", "bash").stdout)
    for words, expected in (("pprofwatch con", "config"), ("pprofwatch config show --leak-w", "--leak-window")):
        complete = (
            f"source {script}; COMP_WORDS=({words}); COMP_CWORD={words.count(' ')}; "
            f'_pprofwatch_completion {BINARY}; echo "${{COMPREPLY[@]}}"'
        )
        result = subprocess.run([bash, "-c", complete], capture_output=True, text=True, check=True)
        assert result.stdout == f"{expected}\n"


def test_every_verb_is_a_command_in_its_module() -> None:
    group = Group("pprofwatch")
    context = click.Context(group)
    assert [group.get_command(context, verb).name for verb in group.list_commands(context)] == list(VERBS)  # type: ignore[union-attr]


# Messages


def said(style: Style, text: str, priority: int = 6, *, colour: bool = False) -> str:
    stream = io.StringIO()
    Messages(stream, style, colour=colour, now=lambda: NOW + 0.25).say(priority, text)
    return stream.getvalue()


def test_messages_are_marked_as_their_reader_needs_it() -> None:
    assert said(Style.PLAIN, "up\n  and on") == "2026-11-22T13:50:00.250Z up\n  and on\n"
    assert said(Style.JOURNAL, "up\n  and on", 4) == "<4>up\n<4>  and on\n"
    assert said(Style.TERMINAL, "up") == "13:50:00Z up\n"
    assert said(Style.TERMINAL, "up", 4, colour=True) == "13:50:00Z \x1b[33mup\x1b[0m\n"


def test_a_message_can_not_drive_the_terminal() -> None:
    assert said(Style.JOURNAL, "main.\x1b[2J\u202e\r\x00f") == "<6>main.\\x1b[2J\\u202e\\x0d\\x00f\n"


def test_a_message_that_can_not_be_written_stops_nobody() -> None:
    with Path("/dev/full").open("w") as full:
        Messages(full, Style.PLAIN).say(3, "disk full")
        os.dup2(os.open(os.devnull, os.O_WRONLY), full.fileno())
    Messages(full, Style.PLAIN).say(3, "closed")


def test_the_style_is_that_of_the_stream(tmp_path: Path) -> None:
    controller, terminal = pty.openpty()
    with os.fdopen(terminal, "w") as stream, (tmp_path / "log").open("w") as file:
        assert detect_style(stream, {}) is Style.TERMINAL
        state = os.fstat(file.fileno())
        assert detect_style(file, {"JOURNAL_STREAM": "1:2"}) is Style.PLAIN
        assert detect_style(file, {"JOURNAL_STREAM": f"{state.st_dev}:{state.st_ino}"}) is Style.JOURNAL
    os.close(controller)
    assert detect_style(io.StringIO(), {"JOURNAL_STREAM": "1:2"}) is Style.PLAIN


# Text from outside, and times


@given(st.text())
def test_safe_text_is_printable_and_leaves_printable_text_alone(text: str) -> None:
    safe = safe_text(text)
    assert safe.isprintable()
    assert (safe == text) == text.isprintable()


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("13:49", NOW - 60),
        ("9:05", NOW - 4 * 3600 - 45 * 60),
        ("13:49:30", NOW - 30),
        ("13:51", NOW + 60 - 86400),
        ("2026-11-22T13:49:00Z", NOW - 60),
        ("2026-11-22T15:49:00+02:00", NOW - 60),
        ("2026-11-22 13:49", NOW - 60),
        ("20261122T134900Z", NOW - 60),
        ("2026-11-22", NOW - 13 * 3600 - 50 * 60),
        ("-10m", NOW - 600),
        ("-1h30m", NOW - 5400),
    ],
)
def test_times_are_understood(text: str, time: float) -> None:
    assert parse_when(text, lambda: NOW) == time


@pytest.mark.parametrize(
    "text",
    ["", "now", "10m", "-10", "24:00", "13:60", "2026-13-01", "2026-11-22T13:49:00X"],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a time: 13:49, "):
        parse_when(text, lambda: NOW)


# The chart


def test_a_chart_shows_the_ends_of_time_and_total_within_its_width() -> None:
    times = [NOW + 10.0 * poll for poll in range(361)]
    totals = [76.0 + poll for poll in range(361)]
    chart = draw_chart(times, totals, "localhost:6060 goroutine", width=80, height=12, colour=False)
    title, *lines = chart.splitlines()
    assert title == "localhost:6060 goroutine"
    assert all(len(line) <= 80 for line in lines)
    assert (lines[1].split()[0], lines[-3].split()[0]) == ("436", "76")
    assert "13:50:00" in lines[-1]


def test_a_chart_joins_polls_but_not_what_lies_between_them_and_the_next() -> None:
    before = [NOW + 10.0 * poll for poll in range(100)]
    after = [time + 5000 for time in before]
    chart = draw_chart(before + after, [5.0] * 200, "", width=82, height=5, colour=False)
    lines = re.findall(r"\d \| (.*[^⠀\n].*)", chart)
    assert len(lines) == 1
    assert re.fullmatch("[^⠀]{9,11}⠀{38,}[^⠀]{9,11}", lines[0])


@pytest.mark.parametrize(
    ("times", "totals"),
    [
        ([0.0], [0.0]),
        ([0.0, 0.0], [5.0, 5.0]),
        ([0.0, 0.001], [-3.0, 1e15]),
        ([1.0, 0.0], [1.0, 9.0]),
    ],
)
def test_a_chart_of_little_can_be_drawn(times: list[float], totals: list[float]) -> None:
    assert draw_chart(times, totals, "x", width=5, height=4, colour=True).startswith("x\n")
