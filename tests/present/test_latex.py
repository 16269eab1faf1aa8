from support.examples import TRIAL, outcome
from support.messages import refused

from bench.analysis.findings import Findings
from bench.present.latex import latex
from bench.study.outcome import Failure


def built(order, hits, seed, **fields):
    trial = {"order": order, "build_seed": seed, "order_seed": seed, **fields}
    return "e_1", outcome([hits, hits, hits + 1], **trial)


def test_a_paper_gets_a_table_an_experiment_with_signs_escaped():
    listed = [built(o, h, s, dataset="50%_a&b") for o, h in (("random", 5), ("lid-ascending", 3)) for s in (1, 2)]
    text = latex(Findings(listed))
    assert text.count(r"\begin{table}") == text.count(r"\toprule") == text.count(r"\caption") == 1
    assert r"e\_1: dataset 50\%\_a\&b" in text
    assert text.count(r"\\") == 3  # a header and two orders
    assert "lid-ascending" in text


def test_an_orders_name_is_no_argument_of_the_line_before_it():
    listed = [built(o, h, s) for o, h in (("random", 5), ("[mine].txt", 3), ("*mine.txt", 4)) for s in (1, 2)]
    text = latex(Findings(listed))
    assert "{}[mine].txt" in text
    assert "{}*mine.txt" in text


def test_nothing_compared_is_no_table():
    with refused("csv"):
        latex(Findings([], failures=[Failure(trial=TRIAL, reason="build: no")]))
