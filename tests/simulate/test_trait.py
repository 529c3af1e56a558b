import numpy as np
import pandas as pd
import pytest

from fineprior.files.errors import InputError
from fineprior.simulate.trait import (
    Causal,
    choose_causal,
    divide_into_pieces,
    draw_cases,
    draw_effects,
    functional_variants,
    genetic_values,
)

LENGTHS = {"chr1": 1_000_000, "chr2": 1_000_000}


@pytest.fixture
def variants():
    rng = np.random.default_rng(2)
    return pd.DataFrame(
        {
            "chrom": np.repeat(["chr1", "chr2"], 3_000),
            "pos": np.concatenate([np.sort(rng.choice(1_000_000, 3_000, replace=False)) + 1 for _ in range(2)]),
            "eligible": rng.random(6_000) < 0.8,
            "functional": rng.random(6_000) < 0.1,
        }
    )


@pytest.mark.parametrize("loci", [1, 2, 3, 7, 20])
def test_pieces_cover_each_chromosome_one_for_each_locus(loci):
    pieces = divide_into_pieces(LENGTHS, loci)
    assert sum(len(part) for part in pieces.values()) == max(loci, 2)
    for chrom, part in pieces.items():
        assert part[0][0] == 0
        assert part[-1][1] == LENGTHS[chrom]
        assert [end for _, end in part[:-1]] == [start for start, _ in part[1:]]
        assert np.ptp([end - start for start, end in part]) <= 1


def test_too_many_loci_is_an_error():
    with pytest.raises(InputError, match="causal_loci: 300 is too many for chromosome_length 1000000; allowed: 10000"):
        divide_into_pieces(LENGTHS, 300)


def test_functional_variants_are_the_top_tenth_above_the_floor():
    effects = np.linspace(0, 5, 1_000)
    common = np.ones(1_000, bool)
    flags = functional_variants(effects, common)
    assert flags.sum() == 100
    assert flags[900:].all()
    assert functional_variants(effects / 100, common).sum() == 0
    assert functional_variants(np.append(effects, 9.0), np.append(common, False))[-1]
    assert not functional_variants(effects, ~common).any()


def test_causal_variants_are_eligible_and_close_together_in_each_locus(variants):
    causal = choose_causal(variants, LENGTHS, 11, 10.0, np.random.default_rng(1))
    assert len(set(causal.rows)) == len(causal.rows)
    assert variants["eligible"].to_numpy()[causal.rows].all()
    assert set(causal.locus) == set(range(11))
    chosen = variants.iloc[causal.rows].assign(locus=causal.locus)
    by_locus = chosen.groupby("locus")
    assert by_locus.size().between(1, 3).all()
    assert (by_locus["chrom"].nunique() == 1).all()
    assert (by_locus["pos"].max() - by_locus["pos"].min()).max() <= 25_000
    assert chosen.groupby("chrom")["locus"].nunique().tolist() == [6, 5]
    centres = by_locus["pos"].mean()[:6].to_numpy()
    assert np.diff(centres).min() > 75_000


@pytest.mark.slow
@pytest.mark.parametrize("enrichment", [1.0, 10.0])
def test_a_functional_variant_is_drawn_enrichment_times_as_often(variants, enrichment):
    draws = [choose_causal(variants, LENGTHS, 11, enrichment, np.random.default_rng(seed)) for seed in range(40)]
    rows = np.concatenate([draw.rows for draw in draws])
    share = variants["functional"].to_numpy()[rows].mean()
    base = variants["functional"][variants["eligible"]].mean()
    assert share / (1 - share) / (base / (1 - base)) == pytest.approx(enrichment, rel=0.25)


def test_no_variant_to_choose_from_is_an_error(variants):
    with pytest.raises(InputError, match=r"no common variant near chr1:.* fewer causal_loci \(4\)"):
        choose_causal(variants.assign(eligible=False), LENGTHS, 4, 10.0, np.random.default_rng(1))


@pytest.fixture
def people():
    rng = np.random.default_rng(6)
    return rng.binomial(2, rng.uniform(0.05, 0.5, 40)[:, None], (40, 5_000)).astype(np.int8)


def test_effects_explain_the_heritability_and_are_larger_for_rarer_alleles(people):
    causal = Causal(np.arange(40), np.repeat(np.arange(20), 2))
    effects = draw_effects(causal, people, 0.4, np.random.default_rng(3))
    assert genetic_values(people, effects).var() == pytest.approx(0.4)
    assert 0.2 < (effects > 0).mean() < 0.8
    explained = effects**2 * people.var(1)
    assert explained.max() / explained.min() < 100
    assert abs(np.corrcoef(explained, people.mean(1))[0, 1]) < 0.4


def test_genetic_values_are_the_matrix_product(people):
    effects = np.random.default_rng(1).normal(size=40)
    np.testing.assert_allclose(genetic_values(people, effects), effects @ people, rtol=1e-10)


def test_half_are_cases_and_cases_have_the_larger_genetic_values(people):
    values = genetic_values(people, np.full(40, 0.1))
    values *= 0.5**0.5 / values.std()
    cases = draw_cases(values, 0.5, np.random.default_rng(1))
    assert cases.sum() == 2_500
    # For a threshold at the median the point-biserial correlation is 0.798 sqrt(h2).
    assert np.corrcoef(values, cases)[0, 1] == pytest.approx(0.798 * 0.5**0.5, abs=0.03)
