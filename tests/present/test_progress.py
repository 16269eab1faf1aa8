from bench.present.progress import Lines, bar


def test_lines_tell_the_rate_and_the_time_left_now_and_then(monkeypatch):
    clock = iter([0.0, 1.0, 11.0, 12.0, 20.0])
    monkeypatch.setattr("bench.present.progress.time.monotonic", lambda: next(clock))
    said = []
    lines = Lines(4, said.append)
    for _ in range(4):
        lines.step()
    assert said == ["2/4 outcomes, 11 a minute, 11 s left", "4/4 outcomes, 12 a minute, 0 s left"]


def test_a_bar_takes_lines_and_steps(capsys):
    with bar(2) as (told, step):
        told("something")
        step()
        step()
    assert "something" in capsys.readouterr().err
