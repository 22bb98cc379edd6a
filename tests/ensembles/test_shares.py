"""The shares of a mixture: the best ones, compared with independent ways to find them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from seqzoo.ensembles.shares import fitted_shares, mixture_nats


def costs(models: int, tokens: int = 400, seed: int = 0) -> npt.NDArray[np.float64]:
    """(K, N) costs in nats, of models that are good at different tokens."""
    return np.random.default_rng(seed).gamma(1.5, size=(models, tokens))


def mean_cost(shares: npt.NDArray[np.float64], nats: npt.NDArray[np.float64]) -> float:
    return float(-np.log(shares @ np.exp(-nats)).mean())


@pytest.mark.parametrize("seed", range(4))
def test_the_shares_of_two_models_are_the_best_of_a_fine_grid(seed: int) -> None:
    nats = costs(2, seed=seed)
    nats[1] += 0.3 * seed
    grid = np.linspace(0, 1, 20_001)
    found = [mean_cost(np.array([share, 1 - share]), nats) for share in grid]
    shares = fitted_shares(nats)
    assert shares[0] == pytest.approx(grid[np.argmin(found)], abs=1e-4)
    assert mean_cost(shares, nats) <= min(found) + 1e-9


def test_the_shares_of_several_models_are_those_of_expectation_maximisation() -> None:
    nats = costs(4)
    p = np.exp(-nats)
    shares = np.full(4, 0.25)
    for _ in range(20_000):
        shares = shares * (p / (shares @ p)).mean(axis=1)
    np.testing.assert_allclose(fitted_shares(nats), shares, atol=1e-6)


@pytest.mark.parametrize("models", [2, 3, 8])
def test_more_of_any_model_would_not_lower_the_cost(models: int) -> None:
    """The cost is convex, so the largest gain per share is a bound of its distance to the best."""
    nats = costs(models, seed=models)
    nats[0] -= 0.5
    p = np.exp(-nats)
    shares = fitted_shares(nats)
    gains = (p / (shares @ p)).mean(axis=1) - 1
    assert gains.max() < 1e-8


def test_shares_are_positive_and_add_up_to_one() -> None:
    shares = fitted_shares(costs(5))
    assert (shares > 0).all()
    assert shares.sum() == pytest.approx(1, abs=1e-12)


def test_equal_models_get_equal_shares() -> None:
    nats = np.repeat(costs(1), 3, axis=0)
    np.testing.assert_allclose(fitted_shares(nats), 1 / 3)


@pytest.mark.parametrize("distance", [0.5, 30.0, 800.0])
def test_a_model_that_is_worse_at_every_token_gets_no_share(distance: float) -> None:
    nats = costs(1)
    shares = fitted_shares(np.concatenate([nats, nats + distance]))
    assert shares[0] == pytest.approx(1, abs=1e-8)


def test_models_that_exclude_what_the_other_knows_share_by_how_often_each_is_right() -> None:
    wrong = 900.0  # a probability below the smallest number
    nats = np.array([[0.0, 0.0, 0.0, wrong], [wrong, wrong, wrong, 0.0]])
    np.testing.assert_allclose(fitted_shares(nats), [0.75, 0.25], atol=1e-8)


def test_a_token_that_is_hard_for_all_models_changes_no_share() -> None:
    nats = costs(3)
    harder = nats + np.random.default_rng(1).gamma(5, size=nats.shape[1])
    np.testing.assert_allclose(fitted_shares(harder), fitted_shares(nats), atol=1e-9)


def test_the_cost_of_a_mixture_is_that_of_its_mean_probability() -> None:
    nats, shares = costs(3), np.array([0.5, 0.3, 0.2])
    expected = [-np.log(sum(shares * np.exp(-column))) for column in nats.T]
    np.testing.assert_allclose(mixture_nats(nats, shares), expected, rtol=1e-12)
