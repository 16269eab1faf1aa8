import re

import numpy as np
import pytest
from support.examples import outcome
from support.messages import names, refused

from bench.analysis.findings import Findings
from bench.present import charts, frames
from bench.present.charts import CHARTS
from bench.present.engines import engines_text
from bench.present.text import Layout
from bench.study.outcome import Failure

ORDERS = {"random": 0.8, "given": 0.8, "lid-ascending": 0.5}
ENGINES = ("hnswlib", "faiss", "usearch", "voyager", "duckdb", "chroma", "qdrant")


def findings(engines=ENGINES, orders=ORDERS, efs=(10,), datasets=("a",), builds=4, reference="random", **params):
    listed = []
    for engine in engines:
        for dataset in datasets:
            for ef in efs:
                for place, (order, mean) in enumerate(orders.items()):
                    for seed in range(1, builds + 1):
                        rng = np.random.default_rng([place, seed, ef, *engine.encode()])
                        hits = rng.binomial(10, mean ** (10 / ef), 60)
                        fields = {"dataset": dataset, "fingerprint": dataset, "engine": engine, "queries": 60}
                        fields |= {"ef_search": ef, "order": order, "build_seed": seed, "order_seed": seed}
                        listed.append(("e", outcome(hits, **fields, **params.get(engine, {}))))
    return Findings(listed, reference=reference)


def test_a_row_is_an_engine_and_its_cells_are_the_differences_of_its_orders():
    found = findings()
    text = engines_text(found, Layout(wide=True))
    by_key = {(row.setting.of.index.engine, row.order): row for row in found.summaries}
    lines = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| engine")]
    assert [line.split("|")[1].strip() for line in lines] == sorted(ENGINES)
    for line in lines:
        engine, recall, given, lid, seconds = (cell.strip() for cell in line.strip("|").split("|"))
        assert recall == f"{by_key[engine, 'random'].recall.value:.4f}"
        assert float(seconds) == pytest.approx(by_key[engine, "random"].build_seconds, abs=0.05)
        for order, cell in (("given", given), ("lid-ascending", lid)):
            value, low, high = map(float, re.match(r"(\S+) \[(\S+), (\S+)\]", cell).groups())
            of = by_key[engine, order].against.difference
            assert (value, low, high) == pytest.approx((100 * of.value, 100 * of.low, 100 * of.high), abs=0.0051)
            marks = {"better": "▲", "worse": "▼", "no difference shown": "=", "undecided": "?"}
            assert cell.endswith(marks[by_key[engine, order].against.verdict])


def test_there_is_a_table_for_every_dataset_and_ef_search():
    text = engines_text(findings(("hnswlib", "faiss"), efs=(10, 40), datasets=("a", "b")), Layout())
    assert re.findall(r"^e: .*$", text, re.MULTILINE) == [
        f"e: {dataset}, ef_search {ef}" for dataset in ("a", "b") for ef in (10, 40)
    ]


def test_an_order_that_an_engine_has_not_is_an_empty_cell():
    few = findings(("faiss",), {"random": 0.8, "given": 0.8})
    both = Findings([*findings(("hnswlib",)).outcomes, *few.outcomes])
    [faiss] = [line for line in engines_text(both, Layout(wide=True)).splitlines() if "| faiss" in line]
    assert faiss.split("|")[4].strip() == ""


def test_many_orders_are_in_tables_of_80_columns():
    orders = ["given", "reverse", "category", "lid-ascending", "lid-descending", "radius-descending", "farthest-first"]
    text = engines_text(findings(("hnswlib", "faiss"), {"random": 0.8, **dict.fromkeys(orders, 0.6)}), Layout())
    assert max(map(len, text.splitlines())) <= 80
    assert len(re.findall(r"^hnswlib .*$", text, re.MULTILINE)) == 2
    assert len(re.findall(r"[+-]\d+\.\d [▲▼=?]", text)) == 2 * len(orders)


def test_a_reference_that_is_not_there_is_named_with_the_option_for_another():
    with refused("reverse", "--reference"):
        engines_text(findings(reference="reverse"), Layout())


def test_failures_and_ties_are_named():
    found = findings(("hnswlib", "faiss"))
    trial = found.outcomes[0][1].trial
    failures = [Failure(trial=trial, reason="no graph today")]
    with_ties = Findings(found.outcomes, failures=failures, ties=True)
    text = engines_text(with_ties, Layout())
    assert names(text, "ties", "random", f"1 of {len(found.outcomes) + 1} trials")
    assert names(engines_text(Findings([], failures=failures), Layout()), "no graph today")


def test_engines_are_a_map_where_they_are_too_many_for_colours():
    assert {"engines", "engine_map"} & set(charts.names(findings(ENGINES[:6]), CHARTS)) == {"engines"}
    assert {"engines", "engine_map"} & set(charts.names(findings(ENGINES), CHARTS)) == {"engine_map"}
    spec = charts.chart(findings(ENGINES), CHARTS, "engine_map").to_dict()
    [rows] = spec["datasets"].values()
    assert {row["index"] for row in rows} == set(ENGINES)
    assert {row["order"] for row in rows} == {"given", "lid-ascending"}


def test_an_index_goes_by_what_varies_among_those_of_its_engine():
    own = {"usearch": {"chunk": 1000, "engine_params": '{"dtype":"f32","jitter":8}'}}
    bf16 = {"usearch": {"chunk": 1000, "threads": 2, "engine_params": '{"dtype":"bf16","jitter":8}'}}
    listed = [*findings(("hnswlib", "usearch"), **own).outcomes, *findings(("usearch",), **bf16).outcomes]
    indexes = {panel.index for panel in frames.panels(Findings(listed)).values()}
    assert indexes == {"hnswlib", "usearch, threads 1, dtype f32", "usearch, threads 2, dtype bf16"}
