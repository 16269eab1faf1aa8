"""The TOML file that defines a dataset."""

from pathlib import Path
from typing import Any, Literal

import msgspec

from bench.convert import read_toml
from bench.data import generators
from bench.data.dataset import METRICS
from bench.data.fetch import Published
from bench.data.fetch import check as check_published
from bench.data.records import Records
from bench.data.texts import beir, embed
from bench.data.texts.beir import Beir
from bench.errors import BenchError, unknown


class Files(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Files in any of `formats.READERS`, by paths from the folder of the TOML file; see `Parts`."""

    base: str
    queries: str | None = None
    labels: str | None = None
    neighbors: str | None = None
    query_groups: str | None = None


class Definition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One TOML file of the catalogue: what the data is, and one of the five places it comes from.

    title: what it is, in a line.
    metric: `l2`, `cosine` or `ip`.
    licence, citation: as its publisher states them.
    source: the page that describes it.
    file_order: `natural` if the rows stand as in the source's own files, `shuffled` if writing the file permuted them,
        `unknown` if no published code shows which.
    n, d, queries: as its publisher states them.
    texts: whether what is downloaded are texts, to be embedded first.
    leave_own_out: of texts, whether queries are documents of their own corpus, which retrieval leaves out; `bench
        embed` finds out, and states it in the TOML file that it writes.
    generator, parameters: one of `generators.GENERATORS`, and what it is called with.
    records, files, beir, download: the files that it comes from, in one of these ways.
    embedding: how `bench embed` computed its vectors.
    """

    title: str
    metric: str
    licence: str = ""
    citation: str = ""
    source: str = ""
    file_order: Literal["natural", "shuffled", "unknown"] = "unknown"
    n: int | None = None
    d: int | None = None
    queries: int | None = None
    texts: bool = False
    leave_own_out: bool = False
    generator: str | None = None
    parameters: dict[str, Any] = {}
    records: Records | None = None
    files: Files | None = None
    beir: Beir | None = None
    download: list[Published] = []
    embedding: embed.Embedding | None = None

    @property
    def download_size(self) -> str:
        """How much is to be downloaded, for people: as published, else from n and d; empty if neither is stated."""
        from rich.filesize import decimal

        if stated_bytes := sum(file.bytes or 0 for file in self.download):
            return decimal(stated_bytes)
        return "over " + decimal(4 * self.n * self.d) if self.download and self.n and self.d else ""

    @property
    def published(self) -> list[Published]:
        """The published files that it is made from."""
        if self.beir is not None:
            return beir.published(self.beir)
        if self.records is None:
            return self.download
        files = (self.records.vectors, self.records.records)
        return [Published(file=f, checksum=f"sha256:{self.records.sha256.get(f, '')}") for f in files]


def read_definition(path: Path) -> Definition:
    """The Definition in a TOML file, checked."""
    definition = read_toml(path, Definition)
    if definition.metric not in METRICS:
        raise BenchError(f"{path}: {unknown('metric', definition.metric, METRICS)}")
    sources = (definition.generator, definition.records, definition.files, definition.beir, definition.download)
    if sum(bool(source) for source in sources) != 1:
        raise BenchError(f"{path}: give one of generator, records, files, beir and download")
    if definition.generator is not None and definition.generator not in generators.GENERATORS:
        raise BenchError(f"{path}: {unknown('generator', definition.generator, generators.GENERATORS)}")
    if definition.records is not None and definition.records.label_field is None:
        for key in ("labels", "query_labels"):
            if getattr(definition.records, key) is not None:
                raise BenchError(f"{path}: records.{key} needs records.label_field, the field that holds them")
    if definition.parameters and definition.generator is None:
        raise BenchError(f"{path}: parameters are a generator's; without one, leave them out")
    if definition.leave_own_out and not definition.texts:
        raise BenchError(f"{path}: leave_own_out is of texts: move it into [beir], or leave it out")
    if definition.texts and not definition.download:
        raise BenchError(f"{path}: texts are downloaded; without download, leave them out")
    if not definition.texts and (len(definition.download) > 1 or any(file.members for file in definition.download)):
        raise BenchError(f"{path}: vectors are downloaded as one file that is not an archive")
    for file in definition.published:
        check_published(file, str(path))
    return definition
