"""The example notebook: it runs as it is, and what it shows is what is kept in it."""

import base64
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

EXAMPLE = Path(__file__).parents[1] / "bench" / "example.ipynb"
FIGURE = re.compile(r"-?\d+(?:\.\d+)?")
# Figures of versions and machines that round differently: recall is a share, its points are a hundred times as many
NEAR = {"abs": 0.03, "rel": 0.25}
PNG = b"\x89PNG"
# Whatever kernels are installed, by that of this interpreter, and without a network
RUN = """
import sys, nbformat
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

class Here(KernelSpecManager):
    def get_kernel_spec(self, kernel_name):
        return KernelSpec(argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"])

_, example, folder = sys.argv
manager = AsyncKernelManager(kernel_spec_manager=Here(), transport="ipc", ip=folder + "/s")
notebook = nbformat.read(example, as_version=4)
NotebookClient(notebook, km=manager, timeout=300, resources={"metadata": {"path": folder}}).execute()
nbformat.write(notebook, folder + "/run.ipynb")
"""


def outputs(notebook):
    """Of every cell of code what it shows: by kind, the content."""
    shown = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            shown.append([output.get("data") or {output.get("name", "error"): output.text} for output in cell.outputs])
    return shown


@pytest.fixture(scope="module")
def kept():
    return nbformat.read(EXAMPLE, as_version=4)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nb")
    done = subprocess.run([sys.executable, "-c", RUN, EXAMPLE, folder], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return nbformat.read(folder / "run.ipynb", as_version=4)


def test_it_shows_what_is_kept_up_to_what_versions_round(kept, run):
    for before, now in zip(outputs(kept), outputs(run), strict=True):
        assert [output.keys() for output in before] == [output.keys() for output in now]
        for one, other in zip(before, now, strict=True):
            if "text/html" in one:  # a frame
                one, other = (FIGURE.findall(output["text/plain"]) for output in (one, other))
                assert list(map(float, other)) == pytest.approx(list(map(float, one)), **NEAR)
            elif "image/png" in one:
                assert [base64.b64decode(output["image/png"])[:4] for output in (one, other)] == [PNG, PNG]


def test_it_is_kept_whole_without_warnings_and_places_of_a_machine(kept):
    nbformat.validate(kept)
    cells = [cell for cell in kept.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not any("stderr" in output for shown in outputs(kept) for output in shown)
    assert kept.metadata.keys() == {"kernelspec", "language_info"}
    text = EXAMPLE.read_text()
    assert not re.search(r"/(tmp|home|root|Users|work|var)/|\\\\Users", text)
    assert len(text) < 500_000


def test_it_shows_every_stable_name(kept):
    code = "\n".join(cell.source for cell in kept.cells if cell.cell_type == "code")
    names = {
        "bench.compare(",
        "bench.load(",
        "bench.order(",
        "bench.lid(",
        ".summary",
        ".recalls",
        ".advice",
        ".chart(",
    }
    assert [name for name in names if name not in code] == []
