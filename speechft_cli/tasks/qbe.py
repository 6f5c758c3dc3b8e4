"""Query by example: which documents hold the term that a recording says? Nothing is trained."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from speechft_cli.tasks.base import FIELD_SEPARATOR, Metric
from speechft_cli.tasks.term_weighted import maximum_term_weighted_value

_SEPARATOR = ";"


@dataclass(frozen=True)
class QueryByExample:
    """Recordings of a term are searched for in documents, by dynamic time warping over the features of one layer.

    It has no head: dev chooses the layer. The documents are the utterances of train, the queries those of dev and of
    test. A target is query, terms and text, joined by tabs: a query says which term it is, a document which terms it
    holds; one without `terms` holds every term whose words are in its text, side by side. A prediction is the query's
    score for each document, in float32 as hexadecimal text; its reference is a 1 for each document that holds the
    term, and a 0 for each other.
    """

    name: str = "qbe"
    needs: str = "query?+terms?+text?"
    metrics: tuple[Metric, ...] = (Metric("mtwv", "MTWV", "%", "higher"),)
    is_trained: Literal[False] = False
    is_pooled: bool = False
    is_closed_set: bool = False

    def normalise(self, target: str) -> str:
        """Returns query, terms and text in small letters, without marks; "" for neither query nor document."""
        query, terms, text = target.split(FIELD_SEPARATOR) if target else ("", "", "")
        names = _SEPARATOR.join(filter(None, map(_words, terms.split(_SEPARATOR)))) or terms.strip()
        fields = (_words(query), names, _words(text))
        return FIELD_SEPARATOR.join(fields) if any(fields) else ""

    def is_of(self, split: str, target: str) -> bool:
        """Whether a normalised target is what the split holds: documents in train, queries in dev and test."""
        return bool(target) and bool(target.split(FIELD_SEPARATOR)[0]) == (split != "train")

    def references(self, queries: Sequence[str], documents: Sequence[str]) -> list[str]:
        """Returns the reference of each query.

        Args:
            queries: Normalised targets of queries.
            documents: Normalised targets of the documents, in the order of a prediction's scores.
        """
        held = [_holds(document) for document in documents]
        terms = [query.split(FIELD_SEPARATOR)[0] for query in queries]
        found = {term: "".join("01"[_is_in(term, names, text)] for names, text in held) for term in set(terms)}
        return [found[term] for term in terms]

    def predict(self, scores: NDArray[np.float32]) -> list[str]:
        """Returns the predictions of queries, from their scores for each document (Q, M)."""
        return [row.astype("<f4").tobytes().hex() for row in scores]

    def score(self, predictions: Sequence[str], references: Sequence[str]) -> Mapping[str, float]:
        """Returns the maximum term-weighted value [%]."""
        scores = np.array([np.frombuffer(bytes.fromhex(each), dtype="<f4") for each in predictions], dtype=np.float64)
        return {"mtwv": 100.0 * maximum_term_weighted_value(scores, relevance(references))}


QBE = QueryByExample()


def relevance(references: Sequence[str]) -> NDArray[np.bool_]:
    """Returns whether each document holds the term of each query (Q, M), from the references of queries."""
    return np.array([[mark == "1" for mark in each] for each in references])


def _words(text: str) -> str:
    return " ".join(re.findall(r"[\w']+", text.casefold()))


def _holds(document: str) -> tuple[frozenset[str] | None, str]:
    """Returns the terms that a document names, None when it names none at all; and its text between blanks."""
    _, terms, text = document.split(FIELD_SEPARATOR)
    return frozenset(terms.split(_SEPARATOR)) if terms else None, f" {text} "


def _is_in(term: str, names: frozenset[str] | None, text: str) -> bool:
    return f" {term} " in text if names is None else term in names
