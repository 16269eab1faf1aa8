"""Results of an experiment of any extent, drawn and not built."""

import itertools
import json

import numpy as np

from bench.analysis.findings import Findings
from bench.api import Result
from bench.study.outcome import Build, Failure, Outcome
from bench.study.store import Noted, Store
from bench.study.trial import Data, Index, Order, Provenance, Search, Seeds, Trial

ENVIRONMENT = {
    "python": "3.11.9",
    "versions": {"numpy": "2.2.0", "hnswlib": "0.8.0", "faiss-cpu": "1.13.0", "voyager": None},
    "binaries": {},
    "commit": "0123456789abcdef",
    "platform": "Linux x86_64",
    "cpu": "a processor",
    "simd": ["avx2", "fma"],
    "cores": 2,
    "omp_num_threads": None,
    "side_by_side": 1,
}
ORDERS = ("random", "given", "lid-ascending", "lid-descending")
# What makes a page go wrong: markup, quotes, a backtick, an emoji, right to left, a line end of JavaScript's
NASTY = (
    "</script><script>window.broken = true</script><img src=x onerror='window.broken = true'>"
    ' "a" `b` 🦔 שלום \u2028 &amp;'
)
LONG = (NASTY + " label " * 60)[:300]
JUDGEMENTS = "judged"


def result(name="e", title="", **options):
    """A Result; options: of `findings`."""
    command = f"bench run {name}.toml --store results.sqlite"
    return Result(name, findings(**options), Noted(title, "random", command))


def findings(ladder=False, profiles=False, failures=(), reference="random", ties=False, **options):
    """Findings of drawn outcomes.

    ladder: whether the reference is searched at more ef_search. profiles: whether geometry is known of the data.
    failures: reasons. options: of `outcomes`.
    """
    drawn = outcomes(**options)
    beside = outcomes(**options | {"orders": [reference], "efs": (20, 80, 160, 320)}) if ladder else ()
    data = dict.fromkeys(outcome.trial.data for _, outcome in drawn)
    known = {of: profile(of) for of in data} if profiles else None
    failed = [Failure(trial=trial(number=-1 - number), reason=reason) for number, reason in enumerate(failures)]
    return Findings(drawn, beside, failed, reference, ties, known)


def outcomes(
    datasets=("d",),
    engines=("hnswlib",),
    orders=ORDERS,
    efs=(10, 40),
    builds=3,
    queries=40,
    k=10,
    judged=False,
    memory=False,
    experiment="e",
):
    """(experiment, outcome) of every combination; an order is as much better as it comes later, the last but the worst.

    orders: names, or Orders. judged: whether there are relevance judgements, the datasets' models better one by one.
    memory: whether it is known.
    """
    listed = []
    for (at, dataset), (of, engine), (place, order), ef in itertools.product(
        enumerate(datasets), enumerate(engines), enumerate(orders), efs
    ):
        rng = np.random.default_rng([at, of, place, ef])
        hard = np.random.default_rng([at, 1]).normal(0, 0.8, queries)
        gain = -0.5 if place and place == len(orders) - 1 else 0.03 * place
        ease = np.log(ef) - 1.5 + gain + 0.1 * of - 0.05 * at
        for build in range(1, builds + 1):
            chance = 1 / (1 + np.exp(-(ease + hard + rng.normal(0, 0.05))))
            hits = rng.binomial(k, chance)
            of_trial = trial(dataset, engine, order, ef, build, queries, k, JUDGEMENTS if judged else "")
            scores = {"nDCG@10": (0.9 - 0.1 * at) * (hits / k).astype(np.float32)} if judged else {}
            exact = {"nDCG@10": np.full(queries, 0.9 - 0.1 * at, np.float32)} if judged else {}
            listed.append((experiment, example(of_trial, hits, rng, scores, exact)))
    return listed


def example(of_trial, hits, rng, retrieval, retrieval_exact):
    return Outcome(
        trial=of_trial,
        build=Build(
            id=of_trial.build,
            order_seconds=float(rng.uniform(0.1, 2)),
            build_seconds=float(rng.uniform(1, 2)),
            environment=ENVIRONMENT,
        ),
        hits=hits,
        hits_tie=hits,
        ids_sha256="0" * 64,
        search_seconds=float(rng.uniform(0.1, 0.2)),
        retrieval=retrieval,
        retrieval_exact=retrieval_exact,
    )


def trial(dataset="d", engine="hnswlib", order="random", ef=10, number=1, queries=40, k=10, judgements=""):
    return Trial(
        data=Data(
            dataset=dataset, fingerprint=dataset, metric="l2", n=5000, d=64, queries=queries, judgements=judgements
        ),
        index=Index(engine=engine, M=16, ef_construction=128),
        order=order if isinstance(order, Order) else Order(order=order),
        search=Search(k=k, ef_search=ef),
        seeds=Seeds(order_seed=number, build_seed=number),
        provenance=Provenance(engine_version="0.8.0", engine_binary="b" * 12, libraries="l", code="c"),
    )


def profile(data):
    """What geometry would say of a dataset; see `geometry.describe.profile`."""
    rng = np.random.default_rng(len(data.dataset))
    arrays = {"rows": np.arange(500)}
    for name, count in (("row", 500), ("query", data.queries)):
        arrays[f"{name}_lid"] = rng.gamma(8, 1.5, count).astype(np.float32)
        arrays[f"{name}_nearest"] = rng.uniform(0.5, 1, count).astype(np.float32)
        arrays[f"{name}_radius"] = rng.lognormal(0, 0.6, count).astype(np.float32)
    return arrays


def permutations(count=8):
    """Orders of whole categories, in the sequence of permutations."""
    sequences = itertools.islice(itertools.permutations("abcd"), count)
    return [Order(order="category", order_params=json.dumps({"permutation": [*names]})) for names in sequences]


def stored(path, name="e", of=None):
    """A store of an experiment's outcomes, ladder, failures and profiles."""
    store = Store.create(path)
    store.note(name, "", of.reference, f"bench run {name}.toml")
    for _, outcome in of.outcomes:
        store.add(outcome, name)
    store.enlist(name, [], [outcome.trial for _, outcome in of.ladder])
    for _, outcome in of.ladder:
        store.add(outcome, name)
    for data, arrays in of.profiles.items():
        store.describe(data, arrays)
    for failed in of.failures:
        store.fail(failed, name)
    return store
