import numpy as np
import pandas as pd
import pytest

from fineprior.files.errors import InputError
from fineprior.genome.fasta import Genome
from fineprior.sequence import splits
from fineprior.sequence.splits import (
    by_backbone,
    by_chromosome,
    by_homology,
    homology_groups,
    sampled_words,
    tile_regions,
    warn_of_seen,
    write_regions,
)
from fineprior.sequence.tracks import read_regions

WIDTH = 4000


@pytest.fixture
def genome(tmp_path):
    """Three chromosomes of 40 kb; chr2's region 3 is a copy of chr1's region 5, in reverse complement, with changes."""
    rng = np.random.default_rng(1)
    chroms = {name: rng.integers(0, 4, 40_000) for name in ("chr1", "chr2", "chr3")}
    copy = 3 - chroms["chr1"][5 * WIDTH : 6 * WIDTH][::-1].copy()
    changed = rng.random(WIDTH) < 0.01
    copy[changed] = (copy[changed] + 1) % 4
    chroms["chr2"][3 * WIDTH : 4 * WIDTH] = copy
    chroms["chr3"][:3000] = 4
    text = "".join(f">{name}\n{''.join('ACGTN'[code] for code in codes)}\n" for name, codes in chroms.items())
    (tmp_path / "genome.fa").write_text(text)
    with Genome(tmp_path / "genome.fa") as opened:
        yield opened


def test_tiles_without_unknown_stretches(genome):
    regions = tile_regions(genome, WIDTH, WIDTH)
    assert regions.groupby("chrom").size().to_dict() == {"chr1": 10, "chr2": 10, "chr3": 9}


def test_whole_chromosomes(genome, tmp_path):
    regions = by_chromosome(tile_regions(genome, WIDTH, WIDTH), ["2"], ["chr3"])
    assert regions.groupby("chrom")["split"].unique().str.join("").to_dict() == {
        "chr1": "train", "chr2": "valid", "chr3": "test",
    }  # fmt: skip
    write_regions(regions, tmp_path / "regions.bed")
    assert read_regions(tmp_path / "regions.bed", WIDTH).equals(regions)
    with pytest.raises(InputError, match="no region is on '9'"):
        by_chromosome(regions, ["9"], ["chr3"])
    with pytest.raises(InputError, match="'chr3' is in both"):
        by_chromosome(regions, ["3"], ["chr3"])


def test_whole_chromosomes_of_two_species():
    regions = pd.DataFrame({"chrom": ["chrX", "X", "chr1", "chr2"], "start": 0, "end": 5})
    assert by_chromosome(regions, ["X"], ["2"])["split"].tolist() == ["train", "valid", "train", "test"]
    with pytest.raises(InputError, match=r"chromosomes of the regions: '23' may mean 'chrX' or 'X'"):
        by_chromosome(regions, ["23"], ["2"])


def test_copies_are_in_one_group_on_either_strand(genome):
    regions = tile_regions(genome, WIDTH, WIDTH)
    groups = homology_groups(regions, genome)
    assert groups[5] == groups[10 + 3]
    assert len(set(groups)) == len(regions) - 1
    overlapping = tile_regions(genome, WIDTH, WIDTH // 2)
    assert homology_groups(overlapping[overlapping["chrom"] == "chr3"].reset_index(drop=True), genome).max() == 0


def test_like_regions_share_enough_words_that_are_no_repeat(genome, monkeypatch):
    regions = tile_regions(genome, WIDTH, WIDTH)
    one, two = (sampled_words(genome.codes(*regions.loc[row, ["chrom", "start", "end"]])) for row in (5, 13))
    common = len(np.intersect1d(one, two))
    assert common > 3
    for shared, alike in ((common, True), (common + 1, False)):
        groups = homology_groups(regions, genome, shared)
        assert (groups[5] == groups[13]) == alike
    monkeypatch.setattr(splits, "COMMON", 1)
    groups = homology_groups(regions, genome)
    assert groups[5] != groups[13]


@pytest.mark.slow
def test_no_group_is_in_two_splits(genome):
    regions = tile_regions(genome, WIDTH, WIDTH)
    for seed in range(5):
        split = by_homology(regions, genome, seed, 0.2, 0.2)["split"]
        assert split[5] == split[13]
        assert split.value_counts().to_dict().keys() == {"train", "valid", "test"}
        assert (split == "test").sum() <= 0.2 * len(regions)


def test_words_are_those_of_both_strands():
    codes = np.random.default_rng(2).integers(0, 4, 5000).astype(np.uint8)
    assert np.array_equal(sampled_words(codes), sampled_words(3 - codes[::-1]))
    assert 40 < len(sampled_words(codes)) < 120
    codes[::20] = 4
    assert not len(sampled_words(codes))


def folds(tmp_path):
    (tmp_path / "seen.bed").write_text("chr1\t0\t5000\ttrain\nchr1\t5000\t9000\ttest\nchr1\t9000\t12000\tvalid\n")
    return tmp_path / "seen.bed"


def test_splits_of_the_backbone(tmp_path, caplog):
    regions = pd.DataFrame({"chrom": ["1", "1", "1", "1"], "start": [0, 4500, 6000, 20_000],
                            "end": [1000, 5500, 7000, 21_000]})  # fmt: skip
    caplog.set_level("INFO")
    found = by_backbone(regions, folds(tmp_path))
    assert found["split"].tolist() == ["train", "test"]
    assert found["start"].tolist() == [0, 6000]
    assert "1 in none and 1 in several are excluded" in caplog.text


def test_a_test_region_that_the_backbone_was_trained_on_is_warned_of(tmp_path, caplog):
    regions = pd.DataFrame({"chrom": "chr1", "start": [0, 6000], "end": [1000, 7000], "split": ["test", "test"]})
    assert warn_of_seen(regions, folds(tmp_path)) == 1
    assert "1 of 2 test regions overlap regions that the backbone was trained on" in caplog.text
    assert "chr1:0-1000" in caplog.text
    caplog.clear()
    assert warn_of_seen(regions.iloc[1:], folds(tmp_path)) == 0
    assert not caplog.text


def test_folds_by_other_names_are_warned_of(tmp_path, caplog):
    (tmp_path / "seen.bed").write_text("NC_000001.11\t0\t5000\ttrain\n")
    regions = pd.DataFrame({"chrom": ["1"], "start": [0], "end": [1000], "split": ["test"]})
    assert warn_of_seen(regions, tmp_path / "seen.bed") == 0
    assert "none of its chromosomes (NC_000001.11) is one of the regions'" in caplog.text


def test_wrong_folds(tmp_path):
    (tmp_path / "seen.bed").write_text("chr1\t0\t5000\tfold1\n")
    regions = pd.DataFrame({"chrom": ["1"], "start": [0], "end": [1000], "split": ["test"]})
    with pytest.raises(InputError, match=r"seen.bed, line 1: .* must be chrom, start, end and train, valid or test"):
        warn_of_seen(regions, tmp_path / "seen.bed")


@pytest.mark.slow
def test_enformers_own_regions(shared_data):
    path = shared_data / "enformer" / "sequences_hg38.bed"
    if not path.is_file():
        pytest.skip("no regions of Enformer among the real data")
    regions = read_regions(path, 196_608)
    assert regions["split"].value_counts().to_dict() == {"train": 34_021, "valid": 2_213, "test": 1_937}
    # Enformer's windows reach over those of other splits; what must not is the 114,688 bp of targets.
    centre = regions.assign(start=regions["start"] + 40_960, end=regions["end"] - 40_960)
    assert by_backbone(centre[["chrom", "start", "end"]], path)["split"].isin(["train", "valid", "test"]).all()


@pytest.mark.slow
@pytest.mark.parametrize(("count", "alike"), [(2, False), (3, True)])
def test_three_shared_words_make_regions_alike_and_two_do_not(tmp_path, caplog, count, alike):
    one, other = np.random.default_rng(6).integers(0, 4, (2, WIDTH)).astype(np.uint8)
    for shared in range(WIDTH):
        mixed = np.concatenate([one[:shared], other[shared:]])
        if len(np.intersect1d(sampled_words(one), sampled_words(mixed))) == count:
            break
    texts = ["".join("ACGT"[code] for code in codes) for codes in (one, mixed)]
    (tmp_path / "g.fa").write_text(f">chr1\n{texts[0]}\n>chr2\n{texts[1]}\n")
    caplog.set_level("INFO")
    with Genome(tmp_path / "g.fa") as genome:
        regions = tile_regions(genome, WIDTH, WIDTH)
        assert (len(set(homology_groups(regions, genome))) == 1) == alike
        by_homology(regions, genome, 1)
    assert f"2 regions in {1 if alike else 2} groups" in caplog.text
