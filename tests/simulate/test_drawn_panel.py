"""Panels drawn anew have the sampling error and the drift that they are said to have."""

import math

import msprime
import numpy as np
import pandas as pd
import pytest

from fineprior.files.errors import InputError
from fineprior.finemap.panel_error import Shape
from fineprior.genotypes.dosage_sums import correlation
from fineprior.genotypes.ld_store import write_ld
from fineprior.genotypes.plink_panel import PlinkPanel
from fineprior.project.settings import FinemapSettings
from fineprior.simulate.drawn_panel import (
    PanelDraw,
    RedrawnPanel,
    draw_people,
    drawn_ld,
    drifted_panel,
    first_allele_frequencies,
    panel_to_draw,
    settings_of_fits,
)
from fineprior.simulate.drifted_haplotypes import descend
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
    people = draw_people(PEOPLE, 300, np.random.default_rng(3))
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
    people = draw_people(PEOPLE, 250, np.random.default_rng(0))
    panel, index = RedrawnPanel(source, people), np.array([4, 0, 9])
    whole = panel.dosages(index)
    parts = [panel.dosages(index, slice(first, first + 60)) for first in range(0, 300, 60)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    np.testing.assert_array_equal(whole, source.dosages(index)[people])


@pytest.fixture(scope="module")
def region(tmp_path_factory):
    """500 people of a coalescent in 100 kb: a panel, LOCUS_VARIANTS, and the true haplotypes (copies of A1)."""
    trees = msprime.sim_ancestry(500, population_size=10_000, sequence_length=1e5, recombination_rate=1e-8,
                                 random_seed=3)  # fmt: skip
    trees = msprime.sim_mutations(trees, rate=1.25e-8, model=msprime.BinaryMutationModel(), random_seed=4)
    haplotypes, positions = trees.genotype_matrix().T, trees.tables.sites.position.astype(int)
    common = (haplotypes.mean(0) > 0.02) & (haplotypes.mean(0) < 0.98) & (haplotypes.max(0) == 1)
    haplotypes, positions = haplotypes[:, common], positions[common]
    prefix = tmp_path_factory.mktemp("region") / "panel"
    rows = pd.DataFrame({"chrom": "1", "pos": positions, "snp_id": "x", "a1": "A", "a2": "C"})
    write_panel(prefix, rows, [(haplotypes[::2] + haplotypes[1::2]).astype(np.int8)])
    frame = rows[["chrom", "pos"]].assign(ref="C", alt="A", panel_index=np.arange(len(rows)), z=1.0)
    # Half of the alternative alleles are A2, so that a haplotype of the wrong allele shows.
    frame.loc[::2, ["ref", "alt"]] = ["A", "C"]
    return PlinkPanel(str(prefix)), frame.assign(variant_id=[f"1:{one}" for one in positions]), haplotypes.astype(float)


@pytest.mark.slow
@pytest.mark.parametrize("fst", [0.0005, 0.005, 0.03])
def test_drift_is_the_fst_that_was_asked_for(region, fst):
    """Hudson's F_ST of known population frequencies and a sample of people, corrected for the sample."""
    panel, frame, haplotypes = region
    copies = haplotypes[::2] + haplotypes[1::2]
    rng, size = np.random.default_rng(8), 500
    R, index = population_ld(frame, copies), frame["panel_index"].to_numpy()
    own = copies.mean(0) / 2
    above, below = [], []
    for _ in range(60):
        drawn = drifted_panel(frame, R, panel, size, fst, rng).dosages(index).mean(0) / 2
        above.append(np.sum((drawn - own) ** 2 - drawn * (1 - drawn) / (2 * size - 1)))
        below.append(np.sum(drawn * (1 - own) + own * (1 - drawn)))
    ratios = np.array(above) / np.mean(below)
    error = ratios.std() / np.sqrt(len(ratios))
    assert error < 0.15 * fst
    assert ratios.mean() == pytest.approx(fst, abs=3.5 * error)


@pytest.mark.slow
def test_the_error_of_drifted_ld_is_that_of_true_haplotypes_which_nobody_had_to_phase(region):
    """Its variance by |r|, over that of the same descent of the same people's true haplotypes.

    Copies of whole people, drifted as much, have about twice the variance where r is small.
    """
    panel, frame, haplotypes = region
    size, fst, draws = 500, 0.01, 40
    people, positions = haplotypes[::2] + haplotypes[1::2], frame["pos"].to_numpy()
    R, turn = population_ld(frame, people), np.where(frame["alt"] == "A", 1, -1)
    phased, true, cloned = (np.zeros((draws, 4)) for _ in range(3))
    for draw in range(draws):
        found = drawn_ld("a", frame, root_of(R), PanelDraw(size, fst, panel), np.random.default_rng(draw))
        kept = frame["variant_id"].isin(found.variant_ids).to_numpy()
        phased[draw] = errors_by_r(found.r, R[np.ix_(kept, kept)])
        rng = np.random.default_rng(draw)
        founding = descend(positions, fst, rng)
        founders = draw_people(len(people), len(founding), rng)
        last = np.take_along_axis(haplotypes[2 * founders + rng.integers(2, size=len(founders))], founding, 0)
        true[draw] = errors_of(last[rng.choice(len(last), size)] + last[rng.choice(len(last), size)], R, turn)
        some, shares = rng.choice(len(people), 49), rng.dirichlet(np.ones(49))
        cloned[draw] = errors_of(people[rng.choice(some, size, p=shares)], R, turn)
    ratio = phased.mean(0) / true.mean(0)
    assert ratio == pytest.approx(np.ones(4), abs=0.25)
    assert (cloned.mean(0) > 1.5 * true.mean(0))[:2].all()


@pytest.mark.slow
def test_the_error_of_drifted_ld_has_the_shape_that_fits_expect(region):
    """The shape was measured on pairs of populations (benchmarks/panel_shape.py), which differ from it by half."""
    panel, frame, haplotypes = region
    size, fst, rng = 500, 0.01, np.random.default_rng(7)
    R = population_ld(frame, haplotypes[::2] + haplotypes[1::2])
    square, expected = np.zeros((2, 40, 4))
    for draw in range(40):
        found = drawn_ld("a", frame, root_of(R), PanelDraw(size, fst, panel), rng)
        kept = frame["variant_id"].isin(found.variant_ids).to_numpy()
        square[draw] = errors_by_r(found.r, R[np.ix_(kept, kept)])
        expected[draw] = by_r(Shape(size, fst).of(found.r.astype(float) ** 2), R[np.ix_(kept, kept)])
    ratio = square.mean(0) / expected.mean(0)
    assert ((ratio > 0.6) & (ratio < 1.6)).all(), ratio


def by_r(values, R):
    """Mean of values of pairs by |R|: below 0.2, 0.45, 0.7, 0.95."""
    pairs = np.triu_indices(len(R), 1)
    place = np.digitize(np.abs(R[pairs]), [0.2, 0.45, 0.7, 0.95])
    return (np.bincount(place, values[pairs], 5) / np.bincount(place, minlength=5))[:4]


def errors_by_r(found, R):
    return by_r((found - R) ** 2, R)


def errors_of(copies, R, turn):
    """Of the variants that vary; R is of alternative alleles, copies are of A1."""
    varies = copies.std(0) > 0
    found = np.corrcoef(copies[:, varies], rowvar=False) * np.outer(turn[varies], turn[varies])
    return errors_by_r(found, R[np.ix_(varies, varies)])


def population_ld(frame, copies):
    """R (p, p) of alternative alleles."""
    alternative = np.where(frame["alt"].to_numpy() == "A", copies, 2 - copies)
    return np.corrcoef(alternative.astype(float), rowvar=False)


@pytest.mark.slow
@pytest.mark.parametrize(("fst", "expected"), [(0.0, 1 / 200), (0.01, 1 / 200 + 0.02)])
def test_without_genotypes_the_error_is_that_of_normal_variates(fst, expected):
    """Its variance is (1 - r^2)^2 / n; drift adds (1 - r^2)^2 x 2 F_ST, the mean sum of squared shares."""
    R = 0.7 ** np.abs(np.subtract.outer(np.arange(6), np.arange(6)))
    rows = pd.DataFrame({"variant_id": list("abcdef"), "pos": 100 + np.arange(6)})
    rng, root = np.random.default_rng(3), root_of(R)
    drawn = [drawn_ld("a", rows, root, PanelDraw(200, fst), rng).r[0, 5] for _ in range(800)]
    assert np.mean(drawn) == pytest.approx(R[0, 5], abs=0.02)
    assert np.std(drawn) == pytest.approx((1 - R[0, 5] ** 2) * np.sqrt(expected), rel=0.1)


@pytest.mark.parametrize(
    ("question", "fst", "known", "drawn", "told"),
    [
        ("panel", 0.0, (0.004, 0.001), 0.004, (0.004, math.nan)),
        ("panel", 0.02, (0.004, 0.001), 0.02, (0.02, math.nan)),
        ("panel", 0.0, (-0.001, 0.001), 0.0, (0.0, math.nan)),
        ("panel", 0.0, (0.004, 0.0011), 0.004, None),
        ("panel", 0.02, (0.0, 0.003), 0.02, None),
        ("panel", 0.02, None, 0.02, None),
        ("panel", 0.0, None, 0.0, None),
        ("panel", 0.0, (0.00009, 0.001), 0.0, (0.0, math.nan)),
        ("panel", 0.02, (0.3, 0.001), 0.02, (0.02, math.nan)),
        ("undrifted_panel", 0.02, (0.004, 0.001), 0.0, (0.0, math.nan)),
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


@pytest.mark.parametrize(
    ("asked", "own", "said"),
    [
        (5e-5, 0.004, "calibrate.fst: 5e-05 is less than can be drawn; allowed: 0, or 0.0001 and more"),
        (0.0, 0.31, "panel draws an F_ST below 0.2, and .*ld.npz says 0.31; set calibrate.fst"),
    ],
)
def test_a_drift_that_cannot_be_drawn_is_refused(tmp_path, asked, own, said):
    ld = str(tmp_path / "ld.npz")
    write_ld(ld, [], 300, (own, 0.001))
    with pytest.raises(InputError, match=said):
        panel_to_draw("panel", ld, "", None, asked, 0)
    assert panel_to_draw("undrifted_panel", ld, "", None, asked, 0).fst == 0


def test_with_the_ld_of_the_gwas_nothing_is_drawn_and_fits_know_it(tmp_path):
    assert panel_to_draw("in_sample", str(tmp_path / "none.npz"), "", None, 0.01, 0) is None
    own = FinemapSettings(ld="panel", max_effects=3)
    assert settings_of_fits("in_sample", own) == FinemapSettings(ld="in_sample", max_effects=3)
    assert settings_of_fits("panel", own) == own
