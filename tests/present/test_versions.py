"""When versions of a dataset were measured."""

import msgspec
import pytest
from support.examples import outcome

from bench.analysis.findings import Findings
from bench.present.text import Layout
from bench.present.versions import UNKNOWN, versions_text


def measured(fingerprint, time, order="random", seed=1):
    built = outcome([5, 5], fingerprint=fingerprint, order=order, build_seed=seed, order_seed=seed, queries=2)
    environment = {**built.build.environment, **({"measured": time} if time else {})}
    return "e", msgspec.structs.replace(built, build=msgspec.structs.replace(built.build, environment=environment))


def test_each_version_of_a_file_says_when_it_was_measured():
    listed = [
        measured("a", "2026-11-30 20:14"),
        measured("a", "2026-11-30 20:16", seed=2),
        measured("b", "2026-11-29 08:00"),
        measured("c", ""),
    ]
    findings = Findings(listed)
    names = {row.setting.of.data.fingerprint: row.setting.name for row in findings.summaries}
    lines = versions_text(findings, Layout(width=120)).splitlines()
    assert [line.split()[1:3] for line in lines] == [names[of].split() for of in "cba"]
    assert UNKNOWN in lines[0]
    assert "2026-11-29 08:00 UTC" in lines[1]
    assert "2026-11-30 20:14 to 2026-11-30 20:16 UTC" in lines[2]


@pytest.mark.parametrize("time", ["2026-11-30 20:14", ""])
def test_nothing_is_said_of_a_single_version(time):
    assert versions_text(Findings([measured("a", time)]), Layout(width=80)) == ""
