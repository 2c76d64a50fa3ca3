"""Every command that the pages on keys, rosters and approvals show is one that there is, with these options."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from pipelines.cli.main import cli

HOW_TO = Path(__file__).resolve().parents[3] / "docs" / "how-to"
PAGES = ("authority-keys.md", "roster-and-approvals.md", "rotate-key.md")


def shown_commands() -> Iterator[str]:
    for page in PAGES:
        text = (HOW_TO / page).read_text(encoding="utf-8").replace("\\\n", " ")
        for block in re.findall(r"```\n(.*?)```", text, flags=re.DOTALL):
            yield from (line.split("  #")[0].strip() for line in block.splitlines() if "cloister " in line)


@pytest.mark.parametrize("line", sorted(set(shown_commands())))
def test_a_command_that_a_page_shows_can_be_parsed(line: str) -> None:
    program, *arguments = shlex.split(line)
    assert program == "cloister"
    command: click.Command = cli
    context = click.Context(cli)
    while isinstance(command, click.Group):
        found = command.get_command(context, arguments.pop(0))
        assert found is not None, line
        command, context = found, click.Context(found)
    _, left, _ = command.make_parser(context).parse_args(arguments)
    assert left == []


def test_the_pages_show_commands() -> None:
    assert len(set(shown_commands())) > 12
