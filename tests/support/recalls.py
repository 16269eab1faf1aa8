"""A study whose truth is known."""


def simulated(rng, builds, queries, build_sd=0.01, query_sd=0.2, residual_sd=0.1, mean=0.8, hardness=None):
    """Recalls of a known two-way model; not clipped to 0 and 1."""
    hardness = query_sd * rng.standard_normal(queries) if hardness is None else hardness
    noise = residual_sd * rng.standard_normal((builds, queries))
    return mean + build_sd * rng.standard_normal((builds, 1)) + hardness + noise
