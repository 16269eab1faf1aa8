"""Which models are ranked together, and how each of them was searched."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np

from bench.analysis.setting import by_setting, shown
from bench.data.dataset import OWN_LEFT_OUT
from bench.study.outcome import Outcome
from bench.study.trial import Index, Order, Search

MEASURE = "nDCG@10"
EXACT = "exact"


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """The fields that models must share to be ranked together.

    queries: how many.
    judgements: digest of what is relevant to them.
    index: the graph's parameters, whichever engine builds it.
    libraries: what exact search and scores come from.
    """

    experiment: str
    queries: int
    judgements: str
    index: Index
    search: Search
    libraries: str

    @property
    def fields(self) -> dict[str, Any]:
        """Return the fields that tables show, by name."""
        own = {"own_documents": "left out"} if OWN_LEFT_OUT in self.judgements else {}
        return {"queries": self.queries} | own | shown(self.index) | shown(self.search)


class Engine(NamedTuple):
    """The engine that answers a column's searches. params: its own parameters, as JSON."""

    name: str
    version: str
    params: str


class Searched(NamedTuple):
    """How the models of a column were searched; of exact search, the engine is EXACT."""

    engine: Engine
    order: Order


BY_EXACT = Searched(Engine(EXACT, "", ""), Order(order=""))
Columns = dict[Searched, dict[str, list[Outcome]]]  # and in each the outcomes of every model


def grouped(listed: Sequence[tuple[str, Outcome]], names: Mapping[Order, str]) -> dict[Condition, Columns]:
    """By condition and way of searching, the outcomes of every model that has scores."""
    groups: dict[Condition, Columns] = defaultdict(lambda: defaultdict(dict))
    for setting, by_order in by_setting(listed).items():
        of = setting.of
        condition = Condition(
            experiment=setting.experiment,
            queries=of.data.queries,
            # Documents that a model has no vectors of do not part it from others
            judgements=of.data.judgements.partition(".")[0],
            index=msgspec.structs.replace(of.index, engine="", engine_params="{}"),
            search=of.search,
            libraries=of.provenance.libraries,
        )
        for order, built in by_order.items():
            if np.isfinite(built[0].retrieval.get(MEASURE, np.nan)).any():
                engine = Engine(of.index.engine, of.provenance.engine_version, of.index.engine_params)
                groups[condition][Searched(engine, order)][setting.name] = built
    return {condition: _in_sequence(columns, names) for condition, columns in groups.items()}


def _in_sequence(columns: Columns, names: Mapping[Order, str]) -> Columns:
    """Columns by engine, then by the label of their order."""
    return dict(sorted(columns.items(), key=lambda item: (item[0].engine, names[item[0].order])))


def models_of(columns: Columns, which: Any = any) -> list[str]:
    """The models that any way of searching has outcomes of, or that all have."""
    models = dict.fromkeys(model for by_model in columns.values() for model in by_model)
    return [model for model in models if which(model in by_model for by_model in columns.values())]


def references_of(columns: Columns, names: Mapping[Order, str], reference: str) -> dict[Searched, Searched]:
    """Return the reference of each column, without columns whose engine has no outcomes of the reference."""
    if reference == EXACT:
        return dict.fromkeys(columns, BY_EXACT)
    by_engine = {searched.engine: searched for searched in columns if names[searched.order] == reference}
    return {searched: by_engine[searched.engine] for searched in columns if searched.engine in by_engine}
