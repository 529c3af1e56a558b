"""A study's files with simulated associations."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from calibrate_study import SIZE, study_files
from fineprior.files.errors import InputError
from fineprior.files.tables import LOCUS_VARIANTS, SCORES
from fineprior.genotypes.ld_store import LocusLd, read_ld, read_panel_size, write_ld
from fineprior.project.settings import CalibrateSettings, PriorSettings
from fineprior.simulate.drawn_panel import PanelDraw
from fineprior.simulate.scenarios import StudyFiles, simulate_associations

SETTINGS = CalibrateSettings()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return study_files(tmp_path_factory.mktemp("study"), loci=16)


def simulated(files, folder, name="enrichment_10", settings=SETTINGS, priors=None, seed=1, draw=None):
    rng = np.random.default_rng(seed)
    return simulate_associations(files, folder, name, settings, priors or PriorSettings(), rng, draw)


def read(study):
    return pd.concat([LOCUS_VARIANTS.read(path) for path in study.files.variants], ignore_index=True)


@pytest.mark.slow
def test_variants_stay_and_z_are_new(files, tmp_path):
    study = simulated(files, tmp_path)
    before = pd.concat([LOCUS_VARIANTS.read(path) for path in files.variants], ignore_index=True)
    after = read(study)
    same = ["locus", "variant_id", "pos", "se", "eaf", "n"]
    pd.testing.assert_frame_equal(after[same], before[same])
    assert study.truth["variant_id"].tolist() == after["variant_id"].tolist()
    assert np.abs(after["beta"] - after["z"] * after["se"]).max() < 1e-6
    assert (study.files.ld, study.files.scores) == (files.ld, files.scores)
    counts = study.truth.groupby("locus")["causal"].sum()
    assert counts.between(1, 3).all()
    assert after["z"].abs()[study.truth["causal"].to_numpy()].mean() > 3 * after["z"].abs().quantile(0.25)


def test_the_top_tenth_of_all_scores_has_the_odds(files, tmp_path):
    truth = simulated(files, tmp_path).truth
    scores = pd.concat([SCORES.read(path) for path in files.scores])["score"].to_numpy()
    assert set(truth["odds"][scores >= np.quantile(scores, 0.9)]) == {10.0}
    assert (truth["odds"] == 10).sum() == pytest.approx(0.1 * len(truth), abs=1)


@pytest.mark.slow
def test_effects_are_as_strong_as_asked_for(tmp_path):
    strengths = {}
    for name, lead, settings in (
        ("leads", 12.0, CalibrateSettings(max_causal=1)),
        ("weak", 3.0, CalibrateSettings(max_causal=1)),
        ("chosen", 3.0, CalibrateSettings(max_causal=1, heritability=16 * 0.0144)),
    ):
        study = simulated(study_files(tmp_path / name, lead=lead, loci=16), tmp_path / name, settings=settings)
        z = read(study)["z"].to_numpy()[study.truth["causal"].to_numpy()]
        strengths[name] = np.mean(z**2 - 1)
    assert strengths["leads"] == pytest.approx(143, rel=0.4)
    assert strengths["chosen"] == pytest.approx(144, rel=0.4)
    assert strengths["weak"] < 25


@pytest.mark.slow
def test_a_panel_drawn_anew_changes_the_ld_only(files, tmp_path):
    study = simulated(files, tmp_path, draw=PanelDraw(400))
    pd.testing.assert_frame_equal(read(study), read(simulated(files, tmp_path)))
    assert {read_panel_size(path) for path in study.files.ld} == {400}
    for before, after in zip(files.ld, study.files.ld, strict=True):
        locus = LOCUS_VARIANTS.read(study.files.variants[files.ld.index(before)])["locus"].iloc[0]
        apart = np.abs(read_ld(after, locus).r - read_ld(before, locus).r)
        assert 0.02 < apart[0, 10:].mean() < 0.1  # about 1 / sqrt(400)


@pytest.mark.parametrize("source", ["enrichment", "given"])
def test_noise_takes_the_place_of_every_score_and_causal_variants_are_any(files, tmp_path, source):
    priors = PriorSettings(source=source)
    study = simulated(files, tmp_path, "noise", priors=priors)
    assert (study.truth["odds"] == 1).all()
    if source == "given":
        assert study.files.scores == files.scores
        assert study.files.annotations != files.annotations
        return
    before, after = (SCORES.read(one.scores[0]) for one in (files, study.files))
    for column in ("score", "dnase.l2"):
        assert abs(np.corrcoef(before[column].rank(), after[column].rank())[0, 1]) < 0.25
    assert after["dnase.sad"].tolist() == before["dnase.sad"].tolist()


def test_variants_without_ld_are_left_out_and_said(files, tmp_path, caplog):
    frame = LOCUS_VARIANTS.read(files.variants[0])
    ids = frame.groupby("locus", sort=False)["variant_id"].agg(list)
    R = np.eye(SIZE - 1, dtype=np.float32)
    less = str(tmp_path / "less.npz")
    loci = [LocusLd(str(name), R, np.array(some[1:]), {some[0]: "no_ld"}) for name, some in ids.items()]
    write_ld(less, loci, 400)
    study = simulated(replace(files, ld=[less, files.ld[1]]), tmp_path)
    assert len(LOCUS_VARIANTS.read(study.files.variants[0])) == len(ids) * (SIZE - 1)
    assert f"{len(ids)} of {len(frame)} variants have no LD" in caplog.text


def test_what_is_not_there_is_named(files, tmp_path):
    with pytest.raises(InputError, match="2 files of variants; LD, scores and annotations must be as many"):
        StudyFiles(files.variants, files.ld[:1])
    with pytest.raises(InputError, match="the scores that the source given reads"):
        simulated(replace(files, annotations=None), tmp_path, priors=PriorSettings(source="given"))
