"""The pictures that guides show: a command in a terminal, and the page of clinc150 in a browser. `make pictures`."""

import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.text import Text

RESULTS = Path("results")
COMMAND = "bench compare image-patches --engines hnswlib --orders given,random,lid-ascending,residual-descending"
COLUMNS = 106  # the command fits a line
WIDTH, HEIGHT = 1100, 1180  # the answer, the choice and the first chart
FONTS = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)  # a picture in a page may not load them


def output_of(command: str) -> str:
    """Return what a command prints to standard output, run with a store of its own."""
    with tempfile.TemporaryDirectory() as folder:
        words = [*shlex.split(command)[1:], "--store", f"{folder}/store.sqlite", "--no-report"]
        environment = os.environ | {"COLUMNS": str(COLUMNS)}
        run = [sys.executable, "-m", "bench", *words]
        return subprocess.run(run, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout


def terminal(command: str, output: str) -> str:
    """Return a picture (SVG) of a terminal in which a command printed an output."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    console.print(Text(f"$ {command}", style="bold"))
    console.print(Text(output.rstrip()))
    return FONTS.sub("", console.export_svg(title="hnsw-order-bench", unique_id="terminal"))


def page(browser: str) -> None:
    """Draw the top of the page of clinc150 as a browser shows it."""
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=browser, args=arguments)
        shown = opened.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        shown.goto((RESULTS / "clinc150.html").absolute().as_uri())
        shown.wait_for_selector("body[data-drawn=yes]")
        shown.screenshot(path=RESULTS / "clinc150.png")
        opened.close()


def main() -> None:
    (RESULTS / "terminal.svg").write_text(terminal(COMMAND, output_of(COMMAND)))
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        raise SystemExit("pictures: no Chromium; on Debian: apt-get install chromium")
    page(browser)


if __name__ == "__main__":
    main()
