"""Query by example: who is a query, which documents hold its term, and MTWV by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from speechft_cli.tasks.qbe import QBE
from speechft_cli.tasks.term_weighted import BETA, maximum_term_weighted_value


def test_the_weight_of_false_alarms_is_quessts() -> None:
    # QUESST's effective prior, C_miss P / (C_miss P + C_fa (1 - P)), is printed as 0.0741289 by its scoring
    assert pytest.approx(12.49) == BETA
    assert pytest.approx(0.0741289, abs=1e-7) == 1 / (1 + BETA)


def test_the_value_by_hand() -> None:
    # Two queries, 100 documents each. Query 0: relevant 0 and 1, found first and third; document 2 is second.
    # Query 1: relevant 0 only, found before any other.
    scores, is_relevant = np.zeros((2, 100)), np.zeros((2, 100), dtype=bool)
    is_relevant[0, :2] = is_relevant[1, 0] = True
    scores[0, :3] = 9, 7, 8
    scores[1, 0] = 6
    # above 9: P_miss = (1/2 + 1) / 2 -> 0.25; above 7: one false alarm of 98 in query 0: 1/2 - 12.49/98/2;
    # above 6: 1 - 12.49/98/2, the best; with the zeros every document is a false alarm
    assert maximum_term_weighted_value(scores, is_relevant) == pytest.approx(1 - 12.49 / 98 / 2)
    # with ten documents a false alarm costs more than a half of the relevant ones brings
    assert maximum_term_weighted_value(scores[:1, :10], is_relevant[:1, :10]) == pytest.approx(0.5)


def test_documents_of_equal_score_are_found_together() -> None:
    scores, is_relevant = np.zeros((1, 100)), np.zeros((1, 100), dtype=bool)
    is_relevant[0, 0] = True
    scores[0, :2] = 1.0  # no threshold finds the one without the other
    assert maximum_term_weighted_value(scores, is_relevant) == pytest.approx(1 - 12.49 / 99)


def test_equal_scores_below_the_best_are_found_together_too() -> None:
    # the best document is found, half of those that are right; of the next two only one is right, which costs 12.49 / 2
    scores, is_relevant = np.array([[3.0, 2.0, 2.0, 1.0]]), np.array([[True, True, False, False]])
    assert maximum_term_weighted_value(scores, is_relevant) == pytest.approx(0.5)


def test_every_threshold_was_tried() -> None:
    random = np.random.default_rng(0)
    is_relevant = random.random((4, 300)) < 0.05
    scores = np.round(random.standard_normal((4, 300)) + 3 * is_relevant, 1)
    values = [0.0]
    for threshold in np.unique(scores):
        found = scores >= threshold
        missed = [(~found & is_relevant)[query].sum() / is_relevant[query].sum() for query in range(4)]
        false = [(found & ~is_relevant)[query].sum() / (~is_relevant)[query].sum() for query in range(4)]
        values.append(1 - np.mean(missed) - 12.49 * np.mean(false))
    assert maximum_term_weighted_value(scores, is_relevant) == pytest.approx(max(values))
    assert 0 < max(values) < 1


def test_finding_nothing_is_worth_nothing_and_a_query_without_documents_is_left_out() -> None:
    is_relevant = np.array([[True, False], [False, False]])
    assert maximum_term_weighted_value(np.array([[0.0, 1.0], [5.0, 5.0]]), is_relevant) == 0.0
    assert maximum_term_weighted_value(np.array([[1.0, 0.0], [5.0, 5.0]]), is_relevant) == 1.0
    assert math.isnan(maximum_term_weighted_value(np.zeros((1, 2)), np.zeros((1, 2), dtype=bool)))
    assert maximum_term_weighted_value(np.zeros((1, 2)), np.ones((1, 2), dtype=bool)) == 1.0


def test_documents_are_in_train_and_queries_elsewhere() -> None:
    query, document = QBE.normalise("Yes!\t\tYES"), QBE.normalise("\tled zeppelin; YES\t")
    assert (query, document) == ("yes\t\tyes", "\tled zeppelin;yes\t")
    assert [QBE.is_of("dev", each) for each in (query, document)] == [True, False]
    assert [QBE.is_of("train", each) for each in (query, document)] == [False, True]
    assert QBE.normalise("\t\t ") == ""
    assert QBE.normalise("") == ""
    assert not QBE.is_of("train", "")


def test_a_document_holds_what_it_names_or_else_what_its_text_says() -> None:
    documents = [
        QBE.normalise(each)
        for each in ("\tled zeppelin;yes\tNO", "\t-\tYES", "\t\tSay yes, led Zeppelin", "\t\tYesterday's led")
    ]
    queries = [QBE.normalise(f"{term}\t\t") for term in ("yes", "Led Zeppelin", "zeppelin led")]
    assert QBE.references(queries, documents) == ["1010", "1010", "0000"]


def test_predictions_are_scored_as_scores_are() -> None:
    scores = np.array([[0.5, -1.25, 3.0], [1.0, 2.0, -4.0]], dtype=np.float32)
    references = ["001", "010"]
    assert QBE.score(QBE.predict(scores), references) == {"mtwv": 100.0}
    assert QBE.score(QBE.predict(-scores), references) == {"mtwv": 0.0}
