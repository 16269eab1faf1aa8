"""The plan of a study as text: its time, size and power."""

from bench.analysis.plan import Plan
from bench.analysis.setting import shown, split
from bench.present.text import Layout, heading, title

FIGURES = ("builds", "seconds_a_build", "detectable")  # of a line; all else is its setting


def plan_text(name: str, plan: Plan, layout: Layout) -> str:
    """A plan for people."""
    fields = [{"dataset": line.dataset} | shown(line) for line in plan.lines]
    settings = [{key: value for key, value in of_line.items() if key not in FIGURES} for of_line in fields]
    common, varying = split(settings)
    rows = [
        [
            heading(setting, varying),
            line.builds,
            f"{line.seconds_a_build:.2f}",
            "" if line.detectable is None else f"{100 * line.detectable:.2f}",
        ]
        for line, setting in zip(plan.lines, settings, strict=True)
    ]
    header = ["setting", "builds", "s a build", "detectable, points"]
    minutes = f"{plan.seconds / 60:.1f} minutes" if plan.seconds >= 90 else f"{plan.seconds:.0f} seconds"
    ladder = f" ({plan.ladder} of them to find the ef_search that an order equals)" if plan.ladder else ""
    parts = [
        layout.note(
            f"{name}: {plan.outcomes} outcomes{ladder}, {plan.missing} missing: {plan.builds} builds, about {minutes}"
        ),
        layout.note(title(common)),
        layout.table(header, rows, 1),
    ]
    note = layout.note(
        "detectable: the smallest difference between two orders that this number of builds finds with power 80 % among"
        " as many orders, by a probe of a few thousand rows. Time covers builds and searches; neighbours, dimension"
        " and orders that are not in the cache yet take extra time."
    )
    return "\n\n".join([*parts, note])
