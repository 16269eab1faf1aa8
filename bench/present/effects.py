"""How much an order gains or costs, in words; which order is best on a dataset."""

import math
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from bench.analysis.advice import GIVEN, Advice
from bench.analysis.best import Best, Effect
from bench.analysis.setting import with_own_params
from bench.analysis.summary import BETTER, WORSE, Summary
from bench.orders import ORDERS
from bench.present.text import heading, points
from bench.statistics.intervals import Estimate

Varying = Mapping[str, Sequence[str]]  # by engine, see `varying_by_engine`
RANDOM = "random"


def reference_of(advice: Advice) -> str:
    """The reference as a sentence calls it."""
    return "random order" if advice.reference == RANDOM else advice.reference


def best_here(advice: Advice, varying: Varying) -> list[str]:
    """Say which order is best on the only dataset, and how much it gains."""
    [best] = advice.datasets
    reference = reference_of(advice)
    if best.mixed:
        return [f"No order is best in every setting: {_gains_and_costs(best.mixed, varying)} against {reference}."]
    if best.effect is None:
        return [_nothing_worth([best], advice)]
    most = best.effect.surely(BETTER)[0]
    assert most.against is not None
    share = most.against.misses_removed
    text = f"Best is {best.effect.order}: it gains {in_setting(most, varying)} against {reference}"
    text += in_how_many(best.effect, BETTER)
    if share.low > 0:  # an interval that reaches 0 says nothing
        text += (
            f". That removes {100 * share.value:.0f} % [{100 * share.low:.0f}, {100 * share.high:.0f}] of the misses"
        )
        text += _equal_ef(most.equivalent_ef, most.setting.of.search.ef_search, reference)
    return [f"{text}.", *_cost(best, most)]


def _cost(best: Best, most: Summary) -> list[str]:
    """Say how long the best order takes to compute, and a slower one that is as good."""
    assert best.effect is not None
    times = f"{_seconds(best.effect.seconds)} to compute with an empty cache, a build {_seconds(most.build_seconds)}"
    texts = [] if best.effect.order == GIVEN else [f"It takes {times}."]
    if best.highest is not None and best.behind is not None:
        texts.append(
            f"{best.highest.order} takes {_seconds(best.highest.seconds)}, and is not shown to differ"
            f" ({best.effect.order} minus {best.highest.order}: {points(best.behind)} points)."
        )
    return texts


def best_by_dataset(advice: Advice, varying: Varying) -> list[str]:
    """Say which order is best on each of several datasets; datasets without one share a sentence."""
    varying = {engine: [name for name in names if name != "dataset"] for engine, names in varying.items()}
    texts = [_on_dataset(best, varying) for best in advice.datasets if best.effect or best.mixed]
    nothing = [best for best in advice.datasets if not best.effect and not best.mixed]
    return [*texts, _nothing_worth(nothing, advice)] if nothing else texts


def _on_dataset(best: Best, varying: Varying) -> str:
    if best.mixed:
        return f"No order is best on {best.dataset}: {_gains_and_costs(best.mixed, varying)}."
    assert best.effect is not None
    most = best.effect.surely(BETTER)[0]
    assert most.against is not None
    gain = f"{size(most.against.difference, 'points')}{named(most, varying)}"
    text = f"Best on {best.dataset}: {best.effect.order} gains {gain}{in_how_many(best.effect, BETTER)}"
    if best.highest:
        text += f"; {best.highest.order} is not shown to differ, and takes {_seconds(best.highest.seconds)} to compute,"
        text += f" not {_seconds(best.effect.seconds)}"
    return f"{text}."


def _gains_and_costs(effect: Effect, varying: Varying) -> str:
    gains, costs = effect.surely(BETTER)[0], effect.surely(WORSE)[0]
    return f"{effect.order} gains {in_setting(gains, varying)} and costs {in_setting(costs, varying)}"


def _nothing_worth(datasets: Sequence[Best], advice: Advice) -> str:
    """Say that no order of these datasets is worth it, as far as is known."""
    on = f" on {_listed([best.dataset for best in datasets])}" if len(advice.datasets) > 1 else ""
    gain = f"{in_points(advice.worth)} over {reference_of(advice)}"
    excluded, known = all(best.most < advice.worth for best in datasets), f"no order gains {gain}"
    if not excluded:
        most = _listed([f"{100 * best.most:.2f}" for best in datasets])
        known = f"no order is shown to gain {gain}; gains of up to {most} points are not excluded"
    # If the order of the file costs, it is worth doing to load in the order of the reference
    if advice.given_costs:
        return f"{known[0].upper()}{known[1:]}{on}."
    return f"Nothing is {'' if excluded else 'shown to be '}worth doing{on}: {known}."


def rule(advice: Advice) -> str:
    """State the rule by which an order is called best."""
    worth = in_points(advice.worth)
    return (
        f"Best means the highest mean gain of orders shown to gain {worth} (`--worth`) and cost nowhere, or the fastest"
        " order that is not shown to be worse."
    )


def in_points(worth: float) -> str:
    """A difference in recall as a whole phrase, as `1 point`."""
    return "1 point" if math.isclose(worth, 0.01) else f"{100 * worth:g} points"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _seconds(seconds: float) -> str:
    return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"


def _equal_ef(equivalent: tuple[float, float, float] | None, ef_search: int, reference: str) -> str:
    """Say which ef_search gains as much, or nothing if that is not known."""
    if equivalent is None or math.isnan(equivalent[0]):
        return ""
    value, low, high = equivalent
    if not math.isfinite(value):
        return f", more than the largest ef_search here gives {reference}"
    ends = f" [{low:.0f}, {f'{high:.0f}' if math.isfinite(high) else 'more'}]" if math.isfinite(low) else ""
    return f", as ef_search {value:.0f}{ends} in place of {ef_search} would"


def command(option: str | None, metric: str) -> str:
    """Return the command that writes an order for a loader, or nothing if there is none."""
    if option is None:
        return ""
    labels = " --labels LABELS" * ORDERS[option.partition(":")[0]].needs_labels
    order = f"--order {shlex.quote(option)} --metric {metric}{labels}"
    return f": `bench order FILE {order} --output ids.npy` writes it"


def size(difference: Estimate, points_of: str = "points of recall") -> str:
    """A difference without its sign, in points, with its interval."""
    value, low, high = (100 * part for part in (difference.value, difference.low, difference.high))
    if value < 0:
        value, low, high = -value, -high, -low
    return f"{value:.2f} [{low:.2f}, {high:.2f}] {points_of}"


def in_setting(row: Summary, varying: Varying) -> str:
    """Say how much an order gains or costs, and in which of several settings."""
    assert row.against is not None
    return f"{size(row.against.difference)}{named(row, varying)}"


def named(row: Summary, varying: Varying) -> str:
    """Return a setting in brackets, or nothing if there is only one."""
    fields = with_own_params(row.setting.fields)
    return bracketed(fields, varying[fields["engine"]])


def bracketed(setting: Mapping[str, Any], varying: Sequence[str]) -> str:
    text = heading(setting, varying)
    return f" ({text})" if text else ""


def in_how_many(effect: Effect, verdict: str) -> str:
    """Say in how many of several settings an order is surely better, or worse."""
    count = len(effect.rows)
    return f", and is {verdict} in {len(effect.surely(verdict))} of {count} settings" if count > 1 else ""
