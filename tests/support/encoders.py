"""A model of texts that counts words, and texts for it."""

import json

import numpy as np

WORDS = ["valve", "circuit", "radio", "wave", "noise", "filter", "beam", "cathode"]


class Normalize:
    """Stands for the module of that name, by which a model says that its vectors have unit length."""


class Model:
    """A SentenceTransformer's part in embedding: counts words after the prompt, and keeps the calls."""

    similarity_fn_name = "cosine"
    max_seq_length = 256

    def __init__(self, prompts=None, modules=(), stop_after=None):
        self.prompts = prompts if prompts is not None else {"query": None, "document": None}
        self.modules = modules
        self.calls = []
        self.stop_after = stop_after

    def __iter__(self):
        return iter(self.modules)

    def encode_document(self, texts, *, prompt, batch_size, show_progress_bar, convert_to_numpy):
        assert not show_progress_bar
        assert convert_to_numpy
        if self.stop_after is not None and len(self.calls) > self.stop_after:
            raise KeyboardInterrupt
        self.calls.append((prompt, batch_size, list(texts)))
        rows = [[(prompt + text).split().count(word) + 0.5 for word in WORDS] for text in texts]
        return np.array(rows, dtype=np.float64)

    def encode_query(self, texts, **options):
        return -self.encode_document(texts, **options)


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def counts(texts):
    return np.array([[text.split().count(word) + 0.5 for word in WORDS] for text in texts], np.float32)


def documents(folder):
    return ["a " + json.loads(line)["text"] for line in (folder / "corpus.jsonl").read_text().splitlines()]
