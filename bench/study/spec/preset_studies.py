"""Systems' defaults -> studies: one for every graph that is wanted, whichever systems share it."""

from collections.abc import Mapping

import msgspec

from bench.data.dataset import Dataset
from bench.errors import Log
from bench.indexes.presets import Preset
from bench.study.spec.experiment import Experiment
from bench.study.spec.study import Study


class Search(msgspec.Struct, frozen=True):
    """A system's defaults for one k; the fields are named as in a Trial."""

    M: int
    ef_construction: int
    ef_search: int


def searches(chosen: Mapping[str, Preset], k: int, log: Log = lambda line: None) -> dict[str, Search]:
    """Of every preset, which must state all three, its parameters for k; an ef_search below k is raised and logged."""
    by_preset = {}
    for name, preset in chosen.items():
        assert preset.M is not None
        assert preset.ef_construction is not None
        ef_search = preset.ef_search_at(k)
        if ef_search < k:
            note = f" ({preset.note})" if preset.note else ""
            log(f"{preset.system}: ef_search {ef_search} is below k = {k} and raised to it{note}")
        by_preset[name] = Search(preset.M, preset.ef_construction, max(ef_search, k))
    return by_preset


def studies(name: str, experiment: Experiment, wanted: Mapping[str, Search], dataset: Dataset) -> list[Study]:
    """One Study, all of one name, for every M and ef_construction wanted, with every ef_search wanted of it.

    experiment: the rest, and the engines; its parameters of these and its ef_search are not looked at.
    """
    graphs: dict[tuple[int, int], set[int]] = {}
    for search in wanted.values():
        graphs.setdefault((search.M, search.ef_construction), set()).add(search.ef_search)
    return [
        Study(
            name,
            msgspec.structs.replace(
                experiment,
                index=[{**index, "M": M, "ef_construction": ef_construction} for index in experiment.index],
                ef_search=sorted(efs),
                reference="",  # a system has one ef_search, which is not to be moved
            ),
            [dataset],
        )
        for (M, ef_construction), efs in graphs.items()
    ]
