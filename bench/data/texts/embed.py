"""Texts to datasets: their vectors as .npy files, and the TOML file that names and records them."""

import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from bench import digests
from bench.convert import converted, read_toml
from bench.data.texts import lines, lsa, vectors
from bench.data.texts.judgements import judge
from bench.data.texts.lines import CORPUS, QUERIES
from bench.data.texts.models import Encoder, load_encoder
from bench.data.texts.vectors import Part
from bench.errors import BenchError, BenchWarning, Log, no_file


class Embedding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How `bench embed` computed vectors, as the dataset's TOML file records it.

    model: as it was named.
    revision: the commit or digest that identifies its weights.
    dimension: of the vectors.
    normalized: whether they have unit length.
    passage_prefix, query_prefix: what precedes every text to search in, and every query.
    batch_size: texts that go through the model at a time.
    libraries: versions, by name.
    sha256: of the texts and of the vectors, by path from the TOML file's folder.
    max_tokens: where the model cuts texts off; None if nowhere.
    pooling: as the model states it.
    """

    model: str
    revision: str
    dimension: int
    normalized: bool
    passage_prefix: str
    query_prefix: str
    batch_size: int
    libraries: dict[str, str]
    sha256: dict[str, str]
    max_tokens: int | None = None
    pooling: str | None = None


# What changes vectors; a model may have moved, and batches and libraries change digits, not meaning.
DECISIVE = ("revision", "dimension", "normalized", "passage_prefix", "query_prefix", "max_tokens", "pooling")


@dataclass(frozen=True)
class _Job:
    """What is to be embedded.

    toml: the dataset's TOML file.
    parts: files of texts, and where their vectors go.
    source: the tables of the TOML file that name the vectors.
    """

    toml: Path
    parts: list[Part]
    source: dict[str, dict[str, Any]]

    def inside(self, file: Path) -> str:
        """The path of a file from the TOML file's folder."""
        return file.relative_to(self.toml.parent).as_posix()


def embed(
    path: Path,
    model: str,
    *,
    query_prefix: str | None = None,
    passage_prefix: str | None = None,
    split: str | None = None,
    strict: bool = False,
    batch_size: int = 32,
    name: str | None = None,
    log: Log = lambda line: None,
) -> tuple[Path, Embedding]:
    """Embed a BEIR folder, or a JSON Lines or CSV file of texts; gives the dataset's TOML file and what it records.

    split: of the judgements that the dataset takes, `test` by default. name: of the model in file names. Vectors of the
    same texts and model that exist already are left as they are; those of others are an error.
    """
    name = name or Path(model).expanduser().name.replace("@", "-")
    if not name or (name == lsa.NAME != model) or any(letter in name for letter in "/\\@*?[]{}"):
        raise BenchError(f"--name {name!r}: give a file's name, not {lsa.NAME}, without / \\ @ * ? [ ] {{ }}")
    if path.is_dir():
        job = _job_of_folder(path, name, split or "test", strict)
    elif split or strict or query_prefix is not None:
        raise BenchError(
            f"{path} is not a BEIR folder, for which --split, --strict and --query-prefix are: leave them out"
        )
    else:
        job = _job_of_file(path, name)
    log(f"{model}: loading")
    encoder = load_encoder(model, job.parts[0].texts, query_prefix, passage_prefix, batch_size)
    requested = Embedding(
        sha256={job.inside(part.file): digests.file_digest(part.file) for part in job.parts},
        batch_size=batch_size,
        **{field: getattr(encoder, field) for field in Embedding.__struct_fields__ if hasattr(encoder, field)},
    )
    previous = _previous_record(job, requested) if job.toml.exists() else None
    if previous and all(part.output.exists() for part in job.parts):
        log(f"{job.toml} exists already, from the same texts and model")
        return job.toml, previous
    return job.toml, _write(path, job, encoder, requested, previous, log)


def verify(record: Embedding, folder: Path, where: str) -> None:
    """Raise a BenchError if texts or vectors beside a TOML file are not those that it records."""
    for file, recorded_digest in record.sha256.items():
        if not (folder / file).is_file():
            raise BenchError(f"{where}: {folder / file} does not exist, which `bench embed` recorded: embed again")
        if digests.file_digest(folder / file) != recorded_digest:
            raise BenchError(
                f"{where}: {folder / file} is not what `bench embed` recorded: restore it, or remove it and embed again"
            )


def _write(
    path: Path, job: _Job, encoder: Encoder, requested: Embedding, previous: Embedding | None, log: Log
) -> Embedding:
    """Write the vectors that do not exist yet and the TOML file; what that records."""
    import tomli_w

    finished = {
        part.output.name: previous.sha256[job.inside(part.output)]
        for part in job.parts
        if previous and part.output.exists()
    }
    manifest = job.toml.parent / "embeddings" / f".{job.toml.stem}.json"
    try:
        written = vectors.write(job.parts, encoder, manifest, msgspec.to_builtins(requested), log, finished)
        sha256 = {job.inside(part.output): written[part.output.name] for part in job.parts}
        record = msgspec.structs.replace(requested, sha256=requested.sha256 | sha256)
        if not previous or previous.sha256 != record.sha256:
            vectors.write_whole(job.toml, tomli_w.dumps(_dataset_table(path, job, encoder, record)))
        manifest.unlink()
    except OSError as error:
        raise BenchError(f"cannot write below {job.toml.parent}: {error.strerror}") from None
    return record


def _job_of_folder(folder: Path, name: str, split: str, strict: bool) -> _Job:
    corpus, queries = folder / CORPUS, folder / QUERIES
    judgements, is_judged = judge(corpus, queries, folder / "qrels" / f"{split}.tsv", strict=strict)
    if empty := [document for document, text in lines.documents(corpus) if not text]:
        warnings.warn(
            f"{corpus}: {len(empty):,} documents have no text, such as {empty[0]!r}; "
            "what has no direction is left out of the base",
            BenchWarning,
            stacklevel=3,
        )
    source = {"folder": ".", "model": name, "split": split} | ({"strict": True} if strict else {})
    output = folder / "embeddings"
    parts = [
        Part(
            corpus,
            lambda: (text for _, text in lines.documents(corpus)),
            len(judgements.doc_ids),
            output / f"{name}.corpus.npy",
            may_be_empty=True,
        ),
        Part(
            queries,
            lambda: (text for _, text in lines.queries(queries)),
            len(is_judged),
            output / f"{name}.queries.npy",
            is_queries=True,
            may_be_empty=True,
        ),
    ]
    return _Job(folder / f"{folder.resolve().name}-{name}.toml", parts, {"beir": source})


def _job_of_file(file: Path, name: str) -> _Job:
    if not os.path.isfile(file):
        raise no_file(file, "give a BEIR folder, or a JSON Lines or CSV file of texts under text")
    output = file.parent / "embeddings" / f"{name}.{file.stem}.npy"
    part = Part(file, lambda: lines.texts(file), sum(1 for _ in lines.texts(file)), output)
    source = {"base": output.relative_to(file.parent).as_posix()}
    return _Job(file.parent / f"{file.stem}-{name}.toml", [part], {"files": source})


def _previous_record(job: _Job, requested: Embedding) -> Embedding:
    """What the existing TOML file records, or a BenchError if it is of something else."""
    way_out = f"remove {job.toml} and its vectors, or give --name another"
    try:
        tables = read_toml(job.toml, dict[str, Any])
        record = converted(tables.get("embedding"), Embedding, str(job.toml))
    except BenchError:
        raise BenchError(f"{job.toml} exists and does not record how its vectors were computed: {way_out}") from None
    for field in DECISIVE:
        before, now = getattr(record, field), getattr(requested, field)
        if before != now:
            raise BenchError(f"{job.toml} exists with another {field}, {before!r} and not {now!r}: {way_out}")
    for table, source in job.source.items():
        if not source.items() <= tables.get(table, {}).items():  # what was added by hand, as labels, may stay
            raise BenchError(f"{job.toml} exists with another [{table}]: {way_out}")
    for file, digest in requested.sha256.items():
        if record.sha256.get(file) != digest:
            raise BenchError(f"{job.toml} exists and is of other texts in {file}: {way_out}")
    sha256 = {file: digest for file, digest in record.sha256.items() if (job.toml.parent / file).exists()}
    verify(msgspec.structs.replace(record, sha256=sha256), job.toml.parent, str(job.toml))
    return record


def _dataset_table(path: Path, job: _Job, encoder: Encoder, record: Embedding) -> dict[str, Any]:
    """The content of the dataset's TOML file."""
    title = f"{job.parts[0].count:,} texts of {path.resolve().name}, embedded with {encoder.model}"
    described = {"title": title, "metric": encoder.metric, **job.source}
    return {**described, "embedding": {k: v for k, v in msgspec.to_builtins(record).items() if v is not None}}
