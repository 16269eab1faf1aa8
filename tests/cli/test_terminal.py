import pytest
from support.disk import files_of_at_most

from bench.errors import BenchError
from bench.streams import write


def test_a_file_that_a_full_disk_cuts_is_removed_and_the_one_before_stays(tmp_path):
    (tmp_path / "r.csv").write_text("before")
    with files_of_at_most(50), pytest.raises(BenchError, match=r"cannot write .*r\.csv: File too large"):
        write(tmp_path / "r.csv", lambda stream: stream.write(b"x" * 100))
    assert [path.read_text() for path in tmp_path.iterdir()] == ["before"]
