import numpy as np
import pytest

from fineprior.files.errors import InputError
from fineprior.genome.fasta import Genome
from fineprior.sequence.motifs import occupancy
from fineprior.simulate.grammar import BIN_SIZE, disease_activity
from fineprior.simulate.synthetic_genome import simulate_sequence, tile_regions, write_fasta


@pytest.fixture(scope="module")
def codes(motifs):
    return simulate_sequence(300_000, motifs, np.random.default_rng(4))


def test_sequence_has_telomeres_little_cpg_and_realistic_gc(codes):
    assert (codes[:2_000] == 4).all()
    assert (codes[-2_000:] == 4).all()
    inner = codes[2_000:-2_000]
    assert inner.max() == 3
    gc = np.isin(inner, [1, 2]).mean()
    cpg = ((inner[:-1] == 1) & (inner[1:] == 2)).mean()
    gpc = ((inner[:-1] == 2) & (inner[1:] == 1)).mean()
    assert 0.35 < gc < 0.5
    assert cpg < 0.5 * gpc


@pytest.mark.slow
def test_elements_make_disease_activity_that_shuffled_sequence_has_not(codes, motifs):
    inner = codes[2_000:-2_000]
    shuffled = np.random.default_rng(1).permutation(inner)
    real, null = (disease_activity(occupancy(x, motifs), motifs) for x in (inner, shuffled))
    assert (real > 10).mean() > 5 * (null > 10).mean()
    assert 0.02 < (real > 10).any(1).mean() < 0.3


def test_same_seed_same_sequence(motifs):
    first, second, other = (simulate_sequence(20_000, motifs, np.random.default_rng(s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert (first != other).mean() > 0.5


@pytest.mark.parametrize("length", [60, 61, 119, 120, 1])
def test_fasta_reads_back_in_lines_of_60(tmp_path, length):
    contigs = {"chr1": np.arange(length, dtype=np.uint8) % 5, "chr2": np.array([0, 1, 2, 3, 4], np.uint8)}
    write_fasta(tmp_path / "genome.fa", contigs)
    lines = (tmp_path / "genome.fa").read_text().splitlines()
    assert max(len(line) for line in lines) <= 60
    assert (tmp_path / "genome.fa.fai").read_text().startswith(f"chr1\t{length}\t6\t")
    with Genome(tmp_path / "genome.fa") as genome:
        for chrom, codes in contigs.items():
            np.testing.assert_array_equal(genome.codes(chrom, 0, len(codes)), codes)


def test_targets_tile_without_overlap_on_the_grid_of_bins_and_away_from_n():
    codes = np.zeros(40_000, np.uint8)
    codes[:2_000] = codes[20_000:20_200] = 4
    regions = tile_regions({"chr1": codes}, {"chr1": "valid"}, 2048, 12)
    assert (regions["end"] - regions["start"] == 2048).all()
    assert regions["start"].min() >= 0
    assert regions["end"].max() <= len(codes)
    assert (regions["start"] % BIN_SIZE == 0).all()
    steps = np.diff(regions["start"])
    assert set(steps % 1536) == {0}
    assert steps.min() == 1536
    assert all((codes[row.start : row.end] == 4).mean() <= 0.05 for row in regions.itertuples())
    assert set(regions["split"]) == {"valid"}
    assert not ((regions["start"] < 20_200) & (regions["end"] > 20_200)).any()


@pytest.mark.parametrize(("context", "bins"), [(2048, 17), (2048, 11), (2000, 12), (2048, 0)])
def test_targets_that_are_not_central_are_an_error(context, bins):
    with pytest.raises(InputError, match=f"target_bins {bins} does not fit context_length {context}"):
        tile_regions({"chr1": np.zeros(10_000, np.uint8)}, {"chr1": "train"}, context, bins)
