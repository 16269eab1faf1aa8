"""The guides: short enough to be read, their links lead somewhere, and their commands exist."""

import inspect
import re
import shlex
import tomllib
from collections import Counter
from pathlib import Path

import pytest
import typer

from bench.cli import UsageError, app
from bench.orders import ORDERS

ROOT = Path(__file__).parents[1]
GUIDES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("*/README.md"), *ROOT.glob("results/*.md")])
LONGEST = 120  # characters, where a line is not a table's
BENCH = ("bench", ".venv/bin/bench")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

each_guide = pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: str(guide.relative_to(ROOT)))


def blocks(guide, language):
    """The code blocks of a language."""
    return [code for of, code in FENCE.findall(guide.read_text()) if of == language]


def prose(guide):
    """A guide without its code blocks."""
    return FENCE.sub("", guide.read_text())


def words_of_commands(guide):
    """The words of every command line of a shell, without variables that are set for it."""
    for code in blocks(guide, "sh"):
        for line in code.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            while words and re.match(r"[A-Za-z_]+=", words[0]):
                del words[0]
            if words:
                yield words


def anchors(guide):
    """What headings are linked by, as GitHub makes it: of equal ones, the later have a number."""
    seen = Counter()
    for heading in re.findall(r"^#+ (.*)$", prose(guide), re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        yield f"{slug}-{seen[slug]}" if seen[slug] else slug
        seen[slug] += 1


def check_command(words):
    """Raise UsageError where a command or an option does not exist, or lacks what it needs; nothing is run."""
    group, context = typer.main.get_command(app), None
    while hasattr(group, "commands"):
        name, *words = words
        if name not in group.commands:
            raise UsageError(f"no command {name!r}")
        group = group.commands[name]
    return group.make_context(group.name, words, parent=context)


def test_all_rooms_with_a_guide_are_here():
    names = {str(guide.relative_to(ROOT)) for guide in GUIDES}
    assert names >= {"README.md", "CONTRIBUTING.md", "bench/README.md", "datasets/README.md", "results/README.md"}
    assert names >= {"results/calibration.md", "results/study.md"}


def test_the_front_page_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


@each_guide
def test_lines_fit_a_screen(guide):
    lines = enumerate(guide.read_text().splitlines(), start=1)
    assert [number for number, line in lines if len(line) > LONGEST and not line.startswith("|")] == []


@each_guide
def test_links_lead_to_files_and_headings_that_exist(guide):
    lost = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(guide)):
        if re.match(r"[a-z]+://", link):
            continue
        path, _, anchor = link.partition("#")
        target = (guide.parent / path).resolve() if path else guide
        if not target.exists() or (anchor and anchor not in anchors(target)):
            lost.append(link)
    assert lost == []


@each_guide
def test_commands_exist_with_their_options(guide):
    wrong = []
    for words in words_of_commands(guide):
        if words[0] in BENCH:
            try:
                check_command(words[1:])
            except UsageError as error:
                wrong.append(f"{shlex.join(words)}: {error.format_message()}")
    assert wrong == []


def test_commands_in_the_tables_of_the_front_page_exist():
    shown = re.findall(r"^\|.*`(bench .*)` \|$", (ROOT / "README.md").read_text(), re.MULTILINE)
    for command in shown:
        check_command(shlex.split(command)[1:])
    assert shown


@each_guide
def test_code_is_whole(guide):
    for code in blocks(guide, "toml"):
        tomllib.loads(code)
    for code in blocks(guide, "python"):
        compile(code, str(guide), "exec")


@each_guide
def test_targets_of_make_exist(guide):
    targets = set(re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    shown = {word for words in words_of_commands(guide) if words[0] == "make" for word in words[1:] if "=" not in word}
    assert shown <= targets


def test_a_command_that_does_not_exist_is_found():
    check_command(["compare", "my.npy", "--seeds", "3"])
    check_command(["baseline", "save", "mine", "--reason", "x"])
    for words in (
        ["compair", "my.npy"],
        ["compare"],
        ["compare", "my.npy", "--nope"],
        ["compare", "x", "--seeds", "y"],
    ):
        with pytest.raises(UsageError):
            check_command(words)


def test_the_guide_has_every_order_as_the_list_has_it():
    shown = dict(re.findall(r"^\| `([\w-]+)` \| (.*) \|$", (ROOT / "bench" / "README.md").read_text(), re.MULTILINE))
    abouts = {name: inspect.getdoc(order.make).partition("\n")[0] for name, order in ORDERS.items()}
    assert {name: shown.get(name) for name in abouts} == abouts
