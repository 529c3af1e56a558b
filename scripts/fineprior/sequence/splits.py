"""Training regions: how they are made, which are held out, and which a backbone has seen before.

Held-out figures flatter where a test region was in the backbone's own training, or where it is a copy of a training
region: whole chromosomes, the backbone's own folds, or groups of like regions are held out together.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from fineprior.files.errors import InputError
from fineprior.files.whole import atomic_path
from fineprior.genome.bed import bed_lines
from fineprior.genome.contigs import Contigs, shown
from fineprior.genome.fasta import UNKNOWN, Genome, reverse_complement
from fineprior.genome.intervals import Intervals, read_intervals
from fineprior.sequence.tracks import SPLITS

KMER, KEPT_ONE_IN, COMMON = 24, 64, 50
"""Length of words that two like regions share; one word in so many is looked at; words of more regions are repeats."""

logger = logging.getLogger(__name__)


def tile_regions(
    genome: Genome, length: int, stride: int, chroms: Sequence[str] = (), max_n: float = 0.1
) -> pd.DataFrame:
    """Windows (chrom, start, end) of `length` every `stride` bases, without those with more unknown bases."""
    rows: list[tuple[str, int, int]] = []
    dropped = 0
    for chrom in chroms or genome.contigs:
        contig = genome.resolve(chrom)
        for start in range(0, genome.contigs[contig] - length + 1, stride):
            if (genome.codes(contig, start, start + length) == UNKNOWN).mean() <= max_n:
                rows.append((contig, start, start + length))
            else:
                dropped += 1
    logger.info("%d regions of %d bp; %d excluded for unknown bases", len(rows), length, dropped)
    return pd.DataFrame(rows, columns=["chrom", "start", "end"])


def centred_regions(path: str | Path, length: int, genome: Genome) -> pd.DataFrame:
    """Intervals of a BED as windows of `length` about their middle, moved where they would leave the chromosome."""
    rows: dict[tuple[str, int, int], None] = {}
    intervals = read_intervals(path, genome)
    short = 0
    for chrom, start, end in intervals:
        size = genome.contigs[chrom]
        if size < length:
            short += 1
            continue
        first = min(max((start + end - length) // 2, 0), size - length)
        rows[chrom, first, first + length] = None
    logger.info("%d regions of %d bp about the middles of %d intervals; %d on shorter chromosomes and %d duplicates "
                "are excluded", len(rows), length, len(intervals), short,
                len(intervals) - short - len(rows))  # fmt: skip
    return pd.DataFrame(list(rows), columns=["chrom", "start", "end"])


def by_chromosome(regions: pd.DataFrame, valid: Sequence[str], test: Sequence[str]) -> pd.DataFrame:
    """Regions with a column split: whole chromosomes are validation and test, the others training.

    Raises
    ------
    InputError
        A chromosome that no region is on, one that may mean several, or one in both lists.
    """
    known = Contigs("chromosomes of the regions", regions["chrom"].unique())
    names: dict[str, set[str]] = {"valid": set(), "test": set()}
    for split, chroms in (("valid", valid), ("test", test)):
        for chrom in chroms:
            if (found := known.find(chrom.strip())) is None:
                raise InputError(f"{split} chromosomes: no region is on '{chrom.strip()}'; there are {known}")
            names[split].add(found)
    if both := sorted(names["valid"] & names["test"]):
        raise InputError(f"chromosome '{both[0]}' is in both validation and test")
    held_out = [regions["chrom"].isin(names[split]) for split in ("valid", "test")]
    split_of = np.select(held_out, ["valid", "test"], "train")
    return regions.assign(split=split_of)


def by_backbone(regions: pd.DataFrame, path: str | Path) -> pd.DataFrame:
    """Regions with the split of the backbone's own regions that they overlap; those of none or several are excluded.

    Parameters
    ----------
    path
        BED with a fourth column train, valid or test, as Enformer's sequences_hg38.bed.
    """
    seen = _overlaps(regions, _folds(path))
    clear = seen.sum(1) == 1
    logger.info("%d regions lie in one split of %s; %d in none and %d in several are excluded", int(clear.sum()), path,
                int((seen.sum(1) == 0).sum()), int((seen.sum(1) > 1).sum()))  # fmt: skip
    split = np.array(SPLITS)[seen.argmax(1)]
    return regions.assign(split=split)[clear].reset_index(drop=True)


def by_homology(
    regions: pd.DataFrame, genome: Genome, seed: int, valid: float = 0.1, test: float = 0.1, shared: int = 3
) -> pd.DataFrame:
    """Regions with a column split, in which regions that share sequence or overlap are on the same side.

    Two regions that have `shared` sampled words of 24 bases in common, on either strand, are alike, and so are those
    alike to these; words in more than 50 regions are taken for repeats. About one word in 64 is sampled, by its hash
    (Broder 1997), so that about 200 shared bases are found. Groups are dealt out by chance, large ones first to
    training.

    Parameters
    ----------
    valid, test
        Share of the regions that are validation and test, at most.
    """
    group = homology_groups(regions, genome, shared)
    sizes = np.bincount(group)
    order = np.random.default_rng(seed).permutation(len(sizes))
    split_of = np.full(len(sizes), "train", dtype="<U5")
    room = {"valid": valid * len(regions), "test": test * len(regions)}
    for name in order[np.argsort(sizes[order], kind="stable")]:
        for split in room:
            if sizes[name] <= room[split]:
                room[split] -= sizes[name]
                split_of[name] = split
                break
    logger.info("%d regions in %d groups that share no sequence", len(regions), len(sizes))
    return regions.assign(split=split_of[group])


def homology_groups(regions: pd.DataFrame, genome: Genome, shared: int = 3) -> NDArray[np.int64]:
    """Group (regions,) of regions that overlap or are alike (see `by_homology`)."""
    words, owners = [], []
    for row, (chrom, start, end) in enumerate(zip(regions["chrom"], regions["start"], regions["end"], strict=True)):
        found = sampled_words(genome.codes(chrom, int(start), int(end)))
        words.append(found)
        owners.append(np.full(len(found), row))
    word, owner = np.concatenate(words), np.concatenate(owners)
    _, index, count = np.unique(word, return_inverse=True, return_counts=True)
    rare = count[index] <= COMMON
    incidence = coo_array((np.ones(int(rare.sum()), np.int32), (owner[rare], index[rare])),
                          shape=(len(regions), len(count))).tocsr()  # fmt: skip
    alike = (incidence @ incidence.T).tocoo()
    linked = alike.data >= shared
    first, second = _neighbours(regions)
    rows = np.concatenate([alike.row[linked], first])
    columns = np.concatenate([alike.col[linked], second])
    graph = coo_array((np.ones(len(rows)), (rows, columns)), shape=(len(regions), len(regions)))
    groups: NDArray[np.int64] = connected_components(graph, directed=False)[1].astype(np.int64)
    return groups


def sampled_words(codes: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Hashes of the sampled words of a sequence, the same for both strands, each once."""
    known = np.lib.stride_tricks.sliding_window_view(codes, KMER).max(1) < UNKNOWN
    both = [_packed(strand) for strand in (codes, reverse_complement(codes))]
    word = np.minimum(both[0], both[1][::-1])[known]
    # Knuth's multiplicative hash and a fold; the sample is by the hash, so that like sequences give the same words.
    mixed = word * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(29)
    return np.unique(mixed[mixed % np.uint64(KEPT_ONE_IN) == 0])


def _packed(codes: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Words (length - KMER + 1,) of 24 bases, two bits each."""
    packed = np.zeros(len(codes) - KMER + 1, np.uint64)
    for offset in range(KMER):
        packed = packed * np.uint64(4) + (codes[offset : offset + len(packed)] & 3).astype(np.uint64)
    return packed


def _neighbours(regions: pd.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of regions that overlap, enough of them to link each run of overlapping ones."""
    order = np.lexsort([regions["start"], regions["chrom"]])
    table = regions.iloc[order]
    reach = table.groupby("chrom")["end"].cummax().to_numpy()
    chrom, start = table["chrom"].to_numpy(), table["start"].to_numpy()
    overlap = (chrom[1:] == chrom[:-1]) & (start[1:] < reach[:-1])
    return order[:-1][overlap], order[1:][overlap]


def write_regions(regions: pd.DataFrame, path: str | Path) -> None:
    """Write BED with columns chrom, start, end, split."""
    with atomic_path(path) as temporary:
        regions[["chrom", "start", "end", "split"]].to_csv(temporary, sep="\t", header=False, index=False)


def warn_of_seen(regions: pd.DataFrame, path: str | Path) -> int:
    """Warn of test regions that overlap what a backbone was trained on; returns how many.

    Parameters
    ----------
    path
        BED with a fourth column train, valid or test, as Enformer's sequences_hg38.bed.
    """
    test = regions[regions["split"] == "test"]
    folds = _folds(path)
    if not any(part.names.find(chrom) for part in folds.values() for chrom in regions["chrom"].unique()):
        logger.warning("%s: none of its chromosomes (%s) is one of the regions'; whether the backbone was trained on "
                       "them cannot be said", path, shown(folds["train"].spans))  # fmt: skip
    seen = _overlaps(test, folds)
    trained = seen[:, SPLITS.index("train")]
    count = int(trained.sum())
    if count:
        row = test.iloc[int(trained.argmax())]
        logger.warning(
            "%d of %d test regions overlap regions that the backbone was trained on (%s), the first is %s:%d-%d; their "
            "figures flatter", count, len(test), path, row["chrom"], row["start"], row["end"],
        )  # fmt: skip
    return count


def _folds(path: str | Path) -> dict[str, Intervals]:
    """Stretches of each split of a BED with a fourth column train, valid or test."""
    rows: dict[str, list[tuple[str, int, int]]] = {split: [] for split in SPLITS}
    for line in bed_lines(path, "a BED file with chrom, start, end and train, valid or test"):
        split = line.more[0] if line.more else ""
        if split not in rows:
            raise InputError(
                f"{line.where}: '{split}' is not a split; a line must be chrom, start, end and train, valid or test"
            )
        rows[split].append((line.chrom, line.start, line.end))
    return {split: Intervals.of(found, str(path)) for split, found in rows.items()}


def _overlaps(regions: pd.DataFrame, folds: dict[str, Intervals]) -> NDArray[np.bool_]:
    """Whether each region (regions, splits) overlaps one of a split."""
    chrom, start = regions["chrom"].to_numpy(dtype=np.str_), regions["start"].to_numpy(np.int64)
    widths = (regions["end"] - regions["start"]).to_numpy(np.int64)
    seen = np.zeros((len(regions), len(SPLITS)), bool)
    for width in np.unique(widths):
        rows = widths == width
        for column, split in enumerate(SPLITS):
            seen[rows, column] = folds[split].covered(chrom[rows], start[rows], int(width)) > 0
    return seen
