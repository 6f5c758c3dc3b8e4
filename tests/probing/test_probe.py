import torch

from speechft_cli.probing.probe import (
    Probe,
    Randomness,
    Trained,
    encode_known,
    evaluation_steps,
    is_improvement,
    probe_seeds,
)
from speechft_cli.tasks.pr import PR
from speechft_cli.tasks.sid import SID


def test_an_untrained_probe_hears_the_mean_of_all_layers() -> None:
    states = torch.randn(2, 3, 5, 4)
    head = SID.probe(4, 6)
    counts = torch.tensor([5, 3])
    torch.testing.assert_close(Probe(head, 3)(states, counts), head(states.mean(dim=1), counts))


def test_layer_weights_train() -> None:
    probe = Probe(SID.probe(4, 6), 3)
    probe(torch.randn(2, 3, 5, 4), torch.tensor([5, 5])).sum().backward()
    assert probe.layer_weights.grad is not None
    assert probe.layer_weights.grad.abs().sum() > 0


def test_dev_is_scored_evenly_and_after_the_last_update() -> None:
    assert evaluation_steps(100, 4) == {25, 50, 75, 100}
    assert evaluation_steps(2, 20) == {1, 2}


def test_only_a_strictly_better_dev_score_is_an_improvement() -> None:
    best = Trained(1, {"acc": 50.0, "per": 50.0}, 1.0, {})
    assert [is_improvement(SID, {"acc": value}, 1.0, best) for value in (49.0, 50.0, 51.0)] == [False, False, True]
    assert [is_improvement(PR, {"per": value}, 1.0, best) for value in (49.0, 50.0, 51.0)] == [True, False, False]


def test_of_equal_dev_scores_the_lower_dev_loss_is_better() -> None:
    best = Trained(1, {"acc": 50.0}, 1.0, {})
    assert [is_improvement(SID, {"acc": 50.0}, loss, best) for loss in (0.9, 1.0, 1.1)] == [True, False, False]


def test_targets_with_something_unknown_have_no_classes() -> None:
    vocabulary = PR.vocabulary(["AA S"])
    assert encode_known(PR, ["S AA", "AA IY"], vocabulary) == [[2, 1], None]


def test_seeds_differ_by_task_and_the_first_stay_when_more_are_asked_for() -> None:
    assert probe_seeds(1, "sid", 3)[:2] == probe_seeds(1, "sid", 2)
    assert len({*probe_seeds(1, "sid", 3), *probe_seeds(1, "pr", 3), *probe_seeds(2, "sid", 3)}) == 9


def test_a_stream_of_randomness_goes_on_where_it_was_and_leaves_the_global_one_alone() -> None:
    before = torch.get_rng_state()
    one, other = Randomness(3, torch.device("cpu")), Randomness(4, torch.device("cpu"))
    drawn = []
    for stream in (one, other, one):
        with stream():
            drawn.append(torch.rand(2))
    assert torch.equal(before, torch.get_rng_state())
    assert not torch.equal(drawn[0], drawn[1])
    torch.rand(1)  # nor does it begin where the global one is
    with Randomness(3, torch.device("cpu"))():
        assert torch.equal(torch.cat([drawn[0], drawn[2]]), torch.rand(4))
