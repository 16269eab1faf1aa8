"""Texts to datasets: their vectors as .npy files, and the TOML file that names and records them."""

import errno
import io
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from bench import digests, outputs
from bench.convert import as_text, converted, read_toml
from bench.data.texts import lsa, vectors
from bench.data.texts.job import Columns, Job, Labels, of_file, of_folder
from bench.data.texts.models import Encoder, load_encoder
from bench.errors import BenchError, Log


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
    text_column, label_column: of a file of texts, None for `text`, and for no labels.
    query_texts: the file that the queries come from; None if rows are held out, and of a BEIR folder.
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
    text_column: str | None = None
    label_column: str | None = None
    query_texts: str | None = None


# What changes vectors; a model may have moved, and batches and libraries change digits, not meaning.
DECISIVE = (
    "revision",
    "dimension",
    "normalized",
    "passage_prefix",
    "query_prefix",
    "max_tokens",
    "pooling",
    "text_column",
)
# What may be filled in, where a TOML file is without it.
ADDED = {"queries": "query_texts", "labels": "label_column"}


def embed(
    path: Path,
    model: str,
    *,
    queries: Path | None = None,
    text_column: str | None = None,
    label_column: str | None = None,
    query_prefix: str | None = None,
    passage_prefix: str | None = None,
    split: str | None = None,
    strict: bool = False,
    batch_size: int = 32,
    name: str | None = None,
    log: Log = lambda line: None,
) -> tuple[Path, Embedding]:
    """Embed a BEIR folder, or a JSON Lines or CSV file of texts; gives the dataset's TOML file and what it records.

    queries: a file of their texts, where a file is embedded; without it rows are held out when the dataset is loaded.
    text_column, label_column: of files; `text` by default, and no labels.
    split: of the judgements that the dataset takes, `test` by default. name: of the model in file names. Vectors of the
    same texts and model that exist already are left as they are; those of others are an error.
    """
    name = name or Path(model).expanduser().name.replace("@", "-")
    if (
        not name
        or name != as_text(name)
        or (name == lsa.NAME != model)
        or any(letter in name for letter in "/\\@*?[]{}")
    ):
        raise BenchError(f"--name {name!r}: give a file's name, not {lsa.NAME}, without / \\ @ * ? [ ] {{ }}")
    if path.is_dir():
        if queries or text_column or label_column:
            raise BenchError(
                f"{path} is a BEIR folder, which has queries and keys of its own: leave --queries, --text-column and "
                "--label-column out"
            )
        job = of_folder(path, name, split or "test", strict)
    elif split or strict or (query_prefix is not None and queries is None):
        raise BenchError(
            f"{path} is not a BEIR folder, for which --split and --strict are, and --query-prefix unless there are "
            "--queries: leave them out"
        )
    else:
        job = of_file(path, name, queries, Columns(text_column or Columns().text, label_column))
    for file in filter(Path.exists, (job.toml, *job.outputs)):
        outputs.check(file, RECORDED, [part.file for part in job.parts])
    log(f"{model}: loading")
    encoder = load_encoder(model, job.parts[0].texts, query_prefix, passage_prefix, batch_size)
    requested = Embedding(
        sha256={job.inside(part.file): digests.file_digest(part.file) for part in job.parts},
        batch_size=batch_size,
        **job.recorded,
        **{field: getattr(encoder, field) for field in Embedding.__struct_fields__ if hasattr(encoder, field)},
    )
    previous = _previous(job, requested) if job.toml.exists() else None
    if previous:  # what is not asked for now stays as it was
        added = {field: getattr(requested, field) or getattr(previous.record, field) for field in ADDED.values()}
        requested = msgspec.structs.replace(requested, **added)
    if previous and all(file.exists() and job.inside(file) in previous.record.sha256 for file in job.outputs):
        log(f"{job.toml} exists already, from the same texts and model")
        return job.toml, previous.record
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


# What it wrote is known by the digests that the TOML file records, which are checked where they are read.
RECORDED = outputs.Kind("file that `bench embed` wrote", lambda path: True)


class _Previous(NamedTuple):
    """An existing TOML file: its tables, and of these what `bench embed` recorded."""

    tables: dict[str, Any]
    record: Embedding


def _write(
    path: Path, job: Job, encoder: Encoder, requested: Embedding, previous: _Previous | None, log: Log
) -> Embedding:
    """Write the vectors and labels that do not exist yet and the TOML file; what that records."""
    import tomli_w

    known = previous.record.sha256 if previous else {}
    finished = {
        file.name: known[job.inside(file)] for file in job.outputs if file.exists() and job.inside(file) in known
    }
    manifest = job.toml.parent / "embeddings" / f".{job.toml.stem}.json"
    of_texts = {part.output.name: requested.sha256[job.inside(part.file)] for part in job.parts}
    settings = msgspec.to_builtins(
        msgspec.structs.replace(requested, label_column=None, query_texts=None, sha256={})  # each part goes by its own
    )
    try:
        written = vectors.write(job.parts, encoder, manifest, settings, of_texts, log, finished)
        if job.labels:
            written |= {job.labels.file.name: _write_labels(job.labels, job.labels.file.name in finished)}
        sha256 = {job.inside(file): written[file.name] for file in job.outputs}
        record = msgspec.structs.replace(requested, sha256=known | requested.sha256 | sha256)
        if not previous or previous.record.sha256 != record.sha256:
            tables = previous.tables if previous else _described(path, job, encoder)
            vectors.write_whole(job.toml, tomli_w.dumps(_with(tables, job, record)).encode())
        manifest.unlink()
    except OSError as error:
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        way_out = f"{'make room' if is_full else 'allow it'}, and the same command goes on from there"
        raise BenchError(f"cannot write below {job.toml.parent}: {error.strerror}; {way_out}") from None
    return record


def _write_labels(labels: Labels, is_known: bool) -> str:
    """Write a file of labels whole; its SHA-256. is_known: whether what is there was written for this."""
    stream = io.BytesIO()
    np.save(stream, labels.values)
    if labels.file.exists() and not is_known and labels.file.read_bytes() != stream.getvalue():
        raise BenchError(f"{labels.file} exists, and nothing records what wrote it: remove it, or give --name another")
    vectors.write_whole(labels.file, stream.getvalue())
    return digests.file_digest(labels.file)


def _previous(job: Job, requested: Embedding) -> _Previous:
    """The existing TOML file, or a BenchError if it is of something else; it may lack queries and labels."""
    way_out = f"remove {job.toml} and its vectors, or give --name another"
    try:
        tables = read_toml(job.toml, dict[str, Any])
        record = converted(tables.get("embedding"), Embedding, str(job.toml))
    except BenchError:
        raise BenchError(f"{job.toml} exists and does not record how its vectors were computed: {way_out}") from None
    lacks = [key for key, field in ADDED.items() if getattr(record, field) is None]
    added = [field for key, field in ADDED.items() if key not in lacks and getattr(requested, field) is not None]
    for field in (*DECISIVE, *added):
        before, now = getattr(record, field), getattr(requested, field)
        if before != now:
            raise BenchError(f"{job.toml} exists with another {field}, {before!r} and not {now!r}: {way_out}")
    for table, source in job.source.items():
        stated = tables.get(table, {})  # what was added by hand, as labels, may stay
        if any(stated.get(key, value if key in lacks else None) != value for key, value in source.items()):
            raise BenchError(f"{job.toml} exists with another [{table}]: {way_out}")
    for file, digest in requested.sha256.items():
        is_new = file == requested.query_texts and "queries" in lacks
        if record.sha256.get(file, digest if is_new else "") != digest:
            raise BenchError(f"{job.toml} exists and is of other texts in {file}: {way_out}")
    sha256 = {file: digest for file, digest in record.sha256.items() if (job.toml.parent / file).exists()}
    verify(msgspec.structs.replace(record, sha256=sha256), job.toml.parent, str(job.toml))
    return _Previous(tables, record)


def _described(path: Path, job: Job, encoder: Encoder) -> dict[str, Any]:
    """What a dataset's TOML file states beside its tables."""
    title = f"{job.parts[0].count:,} texts of {as_text(path.resolve().name)}, embedded with {encoder.model}"
    own = {"beir": {"leave_own_out": True}} if job.leave_own_out else {}
    return {"title": title, "metric": encoder.metric, **own}


def _with(tables: dict[str, Any], job: Job, record: Embedding) -> dict[str, Any]:
    """The content of a TOML file with the tables of a job and its record."""
    source = {table: tables.get(table, {}) | stated for table, stated in job.source.items()}
    recorded = {key: value for key, value in msgspec.to_builtins(record).items() if value is not None}
    return tables | source | {"embedding": recorded}
