"""A trial to make others from."""

from bench.study.trial import Trial

TRIAL = Trial(
    dataset="d",
    fingerprint="f",
    metric="l2",
    n=100,
    d=4,
    queries=3,
    libraries="l",
    engine="hnswlib",
    engine_version="0.8.0",
    M=16,
    ef_construction=128,
    chunk=1,
    threads=1,
    order="random",
    order_params="{}",
    order_seed=1,
    build_seed=1,
    ef_search=10,
    k=10,
)
