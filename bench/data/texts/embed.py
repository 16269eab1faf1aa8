"""Texts to datasets: their vectors as .npy files, and the TOML file that names and records them."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from bench.data.texts import lines, lsa, vectors
from bench.data.texts.judgements import judge
from bench.data.texts.lines import CORPUS, QUERIES
from bench.data.texts.models import Encoder, encoder
from bench.data.texts.vectors import Part
from bench.digests import file_digest
from bench.errors import BenchError, BenchWarning

Told = Callable[[str], None]


class Embedding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `bench embed` made vectors with, as the dataset's TOML file records it.

    sha256: of the texts and of the vectors, by path from the TOML file's folder. pooling: as the model states it.
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


# What makes vectors others; a model may have moved, and batches and libraries change digits, not meaning.
DECISIVE = ("revision", "dimension", "normalized", "passage_prefix", "query_prefix", "max_tokens", "pooling")


@dataclass(frozen=True)
class Job:
    """What is to be embedded: parts, and the dataset's TOML file, whose source is the table `source`."""

    toml: Path
    parts: list[Part]
    source: dict[str, dict[str, Any]]


def embed(
    where: Path,
    model: str,
    *,
    query_prefix: str | None = None,
    passage_prefix: str | None = None,
    split: str | None = None,
    strict: bool = False,
    batch_size: int = 32,
    name: str | None = None,
    told: Told = lambda line: None,
) -> tuple[Path, Embedding]:
    """Embed a BEIR folder, or a JSON Lines or CSV file of texts; gives the dataset's TOML file and what it records.

    split: of the judgements that the dataset takes, `test` by default. name: of the model in file names. What is there
    already from the same texts and model is kept; from others it is an error.
    """
    import tomli_w

    name = name or Path(model).expanduser().name.replace("@", "-")
    if not name or (name == lsa.NAME != model) or any(letter in name for letter in "/\\@*?[]{}"):
        raise BenchError(f"--name {name!r}: give a file's name, not {lsa.NAME}, without / \\ @ * ? [ ] {{ }}")
    if where.is_dir():
        job = _of_folder(where, name, split or "test", strict)
    elif split or strict or query_prefix is not None:
        raise BenchError(f"{where} is no BEIR folder: --split, --strict and --query-prefix are for one")
    else:
        job = _of_file(where, name)
    told(f"{model}: loading")
    made = encoder(model, job.parts[0].texts, query_prefix, passage_prefix, batch_size)
    texts = {_inside(job, part.file): file_digest(part.file) for part in job.parts}
    asked = Embedding(
        sha256=texts,
        batch_size=batch_size,
        **{field: getattr(made, field) for field in Embedding.__struct_fields__ if hasattr(made, field)},
    )
    before = _kept(job, asked) if job.toml.exists() else None
    if before and all(part.output.exists() for part in job.parts):
        told(f"{job.toml} is there already, from the same texts and model")
        return job.toml, before
    there = {p.output.name: before.sha256[_inside(job, p.output)] for p in job.parts if before and p.output.exists()}
    manifest = job.toml.parent / "embeddings" / f".{job.toml.stem}.json"
    try:
        digests = vectors.write(job.parts, made, manifest, msgspec.to_builtins(asked), told, there)
        digests_of_vectors = {_inside(job, part.output): digests[part.output.name] for part in job.parts}
        record = msgspec.structs.replace(asked, sha256=texts | digests_of_vectors)
        if not before or before.sha256 != record.sha256:
            vectors.write_whole(job.toml, tomli_w.dumps(_dataset(where, job, made, record)))
        manifest.unlink()
    except OSError as error:
        raise BenchError(f"cannot write below {job.toml.parent}: {error.strerror}") from None
    return job.toml, record


def verify(record: Embedding, folder: Path, told: str) -> None:
    """Raise a BenchError where texts or vectors beside a TOML file are not those that it records."""
    for file, stated in record.sha256.items():
        if not (folder / file).is_file():
            raise BenchError(f"{told}: {folder / file} is not there, which `bench embed` recorded: embed again")
        if file_digest(folder / file) != stated:
            raise BenchError(
                f"{told}: {folder / file} is not what `bench embed` recorded: restore it, or remove it and embed again"
            )


def _of_folder(folder: Path, name: str, split: str, strict: bool) -> Job:
    corpus, queries = folder / CORPUS, folder / QUERIES
    qrels = folder / "qrels" / f"{split}.tsv"
    judgements, judged = judge(corpus, queries, qrels, strict=strict)
    if empty := [document for document, text in lines.documents(corpus) if not text]:
        warnings.warn(
            f"{corpus}: {len(empty):,} documents have no text, such as {empty[0]!r}; "
            "what has no direction is left out of the base",
            BenchWarning,
            stacklevel=3,
        )
    source = {"folder": ".", "model": name, "split": split} | ({"strict": True} if strict else {})
    output = folder / "embeddings"
    return Job(
        folder / f"{folder.resolve().name}-{name}.toml",
        [
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
                len(judged),
                output / f"{name}.queries.npy",
                is_queries=True,
                may_be_empty=True,
            ),
        ],
        {"beir": source},
    )


def _of_file(file: Path, name: str) -> Job:
    if not file.is_file():
        raise BenchError(f"{file} is not there: give a BEIR folder, or a JSON Lines or CSV file of texts under text")
    output = file.parent / "embeddings" / f"{name}.{file.stem}.npy"
    part = Part(file, lambda: lines.texts(file), sum(1 for _ in lines.texts(file)), output)
    source = {"base": output.relative_to(file.parent).as_posix()}
    return Job(file.parent / f"{file.stem}-{name}.toml", [part], {"files": source})


def _kept(job: Job, asked: Embedding) -> Embedding:
    """What the TOML file that is already there records, or a BenchError where it is of something else."""
    way_out = f"remove {job.toml} and its vectors, or give --name another"
    try:
        stated = msgspec.toml.decode(job.toml.read_bytes())
        record = msgspec.convert(stated.get("embedding"), Embedding)
    except (msgspec.MsgspecError, OSError):
        raise BenchError(f"{job.toml} is there and does not say what its vectors were made with: {way_out}") from None
    for field in DECISIVE:
        before, now = getattr(record, field), getattr(asked, field)
        if before != now:
            raise BenchError(f"{job.toml} is there with another {field}, {before!r} and not {now!r}: {way_out}")
    for table, source in job.source.items():
        if not source.items() <= stated.get(table, {}).items():  # what was added by hand, as labels, may stay
            raise BenchError(f"{job.toml} is there with another [{table}]: {way_out}")
    for file, digest in asked.sha256.items():
        if record.sha256.get(file) != digest:
            raise BenchError(f"{job.toml} is there and of other texts in {file}: {way_out}")
    remaining = msgspec.structs.replace(
        record, sha256={file: stated for file, stated in record.sha256.items() if (job.toml.parent / file).exists()}
    )
    verify(remaining, job.toml.parent, str(job.toml))
    return record


def _dataset(where: Path, job: Job, made: Encoder, record: Embedding) -> dict[str, Any]:
    title = f"{job.parts[0].count:,} texts of {where.resolve().name}, embedded with {made.model}"
    described = {"title": title, "metric": made.metric, **job.source}
    return {**described, "embedding": {k: v for k, v in msgspec.to_builtins(record).items() if v is not None}}


def _inside(job: Job, file: Path) -> str:
    return file.relative_to(job.toml.parent).as_posix()
