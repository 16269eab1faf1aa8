"""Latent semantic analysis: text to vectors by word counts alone, no model to download."""

from collections.abc import Callable, Sequence
from importlib import metadata

import numpy as np

from bench.errors import BenchError

NAME = "lsa"
SEED = 0

Transform = Callable[[Sequence[str]], np.ndarray]


def fit(texts: Sequence[str], dimension: int, where: str) -> Transform:
    """What maps texts to (n, dimension) float32, fitted on `texts` (Deerwester et al. 1990).

    TF-IDF and a truncated SVD, both as scikit-learn has them by default (words of two or more letters, lower case,
    raw counts, smoothed idf; randomized SVD, here of seed 0); rows have unit length. A text without a word that
    occurs in `texts`, or with nothing in these dimensions, is all zeros. where: the texts' place, for the BenchError if
    they have fewer than `dimension` rows or words.
    """
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.preprocessing import normalize

    weights = TfidfVectorizer()
    try:
        counted = weights.fit_transform(texts)
    except ValueError:  # empty vocabulary
        raise BenchError(f"{where} has no word of two or more letters, which {NAME} is made of") from None
    most = min(counted.shape)
    if not 0 < dimension <= most:
        raise BenchError(
            f"{NAME}@{dimension}: {where} has {counted.shape[0]:,} texts and {counted.shape[1]:,} words, "
            f"so give a dimension from 1 to {most:,}"
        )
    svd = TruncatedSVD(dimension, random_state=SEED).fit(counted)

    def transform(texts: Sequence[str]) -> np.ndarray:
        rows = normalize(svd.transform(weights.transform(texts)))
        rows[np.linalg.norm(rows, axis=1) < 0.5] = 0  # which rounding alone gave a length, and normalize left so
        return np.asarray(rows, dtype=np.float32)

    return transform


def versions() -> dict[str, str]:
    """Of the libraries that decide the vectors."""
    return {name: metadata.version(name) for name in ("numpy", "scikit-learn", "scipy")}
