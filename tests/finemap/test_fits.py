import dataclasses

import numpy as np
import pytest

import configurations_by_hand
from fineprior.files.errors import InputError
from fineprior.finemap.fits import FitFiles, load_fits, save_fits
from fineprior.finemap.locus import fit_locus
from fineprior.finemap.susie import susie_rss
from fineprior.project.settings import FinemapSettings

Z = np.array([9.0, 1.0, -7.0])


def fits():
    return {
        "1:100-200": susie_rss(Z, np.eye(3), 5000),
        "1:500-600": susie_rss(0 * Z, np.eye(3), 5000),
        "2:100-200": susie_rss(Z, np.eye(3), 5000, null_weight=0.1, L=2),
    }


def test_what_is_saved_is_loaded(tmp_path):
    before = fits()
    save_fits(tmp_path / "batch.npz", before)
    after = load_fits(tmp_path / "batch.npz")
    assert list(after) == list(before)
    for locus, fit in before.items():
        for field in dataclasses.fields(fit):
            ours, stored = getattr(fit, field.name), getattr(after[locus], field.name)
            if field.name != "sets":
                np.testing.assert_array_equal(stored, ours)
                assert type(stored) is type(ours)
                continue
            assert (stored.requested_coverage, stored.min_abs_corr) == (0.95, 0.5)
            assert stored.reason == ours.reason
            assert len(stored) == len(ours)
            for left, right in zip(stored.sets, ours.sets, strict=True):
                assert left.variables.tolist() == right.variables.tolist()
                assert dataclasses.replace(left, variables=right.variables) == right


def test_a_search_is_saved_with_its_sets(tmp_path):
    z, R = configurations_by_hand.locus(3)
    before = {seed: fit_locus(range(50), z, R, 2_000, None, FinemapSettings(ld="in_sample"), seed=seed).fit
              for seed in (1, 2)}  # fmt: skip
    before["none"] = susie_rss(z, R, 2_000)
    save_fits(tmp_path / "batch.npz", {str(name): fit for name, fit in before.items()})
    after = load_fits(tmp_path / "batch.npz")
    assert after["none"].search is None
    for name in (1, 2):
        ours, stored = before[name].search, after[str(name)].search
        for field in ("pip", "numbers"):
            np.testing.assert_array_equal(getattr(stored, field), getattr(ours, field))
        for field in ("gap", "agreed", "log_evidence"):
            assert getattr(stored, field) == getattr(ours, field)
            assert type(getattr(stored, field)) is type(getattr(ours, field))
        for field in ("sets", "further"):
            mine, theirs = getattr(ours, field), getattr(stored, field)
            assert (theirs.requested_coverage, theirs.min_abs_corr) == (mine.requested_coverage, mine.min_abs_corr)
            assert len(mine)
            for one, other in zip(mine.sets, theirs.sets, strict=True):
                assert other.variables.tolist() == one.variables.tolist()
                assert dataclasses.replace(other, variables=one.variables) == one


def test_same_fits_same_bytes(tmp_path):
    save_fits(tmp_path / "a.npz", fits())
    save_fits(tmp_path / "b.npz", fits())
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_arrays_are_named_by_locus(tmp_path):
    save_fits(tmp_path / "batch.npz", fits())
    with np.load(tmp_path / "batch.npz", allow_pickle=False) as stored:
        assert stored["1:100-200/pip"].shape == (3,)
        assert stored["2:100-200/null_index"] == 3
        assert stored["1:100-200/null_index"] == -1


def test_no_loci_are_no_loci(tmp_path):
    save_fits(tmp_path / "none.npz", {})
    assert load_fits(tmp_path / "none.npz") == {}


def test_another_file_is_named(tmp_path):
    (tmp_path / "text.npz").write_text("not a zip")
    np.savez(tmp_path / "other.npz", x=np.ones(3))
    for name in ("text.npz", "other.npz"):
        with pytest.raises(InputError, match=f"{name}: not a file of fits"):
            load_fits(tmp_path / name)


def test_several_files_are_one_list_in_the_order_asked_for(tmp_path):
    made = fits()
    ids = {locus: ["a", "b", "c"] for locus in made}
    parts = [dict(list(made.items())[:2]), dict(list(made.items())[2:])]
    for i, part in enumerate(parts):
        save_fits(tmp_path / f"{i}.npz", part, ids)
    files = FitFiles([tmp_path / "0.npz", tmp_path / "1.npz"], order=[*reversed(made), "failed"])
    assert list(files) == list(reversed(made))
    for locus, (fit, names) in files.items():
        np.testing.assert_array_equal(fit.alpha, made[locus].alpha)
        assert names == ("a", "b", "c")
    with pytest.raises(InputError, match=r"locus '1:100-200' is in .*0.npz too"):
        FitFiles([tmp_path / "0.npz", tmp_path / "0.npz"])


def test_an_array_of_no_locus_is_passed_over(tmp_path):
    save_fits(tmp_path / "batch.npz", fits())
    with np.load(tmp_path / "batch.npz", allow_pickle=False) as stored:
        arrays = {key: stored[key] for key in stored.files}
    assert all("/" in key for key in arrays)
    np.savez(tmp_path / "older.npz", **arrays, of_older_numpy=np.array(False))
    assert list(load_fits(tmp_path / "older.npz")) == list(fits())


def test_fits_that_were_loaded_cannot_be_written_to(tmp_path):
    save_fits(tmp_path / "batch.npz", fits(), {locus: ["a", "b", "c"] for locus in fits()})
    loaded = load_fits(tmp_path / "batch.npz")["1:100-200"]
    for fit in (loaded, FitFiles([tmp_path / "batch.npz"])["1:100-200"][0]):
        for array in (fit.alpha, fit.pip, fit.sets.sets[0].variables):
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 0
