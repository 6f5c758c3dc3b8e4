"""A report as content, and that content as Markdown and as one HTML file."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined

from speechft_cli.events import Table
from speechft_cli.reporting.tables import escaped, markdown_table


@dataclass(frozen=True)
class Figure:
    """A picture.

    Attributes:
        file_name: Where it lies beside the Markdown report.
        description: What it shows, for who can't see it.
        png: The picture itself, for the HTML report.
    """

    file_name: str
    description: str
    png: bytes

    @property
    def data_url(self) -> str:
        """The picture as a URL that needs no file."""
        return f"data:image/png;base64,{base64.b64encode(self.png).decode()}"


@dataclass(frozen=True)
class Section:
    """A heading and what is below it, in this order."""

    title: str
    paragraphs: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    figure: Figure | None = None


@dataclass(frozen=True)
class Document:
    """A report: plain text, no markup of any kind."""

    title: str
    lead: str
    sections: tuple[Section, ...]


def to_markdown(document: Document) -> str:
    """Returns the report as Markdown."""
    blocks = [f"# {escaped(document.title)}", escaped(document.lead)]
    for section in document.sections:
        blocks += [f"## {escaped(section.title)}", *map(escaped, section.paragraphs)]
        for table in section.tables:
            blocks += [escaped(table.title)] if len(section.tables) > 1 else []
            blocks.append(markdown_table(table))
        if section.figure is not None:
            blocks.append(f"![{section.figure.description}]({section.figure.file_name})")
    return "\n\n".join(blocks) + "\n"


def to_html(document: Document) -> str:
    """Returns the report as one HTML file without any external resource; all text is escaped."""
    environment = Environment(
        loader=PackageLoader("speechft_cli.reporting", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(document=document)


def listed(names: Sequence[str]) -> str:
    """Returns for example `a, b and c`."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
