"""The message of a command about a mistake."""


def one_line(done):
    """The error, which must be one line after what else was said, with no traceback."""
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stdout == ""
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("bench: ")
    assert "Traceback" not in done.stderr
    return last
