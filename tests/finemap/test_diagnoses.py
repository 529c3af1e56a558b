"""A file of diagnoses, and what a fit needs of one."""

from dataclasses import fields, replace

import numpy as np
import pytest

from fineprior.files.errors import InputError
from fineprior.finemap.diagnoses import diagnosis_of, read_diagnosis, sample_sizes, samples_in_panel, save_diagnoses
from fineprior.finemap.ld_mismatch import diagnose_ld
from fineprior.project.settings import FinemapSettings

P, N = 60, 20_000
SIGNS = np.random.default_rng(2).choice([-1, 1], P)
R = 0.9 ** np.abs(np.subtract.outer(np.arange(P), np.arange(P))) * np.outer(SIGNS, SIGNS)
Z = np.linalg.cholesky(R) @ np.random.default_rng(1).normal(size=P) + 9 * R[12]
IDS = [f"1:{j}:A:C" for j in range(P)]
PANEL = FinemapSettings()


@pytest.fixture
def switched():
    """A locus with one switched variant and a pair that does not fit."""
    z = Z.copy()
    z[12] *= -1
    return z


def test_what_is_read_is_what_was_made(tmp_path, switched):
    made = {
        "a": (diagnosis_of(switched, R, N, PANEL, 500), IDS),
        "b": (diagnosis_of(Z[:3], R[:3, :3], N, PANEL), IDS[:3]),
    }
    save_diagnoses(tmp_path / "d.npz", made)
    for locus, (one, ids) in made.items():
        found = read_diagnosis(tmp_path / "d.npz", locus, ids)
        for field in fields(one):
            value, expected = getattr(found, field.name), getattr(one, field.name)
            assert np.array_equal(value, expected), field.name
            assert type(value) is type(expected), field.name
    assert made["a"][0].switched.any()
    assert read_diagnosis(tmp_path / "d.npz", "c", IDS) is None
    first = (tmp_path / "d.npz").read_bytes()
    save_diagnoses(tmp_path / "d.npz", made)
    assert (tmp_path / "d.npz").read_bytes() == first


def test_it_is_of_z_r_n_and_panel_size_alone(switched):
    expected = diagnose_ld(switched, R, float(N), 500)
    others = FinemapSettings(max_effects=3, coverage=0.5, allele_switches="keep", model="susie_inf", min_set_z=9.0)
    for found in (
        diagnosis_of(switched, R, N, PANEL, 500),
        diagnosis_of(switched, R, np.full(P, N), replace(PANEL, panel_size=500), 60),
        diagnosis_of(switched, R, N, others, 500),
    ):
        assert found.s == expected.s
        assert found.switched.tolist() == expected.switched.tolist()
    assert diagnosis_of(switched, R, N, replace(PANEL, ld="in_sample"), 500).discordant_pairs == 0


@pytest.mark.parametrize(
    ("z", "matrix", "n", "ld"),
    [
        (Z, None, N, "panel"),
        (Z, R, N, "none"),
        (Z, R[:4, :4], N, "panel"),
        (Z, R + np.triu(R, 1), N, "panel"),
        (Z * np.nan, R, N, "panel"),
        (Z, R, 1, "panel"),
    ],
    ids=["no LD", "none asked for", "too small", "not symmetric", "z", "n"],
)
def test_there_is_none_where_the_fit_makes_none_or_says_why(z, matrix, n, ld):
    assert diagnosis_of(z, matrix, n, replace(PANEL, ld=ld)) is None


def test_a_diagnosis_of_other_variants_is_refused(tmp_path):
    save_diagnoses(tmp_path / "d.npz", {"a": (diagnosis_of(Z, R, N, PANEL), IDS)})
    for others in (IDS[1:], IDS[::-1]):
        with pytest.raises(InputError, match=r"d\.npz: the diagnosis of locus 'a' is of other variants than its LD"):
            read_diagnosis(tmp_path / "d.npz", "a", others)


def test_a_damaged_file_is_one_line(tmp_path):
    with pytest.raises(InputError, match=r"d\.npz"):
        read_diagnosis(tmp_path / "d.npz", "a", IDS)
    (tmp_path / "d.npz").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(InputError, match=r"d\.npz"):
        read_diagnosis(tmp_path / "d.npz", "a", IDS)


def test_sizes():
    assert sample_sizes([5, 7]).tolist() == [5, 7]
    with pytest.raises(InputError, match=r"n: 1 at index 1 is not a sample size"):
        sample_sizes([5, 1])
    assert samples_in_panel(300, PANEL) == 300
    assert samples_in_panel(None, PANEL) == np.inf
    assert samples_in_panel(300, replace(PANEL, panel_size=200)) == 200
    assert samples_in_panel(300, replace(PANEL, panel_size=200, ld="in_sample")) == np.inf
