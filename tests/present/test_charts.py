import colorsys
import json

import numpy as np
import pytest
from support.examples import TRIAL, outcome
from support.messages import names, refused
from support.results import permutations, result

from bench.analysis.findings import Findings
from bench.features import sections
from bench.present import charts, frames
from bench.present.charts import marks
from bench.present.section import charts_of
from bench.study.trial import changed

QUERIES = 60
ORDERS = {"random": 0.8, "given": 0.8, "lid-ascending": 0.6}

CHARTS = charts_of(sections())


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


def ef_of(built):
    return built.trial.search.ef_search


def fields_of(built):
    trial = built.trial
    fields = {"dataset": trial.data.dataset, "fingerprint": trial.data.fingerprint, "queries": QUERIES}
    fields |= {"engine": trial.index.engine, "order": trial.order.order}
    return fields | {"build_seed": trial.seeds.build_seed, "order_seed": trial.seeds.order_seed}


def test_every_chart_is_drawn_of_its_own_rows_or_not_at_all(findings):
    drawn = charts.names(findings, CHARTS)
    assert {"difference", "curves", "misses", "losses", "by_dimension", "heat", "engines", "dimensions"} < set(drawn)
    assert not {"sweep", "permutations", "rankings", "presets"} & set(drawn)
    for name in drawn:
        spec = charts.chart(findings, CHARTS, name).to_dict()
        assert sum(len(rows) for rows in spec["datasets"].values())
    for name in set(CHARTS) - set(drawn):
        with refused(repr(name), "difference"):
            charts.chart(findings, CHARTS, name)


def test_a_choice_is_the_rows_of_that_setting_and_a_wrong_one_is_named(findings):
    spec = charts.chart(findings, CHARTS, "difference", dataset="b", index="faiss", search="40").to_dict()
    [rows] = spec["datasets"].values()
    assert {(row["dataset"], row["index"], row["search"]) for row in rows} == {("b", "faiss", "40")}
    assert names(spec["title"], "random", "b", "faiss", "ef_search 40")
    with refused("'usearch'", "faiss, hnswlib"):
        charts.chart(findings, CHARTS, "difference", index="usearch")
    with refused("'ef_search'", "dataset, index, search"):
        charts.chart(findings, CHARTS, "difference", ef_search="40")
    assert charts.chart(findings, CHARTS, "difference", search=40).to_dict()["title"].endswith("ef_search 40")
    charts.chart(findings, CHARTS, "curves", search="40")  # which shows all of them
    with refused("'pie'", "difference"):
        charts.chart(findings, CHARTS, "pie")
    assert len(list(charts.every(findings, CHARTS, "difference"))) == 8
    assert [choice for choice, _ in charts.every(findings, CHARTS, "heat")] == [
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
    layers = charts.chart(found, CHARTS, "difference").to_dict()["layer"]
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
    at_20 = rows[(rows["order"] == "given") & rows["kind"].isin(["measured", "ladder"])]
    assert set(at_20["ef_search"]) == {10, 40}


def test_settings_that_differ_in_metric_alone_have_names_of_their_own():
    cosine = [("e", outcome(o.hits, **fields_of(o), metric="cosine")) for _, o in outcomes(datasets="a", efs=(10,))]
    both = Findings([*outcomes(datasets="a", efs=(10,)), *cosine])
    named = list(frames.panels(both).values())
    assert len(named) == len({(of.dataset, of.index, of.search) for of in named}) == 4


def test_curves_read_off_the_ef_search_of_equal_recall(findings):
    rows = frames.curves(findings)
    assert set(rows["kind"]) == {"measured", "ladder", "line", "reading"}
    assert set(rows[rows["kind"] == "ladder"]["order"]) == {"random"}
    own = rows[(rows["dataset"] == "a") & (rows["index"] == "faiss") & (rows["order"] == "lid-ascending")]
    at_10 = own[(own["kind"] == "measured") & (own["ef_search"] == 10)]["recall"].iloc[0]
    reading = own[own["kind"] == "reading"].sort_values("recall")
    assert reading["ef_search"].is_monotonic_increasing
    assert np.interp(at_10, reading["recall"], reading["ef_search"]) == pytest.approx(10, rel=0.05)


def test_lines_are_drawn_as_the_pointer_reads_them(findings):
    rows = frames.curves(findings)
    for _, of_order in rows[rows["kind"] != "reading"].groupby(["dataset", "index", "order"]):
        points = of_order[of_order["kind"] != "line"]
        curve = dict(zip(points["ef_search"], points["recall"], strict=True))
        line = of_order[of_order["kind"] == "line"]
        assert set(np.round(list(curve), 9)) <= set(np.round(line["ef_search"], 9))  # through all that was measured
        steps = np.diff(np.log2(line["ef_search"]))
        assert len(line) > 20
        assert steps.max() < 0.1  # of a doubling, so that it looks smooth
        misses = np.interp(np.log(line["ef_search"]), np.log(list(curve)), np.log(1 - np.array(list(curve.values()))))
        assert line["recall"].to_numpy() == pytest.approx(1 - np.exp(misses))


def test_random_is_not_drawn_above_an_order_that_is_as_good_between_what_was_measured():
    listed = [(e, o) for e, o in outcomes(("a",), ("hnswlib",)) if o.trial.order.order == "random"]
    listed += [("e", outcome(o.hits, **fields_of(o) | {"order": "given", "ef_search": ef_of(o)})) for _, o in listed]
    rungs = ladder()[: len(listed) // 4]  # of the same dataset and engine
    rows = frames.curves(Findings(listed, rungs))
    line = rows[rows["kind"] == "line"]
    given, random = (line[line["order"] == order] for order in ("given", "random"))
    measured = rows[rows["kind"].isin(["measured", "ladder"])]
    middle = measured[(measured["order"] == "random") & (measured["ef_search"] == 20)]["recall"].item()
    straight = np.interp(20, [10, 40], given["recall"].iloc[[0, -1]])
    drawn = np.interp(20, given["ef_search"], given["recall"])
    assert random["recall"].iloc[-1] == given["recall"].iloc[-1]
    assert abs(drawn - middle) < abs(straight - middle) / 3


def hue(colour):
    return 360 * colorsys.rgb_to_hsv(*(int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)))[0]


def apart(one, other):
    return min(abs(hue(one) - hue(other)), 360 - abs(hue(one) - hue(other)))


def test_no_order_has_a_hue_of_a_verdict():
    for order in marks.ORDERS:
        for verdict in (marks.BLUE, marks.ORANGE):
            assert apart(order, verdict) > 30, (order, verdict)


def colours_of(spec):
    """The colours that a specification gives values of each field, and those of its marks."""
    found = {}
    if isinstance(spec, dict):
        for name, value in spec.items():
            if name == "color" and isinstance(value, dict) and "scale" in value:
                found.setdefault(value["field"], set()).update(value["scale"]["range"])
            elif name in ("color", "fill", "stroke") and isinstance(value, str):
                found.setdefault("", set()).add(value)
            elif name not in ("config", "datasets"):
                for field, of_field in colours_of(value).items():
                    found.setdefault(field, set()).update(of_field)
    elif isinstance(spec, list):
        for one in spec:
            for field, of_field in colours_of(one).items():
                found.setdefault(field, set()).update(of_field)
    return found


def test_a_colour_means_one_thing_on_a_page():
    judged = result(datasets=[f"npl(model={name})" for name in "xyz"], engines=("hnswlib", "faiss"), judged=True)
    swept = result(datasets=[f"ball(dimension={n})" for n in (2, 4, 8)], ladder=True, profiles=True, memory=True)
    fields, drawn = {}, set()
    for findings in (judged.findings, swept.findings, result(orders=permutations()).findings):
        for name in charts.names(findings, CHARTS):
            drawn.add(name)
            for field, of_field in colours_of(charts.chart(findings, CHARTS, name).to_dict()).items():
                fields.setdefault(field, set()).update(of_field)
    assert drawn >= set(CHARTS) - {"presets", "engine_map"}
    verdicts = {marks.BLUE, marks.ORANGE, marks.REFERENCE}
    assert set(fields) <= {"", "order", "verdict", "shade"}
    assert fields["verdict"] == verdicts
    assert fields["shade"] - {marks.BLUE, marks.ORANGE} == {"#f2f2f2"}
    assert fields["order"] <= {marks.REFERENCE, *marks.ORDERS}
    assert fields[""] <= {marks.REFERENCE, "white"}  # a colour of one mark, as of the zero line


def test_svg_and_png_are_drawn_offline_and_300_dots_an_inch(findings):
    from PIL import Image

    files = charts.files(charts.chart(findings, CHARTS, "difference"))
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
    files = charts.files(charts.chart(Findings(listed), CHARTS, "difference"))
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
    for name in charts.names(findings, CHARTS):
        spec = charts.chart(findings, CHARTS, name).to_dict()
        spec.pop("$schema")
        assert "http" not in json.dumps(spec)


@pytest.mark.parametrize("value", ["a/b", "../x", "..", 'q"<script>', "é ü", "", "x" * 300])
def test_a_value_in_a_file_name_leaves_its_folder_for_none(value):
    part = charts.file_part(value)
    assert part
    assert len(part) <= 60
    assert "/" not in part
    assert part not in (".", "..")
