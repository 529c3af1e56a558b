"""Evidence averaged over the error of a panel, against sums over what R may be; and what the search makes of it."""

import numpy as np
import pytest

from fineprior.files.errors import InputError
from fineprior.finemap.panel_error import Shape
from fineprior.finemap.panel_search import PanelModel, evidence_lost, panel_search
from fineprior.finemap.search import search

PANEL = Shape(500, 0.002)


def mean_over_r(z, r, shape):
    """Log of the mean of N(z; 0, R) over r, by a sum over a grid, beside its value at r; r has long tails."""
    grid = np.linspace(-0.9995, 0.9995, 20_001)
    weight = np.zeros_like(grid)
    for share, scale in ((0.9, 0.7), (0.1, 3.7)):
        normal = np.exp(-((grid - r) ** 2) / 2 / (scale * float(shape.of(np.array(r * r)))))
        weight += share * normal / normal.sum()
    log_density = np.array([-(z @ z - 2 * z[0] * z[1] * at) / (1 - at * at) - np.log1p(-at * at) for at in [r]])
    on_grid = -(z @ z - 2 * z[0] * z[1] * grid) / (1 - grid * grid) - np.log1p(-grid * grid)
    best = on_grid.max()
    return np.log(np.average(np.exp((on_grid - best) / 2), weights=weight)) + (best - log_density[0]) / 2


@pytest.mark.parametrize("r", [0.0, 0.4, -0.7, 0.85])
@pytest.mark.parametrize("z", [(9.0, 1.0), (4.6, -1.0), (7.0, -7.0), (12.0, 9.0)])
def test_the_loss_of_two_is_the_mean_over_their_r(z, r):
    z = np.array(z)
    expected = mean_over_r(z, r, PANEL)
    found = evidence_lost(np.array([[[1, r], [r, 1]]]), z[None], PANEL)[0]
    assert found == pytest.approx(max(expected, 0), abs=0.3 if abs(r) < 0.8 else 0.8, rel=0.02)


@pytest.mark.slow
def test_the_loss_of_three_is_the_mean_over_their_matrices():
    """Errors as those of a Wishart matrix with the variances of the shape, 100,000 draws."""
    rng = np.random.default_rng(5)
    R = np.array([[1, 0.5, 0.2], [0.5, 1, -0.3], [0.2, -0.3, 1]])
    z = np.array([8.0, 1.0, -5.0])
    pairs = [(0, 1), (0, 2), (1, 2)]
    scale = [np.sqrt(float(PANEL.of(np.array(R[pair] ** 2))) / (1 + R[pair] ** 2)) for pair in pairs]
    F = np.array([[(R[i, u] * R[j, v] + R[i, v] * R[j, u]) * scale[a] * scale[b]
                   for b, (u, v) in enumerate(pairs)] for a, (i, j) in enumerate(pairs)])  # fmt: skip
    drawn = np.repeat(R[None], 100_000, 0)
    long = np.where(rng.random(len(drawn)) < 0.1, 3.7, 0.7) ** 0.5
    for pair, error in zip(pairs, np.linalg.cholesky(F) @ rng.standard_normal((3, len(drawn))) * long, strict=True):
        drawn[:, pair[0], pair[1]] += error
        drawn[:, pair[1], pair[0]] += error

    def log_density(matrices):
        fitted = np.linalg.solve(matrices, np.repeat(z[None, :, None], len(matrices), 0))[:, :, 0]
        return -(fitted @ z + np.linalg.slogdet(matrices)[1]) / 2

    proper = np.linalg.eigvalsh(drawn)[:, 0] > 0
    expected = np.log(np.exp(log_density(drawn[proper]) - log_density(R[None])).mean())
    assert expected > 1
    assert evidence_lost(R[None], z[None], PANEL)[0] == pytest.approx(expected, rel=0.1)


def test_a_copy_of_a_variant_hides_no_error():
    """The error of r is that of both copies, so that splitting an effect between them takes little from the loss."""
    R = np.array([[1, 0.5, 1], [0.5, 1, 0.5], [1, 0.5, 1]])
    z = np.array([20.0, 4.0, 20.0])
    alone, copied = evidence_lost(R[None, :2, :2], z[None, :2], PANEL)[0], evidence_lost(R[None], z[None], PANEL)[0]
    assert alone > 3
    assert 0.6 * alone < copied < alone


def model(shape, p=12, seed=3):
    rng = np.random.default_rng(seed)
    R = np.corrcoef(np.cumsum(rng.normal(size=(p, 40)), axis=0))
    z = R @ np.where(np.arange(p) % 5 == 2, 9.0, 0) + np.linalg.cholesky(R) @ rng.normal(size=p)
    return PanelModel(z, R, 40.0, np.full(p, -np.log(p)), np.append(np.zeros(7), -1e30), shape)


def test_a_configuration_weighs_the_same_in_each_of_its_slices():
    panel = model(PANEL)
    base, added = panel.slices(np.array([[2, 7, 11]]))
    compared = 0
    for column, member in enumerate([2, 7, 11]):
        if added[column, member] > 0:  # of what has no evidence left the loss is worked out no further
            assert base[0, column] + added[column, member] == pytest.approx(base[0, 3], abs=1e-3)
            compared += 1
    assert compared


def test_what_is_lost_is_taken_from_the_weights():
    members = np.array([[2, 7]])
    (plain, _), (doubted, _) = model(Shape(np.inf, 0.0)).slices(members), model(PANEL).slices(members)
    panel = model(PANEL)
    lost = evidence_lost(panel.R[np.ix_([2, 7], [2, 7])][None], panel.z[[2, 7]][None], PANEL)[0]
    assert lost > 0.5
    assert plain[0] - doubted[0] == pytest.approx([0, 0, lost])


def test_a_panel_without_error_is_ld_of_the_gwas():
    panel = model(Shape(np.inf, 0.0))
    found = panel_search(panel.z, panel.R, 40.0, panel.shape, most=5)
    assert found.pip == pytest.approx(search(panel.z, panel.R, 40.0, most=5).pip, abs=1e-6)


def test_an_effect_alone_is_that_of_ld_of_the_gwas():
    """With at most one causal variant no correlation matters."""
    panel = model(Shape(100, 0.05))
    found = panel_search(panel.z, panel.R, 40.0, panel.shape, most=1)
    assert found.pip == pytest.approx(search(panel.z, panel.R, 40.0, most=1).pip, abs=1e-6)


@pytest.mark.slow
def test_a_false_second_signal_is_doubted_and_a_true_one_is_found():
    """GWAS and a panel of 300 others; one strong effect: what its wrong LD leaves is no effect."""
    rng = np.random.default_rng(5)
    p = 30

    def people(count):
        found = rng.normal(size=(count, p))
        for j in range(1, p):
            found[:, j] = 0.9 * found[:, j - 1] + np.sqrt(1 - 0.81) * found[:, j]
        return found

    R, panel = np.corrcoef(people(20_000).T), np.corrcoef(people(300).T)
    b = np.zeros(p)
    b[[8, 22]] = 30, 12
    z = R @ b + np.linalg.cholesky(R) @ rng.normal(size=p)
    as_given, doubted = search(z, panel, 400.0), panel_search(z, panel, 400.0, Shape(300, 0.0))
    assert (as_given.pip > 0.9).sum() > 2
    assert np.flatnonzero(doubted.pip > 0.5).tolist() == [8, 22]
    assert doubted.pip[8] > 0.95


@pytest.mark.parametrize(("name", "value"), [("variance", 0.0), ("causal", -1.0), ("most", 0), ("seed", "x")])
def test_bad_input_is_named(name, value):
    panel = model(PANEL)
    given = {"variance": 40.0, name: value}
    with pytest.raises(InputError, match=name):
        panel_search(panel.z, panel.R, shape=PANEL, **given)
