"""Answers whose score is known: does recall count them as it must?"""

from collections.abc import Iterable

import numpy as np

from bench.data.dataset import Dataset
from bench.geometry import Geometry
from bench.geometry.knn import RELATIVE_TOLERANCE
from bench.measure import recall


def misscored(dataset: Dataset, ks: Iterable[int]) -> list[str]:
    """Known answers that are not scored as they must be, a sentence each; none where all is well.

    The exact answer must score k, its nearest row repeated k times 1, other rows that are hardly farther 0, and no
    answer at all 0.
    """
    wrong = []
    for k in ks:
        distances, ids = (part[:, :k] for part in Geometry(dataset).ground_truth(k))
        nearest = np.zeros(ids.shape, dtype=np.int64)
        kth = distances[:, -1:]
        beyond = np.broadcast_to(kth + 100 * RELATIVE_TOLERANCE * np.abs(kth) + (kth == 0), ids.shape)
        answers = {
            "the exact answer": (ids, distances, k),
            "one row repeated": (ids[:, nearest[0]], distances[:, nearest[0]], 1),
            "rows just beyond the nearest": (dataset.n + np.indices(ids.shape)[1], beyond, 0),
            "no answer": (nearest - 1, np.full(distances.shape, np.inf, dtype=np.float32), 0),
        }
        for name, (answer, reached, score) in answers.items():
            by_id, with_ties = recall.hits(answer, ids), recall.hits_with_ties(answer, reached, distances)
            if (by_id != score).any() or (with_ties != score).any():
                wrong.append(f"{dataset.name}: {name} does not score {score} of {k}")
    return wrong
