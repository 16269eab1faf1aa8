"""Why an engine refuses data or a search, as far as that is known before anything is built."""

from bench.indexes import INDEXES
from bench.study.execution.build import params_of_index
from bench.study.trial import Data, Index


def refusal(index: Index, data: Data, ef_search: int) -> str:
    """Return why an index cannot be built of this data or searched so widely; empty if it can."""
    engine = INDEXES[index.engine]
    if data.metric not in engine.metrics:
        return f"has no metric {data.metric}; it has {', '.join(engine.metrics)}"
    if engine.most_ef_search is not None and ef_search > engine.most_ef_search:
        return f"takes an ef_search of at most {engine.most_ef_search:,}, not {ef_search:,}"
    return engine.refuses(params_of_index(index), data.d)
