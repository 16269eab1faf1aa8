"""Encoders, which turn text into vectors: sentence-transformers models on this machine, and LSA."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from bench import digests
from bench.data.texts import lsa
from bench.errors import BenchError

# A model's prompts for texts to be found, in the order in which sentence-transformers takes them
PASSAGE_PROMPTS = ("document", "passage", "corpus")
METRIC_BY_SIMILARITY = {"cosine": "cosine", "dot": "ip", "euclidean": "l2"}
TOKENIZERS = ("tokenizer.json", "vocab.txt", "*.model", "vocab.json")
_NO_LIMIT = 10**9  # tokenizers without a limit state a larger number

Encode = Callable[[list[str]], np.ndarray]


class Embedding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How `bench embed` computed vectors, as the dataset's TOML file records it.

    model: as it was named.
    revision: the commit or digest that identifies its weights.
    dimension: of the vectors.
    normalized: whether they have unit length.
    passage_prefix, query_prefix: text before each text to be found, and before each query.
    batch_size: texts that go through the model at a time.
    libraries: versions, by name.
    sha256: of the texts and of the vectors, by path from the TOML file's folder.
    max_tokens: the model cuts longer texts; None if it has no limit.
    pooling: as the model states it.
    text_column, label_column: of a file of texts; None for `text`, and for no labels.
    query_texts: the file of the queries; None if rows are held out, and for a BEIR folder.
    """

    model: str
    revision: str
    dimension: int
    normalized: bool
    passage_prefix: str
    query_prefix: str
    batch_size: int
    libraries: dict[str, str]
    sha256: dict[str, str] = {}
    max_tokens: int | None = None
    pooling: str | None = None
    text_column: str | None = None
    label_column: str | None = None
    query_texts: str | None = None


@dataclass(frozen=True)
class Encoder:
    """A model ready to encode.

    passages, queries: return (n, dimension) for texts, each after its prefix.
    metric: for comparing its vectors.
    record: what the model states, without files.
    tokens: returns the number of tokens of each text; None if the model has no tokenizer for text.
    """

    passages: Encode
    queries: Encode
    metric: str
    record: Embedding
    tokens: Callable[[list[str]], list[int]] | None = None


def load_encoder(
    model: str,
    texts: Callable[[], Iterable[str]],
    query_prefix: str | None = None,
    passage_prefix: str | None = None,
    batch_size: int = 32,
) -> Encoder:
    """Return the Encoder of a sentence-transformers model, by name or folder, or of `lsa@d`, fitted on `texts`.

    Prefixes are the model's own prompts unless given. batch_size: texts that go through the model at a time.
    """
    name, _, dimension = model.partition("@")
    if name != lsa.NAME:
        transformer, revision = _load(model)
        return _sentence_encoder(transformer, model, revision, query_prefix, passage_prefix, batch_size)
    if not dimension.isdecimal():
        raise BenchError(f"model {model!r}: state the number of dimensions, as in {lsa.NAME}@384")
    if query_prefix or passage_prefix:
        raise BenchError(f"model {model!r} takes no prefix: it counts words")
    transform, versions = lsa.fit(list(texts()), int(dimension), "the corpus"), lsa.versions()
    revision = f"scikit-learn {versions['scikit-learn']}, seed {lsa.SEED}"
    record = Embedding(model, revision, int(dimension), True, "", "", batch_size, versions)
    return Encoder(transform, transform, "cosine", record)


def _sentence_encoder(
    transformer: Any, model: str, revision: str, query_prefix: str | None, passage_prefix: str | None, batch_size: int
) -> Encoder:
    """Return the Encoder of a SentenceTransformer, with the prompts, pooling and similarity that the model states."""
    prompts = transformer.prompts
    if query_prefix is None:
        query_prefix = prompts.get("query") or ""
    if passage_prefix is None:
        passage_prefix = next((prompts[name] for name in PASSAGE_PROMPTS if prompts.get(name)), "")
    if transformer.similarity_fn_name not in METRIC_BY_SIMILARITY:
        raise BenchError(f"model {model!r} compares by {transformer.similarity_fn_name}, which no index here does")
    options = {"batch_size": batch_size, "show_progress_bar": False, "convert_to_numpy": True}
    most = transformer.max_seq_length
    passages = partial(transformer.encode_document, prompt=passage_prefix, **options)
    record = Embedding(
        model=model,
        revision=revision,
        dimension=int(passages(["one"]).shape[1]),
        normalized=any(type(module).__name__ == "Normalize" for module in transformer),
        passage_prefix=passage_prefix,
        query_prefix=query_prefix,
        batch_size=batch_size,
        libraries={name: metadata.version(name) for name in ("sentence-transformers", "transformers", "torch")},
        max_tokens=most if most and most < _NO_LIMIT else None,
        pooling=_pooling(transformer),
    )
    queries = partial(transformer.encode_query, prompt=query_prefix, **options)
    metric = METRIC_BY_SIMILARITY[transformer.similarity_fn_name]
    return Encoder(passages, queries, metric, record, _tokens(transformer))


def _pooling(transformer: Any) -> str | None:
    """Return the model's word for how it combines the vectors of tokens; None if it states none."""
    for module in transformer:
        if type(module).__name__ == "Pooling":
            mode = module.pooling_mode if hasattr(module, "pooling_mode") else module.get_pooling_mode_str()
            return mode if isinstance(mode, str) else "+".join(mode)
    return None


def _tokens(transformer: Any) -> Callable[[list[str]], list[int]] | None:
    tokenize: Any = getattr(transformer, "tokenizer", None)
    if not hasattr(tokenize, "vocab_size"):
        return None
    return lambda texts: [
        len(ids) for ids in tokenize(texts, truncation=False, padding=False, verbose=False)["input_ids"]
    ]


def _load(model: str) -> tuple[Any, str]:
    """Return a SentenceTransformer, from a folder or by name from the hub's cache on this machine, and its revision.

    Nothing is downloaded, and code that comes with a model is not run.
    """
    if find_spec("sentence_transformers") is None:
        raise BenchError(
            f"model {model!r} needs sentence-transformers, which is not installed: "
            f"pip install 'hnsw-order-bench[embed]', or use {lsa.NAME}@384, which needs nothing more"
        )
    folder, revision = _folder(model)
    if not (folder / "modules.json").is_file():
        raise BenchError(
            f"model {model!r} has no modules.json, which states its pooling: name a sentence-transformers model"
        )
    if not any(file for pattern in TOKENIZERS for file in folder.rglob(pattern)):
        raise BenchError(f"model {model!r} has no tokenizer ({', '.join(TOKENIZERS)}): get it again, whole")
    import sentence_transformers  # takes many seconds: after the cheap checks
    from safetensors import SafetensorError
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    # Weights in another format are pickles, which can run code.
    options = {"local_files_only": True, "model_kwargs": {"use_safetensors": True}}
    try:
        return sentence_transformers.SentenceTransformer(str(folder), **options), revision
    except (OSError, ValueError, ImportError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        reason = str(error).partition("\n")[0]
        raise BenchError(f"model {model!r} cannot be loaded ({reason}): get it again, whole, as safetensors") from None


def _folder(model: str) -> tuple[Path, str]:
    """Return the folder of a model's files, and its revision: the hub's commit, or a digest of the files."""
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder, f"sha256:{_folder_digest(folder)}"
    from huggingface_hub import snapshot_download

    name = model if "/" in model else f"sentence-transformers/{model}"
    try:
        folder = Path(snapshot_download(name, local_files_only=True))
    except (OSError, ValueError):
        raise BenchError(
            f"model {model!r} is neither a folder nor on this machine: `hf download {name}` gets it"
        ) from None
    return folder, folder.name


def _folder_digest(folder: Path) -> str:
    """Return SHA-256, as hexadecimal, of the names and contents of a folder's files, without hidden ones."""
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        inside = file.relative_to(folder)
        if file.is_file() and not any(part.startswith(".") for part in inside.parts):
            digest.update(f"{inside.as_posix()} {digests.file_digest(file)}\n".encode())
    return digest.hexdigest()
