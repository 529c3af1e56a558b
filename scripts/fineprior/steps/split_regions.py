"""Command split-regions: the training regions of a project, made once before the first run."""

from fineprior.files.errors import InputError
from fineprior.genome.fasta import Genome
from fineprior.sequence.splits import (
    by_backbone,
    by_chromosome,
    by_homology,
    centred_regions,
    tile_regions,
    write_regions,
)

WAYS = ("chromosome", "homology", "backbone")


def split_regions(
    *,
    fasta: str,
    by: str,
    length: int,
    output: str,
    regions: str = "",
    stride: int = 0,
    valid: str = "",
    test: str = "",
    backbone_regions: str = "",
    seed: int = 1,
) -> None:
    """Make training regions (`regions` of the config): a BED with a split of training, validation and test.

    Parameters
    ----------
    fasta
        Genome.
    by
        chromosome: `valid` and `test` name chromosomes. homology: regions that share sequence are on the same side, a
        tenth each are validation and test. backbone: as the backbone's own regions that they overlap.
    length
        Length of a region in bases: backbone.context_length of the config.
    output
        BED with columns chrom, start, end, split.
    regions
        BED whose intervals are widened or cut to `length` about their middle; without it the genome is tiled.
    stride
        Bases from one tile to the next; `length` by default.
    valid, test
        Chromosomes, separated by commas.
    backbone_regions
        BED with a fourth column train, valid or test, as Enformer's sequences_hg38.bed.
    seed
        Of the draw by homology.

    Raises
    ------
    InputError
        An argument is unknown, absent or out of range; a file cannot be read; no region is left.
    """
    if by not in WAYS:
        raise InputError(f"--by: '{by}' is not allowed; allowed: {', '.join(WAYS)}")
    if length < 1 or stride < 0:
        raise InputError(f"--length {length}, --stride {stride}: a number of bases is needed")
    if by == "chromosome" and not (valid and test):
        raise InputError("--valid, --test: name the chromosomes of each, separated by commas")
    if by == "backbone" and not backbone_regions:
        raise InputError("--backbone-regions: the BED of the backbone's own regions is needed")
    with Genome(fasta) as genome:
        made = centred_regions(regions, length, genome) if regions else tile_regions(genome, length, stride or length)
        if made.empty:
            raise InputError(f"{regions or fasta}: no region of {length} bp fits")
        if by == "chromosome":
            made = by_chromosome(made, valid.split(","), test.split(","))
        elif by == "homology":
            made = by_homology(made, genome, seed)
        else:
            made = by_backbone(made, backbone_regions)
    for split in ("train", "valid", "test"):
        if not (made["split"] == split).any():
            raise InputError(f"no {split} region among {len(made)}; a head needs some of train, valid and test")
    write_regions(made, output)
