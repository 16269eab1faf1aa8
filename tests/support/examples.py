"""A trial and an outcome to make others from."""

import numpy as np

from bench.study.outcome import Build, Outcome
from bench.study.trial import Data, Index, Order, Provenance, Search, Seeds, Trial, changed

TRIAL = Trial(
    data=Data(dataset="d", fingerprint="f", metric="l2", n=100, d=4, queries=3),
    index=Index(engine="hnswlib", M=16, ef_construction=128),
    order=Order(order="random"),
    search=Search(k=10, ef_search=10),
    seeds=Seeds(order_seed=1, build_seed=1),
    provenance=Provenance(engine_version="0.8.0", libraries="l", code="c"),
)


def outcome(hits, hits_tie=None, *, seconds=1.0, ids_sha256="", retrieval=None, retrieval_exact=None, **fields):
    """An Outcome of TRIAL with other fields."""
    trial = changed(TRIAL, **fields)
    return example_of(trial, hits, ids_sha256, hits_tie, seconds, retrieval, retrieval_exact)


def example_of(trial, hits, ids_sha256="", hits_tie=None, seconds=1.0, retrieval=None, retrieval_exact=None):
    """An Outcome of a trial."""
    hits = np.asarray(hits)
    return Outcome(
        trial=trial,
        build=Build(
            id=trial.build,
            order_seconds=0.1 * seconds,
            build_seconds=seconds,
            environment={},
            facts={"peak_bytes": round(1e6 * seconds)},
        ),
        hits=hits,
        hits_tie=hits if hits_tie is None else np.asarray(hits_tie),
        ids_sha256=ids_sha256,
        search_seconds=0.1 * seconds,
        retrieval=retrieval or {},
        retrieval_exact=retrieval_exact or {},
    )
