"""The answer of all that outcomes show, in words: one source for terminal, page and notebook."""

from bench.analysis.findings import Findings
from bench.analysis.setting import split
from bench.present.advice import of_permutations, of_presets, of_retrieval
from bench.present.summary import what_now


def answer(findings: Findings) -> list[str]:
    """What to make of the outcomes of one experiment, in sentences, as they stand below the terminal's tables."""
    if findings.presets:
        return of_presets(findings.presets)
    said = []
    if findings.reference:
        said = [line for advice in findings.advice for line in what_now(advice, findings.summaries, findings.ties)]
    if findings.retrieval:
        said.append(of_retrieval(findings.retrieval, split([row.setting.fields for row in findings.retrieval])[1]))
    if findings.permuted:
        said.append(of_permutations(findings.permuted, split([row.setting for row in findings.permuted])[1]))
    if not said:
        said = ["No order is compared with another here."] if findings.outcomes else ["Every trial failed."]
    return said
