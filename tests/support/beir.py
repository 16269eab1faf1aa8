"""A small BEIR folder, line by line."""

import json

import numpy as np

from bench.data.texts.judgements import judge

CORPUS = [
    {"_id": "d1", "title": "Valves", "text": "electron valves and circuits", "metadata": {"year": 1960}},
    {"_id": "d2", "title": "", "text": "valves in radio circuits"},
    {"_id": "d3", "text": "  waves and radio "},
    {"_id": "d4", "title": None, "text": ""},
]


QUERIES = [{"_id": f"q{i}", "text": text} for i, text in enumerate(["radio waves", "circuits", "valves"])]


QRELS = "query-id\tcorpus-id\tscore\nq2\td1\t2\nq0\td3\t1\nq2\td2\t0\n"


VECTORS = np.random.default_rng(0).standard_normal((7, 5)).astype(np.float32)


def jsonl(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def judged(folder, **options):
    return judge(folder / "corpus.jsonl", folder / "queries.jsonl", folder / "qrels" / "test.tsv", **options)
