"""The answer of an experiment in sentences: one source for terminal, page and notebook."""

from collections.abc import Sequence

from bench.analysis.findings import Findings
from bench.analysis.setting import split
from bench.present.section import Section
from bench.present.summary import what_now
from bench.present.what_now import of_retrieval


def answer(findings: Findings, sections: Sequence[Section]) -> list[str]:
    """Return what to do in view of the outcomes of one experiment. sections: what features add."""
    said = []
    if findings.reference:
        said = [line for advice in findings.advice for line in what_now(advice, findings.summaries, findings.ties)]
    if findings.retrieval:
        said.append(of_retrieval(findings.retrieval, split([row.setting.fields for row in findings.retrieval])[1]))
    said += [line for section in sections for line in section.answer(findings)]
    if not said:
        said = ["No order is compared with another here."] if findings.outcomes else ["Every trial failed."]
    return said
