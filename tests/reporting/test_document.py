import base64
import re
from html.parser import HTMLParser

from speechft_cli.events import Table
from speechft_cli.reporting.document import Document, Figure, Section, listed, to_html, to_markdown


def document(label: str = "base") -> Document:
    table = Table("test", ("encoder", "acc"), ((label, "1.00"), ("b", "2.00")), frozenset({(1, 1)}))
    figure = Figure("curves.png", "Curves", b"\x89PNG picture")
    return Document("mine: evaluation", "Two encoders.", (Section("Scores", ("Words.",), (table,), figure),))


class Reader(HTMLParser):
    """Collects what a page asks for from elsewhere, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.outside: list[str] = []
        self.text: list[str] = []
        self.tags: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.outside += [value or "" for name, value in attrs if name in {"src", "href", "data", "srcset"}]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_markdown_has_headings_table_and_picture() -> None:
    text = to_markdown(document())
    assert text.startswith("# mine: evaluation\n\nTwo encoders.\n\n## Scores\n\nWords.\n\n| encoder | acc |")
    assert text.endswith("![Curves](curves.png)\n")


def test_html_opens_without_anything_from_elsewhere() -> None:
    page = Reader(to_html(document()))
    assert page.outside == ["data:image/png;base64," + base64.b64encode(b"\x89PNG picture").decode()]
    assert not {"script", "link", "iframe"} & set(page.tags)
    assert "url(" not in to_html(document())
    assert "@import" not in to_html(document())


def test_html_follows_light_and_dark() -> None:
    assert "prefers-color-scheme: dark" in to_html(document())


def test_the_best_cell_is_marked_in_html() -> None:
    assert re.findall(r'<td class="best">(.*?)</td>', to_html(document())) == ["2.00"]


def test_a_label_is_never_markup() -> None:
    page = Reader(to_html(document("<script>alert(1)</script>")))
    assert "script" not in page.tags
    assert "<script>alert(1)</script>" in page.text
    assert to_markdown(Document("a_b*", "", ())).startswith("# a\\_b\\*")


def test_names_are_listed_as_in_a_sentence() -> None:
    assert [listed(names) for names in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]
