"""Rules simulate_genome, simulate_tracks and simulate_study: the embedded study and its truth."""

import logging
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fineprior.files import tables
from fineprior.files.errors import InputError
from fineprior.files.whole import atomic_path
from fineprior.genome.alleles import is_palindromic, variant_id
from fineprior.genome.fasta import BASES, Genome
from fineprior.project.settings import EmbeddedSettings
from fineprior.sequence.motifs import Motif, occupancy, read_motifs
from fineprior.simulate.bed_writer import write_panel
from fineprior.simulate.grammar import (
    BIN_SIZE,
    disease_activity,
    general_activity,
    grammar_motifs,
    simulate_coverage,
    track_effects,
    write_bigwig,
)
from fineprior.simulate.gwas import associate, vary_rows, write_gwas
from fineprior.simulate.population import Population, simulate_population
from fineprior.simulate.synthetic_genome import simulate_sequence, tile_regions, write_fasta
from fineprior.simulate.trait import (
    CAUSAL_MIN_MAF,
    Causal,
    choose_causal,
    divide_into_pieces,
    draw_cases,
    draw_effects,
    functional_variants,
    genetic_values,
)

log = logging.getLogger(__name__)

MIN_MAF = 0.005
"""Smallest minor allele frequency in the panel's files, and in the GWAS."""
_NOT_IN_PANEL = 0.002
_AMBIGUOUS_MAF = 0.4
_LETTERS = np.array(list(BASES))
_GENOME, _TRACKS, _PEOPLE, _FILES, _TRAIT = range(5)


def _generator(seed: int, purpose: int, number: int = 0) -> np.random.Generator:
    """A stream of its own for each purpose and chromosome or track."""
    return np.random.default_rng([seed, purpose, number])


def simulate_genome(
    *,
    motifs: str | Path,
    fasta: str | Path,
    regions: str | Path,
    settings: EmbeddedSettings,
    context_length: int,
    target_bins: int,
    seed: int,
) -> None:
    """Write the genome (FASTA, .fai) and the training windows (BED with a fourth column, the split).

    The last chromosome is for testing, the one before it for validation, all others for training.

    Parameters
    ----------
    motifs
        MEME file of the motifs that regulatory elements are made of.
    fasta, regions
        Files to write.
    settings
        Number and length of chromosomes.
    context_length, target_bins
        Window of the backbone (bp) and the bins at its centre that are predicted.
    seed
        Seed of the study.

    Raises
    ------
    InputError
        A motif is absent, there are fewer than 3 chromosomes, or the target bins do not fit the window.
    """
    read = read_motifs(motifs)
    grammar_motifs(read)
    if settings.chromosomes < 3:
        raise InputError(f"embedded.chromosomes: {settings.chromosomes} is not allowed; 3 or more (train, valid, test)")
    contigs = {
        f"chr{number}": simulate_sequence(settings.chromosome_length, read, _generator(seed, _GENOME, number))
        for number in range(1, settings.chromosomes + 1)
    }
    splits = dict(zip(contigs, ["train"] * (len(contigs) - 2) + ["valid", "test"], strict=True))
    windows = tile_regions(contigs, splits, context_length, target_bins)
    write_fasta(fasta, contigs)
    with atomic_path(regions) as temporary:
        windows.to_csv(temporary, sep="\t", header=False, index=False)
    log.info("%d chromosomes of %d bp, %d windows", len(contigs), settings.chromosome_length, len(windows))


def simulate_tracks(
    *, motifs: str | Path, fasta: str | Path, bigwigs: list[str], settings: EmbeddedSettings, seed: int
) -> None:
    """Write noisy coverage of general and disease tracks.

    Parameters
    ----------
    motifs, fasta
        Motifs and genome.
    bigwigs
        Files to write, named disease1.bw, disease2.bw, ... and general1.bw, ...
    settings
        Number of disease tracks.
    seed
        Seed of the study.

    Raises
    ------
    InputError
        A file has another name, or there is no such track.
    """
    kinds = [_kind_of_track(Path(path)) for path in bigwigs]
    read = read_motifs(motifs)
    with Genome(fasta) as genome:
        occupied = {chrom: occupancy(codes, read, BIN_SIZE) for chrom, codes in _chromosomes(genome)}
        contigs = genome.contigs
    count = {"general": max([number for kind, number in kinds if kind == "general"], default=1)}
    activity = {
        chrom: {
            "disease": disease_activity(values, read, settings.disease_tracks),
            "general": general_activity(values, read, count["general"]),
        }
        for chrom, values in occupied.items()
    }
    for path, (kind, number) in zip(bigwigs, kinds, strict=True):
        if kind == "disease" and number > settings.disease_tracks:
            raise InputError(f"{path}: there are embedded.disease_tracks = {settings.disease_tracks} disease tracks")
        rng = _generator(seed, _TRACKS, 2 * number + (kind == "disease"))
        signal = {chrom: simulate_coverage(activity[chrom][kind][:, number - 1], rng) for chrom in contigs}
        write_bigwig(path, contigs, signal)
        log.info("%s: mean %.2f", path, np.mean([values.mean() for values in signal.values()]))


def _kind_of_track(path: Path) -> tuple[str, int]:
    match = re.fullmatch(r"(disease|general)([1-9][0-9]?)", path.stem)
    if not match:
        raise InputError(f"{path}: simulated tracks are named disease1.bw, ... and general1.bw, ...")
    return match[1], int(match[2])


def _chromosomes(genome: Genome) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    for chrom, length in genome.contigs.items():
        yield chrom, genome.codes(chrom, 0, length)


def simulate_study(
    *,
    motifs: str | Path,
    fasta: str | Path,
    panel: str | Path,
    sumstats: str | Path,
    truth: str | Path,
    settings: EmbeddedSettings,
    seed: int,
) -> None:
    """Write the panel (PLINK), the GWAS (GWAS-SSF with metadata) and the truth (TRUTH).

    Panel and GWAS are different people of one population; half of the people of the GWAS are cases.

    Parameters
    ----------
    motifs, fasta
        Motifs and genome.
    panel
        Prefix of the PLINK files to write.
    sumstats, truth
        Files to write.
    settings
        Sizes, heritability, enrichment.
    seed
        Seed of the study.

    Raises
    ------
    InputError
        A motif is absent, or chromosomes are too short for so many loci.
    """
    read = read_motifs(motifs)
    with Genome(fasta) as genome:
        lengths = genome.contigs
        pieces = divide_into_pieces(lengths, settings.causal_loci)
        parts = [
            _variants_of_chromosome(chrom, codes, pieces[chrom], read, settings, _generator(seed, _PEOPLE, number))
            for number, (chrom, codes) in enumerate(_chromosomes(genome), 1)
        ]
    variants = pd.concat([table for table, _ in parts], ignore_index=True)
    _name_variants(variants)
    dosages = [population.dosages for _, population in parts]
    _write_panel(panel, variants, dosages, settings.panel_size, _generator(seed, _FILES, 1))

    rng = _generator(seed, _TRAIT)
    variants["functional"] = functional_variants(variants["track_effect"].to_numpy(), variants["common"].to_numpy())
    causal = choose_causal(variants, lengths, settings.causal_loci, settings.enrichment, rng)
    gwas = [copies[:, settings.panel_size :] for copies in dosages]
    of_causal = _rows_of(gwas, causal.rows)
    effects = draw_effects(causal, of_causal, settings.heritability, rng)
    cases = draw_cases(genetic_values(of_causal, effects), settings.heritability, rng)

    _write_truth(truth, variants, causal, effects)
    kept = variants["in_gwas"].to_numpy()
    results = pd.concat([associate(copies, cases) for copies in _split(gwas, kept)], ignore_index=True)
    table = variants[kept].reset_index(drop=True).join(results)
    table["n"] = settings.gwas_size
    is_causal = np.isin(np.flatnonzero(kept), causal.rows)
    table = vary_rows(table, is_causal, _generator(seed, _FILES, 2))
    write_gwas(sumstats, table, int(cases.sum()), int((~cases).sum()))
    log.info("%d variants in the GWAS, %d causal in %d loci", len(table), len(effects), settings.causal_loci)


def _variants_of_chromosome(
    chrom: str,
    codes: NDArray[np.uint8],
    pieces: list[tuple[int, int]],
    motifs: list[Motif],
    settings: EmbeddedSettings,
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, Population]:
    """Variants with what the choice of causal ones needs; track_effect is 0 for those that are not common."""
    people = settings.panel_size + settings.gwas_size
    population = simulate_population(codes, pieces, people, MIN_MAF / 2, rng)
    panel_maf, gwas_maf = (
        _minor_frequency(copies) for copies in np.split(population.dosages, [settings.panel_size], axis=1)
    )
    table = pd.DataFrame(
        {
            "chrom": chrom,
            "pos": population.positions + 1,
            "ref": _LETTERS[population.ref],
            "alt": _LETTERS[population.alt],
            "in_panel": (panel_maf >= MIN_MAF) & (rng.random(len(panel_maf)) >= _NOT_IN_PANEL),
            "in_gwas": gwas_maf >= MIN_MAF,
            "common": np.minimum(panel_maf, gwas_maf) >= CAUSAL_MIN_MAF,
            "track_effect": 0.0,
        }
    )
    palindromic = np.array([is_palindromic(*pair) for pair in zip(table["ref"], table["alt"], strict=True)], bool)
    # A causal variant is one that any careful harmonisation can keep.
    table["eligible"] = table["common"] & table["in_panel"] & ~(palindromic & (gwas_maf > _AMBIGUOUS_MAF))
    rows = np.flatnonzero(table["common"])
    table.loc[rows, "track_effect"] = track_effects(
        codes, population.positions[rows], population.alt[rows], motifs, settings.disease_tracks
    )
    return table, population


def _minor_frequency(dosages: NDArray[np.int8]) -> NDArray[np.float64]:
    frequency = dosages.sum(1, dtype=np.int64) / (2 * dosages.shape[1])
    minor: NDArray[np.float64] = np.minimum(frequency, 1 - frequency)
    return minor


def _name_variants(variants: pd.DataFrame) -> None:
    """Columns of the files, in place: chromosomes as plain numbers there, names rs1000001 and so on."""
    variants["rsid"] = [f"rs{1_000_001 + row}" for row in range(len(variants))]
    variants["chromosome"] = variants["chrom"].str.removeprefix("chr")
    variants["base_pair_location"] = variants["pos"]
    variants["effect_allele"] = variants["alt"]
    variants["other_allele"] = variants["ref"]


def _write_panel(
    prefix: str | Path, variants: pd.DataFrame, dosages: list[NDArray[np.int8]], size: int, rng: np.random.Generator
) -> None:
    """PLINK files of the first `size` people; A1 is by turns the alternative and the reference allele, at random."""
    kept = variants["in_panel"].to_numpy()
    counts_ref = rng.random(len(variants)) < 0.5
    table = pd.DataFrame(
        {
            "chrom": variants["chromosome"],
            "pos": variants["pos"],
            "snp_id": variants["rsid"],
            "a1": variants["ref"].where(counts_ref, variants["alt"]),
            "a2": variants["alt"].where(counts_ref, variants["ref"]),
        }
    )
    a1 = [
        np.where(reference[:, None], 2 - copies[:, :size], copies[:, :size]).astype(np.int8)
        for copies, reference in zip(dosages, _pieces(counts_ref, dosages), strict=True)
    ]
    write_panel(prefix, table[kept].reset_index(drop=True), (copies.T for copies in _split(a1, kept)))
    log.info("%d variants in the panel", int(kept.sum()))


def _write_truth(path: str | Path, variants: pd.DataFrame, causal: Causal, effects: NDArray[np.float64]) -> None:
    table = variants.iloc[causal.rows].assign(effect=effects)
    table["variant_id"] = variant_id(table["chrom"], table["pos"], table["ref"], table["alt"])
    table = table.sort_index()
    tables.TRUTH.write(table[tables.TRUTH.names], path)


def _pieces(values: NDArray[np.bool_], dosages: list[NDArray[np.int8]]) -> list[NDArray[np.bool_]]:
    """Values of all variants, cut by chromosome."""
    return np.split(values, np.cumsum([len(copies) for copies in dosages])[:-1])


def _split(dosages: list[NDArray[np.int8]], kept: NDArray[np.bool_]) -> Iterator[NDArray[np.int8]]:
    """The kept variants of each chromosome, one chromosome at a time."""
    return (copies[piece] for copies, piece in zip(dosages, _pieces(kept, dosages), strict=True))


def _rows_of(dosages: list[NDArray[np.int8]], rows: NDArray[np.int64]) -> NDArray[np.int8]:
    """Copies (rows, people) of some variants, which are numbered over all chromosomes."""
    ends = np.cumsum([len(copies) for copies in dosages])
    chromosomes = np.searchsorted(ends, rows, side="right")
    return np.stack(
        [
            dosages[chrom][row - (ends[chrom] - len(dosages[chrom]))]
            for chrom, row in zip(chromosomes, rows, strict=True)
        ]
    )
