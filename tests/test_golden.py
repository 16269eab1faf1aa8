"""The complete output of the main commands. `make golden` writes these files again after a change of wording."""

import numpy as np
import pytest
from support import results
from support.gates import line, report
from support.lines import one_line

from bench.analysis.verdict import BIT_EXACT, FELL, UNDECIDED
from bench.features.doctor.diagnosis import Diagnosis, DoctorLine
from bench.features.doctor.doctor_text import NOTE
from bench.features.doctor.doctor_text import text as doctor_text
from bench.features.gate.gate_text import text as gate_text
from bench.present.text import Layout

MISTAKES = [
    "compare no.npy",
    "compare my.npy --orders lid-desc",
    "compare my.npy --orders category",
    "compare my.npy --engines hnsw",
    "compare my.npy --ef-search 0",
    "compare my.npy --labels l.npy",
    "compare my.npy --queries wide.npy",
    "compare nan.npy",
    "run defualt",
    "table",
    "gate nosuch",
    "lid digit",
]


def test_output_of_table_has_not_changed(cli, tmp_path, golden):
    drawn = results.findings(
        engines=("hnswlib", "faiss"), builds=5, queries=400, ladder=True, failures=["build: RuntimeError: no memory"]
    )
    results.stored(tmp_path / "s.sqlite", of=drawn).close()
    golden("table", cli("table", "--store", "s.sqlite", check=0, COLUMNS="80").stdout)


def test_output_of_rankings_has_not_changed(cli, tmp_path, golden):
    drawn = results.findings(datasets=("a", "b", "c"), efs=(10,), queries=60, judged=True)
    results.stored(tmp_path / "s.sqlite", of=drawn).close()
    golden("rankings", cli("rankings", "--store", "s.sqlite", check=0, COLUMNS="80").stdout)


def test_text_of_a_failed_gate_has_not_changed(golden):
    lines = [
        line(-0.03, -0.02, FELL, order="reverse"),
        line(-0.02, -0.001, UNDECIDED),
        line(),
        line(0, 0, BIT_EXACT, order="given"),
    ]
    failed = report(*lines, passed=False, changes=["hnswlib 0.8.0 -> 0.9.0"])
    golden("gate", gate_text(failed, Layout(width=80)) + "\n")


def test_text_of_a_doctor_has_not_changed(golden):
    lines = [
        DoctorLine("order", "lost", "z +0.3 (builds 8)", broken=True, remedy="insert rows in the order that is given"),
        DoctorLine("ids", "right", "recall 1.000 by id"),
    ]
    broken = Diagnosis(engine="mine", version="1.0", metric="l2", lines=lines, settings=["chunk = 1"], keeps=False)
    layout = Layout(width=80)
    golden("doctor", f"{doctor_text(broken, layout)}\n\n{layout.note(NOTE)}\n")


@pytest.mark.filterwarnings("ignore::bench.errors.BenchWarning")
def test_lines_of_mistakes_have_not_changed(cli, tmp_path, golden):
    rows = np.random.default_rng(0).standard_normal((400, 8)).astype(np.float32)
    with_nan = rows.copy()
    with_nan[123, 4] = np.nan
    for name, array in {"my": rows, "nan": with_nan, "l": np.arange(30), "wide": np.zeros((20, 9))}.items():
        np.save(tmp_path / f"{name}.npy", array)
    golden("mistakes", "".join(f"$ bench {words}\n{one_line(cli(*words.split()))}\n" for words in MISTAKES))
