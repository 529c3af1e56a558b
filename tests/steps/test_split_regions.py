import numpy as np
import pytest

from fineprior import cli
from fineprior.files.errors import InputError
from fineprior.genome.fasta import Genome
from fineprior.sequence.splits import by_homology
from fineprior.sequence.tracks import read_regions
from fineprior.steps.split_regions import split_regions

LENGTH = 400


@pytest.fixture
def fasta(tmp_path):
    """Three chromosomes of random bases; the end of the third is a copy of the start of the first."""
    rng = np.random.default_rng(1)
    one, two, three = ("".join(rng.choice(list("ACGT"), 8000)) for _ in range(3))
    path = tmp_path / "genome.fa"
    path.write_text(f">chr1\n{one}\n>chr2\n{two}\n>chr3\n{three[:6000] + one[:2000]}\n")
    return str(path)


def test_whole_chromosomes(fasta, tmp_path):
    out = str(tmp_path / "regions.bed")
    code = cli.main(["split-regions", "--fasta", fasta, "--length", str(LENGTH), "--by", "chromosome", "--valid", "2",
                     "--test", "chr3", "--output", out])  # fmt: skip
    assert code == 0
    made = read_regions(out, LENGTH)
    assert made.groupby("chrom")["split"].unique().str[0].to_dict() == {
        "chr1": "train", "chr2": "valid", "chr3": "test",
    }  # fmt: skip
    assert len(made) == 60


def test_alike_regions_are_on_one_side(fasta, tmp_path):
    out = tmp_path / "regions.bed"
    split_regions(fasta=fasta, by="homology", length=LENGTH, output=str(out), seed=3)
    made = read_regions(out, LENGTH)
    copies = made["split"][:5].tolist(), made["split"][55:].tolist()
    assert copies[0] == copies[1]
    with Genome(fasta) as genome:
        assert by_homology(made[["chrom", "start", "end"]], genome, 3)["split"].tolist() == made["split"].tolist()


def test_the_backbones_own_splits_and_intervals_about_their_middle(fasta, tmp_path):
    own, peaks, out = (tmp_path / name for name in ("own.bed", "peaks.bed", "regions.bed"))
    own.write_text("chr1\t0\t8000\ttrain\nchr2\t0\t8000\tvalid\nchr3\t0\t8000\ttest\n")
    peaks.write_text("chr1\t1000\t1100\nchr1\t0\t20\nchr2\t7990\t8000\nchr3\t3000\t3002\n")
    split_regions(fasta=fasta, by="backbone", length=LENGTH, output=str(out), regions=str(peaks),
                  backbone_regions=str(own))  # fmt: skip
    assert read_regions(out, LENGTH).to_numpy().tolist() == [
        ["chr1", 850, 1250, "train"], ["chr1", 0, 400, "train"], ["chr2", 7600, 8000, "valid"],
        ["chr3", 2801, 3201, "test"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"by": "chance"}, "--by: 'chance' is not allowed; allowed: chromosome, homology, backbone"),
        ({"by": "chromosome", "valid": "2"}, "--valid, --test: name the chromosomes"),
        ({"by": "chromosome", "valid": "2", "test": "9"}, "no region is on '9'"),
        ({"by": "backbone"}, "--backbone-regions: the BED"),
        ({"length": 0}, "--length 0"),
        ({"length": 9000}, "no region of 9000 bp fits"),
        ({"length": 8000}, "no valid region among 3"),
    ],
)
def test_mistakes(fasta, tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        split_regions(**{"fasta": fasta, "by": "homology", "length": LENGTH, "output": str(tmp_path / "o")} | change)
    assert not (tmp_path / "o").exists()
