"""What is used on a chromosome has seen nothing of its GWAS; and what is chosen is chosen well."""

import numpy as np
import pytest

from fineprior.priors.blocks import Block
from fineprior.priors.features import Model
from fineprior.priors.folds import MAX_PARTS, RIDGES, cross_fit, fit_fold, parts
from fineprior.project.settings import PriorSettings

SETTINGS = PriorSettings()


def free(d, nonnegative=False):
    return Model(np.full(d, nonnegative), np.full(d, np.nan))


def facts(fold):
    return (fold.ridge, fold.coefficients.tolist(), fold.support, {n: b.tolist() for n, b in fold.inner.items()})


@pytest.mark.slow
@pytest.mark.parametrize("size", [30, 300])
def test_a_chromosome_never_informs_its_own_prior(simulated, size):
    loci = simulated(1, [1.0, 0.0], loci=40, size=size)
    here = loci.chromosomes == "chr2"
    planted = loci._replace(log_bf=loci.log_bf.copy())
    planted.log_bf[here] = 12 * loci.features[here, 1:]  # an effect of the other feature, and a strong one
    before, after = (cross_fit(one.by_chromosome, free(2), SETTINGS, 1) for one in (loci, planted))
    assert list(before) == ["none", "chr1", "chr2", "chr3", "chr4"]
    assert facts(after["chr2"]) == facts(before["chr2"])
    for other in ("none", "chr1", "chr3", "chr4"):
        assert facts(after[other]) != facts(before[other])


@pytest.mark.slow
def test_a_chromosome_never_informs_its_own_prior_through_refits(simulated):
    loci = simulated(2, 1.2, loci=60)
    planted = loci._replace(log_bf=np.where((loci.chromosomes == "chr3")[:, None], 0.0, loci.log_bf))

    def refit(fold, chromosomes):
        """Signals that follow the prior of the fold, as those of SuSiE do."""
        return {
            name: [
                Block.of(
                    block.features, (1 + 0.1 * fold.inner[name][0]) * signal_matrix(block), block.starts, block.keys
                )
                for block in blocks
            ]
            for name, blocks in chromosomes.items()
        }

    found = [cross_fit(one.by_chromosome, free(1), SETTINGS, 1, refit=refit, rounds=3) for one in (loci, planted)]
    assert facts(found[0]["chr3"]) == facts(found[1]["chr3"])
    assert found[0]["chr3"].rounds >= 1
    assert facts(found[0]["chr1"]) != facts(found[1]["chr1"])


def signal_matrix(block):
    matrix = np.zeros((len(block.features), len(block.signals)))
    for column, signal in enumerate(block.signals):
        matrix[signal.rows, column] = signal.log_bf
    return matrix


@pytest.mark.slow
def test_refits_end_when_nothing_moves_and_after_so_many_rounds(simulated):
    loci = simulated(2, 1.2, loci=60)
    asked = []
    same = lambda fold, data: asked.append(fold) or data  # noqa: E731
    folds = cross_fit(loci.by_chromosome, free(1), SETTINGS, 1, refit=same, rounds=5)
    assert {fold.rounds for fold in folds.values()} == {1}
    cross_fit(loci.by_chromosome, free(1), SETTINGS, 1, refit=same, rounds=0)
    assert len(asked) == len(folds)


def test_inner_coefficients_have_not_seen_their_part(simulated):
    loci = simulated(3, 1.0, loci=60, chromosomes=3)
    fold = fit_fold(loci.by_chromosome, free(1), SETTINGS, 1)
    others = {name: blocks for name, blocks in loci.by_chromosome.items() if name != "chr1"}
    alone = fit_fold(others, free(1), PriorSettings(ridge=fold.ridge), 1)
    np.testing.assert_allclose(fold.inner["chr1"], alone.coefficients, atol=1e-4)


def test_parts_are_of_whole_chromosomes_and_of_like_size(simulated):
    part_of = parts(simulated(4, 0.5, loci=220, chromosomes=22).by_chromosome)
    assert len(part_of) == 22
    counts = np.bincount(list(part_of.values()))
    assert len(counts) == MAX_PARTS
    assert counts.max() - counts.min() <= 1


@pytest.mark.slow
def test_ridge_is_weak_for_strong_scores_and_strong_for_noise(simulated):
    strong = fit_fold(simulated(5, [1.0] * 3, loci=200).by_chromosome, free(3), SETTINGS, 1)
    noise = fit_fold(simulated(6, [0.0] * 20, loci=60).by_chromosome, free(20), SETTINGS, 1)
    assert strong.ridge < noise.ridge == max(RIDGES)
    given = fit_fold(simulated(5, [1.0] * 3, loci=40).by_chromosome, free(3), PriorSettings(ridge=7.0), 1)
    assert given.ridge == 7


def test_coefficients_reach_the_maximum_of_all_variants(simulated):
    loci = simulated(7, [1.0, -0.5], loci=60, size=400)
    fold = fit_fold(loci.by_chromosome, free(2), PriorSettings(ridge=1.0), 1)
    from fineprior.priors.enrichment import fit_enrichment

    whole = fit_enrichment([loci.block], 1.0)
    np.testing.assert_allclose(fold.coefficients, whole.coefficients, atol=2e-3)


def test_fixed_coefficients_are_judged_and_not_estimated(simulated):
    loci = simulated(8, 1.0, loci=60)
    fold = fit_fold(loci.by_chromosome, Model(np.array([False]), np.array([0.7])), SETTINGS, 1)
    assert fold.coefficients.tolist() == [0.7]
    assert fold.support.weight > 0
    assert np.isnan(fold.fit.standard_errors).all()


@pytest.mark.slow
def test_workers_do_not_change_the_result(simulated):
    blocks = simulated(9, 1.0, loci=40).by_chromosome
    one, two = (cross_fit(blocks, free(1), SETTINGS, 1, workers=workers) for workers in (1, 2))
    assert {name: facts(fold) for name, fold in one.items()} == {name: facts(fold) for name, fold in two.items()}


def test_no_loci():
    fold = cross_fit({}, free(1), SETTINGS, 1)["none"]
    assert (fold.coefficients.tolist(), fold.support.weight, fold.support.reason) == ([0], 0, "the study has no signal")
