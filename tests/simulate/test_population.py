import numpy as np
import pytest

from fineprior.simulate.population import RECOMBINATION_RATE, _recombination_map, simulate_population

LENGTH = 200_000
PIECES = [(0, 150_000), (150_000, LENGTH)]


@pytest.fixture(scope="module")
def codes():
    codes = np.random.default_rng(0).integers(0, 4, LENGTH).astype(np.uint8)
    codes[:50_000] = 4
    return codes


@pytest.fixture(scope="module")
def population(codes):
    return simulate_population(codes, PIECES, 300, 0.01, np.random.default_rng(7))


@pytest.mark.slow
def test_variants_are_substitutions_of_the_sequence_at_unique_positions(codes, population):
    assert len(population.positions) > 150
    assert (np.diff(population.positions) > 0).all()
    np.testing.assert_array_equal(codes[population.positions], population.ref)
    assert (population.ref != population.alt).all()
    assert max(population.ref.max(), population.alt.max()) <= 3
    transitions = (population.ref.astype(int) - population.alt) % 4 == 2
    assert 0.55 < transitions.mean() < 0.8


def test_dosages_have_the_frequencies_asked_for_in_hardy_weinberg_proportions(population):
    assert population.dosages.dtype == np.int8
    assert population.dosages.shape == (len(population.positions), 300)
    frequency = population.dosages.mean(1) / 2
    assert ((frequency >= 0.01) & (frequency <= 0.99)).all()
    assert (frequency > 0.5).sum() < (frequency < 0.5).sum()
    common = (frequency > 0.2) & (frequency < 0.8)
    heterozygous = (population.dosages[common] == 1).mean(1)
    assert np.mean(heterozygous / (2 * frequency * (1 - frequency))[common]) == pytest.approx(1, abs=0.05)


def test_ld_falls_with_distance(population):
    frequency = population.dosages.mean(1) / 2
    common = np.minimum(frequency, 1 - frequency) > 0.05
    r2 = np.corrcoef(population.dosages[common]) ** 2
    distance = np.abs(np.subtract.outer(population.positions[common], population.positions[common]))
    near, far = r2[(distance > 0) & (distance < 5_000)].mean(), r2[distance > 75_000].mean()
    assert near > 0.15
    assert near > 4 * far


def test_pieces_are_independent(population):
    frequency = population.dosages.mean(1) / 2
    common = np.minimum(frequency, 1 - frequency) > 0.05
    piece = population.positions[common] >= 150_000
    assert 10 < piece.sum() < len(piece) - 10
    r2 = np.corrcoef(population.dosages[common]) ** 2
    # Between independent variants the expectation of r2 is 1 / (n - 1).
    assert r2[piece][:, ~piece].mean() < 3 / 299
    near = np.abs(np.subtract.outer(population.positions[common], population.positions[common])) < 40_000
    across = near & (piece[:, None] != piece)
    assert r2[across].mean() < 0.2 * r2[near & (piece[:, None] == piece)].mean()


def test_same_seed_same_people(codes, population):
    again = simulate_population(codes, PIECES, 300, 0.01, np.random.default_rng(7))
    np.testing.assert_array_equal(again.dosages, population.dosages)
    np.testing.assert_array_equal(again.alt, population.alt)


@pytest.mark.parametrize("length", [3_000, 60_000, 3_000_000])
def test_recombination_map_covers_the_chromosome(length):
    rates = _recombination_map(length, np.random.default_rng(1))
    assert rates.sequence_length == length
    if length == 3_000_000:
        assert rates.mean_rate == pytest.approx(RECOMBINATION_RATE, rel=0.1)
