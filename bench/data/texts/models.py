"""What turns text into vectors: sentence-transformers models that are on this machine, and LSA."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from bench import digests
from bench.data.texts import lsa
from bench.errors import BenchError

# The prompts of a model that serve texts to be found, in the order in which sentence-transformers takes them.
PASSAGE_PROMPTS = ("document", "passage", "corpus")
METRIC_BY_SIMILARITY = {"cosine": "cosine", "dot": "ip", "euclidean": "l2"}
TOKENIZERS = ("tokenizer.json", "vocab.txt", "*.model", "vocab.json")
_NO_LIMIT = 10**9  # tokenizers state a larger number where they have none

Encode = Callable[[list[str]], np.ndarray]


@dataclass(frozen=True)
class Encoder:
    """A model ready to encode.

    passages, queries: give (n, dimension) of texts, each after its prefix.
    model: as it was named.
    revision: the commit or digest that identifies the weights.
    metric: what the model's vectors are compared by.
    dimension: of the vectors.
    pooling: what combines the vectors of a text's tokens, None if the model does not state it.
    normalized: whether rows have unit length.
    max_tokens: where the model cuts texts off, None if nowhere.
    passage_prefix, query_prefix: what precedes every text to search in, and every query.
    libraries: versions, by name.
    tokens: gives the number of tokens of each text; None if the model has no tokenizer for text.
    """

    passages: Encode
    queries: Encode
    model: str
    revision: str
    metric: str
    dimension: int
    pooling: str | None
    normalized: bool
    max_tokens: int | None
    passage_prefix: str
    query_prefix: str
    libraries: dict[str, str]
    tokens: Callable[[list[str]], list[int]] | None = None


def load_encoder(
    model: str,
    texts: Callable[[], Iterable[str]],
    query_prefix: str | None = None,
    passage_prefix: str | None = None,
    batch_size: int = 32,
) -> Encoder:
    """The Encoder of a sentence-transformers model, by name or folder, or of `lsa@d`, fitted on `texts`.

    Prefixes are the model's own prompts unless given. batch_size: texts that go through the model at a time.
    """
    name, _, dimension = model.partition("@")
    if name == lsa.NAME:
        if not dimension.isdecimal():
            raise BenchError(f"model {model!r}: say how many dimensions, as in {lsa.NAME}@384")
        if query_prefix or passage_prefix:
            raise BenchError(f"model {model!r} takes no prefix: it counts words")
        return _lsa(model, list(texts()), int(dimension))
    transformer, revision = _load(model)
    return sentence_encoder(transformer, model, revision, query_prefix, passage_prefix, batch_size)


def sentence_encoder(
    transformer: Any, model: str, revision: str, query_prefix: str | None, passage_prefix: str | None, batch_size: int
) -> Encoder:
    """The Encoder of a loaded SentenceTransformer, as the model states prompts, pooling and similarity."""
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
    queries = partial(transformer.encode_query, prompt=query_prefix, **options)
    return Encoder(
        passages=passages,
        queries=queries,
        model=model,
        revision=revision,
        metric=METRIC_BY_SIMILARITY[transformer.similarity_fn_name],
        dimension=int(passages(["one"]).shape[1]),
        pooling=_pooling(transformer),
        normalized=any(type(module).__name__ == "Normalize" for module in transformer),
        max_tokens=most if most and most < _NO_LIMIT else None,
        passage_prefix=passage_prefix,
        query_prefix=query_prefix,
        libraries={name: metadata.version(name) for name in ("sentence-transformers", "transformers", "torch")},
        tokens=_tokens(transformer),
    )


def _pooling(transformer: Any) -> str | None:
    """How a model makes one vector of those of the tokens, in its own word; None if it does not state it."""
    for module in transformer:
        if type(module).__name__ == "Pooling":
            mode = module.pooling_mode if hasattr(module, "pooling_mode") else module.get_pooling_mode_str()
            return mode if isinstance(mode, str) else "+".join(mode)
    return None


def _tokens(transformer: Any) -> Callable[[list[str]], list[int]] | None:
    """What counts the tokens of texts as a model's tokenizer makes them; None if it has none for text."""
    tokenize: Any = getattr(transformer, "tokenizer", None)
    if not hasattr(tokenize, "vocab_size"):
        return None

    def count(texts: list[str]) -> list[int]:
        return [len(ids) for ids in tokenize(texts, truncation=False, padding=False, verbose=False)["input_ids"]]

    return count


def _lsa(model: str, texts: list[str], dimension: int) -> Encoder:
    transform = lsa.fit(texts, dimension, "the corpus")
    versions = lsa.versions()
    return Encoder(
        passages=transform,
        queries=transform,
        model=model,
        revision=f"scikit-learn {versions['scikit-learn']}, seed {lsa.SEED}",
        metric="cosine",
        dimension=dimension,
        pooling=None,
        normalized=True,
        max_tokens=None,
        passage_prefix="",
        query_prefix="",
        libraries=versions,
    )


def _load(model: str) -> tuple[Any, str]:
    """A SentenceTransformer from a folder, or by name from the hub's cache on this machine, and its revision.

    Nothing is downloaded, and code that comes with a model is not run.
    """
    if find_spec("sentence_transformers") is None:
        raise BenchError(
            f"model {model!r} needs sentence-transformers, which is not installed: "
            f"pip install 'hnsw-order-bench[embed]', or take {lsa.NAME}@384, which needs nothing more"
        )
    folder, revision = _folder(model)
    if not (folder / "modules.json").is_file():
        raise BenchError(
            f"model {model!r} has no modules.json, which states its pooling: name a sentence-transformers model"
        )
    if not any(file for pattern in TOKENIZERS for file in folder.rglob(pattern)):
        raise BenchError(f"model {model!r} has no tokenizer ({', '.join(TOKENIZERS)}): get it again, whole")
    import sentence_transformers  # takes many seconds: after what is cheap to check
    from safetensors import SafetensorError
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    # Weights in another format are pickles, which would run what they hold.
    options = {"local_files_only": True, "model_kwargs": {"use_safetensors": True}}
    try:
        return sentence_transformers.SentenceTransformer(str(folder), **options), revision
    except (OSError, ValueError, ImportError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        reason = str(error).partition("\n")[0]
        raise BenchError(f"model {model!r} cannot be loaded ({reason}): get it again, whole, as safetensors") from None


def _folder(model: str) -> tuple[Path, str]:
    """The folder of a model's files, and its revision: the hub's commit, or a digest of the folder's files."""
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder, f"sha256:{folder_digest(folder)}"
    from huggingface_hub import snapshot_download

    name = model if "/" in model else f"sentence-transformers/{model}"
    try:
        folder = Path(snapshot_download(name, local_files_only=True))
    except (OSError, ValueError):
        raise BenchError(
            f"model {model!r} is neither a folder nor on this machine: `hf download {name}` gets it"
        ) from None
    return folder, folder.name


def folder_digest(folder: Path) -> str:
    """SHA-256 over the names and contents of a folder's files, hidden ones left out, as hexadecimal."""
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        inside = file.relative_to(folder)
        if file.is_file() and not any(part.startswith(".") for part in inside.parts):
            digest.update(f"{inside.as_posix()} {digests.file_digest(file)}\n".encode())
    return digest.hexdigest()
