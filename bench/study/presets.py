"""Systems' defaults -> studies: one for every graph that is asked, whichever systems share it."""

from collections.abc import Callable, Mapping

import msgspec

from bench.data.dataset import Dataset
from bench.indexes.presets import Preset
from bench.study.experiment import Experiment
from bench.study.study import Study


class Search(msgspec.Struct, frozen=True):
    """What a system's defaults come to for one k: the names of the fields are a Trial's."""

    M: int
    ef_construction: int
    ef_search: int


def searches(
    chosen: Mapping[str, Preset], k: int, told: Callable[[str], None] = lambda line: None
) -> dict[str, Search]:
    """Of every preset, which must state all three, its parameters for k; an ef_search below k is told and raised."""
    found = {}
    for name, preset in chosen.items():
        assert preset.M is not None
        assert preset.ef_construction is not None
        wanted = preset.ef_search_at(k)
        if wanted < k:
            note = f" ({preset.note})" if preset.note else ""
            told(f"{preset.system}: ef_search {wanted} is below k = {k} and raised to it, as engines do{note}")
        found[name] = Search(preset.M, preset.ef_construction, max(wanted, k))
    return found


def studies(name: str, experiment: Experiment, asked: Mapping[str, Search], dataset: Dataset) -> list[Study]:
    """One Study, all of one name, for every M and ef_construction asked, with every ef_search asked of it.

    experiment: the rest, and the engines; its parameters of these and its ef_search are not looked at.
    """
    graphs: dict[tuple[int, int], set[int]] = {}
    for search in asked.values():
        graphs.setdefault((search.M, search.ef_construction), set()).add(search.ef_search)
    return [
        Study(
            name,
            msgspec.structs.replace(
                experiment,
                index=[
                    msgspec.structs.replace(index, M=M, ef_construction=ef_construction) for index in experiment.index
                ],
                ef_search=sorted(efs),
            ),
            [dataset],
        )
        for (M, ef_construction), efs in graphs.items()
    ]
