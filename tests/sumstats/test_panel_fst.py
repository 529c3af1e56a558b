"""F_ST of simulated populations whose F_ST is known, and of real ones; and what spoils frequencies."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fineprior.genotypes.plink_panel import PlinkPanel
from fineprior.sumstats.panel_fst import FAR_FST, PanelFst, panel_fst, ratio_of_sums, usable_fst

DATA = Path(__file__).parents[2].parent / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="acceptance data are not here")
PEOPLE, PANEL = 20_000, 500


def frequencies(drift, variants=20_000, seed=1, people=PEOPLE, panel=PANEL):
    """eaf and panel_af of two populations that drifted from one: Beta of Balding and Nichols, then samples of each.

    Frequencies of the ancestors are as in a neutral population; those below 1% in the panel are left out.
    """
    rng = np.random.default_rng(seed)
    ancestral = 10 ** rng.uniform(-3, -0.0004, variants * 4)
    ancestral = np.where(rng.random(len(ancestral)) < 0.5, ancestral, 1 - ancestral)
    both = [ancestral, ancestral]
    if drift:
        both = [rng.beta(ancestral * (1 / drift - 1), (1 - ancestral) * (1 / drift - 1)) for _ in both]
    eaf, panel_af = (rng.binomial(2 * n, p) / (2 * n) for n, p in zip((people, panel), both, strict=True))
    kept = np.flatnonzero(np.minimum(panel_af, 1 - panel_af) >= 0.01)[:variants]
    return eaf[kept], panel_af[kept]


def table(eaf, panel_af, people=PEOPLE, **changed):
    """SUMSTATS, as far as it is read: variants every 5 kb on 20 chromosomes."""
    place = np.arange(len(eaf))
    columns = {"chrom": (place % 20 + 1).astype(str), "pos": 1 + place // 20 * 5_000, "eaf": eaf, "panel_af": panel_af,
               "n": float(people), "neg_log10_p": 0.5}  # fmt: skip
    return pd.DataFrame(columns | changed)


@pytest.mark.parametrize("drift", [0.0, 0.002, 0.01, 0.05, 0.1])
def test_it_is_the_drift_of_the_simulation(drift):
    found = panel_fst(table(*frequencies(drift)), PANEL)
    assert (found.state, found.panel_size, found.far) == ("known", PANEL, drift > FAR_FST or found.value > FAR_FST)
    assert found.variants + found.exchanged == 20_000
    assert abs(found.value - drift) < 4 * found.error + 0.03 * drift  # the cut of 1% in the panel costs 2%
    assert found.error < 0.0002 + 0.02 * drift


@pytest.mark.parametrize(("people", "panel"), [(400, 100), (5_000, 100), (300, 2_000)])
def test_small_samples_do_not_add_to_it(people, panel):
    """Without the correction F_ST would be half of 1/(2 people) + 1/(2 panel) too large."""
    found = panel_fst(table(*frequencies(0.0, people=people, panel=panel), people=people), panel)
    assert abs(found.value) < 4 * found.error < 0.1 * (0.5 / people + 0.5 / panel)


def test_it_is_the_ratio_of_sums_of_hudsons_estimator():
    """By pairs of chromosomes: 1 - (differences within populations) / (differences between them)."""
    rng = np.random.default_rng(3)
    copies = [rng.random((n, 300)) < p for n, p in ((60, rng.random(300)), (40, rng.random(300)))]
    within = [
        2 * copies_of.sum(0) * (~copies_of).sum(0) / (len(copies_of) * (len(copies_of) - 1)) for copies_of in copies
    ]
    between = np.mean(copies[0][:, None] != copies[1][None], axis=(0, 1))
    expected = 1 - np.mean(within, axis=0).sum() / between.sum()
    found = panel_fst(table(*(one.mean(0) for one in copies), people=30), 20)
    assert (found.exchanged, found.value) == (0, pytest.approx(expected, rel=1e-12))


def test_the_error_is_that_of_the_jackknife():
    """For blocks of one size that of the textbooks."""
    rng = np.random.default_rng(4)
    numerator, denominator, blocks = rng.normal(1, 1, 600), rng.uniform(1, 3, 600), np.repeat(np.arange(30), 20)
    value, error = ratio_of_sums(numerator, denominator, blocks)
    without = [numerator[blocks != b].sum() / denominator[blocks != b].sum() for b in range(30)]
    assert value == pytest.approx(numerator.sum() / denominator.sum(), rel=1e-12)
    assert error == pytest.approx(np.sqrt(29 / 30 * ((without - np.mean(without)) ** 2).sum()), rel=1e-9)


@pytest.mark.slow
def test_the_error_is_that_of_repeated_studies():
    """Variants of a block drift together; over 60 studies the spread is the error, within its own error of 9%."""
    made, group = [], np.repeat(np.arange(400), 10)
    for seed in range(60):
        eaf, panel_af = frequencies(0.005, 400, seed)
        rows = table(eaf[group], panel_af[group], chrom=(group % 20).astype(str), pos=1 + group // 20 * 1_000_000)
        found = panel_fst(rows, PANEL)
        made.append((found.value, found.error, found.blocks))
    value, error, blocks = np.array(made).T
    assert (blocks == 80).all()
    assert value.std() == pytest.approx(error.mean(), rel=0.3)


@needs_data
def test_real_populations():
    """Europeans, Africans and East Asians of 1000 Genomes; F_ST between them is 0.1 to 0.15 over the genome."""

    def af(name):
        panel = PlinkPanel(DATA / f"ancestries/plink/{name}")
        rows = panel.variants.assign(af=panel.allele_frequencies(np.arange(panel.count)))
        return rows.set_index(["pos", "a1", "a2"])["af"], panel.samples

    (europe, _), (africa, samples), (asia, asians) = (af(name) for name in ("EUR", "AFR", "EAS"))
    for other, people in ((africa, samples), (asia, asians)):
        rows = pd.concat([europe, other], axis=1, keys=["eaf", "panel_af"]).dropna().reset_index()
        found = panel_fst(rows.assign(chrom="1", n=489.0, neg_log10_p=0.0), people)
        assert 0.05 < found.value < 0.15
        assert found.value > 2 * found.error
        assert " Its LD may be wrong." in found.sentence


@needs_data
def test_halves_of_a_real_population_do_not_differ():
    panel = PlinkPanel(DATA / "panel_chr20/panel")
    index = np.arange(panel.count)
    dosages = panel.dosages(index)
    order = np.random.default_rng(2).permutation(panel.samples)
    eaf, panel_af = (dosages[half].mean(0) / 2 for half in np.array_split(order, 2))
    rows = panel.variants.assign(eaf=eaf, panel_af=panel_af, n=252.0, neg_log10_p=0.0)
    found = panel_fst(rows[np.minimum(panel_af, 1 - panel_af) > 0.01], 251)
    assert (found.state, found.blocks > 15) == ("known", True)
    assert abs(found.value) < 3 * found.error < 0.0025


@pytest.mark.parametrize("decimals", [2, 3, 4])
def test_rounded_frequencies(decimals):
    """Two decimals add 1e-4/12 to each squared difference, which is part of the estimate without a correction."""
    eaf, panel_af = frequencies(0.0005)
    found = panel_fst(table(np.round(eaf, decimals), panel_af), PANEL)
    assert found.value == pytest.approx(panel_fst(table(eaf, panel_af), PANEL).value, abs=2e-5)
    assert found.value == pytest.approx(0.0005, abs=4 * found.error)


def test_rounding_to_one_decimal_would_be_a_tenth_of_the_way_to_a_warning():
    eaf, panel_af = frequencies(0.002)
    one = panel_fst(table(np.round(eaf, 1), panel_af), PANEL)
    assert one.value == pytest.approx(0.002, abs=0.0006)


@pytest.mark.parametrize("decimals", [2, 4, 12])
@pytest.mark.parametrize("people", [500, 100_000])
def test_frequencies_of_the_panel_are_copied(decimals, people):
    _, panel_af = frequencies(0.005)
    found = panel_fst(table(np.round(panel_af, decimals), panel_af, people=people), PANEL)
    assert (found.state, np.isnan(found.value), np.isnan(found.error), found.far) == ("copied", True, True, False)
    assert found.sentence == (
        "How far the panel is from the GWAS (F_ST) is not known: the allele frequencies of the GWAS are those of the "
        "panel."
    )


@pytest.mark.slow
def test_frequencies_of_the_panel_without_some_of_its_people_are_copied():
    """As 1000 Genomes' 503 Europeans and a release of 489 of them: no sample of its own."""
    rng = np.random.default_rng(6)
    people = rng.binomial(2, rng.uniform(0.05, 0.95, 5_000), (503, 5_000))
    assert panel_fst(table(people[:489].mean(0) / 2, people.mean(0) / 2), 503).state == "copied"
    assert panel_fst(table(people[:250].mean(0) / 2, people[250:].mean(0) / 2, people=250), 253).state == "known"


def test_frequencies_of_a_gwas_that_holds_the_panel_are_no_copies():
    rng = np.random.default_rng(6)
    frequency = rng.uniform(0.05, 0.95, 5_000)
    panel_af = rng.binomial(1_000, frequency) / 1_000
    eaf = (panel_af * 1_000 + rng.binomial(9_000, frequency)) / 10_000
    found = panel_fst(table(eaf, panel_af, people=5_000), PANEL)
    assert (found.state, round(found.value, 3)) == ("known", 0)


def test_what_is_not_there_is_not_known():
    eaf, panel_af = frequencies(0.01, 2_000)
    missing = np.full(len(eaf), np.nan)
    for rows in (table(missing, panel_af), table(eaf, missing), table(eaf, panel_af).iloc[:0]):
        assert panel_fst(rows, PANEL).state == "no_frequencies"
    assert panel_fst(table(eaf, panel_af), None).state == "no_frequencies"
    few = panel_fst(table(eaf, panel_af).head(99), PANEL)
    assert (few.state, few.variants, few.value) == ("few_variants", 99, pytest.approx(np.nan, nan_ok=True))
    assert few.sentence.endswith("only 99 variants in 20 blocks can be compared.")
    near = panel_fst(table(eaf, panel_af, chrom="1", pos=1000), PANEL)
    assert (near.state, near.blocks) == ("few_variants", 1)
    part = eaf.copy()
    part[::2] = np.nan
    assert panel_fst(table(part, panel_af), PANEL).variants == 1_000


@pytest.mark.parametrize(("share", "drift"), [(0.01, 0.002), (0.1, 0.002), (0.02, 0.02)])
def test_frequencies_of_the_other_allele_are_left_out(share, drift):
    """Exchanged alleles, or frequencies of the minor allele that nobody noticed."""
    eaf, panel_af = frequencies(drift)
    wrong = np.random.default_rng(7).random(len(eaf)) < share
    found = panel_fst(table(np.where(wrong, 1 - eaf, eaf), panel_af), PANEL)
    naive = np.mean((np.where(wrong, 1 - eaf, eaf) - panel_af) ** 2) / 0.3
    assert naive > drift + 0.1 * share
    assert found.value == pytest.approx(drift, rel=0.2, abs=0.0005 + share * 0.003)
    assert 0.7 * wrong.sum() < found.exchanged <= wrong.sum()
    assert f"; {found.exchanged:,} variants with the frequency of the other allele are left out" in found.sentence


def test_drift_alone_leaves_nothing_out():
    assert panel_fst(table(*frequencies(0.1)), PANEL).exchanged == 0


def test_strong_associations_do_not_add_to_it():
    """Half of the people are cases of a rare disease: frequencies of associated variants are not the population's."""
    eaf, panel_af = frequencies(0.001)
    p = np.full(len(eaf), 0.5)
    p[:4_000] = 30.0
    shifted = np.where(p > 8, eaf + 0.2 * eaf * (1 - eaf), eaf)
    found = panel_fst(table(shifted, panel_af, neg_log10_p=p), PANEL)
    assert found.variants == len(eaf) - 4_000
    assert found.value == pytest.approx(0.001, abs=4 * found.error)
    assert panel_fst(table(shifted, panel_af), PANEL).value > 0.0015


def test_sex_chromosomes_are_not_used():
    eaf, panel_af = frequencies(0.001, 4_000)
    rows = table(eaf, panel_af)
    for name in ("X", "chrX", "23", "Y", "MT"):
        moved = rows.assign(chrom=rows["chrom"].where(rows["chrom"] != "7", name), eaf=np.where(rows["chrom"] == "7",
                            0.01, eaf))  # fmt: skip
        assert panel_fst(moved, PANEL).value == panel_fst(rows[rows["chrom"] != "7"], PANEL).value
    assert panel_fst(rows.assign(chrom="chrX"), PANEL).state == "few_variants"


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.004, 0.0005, "The panel differs from the GWAS by F_ST 0.4% (0.3-0.5), over 9,000 variants."),
        (-0.0001, 0.0001, "The panel differs from the GWAS by F_ST 0% (0-0.01), over 9,000 variants."),
        (
            -0.0001,
            0.003,
            "The panel differs from the GWAS by F_ST 0% (0-0.58), over 9,000 variants. It is too uncertain to be used "
            "in fits.",
        ),
        (0.12, 0.005, "The panel differs from the GWAS by F_ST 12% (11-13), over 9,000 variants. Its LD may be wrong."),
    ],
)
def test_it_is_said_in_words(value, error, text):
    assert PanelFst(value, error, "known", 503, 9_000).sentence == text


@pytest.mark.parametrize(
    ("fst", "used"),
    [
        ((0.0, 0.003), None),
        ((-0.002, 0.003), None),
        ((0.004, 0.0011), None),
        ((0.0, 0.001), 0.0),
        ((-0.0004, 0.0009), 0.0),
        ((0.004, 0.0009), 0.004),
        ((0.11, 0.004), 0.11),  # far beyond its error, however large that is
        ((0.011, 0.003), None),
        ((0.02, math.nan), 0.02),
        ((math.nan, math.nan), None),
        (None, None),
    ],
)
def test_an_fst_that_is_too_uncertain_is_not_used(fst, used):
    assert usable_fst(fst) == used
