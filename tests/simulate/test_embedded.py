import numpy as np
import pytest

from fineprior.files import tables
from fineprior.files.errors import InputError
from fineprior.project.settings import EmbeddedSettings
from fineprior.simulate.embedded import embedded_coverage, embedded_genome, embedded_study, training_windows

pytestmark = pytest.mark.slow
SETTINGS = EmbeddedSettings(chromosome_length=60_000, panel_size=40, gwas_size=60, causal_loci=4)


@pytest.fixture(scope="module")
def genome(motifs):
    return embedded_genome(motifs, SETTINGS, seed=1)


@pytest.fixture(scope="module")
def study(motifs, genome):
    lengths = {chrom: len(codes) for chrom, codes in genome.items()}
    return embedded_study(lengths, genome.items(), motifs, SETTINGS, seed=1)


def coverage(names, genome, motifs, seed=1):
    return dict(embedded_coverage([f"{name}.bw" for name in names], genome.items(), motifs, SETTINGS, seed))


def test_a_chromosome_is_the_same_with_more_chromosomes_beside_it(motifs, genome):
    more = embedded_genome(motifs, EmbeddedSettings(chromosomes=5, chromosome_length=60_000), seed=1)
    assert list(more) == ["chr1", "chr2", "chr3", "chr4", "chr5"]
    assert all((more[chrom] == codes).all() for chrom, codes in genome.items())
    assert (genome["chr1"] != genome["chr2"]).mean() > 0.5


def test_fewer_than_three_chromosomes_are_an_error(motifs):
    with pytest.raises(InputError, match=r"embedded\.chromosomes: 2 is not allowed"):
        embedded_genome(motifs, EmbeddedSettings(chromosomes=2), seed=1)


def test_last_chromosomes_are_for_validation_and_testing(genome):
    windows = training_windows(genome, 2048, 12)
    assert windows.groupby("chrom")["split"].agg(set).to_dict() == {
        "chr1": {"train"}, "chr2": {"train"}, "chr3": {"valid"}, "chr4": {"test"},
    }  # fmt: skip


def test_noise_of_a_track_does_not_depend_on_the_other_tracks(motifs, genome):
    alone, together = (coverage(names, genome, motifs) for names in (["disease2"], ["general1", "disease2"]))
    assert list(together) == ["general1.bw", "disease2.bw"]
    for chrom, values in alone["disease2.bw"].items():
        assert values.shape == (-(-60_000 // 128),)
        assert (values == together["disease2.bw"][chrom]).all()
    assert (together["general1.bw"]["chr1"] != alone["disease2.bw"]["chr1"]).any()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("prostate", "prostate.bw: simulated tracks are named"),
        ("disease4", "disease4.bw: there are embedded"),
    ],
)
def test_unknown_tracks_are_an_error(motifs, genome, name, message):
    with pytest.raises(InputError, match=message):
        coverage([name], genome, motifs)


def test_panel_has_copies_of_a1_of_its_variants_alone(study, genome):
    assert sum(copies.shape[1] for copies in study.panel_copies) == len(study.panel)
    assert {copies.shape[0] for copies in study.panel_copies} == {40}
    frequency = np.concatenate([copies.mean(0) for copies in study.panel_copies]) / 2
    assert np.minimum(frequency, 1 - frequency).min() >= 0.005
    rows = study.panel.itertuples(index=False)
    is_ref = np.array(["ACGT"[genome[f"chr{row.chrom}"][row.pos - 1]] == row.a1 for row in rows])
    assert 0.3 < is_ref.mean() < 0.7
    assert frequency[is_ref].mean() > 0.5 > frequency[~is_ref].mean()


def test_gwas_and_truth_belong_together(study):
    assert (study.cases, study.controls) == (30, 30)
    assert list(study.truth) == tables.TRUTH.names
    assert study.truth["chrom"].nunique() == 4
    ids = set(study.gwas["chrom"] + ":" + study.gwas["pos"].astype("str"))
    assert {f"{row.chrom}:{row.pos}" for row in study.truth.itertuples()} <= ids
