"""Summaries of samples whose truth is known, with the fields that advice needs."""

from collections import defaultdict
from types import SimpleNamespace

import numpy as np

from bench.analysis.setting import Setting
from bench.analysis.summary import Summary, verdicts
from bench.statistics.sample import independent
from bench.study.trial import changed
from support.examples import TRIAL


def setting(ef_search, dataset="d"):
    return Setting(experiment="e", of=changed(TRIAL, ef_search=ef_search, dataset=dataset).setting, name=dataset)


def summaries(of, samples, seconds=None):
    """A Summary per order of one setting; samples: by label, the reference first; seconds: to compute each order."""
    reference, *others = samples
    compared = verdicts([samples[order] for order in others], samples[reference])
    against = dict(zip(others, compared, strict=True))
    return [
        _summary(of, order, samples[order], against.get(order), (seconds or {}).get(order, 0.0)) for order in samples
    ]


def _summary(of, order, sample, against, seconds):
    recall = float(sample.recalls.mean())
    known = {"setting": of, "order": order, "recall": SimpleNamespace(value=recall), "recall_tie": recall}
    known |= {"against": against, "builds": len(sample.recalls), "order_seconds": seconds, "build_seconds": 1.0}
    return Summary(**dict.fromkeys(Summary.__struct_fields__) | known)


def steady_samples(rows):
    """Samples of Summaries whose builds hardly vary, so that any two orders are shown to differ."""
    luck = np.random.default_rng(1).normal(0, 1e-4, (5, 20))
    samples = defaultdict(dict)
    for row in rows:
        samples[row.setting][row.order] = independent(row.recall.value + luck, 10)
    return samples
