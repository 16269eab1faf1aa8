"""What a study will take and can show, as text."""

from bench.analysis.plan import Plan
from bench.present.text import pipe


def plan_text(name: str, plan: Plan) -> str:
    """A plan for people."""
    lines = [
        [
            line.dataset,
            line.engine,
            line.M,
            line.ef_construction,
            line.ef_search,
            line.k,
            line.builds,
            f"{line.seconds_a_build:.2f}",
            "" if line.detectable is None else f"{100 * line.detectable:.2f}",
        ]
        for line in plan.lines
    ]
    header = [
        "dataset",
        "engine",
        "M",
        "ef_construction",
        "ef_search",
        "k",
        "builds",
        "s a build",
        "detectable, points",
    ]
    minutes = f"{plan.seconds / 60:.1f} minutes" if plan.seconds >= 90 else f"{plan.seconds:.0f} seconds"
    return (
        f"{name}: {plan.outcomes} outcomes, {plan.missing} missing: {plan.builds} builds, about {minutes}\n\n"
        f"{pipe(lines, header, 2)}\n\n"
        "detectable: the smallest difference between two orders that this number of builds finds with power 80 % among"
        " as many orders, by a probe of a few thousand rows. Time is of builds and searches; neighbours, dimension"
        " and orders, where they are not in the cache yet, come on top."
    )
