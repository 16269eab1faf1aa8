"""A diagnosis without a process of its own."""

from bench.features.doctor import examination
from bench.features.doctor.diagnosis import judged


def examined(engine, metric="l2", name="engine"):
    """Return the diagnosis of an engine without the cost of a clustered order."""
    known = {one: None for one in examination.parts(engine) if one.startswith("clustered")}
    known.update(examination.run(engine, metric, known))
    return judged(name, "1.0", engine, metric, known)
