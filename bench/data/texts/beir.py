"""BEIR folders (Thakur et al. 2021): texts, queries and relevance judgements, with vectors of the texts.

A folder has `corpus.jsonl` (`_id`, `title`, `text`), `queries.jsonl` (`_id`, `text`) and `qrels/SPLIT.tsv` (`query-id`,
`corpus-id`, `score`). Row i of the vectors embeds line i.
"""

import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np

from bench import cache, digests
from bench.data import fetch
from bench.data.arrays import check_vectors
from bench.data.dataset import Judgements
from bench.data.formats import read_vectors
from bench.data.formats.array import from_memory
from bench.data.parts import Parts
from bench.data.texts import lines, lsa
from bench.data.texts.judgements import judge
from bench.data.texts.lines import CORPUS, QUERIES
from bench.errors import BenchError, BenchWarning, unknown


class Beir(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A BEIR folder and vectors of its texts.

    folder: from the folder of the TOML file; if it does not exist, below BENCH_MIRROR, and every file read needs its
        checksum in `sha256`.
    model: in the names of the files of vectors, or `lsa@d`, computed from the texts; NAME@d takes the first d
        dimensions.
    split: of the judgements.
    sha256: of files, by their paths in the folder.
    strict: whether judgements of unknown ids are refused.
    leave_own_out: whether retrieval leaves out the document that has a query's id; by default if it is the query
        itself, see `judge`.
    """

    folder: str
    model: str
    split: str = "test"
    sha256: dict[str, str] = {}
    strict: bool = False
    leave_own_out: bool | None = None


class Chosen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The choices of an experiment in a BEIR folder."""

    model: str | None = None


def load(name: str, metric: str, source: Beir, beside: Path, model: str | None = None) -> Parts:
    """The Parts of a BEIR folder: base rows are documents, queries are the judged ones, both in file order.

    Under cosine, queries that a model gives no direction stay, so that all models have the same.

    beside: the folder of the TOML file. model: another than the source's; the dataset's name then states it.
    """
    folder = _Folder(name, source, beside)
    model_name, dimension = _parse_model(model or source.model, folder.where)
    corpus, queries = folder.file(CORPUS), folder.file(QUERIES)
    judgements, is_judged = judge(corpus, queries, folder.file(f"qrels/{source.split}.tsv"), strict=source.strict)
    if source.leave_own_out is not None:
        judgements = replace(judgements, leave_own_out=source.leave_own_out)
    if model_name == lsa.NAME:
        assert dimension is not None
        base, all_queries = _lsa(corpus, queries, dimension)
        files = {part: f"{model_name}@{dimension} of {file}" for part, file in (("base", corpus), ("queries", queries))}
    else:
        corpus_file, queries_file = _vector_files(folder, model_name)
        base = _first_dimensions(corpus_file, dimension, corpus, len(judgements.doc_ids))
        all_queries = _first_dimensions(queries_file, dimension, queries, len(is_judged))
        files = {"base": str(corpus_file), "queries": str(queries_file)}
    # Before rows are left out, so that errors count rows as the files do.
    base, all_queries = check_vectors(base, files["base"], "l2"), check_vectors(all_queries, files["queries"], "l2")
    full_name = name if model is None else f"{name}(model={model})"
    judged_queries = all_queries[is_judged]
    if metric == "cosine":
        _replace_without_direction(full_name, judged_queries, base, judgements)
    return Parts(
        name=full_name,
        metric=metric,
        base=from_memory(files["base"], base),
        queries=from_memory(files["queries"], judged_queries),
        judgements=judgements,
    )


def published(source: Beir) -> list[fetch.Published]:
    """Return the files of the folder that a mirror has."""
    return [_published(source, file) for file in source.sha256]


def files(source: Beir) -> list[str]:
    """Return the paths in the folder of the files that are read."""
    model, _, _ = source.model.partition("@")
    return [CORPUS, QUERIES, f"qrels/{source.split}.tsv", *_names(model)]


def _published(source: Beir, file: str) -> fetch.Published:
    return fetch.Published(file=f"{source.folder}/{file}", checksum=f"sha256:{source.sha256[file]}")


@dataclass(frozen=True)
class _Folder:
    """The BEIR folder of a dataset. name: the dataset's. beside: the folder of its TOML file."""

    name: str
    source: Beir
    beside: Path

    @property
    def where(self) -> str:
        return f"dataset {self.name!r}"

    @property
    def path(self) -> Path:
        return self.beside / self.source.folder

    def file(self, file: str) -> Path:
        """Return the path of a file; raises BenchError if it has another checksum than the source states."""
        digest = self.source.sha256.get(file)
        if self.path.is_dir():
            path = lines.existing_file(self.path / file)
            if digest and (found := digests.file_digest(path)) != digest:
                raise BenchError(
                    f"{path}: SHA-256 is {found[:12]}..., {self.where} states {digest[:12]}...: get the file again"
                )
            return path
        if digest is None:
            raise BenchError(f"{self.where}: {self.path} does not exist, and beir.sha256 has no checksum of {file}")
        return fetch.required_path(_published(self.source, file), self.where, self.name)


def _parse_model(model: str, where: str) -> tuple[str, int | None]:
    """Return name and number of dimensions of NAME or NAME@d."""
    name, at, dimension = model.partition("@")
    if at and not dimension.isdecimal():
        raise BenchError(f"{where}: model {model!r}: give the number of dimensions after @, as in {name}@128")
    if name == lsa.NAME and not at:
        raise BenchError(f"{where}: model {model!r}: give the number of dimensions, as in {name}@384")
    return name, int(dimension) if at else None


def _replace_without_direction(name: str, queries: np.ndarray, base: np.ndarray, judgements: Judgements) -> None:
    """Put the mean of all documents in the place of queries that are all zeros; a warning counts them."""
    has_direction = queries.any(axis=1)
    if has_direction.all():
        return
    replaced = judgements.query_ids[~has_direction]
    warnings.warn(
        f"{name}: {len(replaced):,} queries have no direction, such as {str(replaced[0])!r}; searched with the mean of "
        "all documents in their place",
        BenchWarning,
        stacklevel=3,
    )
    queries[~has_direction] = base[base.any(axis=1)].mean(axis=0, dtype=np.float64)


def _names(model: str) -> list[str]:
    """Return the paths in the folder of a model's vectors of the corpus and of the queries."""
    return [f"embeddings/{model}.{texts}.npy" for texts in ("corpus", "queries")]


def _vector_files(folder: _Folder, model: str) -> tuple[Path, Path]:
    """Return the files of a model's vectors of the corpus and of the queries."""
    corpus, queries = _names(model)
    present = [*folder.source.sha256, *(str(file) for file in folder.path.glob("embeddings/*"))]
    models = {Path(file).name.removesuffix(".corpus.npy") for file in present if file.endswith(".corpus.npy")}
    if model not in models:
        error = unknown("model", model, [*sorted(models), f"{lsa.NAME}@d"])
        raise BenchError(
            f"{folder.where}: {error}; its vectors would be {folder.path / corpus} and {folder.path / queries}"
        )
    if folder.path.is_dir() and not (folder.path / queries).is_file():
        raise BenchError(f"{folder.where}: {folder.path / queries} does not exist: save the vectors of {QUERIES} there")
    return folder.file(corpus), folder.file(queries)


def _first_dimensions(vectors: Path, dimension: int | None, texts: Path, count: int) -> np.ndarray:
    """Return (count, dimension): the first dimensions of the vectors of `texts`; all if dimension is None."""
    rows = read_vectors(vectors)
    if len(rows) != count:
        raise BenchError(f"{vectors} has shape {rows.shape}, {texts} has {count:,} lines: embed it again")
    if dimension is not None and not 0 < dimension <= rows.shape[1]:
        raise BenchError(f"{vectors} has {rows.shape[1]} dimensions: @{dimension} takes too many or none")
    return rows[:, :dimension]


def _lsa(corpus: Path, queries: Path, dimension: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the vectors of all documents and of all queries, from the cache if they were computed before."""

    def compute() -> dict[str, np.ndarray]:
        documents = [text for _, text in lines.documents(corpus)]
        transform = lsa.fit(documents, dimension, str(corpus))
        return {"base": transform(documents), "queries": transform([text for _, text in lines.queries(queries)])}

    key = {
        "dimension": dimension,
        "seed": lsa.SEED,
        "corpus": digests.file_digest(corpus),
        "queries": digests.file_digest(queries),
        "code": digests.code_digest(Path(lsa.__file__), Path(lines.__file__)),
        "libraries": lsa.versions(),
    }
    arrays = cache.entry(lsa.NAME, key, compute).arrays
    return arrays["base"], arrays["queries"]
