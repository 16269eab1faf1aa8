import msgspec
import numpy as np
import pytest
from support.examples import outcome
from support.messages import lines_naming, names, refused

from bench.analysis.summary import BETTER, NO_DIFFERENCE, UNDECIDED, WORSE
from bench.features.changes import changes_text as present
from bench.features.changes.change import SAME, changes, not_shared

QUERIES = 200


def builds(mean, seeds=range(1, 6), version="0.8.0", **fields):
    """Outcomes of builds whose hits vary by query and build about a mean."""
    listed = []
    for seed in seeds:
        rng = np.random.default_rng([seed, *version.encode(), *str(mean).encode()])
        hits = np.clip(rng.binomial(10, mean, QUERIES), 0, 10)
        digest = f"{version}{seed}"
        listed.append(outcome(hits, queries=QUERIES, build_seed=seed, order_seed=seed, ids_sha256=digest, **fields))
    return listed


def test_lines_of_the_same_ids_have_not_changed_whatever_built_them():
    then = builds(0.9)
    now = builds(0.9, engine_version="0.8.1")
    [line] = changes(then, now).lines
    assert line.verdict == SAME
    assert line.same_ids == 5
    assert line.difference.value == 0
    [only] = present.answer(changes(then, now), "a", "b")
    assert names(only, "a", "b", "1 lines")


@pytest.mark.parametrize(
    ("now", "verdict"), [(0.95, BETTER), (0.8, WORSE), (0.9, NO_DIFFERENCE)], ids=["gains", "loses", "holds"]
)
def test_a_difference_of_points_is_shown_and_a_chance_difference_is_not(now, verdict):
    many = range(1, 41) if verdict == NO_DIFFERENCE else range(1, 6)
    [line] = changes(builds(0.9, many), builds(now, many, "0.9.0")).lines
    assert line.verdict == verdict
    assert line.difference.value == pytest.approx(now - 0.9, abs=0.02)
    assert line.difference.low <= line.difference.value <= line.difference.high
    assert line.builds == (len(many), len(many))


def test_few_builds_leave_a_line_undecided_and_a_single_one_has_no_interval():
    assert changes(builds(0.5, [1, 2]), builds(0.5, [1, 2], "0.9.0")).lines[0].verdict == UNDECIDED
    [line] = changes(builds(0.5, [1]), builds(0.5, [1], "0.9.0")).lines
    assert line.verdict == UNDECIDED
    assert np.isnan(line.difference.low)


def test_lines_without_a_counterpart_are_counted_and_have_no_part():
    then = [*builds(0.9), *builds(0.9, ef_search=40)]
    found = changes(then, [*builds(0.9), *builds(0.9, order="lid-ascending")])
    assert (len(found.lines), found.only_before, found.only_after) == (1, 1, 1)
    said = "\n".join(present.answer(found, "a", "b"))
    assert [line.startswith("1 lines of a ") for line in lines_naming(said, "1 lines of a")] == [True]
    assert len(lines_naming(said, "1 lines of b")) == 1


def test_parts_that_two_sides_do_not_share_are_named():
    [part] = not_shared(builds(0.9), builds(0.9, ef_search=40))
    assert part.split()[0] == "search"
    assert [part.split()[0] for part in not_shared(builds(0.9), builds(0.9, fingerprint="other", M=32))] == [
        "data",
        "index",
    ]


def test_builds_by_two_versions_on_one_side_are_refused():
    with refused("versions"):
        changes(builds(0.9, [1, 2]), [*builds(0.9, [1, 2]), *builds(0.9, [3], engine_version="0.9.0")])


def test_groups_of_queries_count_on_both_sides_though_a_baseline_has_none():
    groups = np.arange(QUERIES) // 20
    grouped = [msgspec.structs.replace(o, query_groups=groups) for o in builds(0.9, range(6, 11))]
    one = changes(builds(0.8), grouped).lines[0]
    other = changes(grouped, builds(0.8)).lines[0]
    assert other.difference.high == pytest.approx(-one.difference.low)
    assert one.difference.half_width > changes(builds(0.8), builds(0.9, range(6, 11))).lines[0].difference.half_width


def test_data_is_the_same_by_its_fingerprint_whatever_its_file_is_called():
    [line] = changes(builds(0.9), builds(0.9, dataset="renamed")).lines
    assert line.verdict == SAME
    assert line.fields["dataset"] == "renamed"


def test_lines_are_in_the_sequence_of_tables():
    many = [one for ef in (40, 10, 80, 20) for one in builds(0.9, ef_search=ef)]
    assert [line.fields["ef_search"] for line in changes(many, many).lines] == [10, 20, 40, 80]


def test_intervals_hold_for_all_lines_at_once():
    one = changes(builds(0.9), builds(0.9, version="0.9.0")).lines[0]
    both = changes(
        [*builds(0.9), *builds(0.9, ef_search=40)],
        [*builds(0.9, version="0.9.0"), *builds(0.9, version="0.9.0", ef_search=40)],
    ).lines[0]
    assert both.difference.value == one.difference.value
    assert both.difference.high > one.difference.high
    assert both.p == pytest.approx(min(2 * one.p, 1))


def test_rows_and_frame_have_the_figures_of_the_lines():
    found = changes(builds(0.9), builds(0.8, version="0.9.0"))
    [row] = present.rows(found)
    [line] = found.lines
    assert (row["difference"], row["recall_after_low"], row["p"]) == (
        line.difference.value,
        line.after.low,
        line.p,
    )
    drawn = present.frame(found.lines).iloc[0]
    assert drawn["difference"] == 100 * line.difference.value
    assert (drawn["dataset"], drawn["index"], drawn["search"]) == ("d", "hnswlib", "10")
