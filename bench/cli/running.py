"""Run a study, print its table and write its page; or plan it."""

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bench.cli.results import page_of, print_table
from bench.cli.terminal import INTERRUPTED, exit_after, print_json, say, worth_of
from bench.convert import as_text
from bench.errors import BenchError
from bench.streams import check_stdout

if TYPE_CHECKING:
    from bench.api import Result
    from bench.indexes.presets import Preset
    from bench.present.text import Layout
    from bench.study.execution.workers import Workers
    from bench.study.spec.study import Study


def run_study(
    study: "Study",
    path: Path,
    workers: "Workers",
    layout: "Layout | None",
    with_report: bool,
    resume: str,
    worth: float,
) -> None:
    """Run what a store misses of a study, with progress, print the study's table, and write its page."""
    result = _result([study], path, workers, resume, worth)
    print_table(result.findings, layout)
    if with_report:
        _report(path, result)
    exit_after(result.findings.failures)


def _report(path: Path, result: "Result") -> None:
    """Write the page of an experiment; one that cannot be written costs no result."""
    page = page_of(path, result.name)
    sys.stdout.flush()  # the table comes first where both go to one place
    try:
        result.report(page)
    except BenchError as error:
        say(f"warning: no report: {error}")
    else:
        say(f"report: {page}")


def _result(studies: "Sequence[Study]", path: Path, workers: "Workers", resume: str, worth: float) -> "Result":
    """Return the Result of studies of one name, after measuring what the store misses of them, with progress."""
    from bench import api
    from bench.present.progress import outcomes
    from bench.study.fill import Interrupted

    check_stdout()
    try:
        command = as_text(shlex.join(["bench", *sys.argv[1:]]))
        return api.run(studies, path, workers, outcomes, say, command, worth)
    except Interrupted as stopped:
        say(
            f"interrupted: {stopped.finished} of {stopped.missing} outcomes finished and saved in {path}; "
            f"{resume} goes on from there"
        )
        raise typer.Exit(INTERRUPTED) from None


def plan_study(study: "Study", path: Path, jobs: int, layout: "Layout | None") -> None:
    """Print what a study will take and can show, from builds of a small part of its data."""
    from bench.analysis.plan import planned
    from bench.study.plan import probe
    from bench.study.store import Store

    check_stdout()
    missing = Store.open(path).missing(study.with_ladder) if os.path.lexists(path) else study.with_ladder
    plan = planned(study, missing, list(probe(study, say)), jobs)
    if layout is None:
        print_json(plan)
    else:
        from bench.present.plan import plan_text

        print(plan_text(study.name, plan, layout))


def run_presets(
    study: "Study",
    preset: str,
    chosen: "dict[str, Preset]",
    path: Path,
    workers: "Workers",
    layout: "Layout | None",
    with_report: bool,
) -> None:
    """Run what a store misses of a comparison under systems' defaults, and print a row a system and engine."""
    from bench.analysis.retrieval import retrieval
    from bench.features.presets.presets_text import preset_row, preset_text
    from bench.features.presets.under_preset import by_preset
    from bench.present.failures import failures_flat, failures_text
    from bench.present.retrieval import retrieval_text
    from bench.study.spec.preset_studies import searches, studies

    experiment, [dataset] = study.experiment, study.datasets.values()
    assert isinstance(experiment.k, int)
    wanted = searches(chosen, experiment.k, say)
    name = f"{study.name}-{preset}"
    result = _result(studies(name, experiment, wanted, dataset), path, workers, "the same command", worth_of(None))
    results = result.findings
    rows, scored = by_preset(results.outcomes, wanted, chosen), retrieval(results.outcomes)
    if layout is None:
        print_json([*(preset_row(row) for row in rows), *failures_flat(results.failures)])
    else:
        texts = [preset_text(name, rows, layout)] if rows else []
        texts += [retrieval_text(scored, layout)] if scored else []
        trials = len(results.outcomes) + len(results.failures)
        texts += [failures_text(results.failures, trials, layout)] if results.failures else []
        print("\n\n".join(texts))
    if with_report:
        _report(path, result)
    exit_after(results.failures)
