"""The picture of a terminal: a command that exists, and all that it printed."""

import re
import shlex
from html import unescape

from tools import pictures
from typer.main import get_command

from bench.cli import app


def words(picture):
    """The words that a picture shows, in order."""
    return unescape(" ".join(re.findall(r"<text [^>]*>([^<]*)</text>", picture))).split()


def test_the_picture_shows_the_command_and_its_whole_output():
    output = "order   recall\nrandom  0.9 <&>\n\nWhat now:\n- Nothing.\n"
    shown = words(pictures.terminal("bench table", output))
    assert shown[shown.index("$") :] == ["$", "bench", "table", *output.split()]


def test_the_picture_of_the_front_page_shows_the_command_that_makes_it():
    picture = (pictures.RESULTS / "terminal.svg").read_text()
    assert " ".join(words(picture)).count(f"$ {pictures.COMMAND}") == 1
    _, name, *arguments = shlex.split(pictures.COMMAND)
    command = get_command(app).commands[name]
    assert command.make_context(name, arguments).params["base"] == "image-patches"


def test_a_picture_loads_nothing_from_a_network():
    picture = pictures.terminal("bench table", "random")
    assert re.findall(r"url\((?!#)[^)]*\)|href=", picture) == []
