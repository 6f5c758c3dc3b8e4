import re
from html.parser import HTMLParser

from speechft_cli.events import Table
from speechft_cli.reporting.document import Document, Section, listed, to_html, to_markdown
from speechft_cli.reporting.plots.style import Picture


def document(label: str = "base") -> Document:
    table = Table("test", ("encoder", "acc"), ((label, "1.00"), ("b", "2.00")), frozenset({(1, 1)}))
    picture = Picture("curves", "Curves [1]", b"\x89PNG picture", '<svg viewBox="0 0 1 1" role="img"></svg>')
    sections = (Section("Scores", ("Words.",), (picture,), (table,)), Section("Data", ("More.",), is_folded=True))
    return Document("mine: evaluation", "Two encoders.", "Beware.", sections)


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
    text = to_markdown(document(), figures="pictures")
    start = "# mine: evaluation\n\nTwo encoders.\n\n> **Beware.**\n\n## Scores\n\nWords.\n\n"
    assert text.startswith(f"{start}![Curves \\[1]](pictures/curves.png)\n\ntest\n\n| encoder | acc |")
    assert text.endswith("## Data\n\nMore.\n")


def test_html_opens_without_anything_from_elsewhere() -> None:
    page = Reader(to_html(document()))
    assert page.outside == ["#section-1", "#section-2"]
    assert not {"script", "link", "iframe", "img"} & set(page.tags)
    assert "@import" not in to_html(document())


def test_html_has_the_picture_itself_and_folds_what_is_long() -> None:
    page = to_html(document())
    assert '<figure><svg viewBox="0 0 1 1" role="img"></svg></figure>' in page
    assert page.count("<details>") == 1
    assert page.index("<details>") < page.index("More.")
    assert '<p class="warning">Beware.</p>' in page


def test_html_follows_light_and_dark() -> None:
    assert "prefers-color-scheme: dark" in to_html(document())


def test_the_best_cell_is_marked_in_html() -> None:
    assert re.findall(r'<td class="number best">(.*?)</td>', to_html(document())) == ["2.00"]


def test_a_label_is_never_markup() -> None:
    page = Reader(to_html(document("<script>alert(1)</script>")))
    assert "script" not in page.tags
    assert "<script>alert(1)</script>" in page.text
    assert to_markdown(Document("a_b*", "", "", ()), figures="").startswith("# a\\_b\\*")


def test_names_are_listed_as_in_a_sentence() -> None:
    assert [listed(names) for names in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]
