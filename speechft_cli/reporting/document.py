"""A report as content, and that content as Markdown and as one HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined

from speechft_cli.events import Table
from speechft_cli.reporting.plots.style import Picture
from speechft_cli.reporting.tables import escaped, is_numeric, markdown_table


@dataclass(frozen=True)
class Section:
    """A heading and what is below it, in this order; a folded one is opened by a click in HTML."""

    title: str
    paragraphs: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()
    tables: tuple[Table, ...] = ()
    is_folded: bool = False


@dataclass(frozen=True)
class Document:
    """A report: plain text, no markup of any kind.

    Attributes:
        title: Of the page.
        lead: What came out, in a sentence or two.
        warning: What a reader must know before any figure; may be empty.
        sections: In order.
    """

    title: str
    lead: str
    warning: str
    sections: tuple[Section, ...]

    @property
    def pictures(self) -> list[Picture]:
        """All pictures of all sections."""
        return [picture for section in self.sections for picture in section.pictures]


def to_markdown(document: Document, *, figures: str) -> str:
    """Returns the report as Markdown.

    Args:
        document: The report.
        figures: Folder of its pictures, beside the Markdown.
    """
    blocks = [f"# {escaped(document.title)}", escaped(document.lead)]
    blocks += [f"> **{escaped(document.warning)}**"] if document.warning else []
    for section in document.sections:
        blocks += [f"## {escaped(section.title)}", *map(escaped, section.paragraphs)]
        blocks += [f"![{escaped(each.description)}]({figures}/{each.name}.png)" for each in section.pictures]
        for table in section.tables:
            blocks += [escaped(table.title)] if table.title else []
            blocks.append(markdown_table(table))
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
    return environment.get_template("report.html.j2").render(document=document, is_numeric=is_numeric)


def listed(names: Sequence[str]) -> str:
    """Returns for example `a, b and c`."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
