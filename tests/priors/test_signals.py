"""SuSiE under the uniform prior, on the LD that there is."""

import numpy as np
import pandas as pd
import pytest

from fineprior.files.errors import InputError
from fineprior.finemap.fits import FitFiles, save_fits
from fineprior.finemap.susie import susie_rss
from fineprior.genotypes.ld_store import LocusLd, read_locus_ld, write_ld
from fineprior.priors.controls import locus_ld_scores
from fineprior.priors.signals import fit_signals, placed_signals, read_signals
from fineprior.project.settings import FinemapSettings


def test_signals_are_fitted_on_the_ld_that_there_is(tmp_path):
    """A variant that was trimmed is not in the fit; a locus without LD is one effect on all its variants."""
    rng = np.random.default_rng(2)
    names = [f"1:{p}:A:C" for p in range(12)]
    R = np.eye(12, dtype=np.float32)
    path = str(tmp_path / "ld.npz")
    write_ld(path, [LocusLd("a", R[:11, :11], np.array(names[:11]), {names[11]: "trimmed"}),
                    LocusLd("b", R[:0, :0], np.array([], dtype=str), dict.fromkeys(names, "no_ld"))])  # fmt: skip
    rows = pd.DataFrame({"variant_id": names, "z": rng.normal(size=12), "n": 5000.0})
    rows.loc[4, "z"] = 9.0
    settings = FinemapSettings(ld="in_sample")
    assert list(fit_signals(path, "a", rows, None, settings).variant_ids) == names[:11]
    without = fit_signals(path, "b", rows, None, settings)
    assert list(without.variant_ids) == names
    assert without.status == "single_effect"


def test_signals_are_susies_whatever_pips_are(tmp_path, monkeypatch):
    def fails(*_, **__):
        raise AssertionError("a search for signals")

    monkeypatch.setattr("fineprior.finemap.ladder.search", fails)
    R = np.eye(12, dtype=np.float32)
    write_ld(tmp_path / "ld.npz", [LocusLd("a", R, np.array([f"1:{p}:A:C" for p in range(12)]))])
    rows = pd.DataFrame({"variant_id": [f"1:{p}:A:C" for p in range(12)], "z": [9.0] + [0.5] * 11, "n": 5000.0})
    found = fit_signals(str(tmp_path / "ld.npz"), "a", rows, None, FinemapSettings(ld="in_sample", posterior="search"))
    assert (found.status, found.remarks, found.fit.search) == ("ok", (), None)


@pytest.mark.parametrize(("error", "status"), [(0.0005, "single_effect"), (0.03, "corrected")])
def test_signals_use_an_fst_that_is_certain_enough(tmp_path, error, status):
    """F_ST is above max_fst: LD is used only where F_ST is not."""
    names = [f"1:{p}:A:C" for p in range(12)]
    write_ld(tmp_path / "ld.npz", [LocusLd("a", np.eye(12, dtype=np.float32), np.array(names))], 500, (0.06, error))
    rows = pd.DataFrame({"variant_id": names, "z": [9.0] + [0.5] * 11, "n": 5000.0})
    found = fit_signals(str(tmp_path / "ld.npz"), "a", rows, None, FinemapSettings())
    assert found.ladder.rung == status


def test_ld_is_in_the_order_of_the_variants_that_have_it(tmp_path):
    R = np.array([[1, 0.5, 0.1], [0.5, 1, 0.2], [0.1, 0.2, 1]], np.float32)
    path = str(tmp_path / "ld.npz")
    write_ld(path, [LocusLd("a", R, np.array(["x", "y", "z"]), {"v": "trimmed"}), LocusLd("b", R[:0, :0],
             np.array([], dtype=str), {"x": "no_ld", "y": "no_ld"})])  # fmt: skip
    found, known = read_locus_ld(path, "a", ["z", "v", "x"])
    np.testing.assert_array_equal(found.r, R[np.ix_([2, 0], [2, 0])])
    assert found.variant_ids.tolist() == ["z", "x"]
    assert known.tolist() == [True, False, True]
    scores = locus_ld_scores(path, "a", ["z", "v", "x"])
    assert np.isfinite(scores).tolist() == [True, False, True]
    with pytest.raises(InputError, match="no LD of variant w"):
        read_locus_ld(path, "a", ["x", "w"])


@pytest.fixture
def fit():
    """Two signals, at the second and the fourth variant."""
    return susie_rss(np.array([0.1, 9.0, 0.2, -8.0]), np.eye(4), 5000, L=3)


def test_signals_stand_at_their_variants_and_0_where_nothing_was_fitted(fit):
    assert len(fit.sets) == 2
    found = placed_signals(fit, ["w", "x", "y", "z"], ["z", "new", "x", "w"])
    own = fit.lbf_variable[[one.effect - 1 for one in fit.sets.sets]]
    np.testing.assert_allclose(found[:, [0, 2, 3]], own[:, [3, 1, 0]], rtol=1e-6)  # float32
    assert (found[:, 1] == 0).all()
    assert sorted(found[:, [0, 2]].argmax(1)) == [0, 1]


def test_a_locus_that_was_not_fitted_has_no_signal(fit, tmp_path):
    save_fits(tmp_path / "fits.npz", {"one": fit}, {"one": np.array(["w", "x", "y", "z"])})
    found = read_signals(FitFiles([tmp_path / "fits.npz"]), {"one": ["x", "w"], "other": ["q"]})
    assert {name: values.shape for name, values in found.items()} == {"one": (2, 2), "other": (0, 1)}
