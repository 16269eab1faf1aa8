import json

import numpy as np
import pytest
from support.examples import TRIAL, outcome

from bench.analysis.findings import Findings
from bench.errors import BenchError
from bench.present import charts, frames
from bench.present.charts import CHARTS
from bench.study.trial import changed

QUERIES = 60
ORDERS = {"random": 0.8, "given": 0.8, "lid-ascending": 0.6}


def outcomes(datasets=("a", "b"), engines=("hnswlib", "faiss"), efs=(10, 40), builds=3):
    """Outcomes whose recall falls by order and rises with ef_search."""
    listed = []
    for dataset in datasets:
        for engine in engines:
            for ef in efs:
                for place, (order, mean) in enumerate(ORDERS.items()):
                    for seed in range(1, builds + 1):
                        rng = np.random.default_rng([place, seed, ef, *dataset.encode(), *engine.encode()])
                        hits = rng.binomial(10, mean ** (10 / ef), QUERIES)
                        fields = {"dataset": dataset, "fingerprint": dataset, "engine": engine, "queries": QUERIES}
                        fields |= {"ef_search": ef, "order": order, "build_seed": seed, "order_seed": seed}
                        listed.append(("e", outcome(hits, **fields)))
    return listed


def data(dataset):
    return changed(TRIAL, dataset=dataset, fingerprint=dataset, queries=QUERIES).data


def profile():
    rng = np.random.default_rng(1)
    arrays = {"rows": np.arange(100)}
    for what, count in (("row", 100), ("query", QUERIES)):
        arrays |= {f"{what}_{name}": rng.uniform(1, 9, count) for name in ("lid", "nearest", "radius")}
    return arrays


@pytest.fixture(scope="module")
def findings():
    return Findings(outcomes(), ladder(), profiles={data(name): profile() for name in "ab"})


def ladder(order="random"):
    """Outcomes of one order at an ef_search between those of all."""
    return [
        ("e", outcome(o.hits, **{**fields_of(o), "ef_search": 20}))
        for _, o in outcomes(efs=(20,))
        if o.trial.order.order == order
    ]


def fields_of(built):
    trial = built.trial
    fields = {"dataset": trial.data.dataset, "fingerprint": trial.data.fingerprint, "queries": QUERIES}
    fields |= {"engine": trial.index.engine, "order": trial.order.order}
    return fields | {"build_seed": trial.seeds.build_seed, "order_seed": trial.seeds.order_seed}


def test_every_chart_is_drawn_of_its_own_rows_or_not_at_all(findings):
    drawn = charts.names(findings)
    assert {"difference", "curves", "misses", "losses", "by_dimension", "heat", "engines", "dimensions"} < set(drawn)
    assert not {"sweep", "permutations", "rankings", "presets"} & set(drawn)
    for name in drawn:
        spec = charts.chart(findings, name).to_dict()
        assert sum(len(rows) for rows in spec["datasets"].values())
    for name in set(CHARTS) - set(drawn):
        with pytest.raises(BenchError, match=f"chart '{name}': these results have nothing to draw in it; they have"):
            charts.chart(findings, name)


def test_a_choice_is_the_rows_of_that_setting_and_a_wrong_one_is_named(findings):
    spec = charts.chart(findings, "difference", dataset="b", index="faiss", search="40").to_dict()
    [rows] = spec["datasets"].values()
    assert {(row["dataset"], row["index"], row["search"]) for row in rows} == {("b", "faiss", "40")}
    assert spec["title"] == "Difference to random, b, faiss, ef_search 40"
    with pytest.raises(BenchError, match="unknown index 'usearch'; known: faiss, hnswlib"):
        charts.chart(findings, "difference", index="usearch")
    with pytest.raises(BenchError, match="unknown choice 'ef_search'; known: dataset, index, search"):
        charts.chart(findings, "difference", ef_search="40")
    assert charts.chart(findings, "difference", search=40).to_dict()["title"].endswith("ef_search 40")
    charts.chart(findings, "curves", search="40")  # which shows all of them
    with pytest.raises(BenchError, match="unknown chart 'pie'; known: difference"):
        charts.chart(findings, "pie")
    assert len(list(charts.every(findings, "difference"))) == 8
    assert [choice for choice, _ in charts.every(findings, "heat")] == [
        {"index": index, "search": search} for index in ("faiss", "hnswlib") for search in ("10", "40")
    ]


def test_differences_are_those_of_the_summaries_in_points(findings):
    rows = frames.differences(findings).set_index(["dataset", "index", "search", "order"])
    compared = [row for row in findings.summaries if row.against]
    assert len(rows) == len(compared) == 16
    for row in compared:
        fields = row.setting.fields
        drawn = rows.loc[(fields["dataset"], fields["engine"], str(fields["ef_search"]), row.order)]
        ends = row.against.difference
        assert drawn["difference"] == 100 * ends.value
        assert (drawn["low"], drawn["high"]) == (100 * ends.low, 100 * ends.high)


@pytest.mark.parametrize("worth", [0.005, 0.02])
def test_the_grey_band_is_the_smallest_gain_that_is_worth_it(worth):
    found = Findings(outcomes(), worth=worth)
    assert set(frames.differences(found)["margin"]) == {100 * worth}
    layers = charts.chart(found, "difference").to_dict()["layer"]
    [band] = [layer for layer in layers if layer["mark"]["type"] == "rect"]
    assert band["encoding"]["x2"]["field"] == "margin"


def test_the_noise_band_is_what_two_builds_of_the_reference_differ_by(findings):
    row = next(row for row in findings.summaries if row.order == "random")
    drawn = frames.differences(findings)
    of_setting = drawn[(drawn["dataset"] == row.setting.name) & (drawn["search"] == "10") & (drawn["index"] == "faiss")]
    assert of_setting["noise"].iloc[0] == pytest.approx(100 * 4.302653 * 2**0.5 * row.sd)  # t of two degrees of freedom


def test_the_ladder_is_of_the_order_that_was_searched_on_it_whatever_the_reference():
    rows = frames.curves(Findings(outcomes(), ladder("random"), reference="given"))
    assert set(rows[rows["kind"] == "ladder"]["order"]) == {"random"}
    at_20 = rows[(rows["order"] == "given") & (rows["kind"] != "reading")]
    assert set(at_20["ef_search"]) == {10, 40}


def test_settings_that_differ_in_metric_alone_are_told_apart():
    cosine = [("e", outcome(o.hits, **fields_of(o), metric="cosine")) for _, o in outcomes(datasets="a", efs=(10,))]
    both = Findings([*outcomes(datasets="a", efs=(10,)), *cosine])
    named = list(frames.panels(both).values())
    assert len(named) == len({(of.dataset, of.index, of.search) for of in named}) == 4


def test_curves_read_off_the_ef_search_of_equal_recall(findings):
    rows = frames.curves(findings)
    assert set(rows["kind"]) == {"measured", "ladder", "reading"}
    assert set(rows[rows["kind"] == "ladder"]["order"]) == {"random"}
    own = rows[(rows["dataset"] == "a") & (rows["index"] == "faiss") & (rows["order"] == "lid-ascending")]
    at_10 = own[(own["kind"] == "measured") & (own["ef_search"] == 10)]["recall"].iloc[0]
    reading = own[own["kind"] == "reading"].sort_values("recall")
    assert reading["ef_search"].is_monotonic_increasing
    assert np.interp(at_10, reading["recall"], reading["ef_search"]) == pytest.approx(10, rel=0.05)


def test_svg_and_png_are_drawn_offline_and_300_dots_an_inch(findings):
    from PIL import Image

    files = charts.files(charts.chart(findings, "difference"))
    assert files["svg"].startswith(b"<svg")
    assert b"lid-ascending" in files["svg"]
    import io

    image = Image.open(io.BytesIO(files["png"]))
    assert round(image.info["dpi"][0]) == 300
    assert image.width > 1000


def test_a_long_name_of_signs_of_two_halves_is_drawn():
    name = "category permutation=" + "🦜🔥" * 40
    listed = []
    for where, o in outcomes(("a",), ("hnswlib",), (10,)):
        order = o.trial.order.order.replace("given", name)
        listed.append((where, outcome(o.hits, **{**fields_of(o), "order": order})))
    files = charts.files(charts.chart(Findings(listed), "difference"))
    assert files["svg"].startswith(b"<svg")


def test_orders_whose_builds_could_show_nothing_keep_their_verdict():
    listed = []
    for where, o in outcomes(("a",), ("hnswlib",), (10,), builds=2):
        far = np.full(QUERIES, 2 if o.trial.seeds.build_seed == 1 else 9)
        listed.append((where, outcome(far if o.trial.order.order == "given" else o.hits, **fields_of(o))))
    rows = frames.needed(Findings(listed)).set_index("order")
    assert np.isnan(rows.loc["given", "detectable"])
    assert rows.loc["given", "verdict"].startswith("undecided")
    assert np.isfinite(rows.loc["lid-ascending", "detectable"])


def test_a_specification_has_no_address_that_is_fetched(findings):
    for name in charts.names(findings):
        spec = charts.chart(findings, name).to_dict()
        spec.pop("$schema")
        assert "http" not in json.dumps(spec)


@pytest.mark.parametrize("value", ["a/b", "../x", "..", 'q"<script>', "é ü", "", "x" * 300])
def test_a_value_in_a_file_name_leaves_its_folder_for_none(value):
    part = charts.file_part(value)
    assert part
    assert len(part) <= 60
    assert "/" not in part
    assert part not in (".", "..")
