import re

import numpy as np
import pytest

from fineprior.files.errors import InputError
from fineprior.finemap import credible_sets as module
from fineprior.finemap.correlation import Correlation
from fineprior.finemap.credible_sets import credible_sets

# Two blocks of three variants: |r| 0.9 and 0.6 inside, 0.1 between.
BLOCKS = np.full((6, 6), 0.1)
BLOCKS[:3, :3], BLOCKS[3:, 3:] = 0.9, -0.6
np.fill_diagonal(BLOCKS, 1.0)
R = Correlation.from_matrix(BLOCKS, 6)
FIRST = [0.3, 0.5, 0.19, 0.01, 0.0, 0.0]
SECOND = [0.0, 0.0, 0.0, 0.2, 0.6, 0.2]
WIDE = [0.2, 0.2, 0.2, 0.2, 0.1, 0.1]


def find(*alpha, V=None, **options):
    return credible_sets(
        np.array(alpha), np.ones(len(alpha)) if V is None else np.array(V), np.arange(len(alpha)) * 10.0, R, **options
    )


def test_sets_are_ordered_by_purity_and_named_by_effect():
    sets = find(SECOND, FIRST)
    assert [found.name for found in sets.sets] == ["L2", "L1"]
    pure, less = sets.sets
    assert pure.variables.tolist() == [1, 0, 2]
    assert pure.coverage == pytest.approx(0.99)
    assert pure.purity.min_abs_corr == pytest.approx(0.9)
    assert pure.log10_bayes_factor == pytest.approx(10 / np.log(10))
    assert less.variables.tolist() == [4, 3, 5]
    assert less.purity.mean_abs_corr == less.purity.median_abs_corr == pytest.approx(0.6)
    assert sets.reason == ""


@pytest.mark.parametrize(("coverage", "size"), [(0.4, 1), (0.5, 1), (0.51, 2), (0.95, 3), (0.999, 4), (1.0, 4)])
def test_a_set_is_the_smallest_that_reaches_the_coverage(coverage, size):
    assert len(find(FIRST, coverage=coverage, min_abs_corr=0).sets[0].variables) == size


def test_the_same_set_is_reported_once():
    assert [found.name for found in find(FIRST, [0.5, 0.3, 0.19, 0.01, 0, 0]).sets] == ["L1"]


def test_a_set_of_one_is_pure():
    found = find([0.97, 0.03, 0, 0, 0, 0]).sets[0]
    assert found.variables.tolist() == [0]
    assert found.purity == module.Purity(1.0, 1.0, 1.0)


def test_a_set_of_one_passes_any_purity():
    assert len(find([0.97, 0.03, 0, 0, 0, 0], min_abs_corr=1.0)) == 1


@pytest.mark.parametrize(
    ("alpha", "V", "reason"),
    [
        (FIRST, [0.0], "no effect has a prior variance above 1e-09"),
        (WIDE, [1.0], r"purity below 0.5: among 1 effects .* at most 0.1"),
    ],
)
def test_without_sets_there_is_a_reason(alpha, V, reason):
    sets = find(alpha, V=V)
    assert not sets
    assert re.search(reason, sets.reason)


def test_effects_without_prior_variance_make_no_set():
    assert [found.name for found in find(FIRST, SECOND, V=[0.0, 1.0]).sets] == ["L2"]


def test_a_set_with_the_null_is_dropped():
    sets = find([*FIRST[:3], 0.0, 0.0, 0.0, 0.01], [0, 0, 0, 0, 0, 0, 1.0], null_index=6)
    assert [found.name for found in sets.sets] == ["L1"]
    assert find([0, 0, 0, 0, 0, 0, 1.0], null_index=6).reason == "every set holds the null"


def test_purity_of_a_large_set_uses_evenly_spaced_variants(monkeypatch):
    monkeypatch.setattr(module, "ALL_PAIRS_UP_TO", 2)
    # First and last in order of alpha are 1 and 2.
    assert find(FIRST).sets[0].purity.min_abs_corr == pytest.approx(0.9)
    assert find([0.3, 0.4, 0.0, 0.0, 0.0, 0.3], min_abs_corr=0.05).sets[0].purity.mean_abs_corr == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"coverage": 0}, "coverage: 0, above 0"),
        ({"coverage": 1.1}, "coverage: 1.1"),
        ({"min_abs_corr": -0.1}, "min_abs_corr: -0.1, from 0 to 1"),
        ({"min_abs_corr": 2}, "min_abs_corr: 2"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(InputError, match=message):
        find(FIRST, **options)


@pytest.mark.parametrize("coverage", [[0.95], np.array([0.95, 0.99])])
def test_coverage_is_one_number(coverage):
    with pytest.raises(InputError, match="one number is needed; call credible_sets again"):
        find(FIRST, coverage=coverage)
