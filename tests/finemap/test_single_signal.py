import numpy as np
import pytest

from fineprior.files.errors import InputError
from fineprior.finemap.single_signal import single_signal
from fineprior.finemap.susie import susie_rss

Z = np.array([7.0, 6.8, -7.1, 0.3, 1.0])
WEIGHTS = np.array([1, 5, 1, 1, 2.0])


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_it_is_susie_with_one_effect(weights):
    """Whatever R is."""
    fit = single_signal(Z, 5000, prior_weights=weights)
    reference = susie_rss(Z, np.eye(5), 5000, L=1, prior_weights=weights, min_abs_corr=0)
    for name in ("alpha", "mu", "mu2", "lbf", "lbf_variable", "V", "KL", "pip", "pi"):
        assert getattr(fit, name) == pytest.approx(getattr(reference, name), rel=1e-6), name
    assert fit.elbo[-1] == pytest.approx(reference.elbo[-1], rel=1e-12)


def test_sets_of_several_variants_are_kept_without_ld():
    found = single_signal(Z, 5000).sets
    assert [sorted(one.variables) for one in found.sets] == [[0, 1, 2]]
    assert np.isnan(found.sets[0].purity.min_abs_corr)
    assert "purity" in single_signal(Z, 5000, R=np.eye(5)).sets.reason


def test_no_signal_has_no_set():
    fit = single_signal(0 * Z, 5000)
    assert not fit.sets
    assert not fit.pip.any()


@pytest.mark.parametrize(
    ("z", "n", "message"), [([1, np.nan], 5000, "z: 1 of 2"), ([1, 2], None, "n: missing"), ([1, 2], 1, "n: 1 is not")]
)
def test_bad_input_is_named(z, n, message):
    with pytest.raises(InputError, match=message):
        single_signal(z, n)
