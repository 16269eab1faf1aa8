"""Latent semantic analysis: text to vectors by word counts, without a model to download."""

from collections.abc import Callable, Sequence
from importlib import metadata

import numpy as np

from bench.errors import BenchError

NAME = "lsa"
SEED = 0

Transform = Callable[[Sequence[str]], np.ndarray]


def fit(texts: Sequence[str], dimension: int, where: str) -> Transform:
    """Return a function from texts to (n, dimension) float32, fitted on `texts` (Deerwester et al. 1990).

    TF-IDF and a truncated SVD with scikit-learn's defaults (words of two or more letters, lower case, raw counts,
    smoothed idf; randomized SVD, here of seed 0). Rows have unit length; a text without a known word is all zeros.
    Raises BenchError that names `where` if `texts` have fewer than `dimension` rows or words.
    """
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.preprocessing import normalize

    weights = TfidfVectorizer()
    try:
        counted = weights.fit_transform(texts)
    except ValueError:  # empty vocabulary
        raise BenchError(f"{where} has no word of two or more letters, which {NAME} counts") from None
    most = min(counted.shape)
    if not 0 < dimension <= most:
        raise BenchError(
            f"{NAME}@{dimension}: {where} has {counted.shape[0]:,} texts and {counted.shape[1]:,} words, "
            f"so give a dimension from 1 to {most:,}"
        )
    svd = TruncatedSVD(dimension, random_state=SEED).fit(counted)

    def transform(texts: Sequence[str]) -> np.ndarray:
        rows = normalize(svd.transform(weights.transform(texts)))
        rows[np.linalg.norm(rows, axis=1) < 0.5] = 0  # normalize leaves rows that only rounding gave a length
        return np.asarray(rows, dtype=np.float32)

    return transform


def versions() -> dict[str, str]:
    """Return the versions of the libraries that decide the vectors."""
    return {name: metadata.version(name) for name in ("numpy", "scikit-learn", "scipy")}
