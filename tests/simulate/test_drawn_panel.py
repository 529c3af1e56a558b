"""Panels drawn anew have the sampling error and the drift that they are said to have."""

import numpy as np
import pandas as pd
import pytest

from fineprior.genotypes.dosage_sums import correlation
from fineprior.genotypes.ld_store import write_ld
from fineprior.genotypes.plink_panel import PlinkPanel
from fineprior.project.settings import FinemapSettings
from fineprior.simulate.drawn_panel import (
    PanelDraw,
    RedrawnPanel,
    draw_people,
    drawn_ld,
    first_allele_frequencies,
    founders_of,
    panel_to_draw,
    settings_of_fits,
)
from fineprior.simulate.population import write_panel
from fineprior.simulate.scenarios import root_of

PEOPLE, VARIANTS = 400, 12


@pytest.fixture(scope="module")
def genotypes():
    """Copies (people, variants) of A1 in LD, some missing; one variant has a single carrier."""
    rng = np.random.default_rng(11)
    ancestors = rng.integers(0, 2, (8, VARIANTS))
    haplotypes = ancestors[rng.integers(0, 8, 2 * PEOPLE)] ^ (rng.random((2 * PEOPLE, VARIANTS)) < 0.1)
    copies = haplotypes.reshape(PEOPLE, 2, VARIANTS).sum(1).astype(np.int8)
    copies[:, 5] = 0
    copies[7, 5] = 1
    copies[rng.random(copies.shape) < 0.01] = -1
    copies[7, 5] = 1
    return copies


@pytest.fixture(scope="module")
def source(genotypes, tmp_path_factory):
    prefix = tmp_path_factory.mktemp("panel") / "panel"
    rows = pd.DataFrame({"chrom": "1", "pos": 100 + np.arange(VARIANTS), "snp_id": "x", "a1": "A", "a2": "C"})
    write_panel(prefix, rows, [genotypes])
    return PlinkPanel(str(prefix))


@pytest.fixture(scope="module")
def variants():
    pos = 100 + np.arange(VARIANTS)
    frame = pd.DataFrame({"chrom": "1", "pos": pos, "ref": "A", "alt": "C", "panel_index": np.arange(VARIANTS)})
    frame.loc[3, ["ref", "alt"]] = ["C", "A"]
    return frame.assign(variant_id=[f"1:{one}" for one in pos], z=1.0)


def dosages_of_alternative(genotypes, people, variants):
    """By hand: copies of the alternative allele, NaN where missing, people by people."""
    copies = np.where(genotypes < 0, np.nan, genotypes)[people].astype(np.float32)
    return np.where(variants["alt"].to_numpy() == "A", copies, 2 - copies).astype(np.float32)


def test_the_ld_is_that_of_the_people_drawn(genotypes, source, variants):
    found = drawn_ld("a", variants, root_of(np.eye(VARIANTS)), PanelDraw(300, 0.0, source), np.random.default_rng(3))
    people = draw_people(PEOPLE, 300, 0.0, np.random.default_rng(3))
    assert len(np.unique(people)) < len(people) == 300
    copies = dosages_of_alternative(genotypes, people, variants)
    frequency = np.nanmean(copies, axis=0) / 2
    first = first_allele_frequencies(variants, RedrawnPanel(source, people))
    assert first == pytest.approx(np.where(variants["alt"] == "A", frequency, 1 - frequency), abs=1e-6)
    varies = (frequency > 0) & (frequency < 1)
    assert found.variant_ids.tolist() == variants["variant_id"][varies].tolist()
    assert found.r == pytest.approx(correlation(copies[:, varies]), abs=1e-5)


def test_a_variant_that_nobody_drawn_carries_has_no_ld_and_the_file_says_so(source, variants):
    root, lost = root_of(np.eye(VARIANTS)), 0
    for seed in range(12):
        found = drawn_ld("a", variants, root, PanelDraw(100, 0.0, source), np.random.default_rng(seed))
        if not found.left_out:
            continue
        lost += 1
        assert found.left_out == {"1:105": "no_ld"}
        assert len(found.r) == len(found.variant_ids) == VARIANTS - 1
        assert found.note.startswith("1 variants without LD in a panel drawn anew")
    assert 4 <= lost <= 12, "one carrier of 400 is not among 100 people with probability 0.78"


def test_parts_of_the_people_are_those_of_the_whole(source):
    people = draw_people(PEOPLE, 250, 0.01, np.random.default_rng(0))
    panel, index = RedrawnPanel(source, people), np.array([4, 0, 9])
    whole = panel.dosages(index)
    parts = [panel.dosages(index, slice(first, first + 60)) for first in range(0, 300, 60)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    np.testing.assert_array_equal(whole, source.dosages(index)[people])


@pytest.mark.slow
@pytest.mark.parametrize("fst", [0.0, 0.005, 0.02])
def test_drift_is_the_fst_that_was_asked_for(fst):
    """Hudson's F_ST of known population frequencies and a sample of people, corrected for the sample."""
    rng, size = np.random.default_rng(8), 500
    above, below = [], []
    for _ in range(400):
        p = rng.uniform(0.1, 0.9, 40)
        population = rng.binomial(2, p, (2_000, 40))
        own = population.mean(0) / 2
        drawn = population[draw_people(len(population), size, fst, rng)].mean(0) / 2
        above.append((drawn - own) ** 2 - drawn * (1 - drawn) / (2 * size - 1))
        below.append(drawn * (1 - own) + own * (1 - drawn))
    assert np.sum(above) / np.sum(below) == pytest.approx(fst, rel=0.12, abs=0.0002)


def test_founders_are_as_many_as_the_fst_needs():
    assert [founders_of(fst) for fst in (0.005, 0.05, 0.19)] == [99, 9, 2]


@pytest.mark.slow
@pytest.mark.parametrize(("fst", "expected"), [(0.0, 1 / 200), (0.01, 1 / 200 + 2 / 50)])
def test_without_genotypes_the_error_is_that_of_normal_variates(fst, expected):
    """Its variance is (1 - r^2)^2 / n; drift adds (1 - r^2)^2 x 2 / (P + 1), the mean sum of squared shares."""
    R = 0.7 ** np.abs(np.subtract.outer(np.arange(6), np.arange(6)))
    rows, rng, root = pd.DataFrame({"variant_id": list("abcdef")}), np.random.default_rng(3), root_of(R)
    drawn = [drawn_ld("a", rows, root, PanelDraw(200, fst), rng).r[0, 5] for _ in range(800)]
    assert np.mean(drawn) == pytest.approx(R[0, 5], abs=0.02)
    assert np.std(drawn) == pytest.approx((1 - R[0, 5] ** 2) * np.sqrt(expected), rel=0.1)


@pytest.mark.parametrize(
    ("question", "fst", "known", "drawn", "told"),
    [
        ("panel", 0.0, (0.004, 0.001), 0.004, (0.004, 0.001)),
        ("panel", 0.02, (0.004, 0.001), 0.02, (0.02, 0.001)),
        ("panel", 0.0, (-0.001, 0.001), 0.0, (0.0, 0.001)),
        ("panel", 0.02, None, 0.02, None),
        ("panel", 0.0, None, 0.0, None),
        ("undrifted_panel", 0.02, (0.004, 0.001), 0.0, (0.0, 0.001)),
    ],
)
def test_the_fst_is_the_study_s_own_and_fits_are_told_it_where_the_study_s_are(
    tmp_path, question, fst, known, drawn, told
):
    ld = str(tmp_path / "ld.npz")
    write_ld(ld, [], 300, known)
    draw = panel_to_draw(question, ld, "", None, fst, 0)
    assert (draw.size, draw.fst, draw.told, draw.source) == (300, drawn, told, None)
    assert panel_to_draw(question, ld, "", None, fst, 250).size == 250


def test_with_the_ld_of_the_gwas_nothing_is_drawn_and_fits_know_it(tmp_path):
    assert panel_to_draw("in_sample", str(tmp_path / "none.npz"), "", None, 0.01, 0) is None
    own = FinemapSettings(ld="panel", max_effects=3)
    assert settings_of_fits("in_sample", own) == FinemapSettings(ld="in_sample", max_effects=3)
    assert settings_of_fits("panel", own) == own
