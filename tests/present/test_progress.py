import numpy as np
import pytest

from bench.present.progress import Lines, bar, outcomes, transfers


def test_lines_give_the_rate_and_the_time_left_now_and_then(monkeypatch):
    clock = iter([0.0, 1.0, 11.0, 12.0, 20.0])
    monkeypatch.setattr("bench.present.progress.time.monotonic", lambda: next(clock))
    logged = []
    lines = Lines(4, logged.append)
    for _ in range(4):
        lines.step()
    assert logged == ["2/4 outcomes, 11 a minute, 11 s left", "4/4 outcomes, 12 a minute, 0 s left"]


def test_the_time_left_goes_by_the_last_outcomes_and_not_by_the_first(monkeypatch):
    taken = [1.0] * 100 + [10.0] * 100  # another job has taken the machine
    clock = iter(np.cumsum([0.0, *taken]))
    monkeypatch.setattr("bench.present.progress.time.monotonic", lambda: next(clock))
    logged = []
    lines = Lines(400, logged.append)
    for _ in taken:
        lines.step()
    assert logged[-1] == "200/400 outcomes, 6 a minute, 2000 s left"  # by the mean of all it would be 1,100


def test_a_bar_shows_a_line_as_it_is_and_no_sign_that_steers(capsys):
    with bar(1) as (log, step):
        log("[red]x[/red] \x1b[2J")
        step()
    assert "[red]x[/red] \\x1b[2J" in capsys.readouterr().err


def test_a_bar_takes_lines_and_steps(capsys):
    with bar(2) as (log, step):
        log("something")
        step()
        step()
    assert "something" in capsys.readouterr().err


@pytest.mark.parametrize(("terminal", "line"), [(True, "━"), (False, "1/1 outcomes, ")])
def test_outcomes_have_a_bar_in_a_terminal_and_lines_elsewhere(monkeypatch, capsys, terminal, line):
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    monkeypatch.setenv("FORCE_COLOR" if terminal else "NO_COLOR", "1")  # a file that stands for a terminal, to rich
    with outcomes(1) as (log, step):
        log("something")
        step()
    shown = capsys.readouterr().err
    assert "something" in shown
    assert line in shown


def test_nothing_is_shown_of_no_outcomes(capsys):
    with outcomes(0) as (_, step):
        step()
    assert capsys.readouterr() == ("", "")


def test_downloads_log_lines_where_no_terminal_is():
    logged = []
    with transfers(logged.append, terminal=False) as step:
        for done in range(0, 10_001, 1000):
            step("x.npy", done, 10_000)
        step("y.npy", 500, None)
        step("y.npy", 1500, None)
    assert logged == ["x.npy: 0 bytes of 10.0 kB", "x.npy: 10.0 kB of 10.0 kB", "y.npy: 500 bytes"]


def test_downloads_show_a_bar_in_a_terminal(capsys):
    with transfers(pytest.fail, terminal=True) as step:
        step("x.npy", 0, None)
        step("x.npy", 500, 1000)
        step("x.npy", 1000, 1000)
    assert capsys.readouterr().out == ""
