"""The embedded study from one seed: genome, training windows, tracks, panel, GWAS and truth.

Each purpose has its own stream of random numbers, by seed, purpose, and number of the chromosome or track, so that a
change of one part leaves the others as they are.
"""

import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fineprior.files import tables
from fineprior.files.arrays import ReadOnly
from fineprior.files.errors import InputError
from fineprior.genome.alleles import is_palindromic, variant_id
from fineprior.genome.fasta import BASES
from fineprior.project.settings import EmbeddedSettings
from fineprior.sequence.motifs import Motif, occupancy
from fineprior.simulate.grammar import (
    BIN_SIZE,
    disease_activity,
    general_activity,
    grammar_motifs,
    simulate_coverage,
    track_effects,
)
from fineprior.simulate.gwas import score_test, vary_rows
from fineprior.simulate.population import simulate_population
from fineprior.simulate.synthetic_genome import simulate_sequence, tile_regions
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

Codes = NDArray[np.uint8]
Dosages = NDArray[np.int8]

MIN_MAF = 0.005
"""Smallest minor allele frequency in the panel's files, and in the GWAS."""
_NOT_IN_PANEL = 0.002
_AMBIGUOUS_MAF = 0.4
_LETTERS = np.array(list(BASES))
_GENOME, _TRACKS, _POPULATION, _FILES, _TRAIT = range(5)


def _generator(seed: int, purpose: int, number: int = 0) -> np.random.Generator:
    return np.random.default_rng([seed, purpose, number])


def embedded_genome(motifs: Sequence[Motif], settings: EmbeddedSettings, seed: int) -> dict[str, Codes]:
    """Bases (length,) of each chromosome, named chr1, chr2, and so on.

    Raises
    ------
    InputError
        A motif of the grammar is absent, or there are fewer than 3 chromosomes.
    """
    grammar_motifs(motifs)
    if settings.chromosomes < 3:
        raise InputError(f"embedded.chromosomes: {settings.chromosomes} is not allowed; 3 or more (train, valid, test)")
    return {
        f"chr{number}": simulate_sequence(settings.chromosome_length, motifs, _generator(seed, _GENOME, number))
        for number in range(1, settings.chromosomes + 1)
    }


def training_windows(contigs: Mapping[str, Codes], context_length: int, target_bins: int) -> pd.DataFrame:
    """Training windows as from `tile_regions`: the last chromosome is for testing, the one before for validation."""
    splits = dict(zip(contigs, ["train"] * (len(contigs) - 2) + ["valid", "test"], strict=True))
    return tile_regions(dict(contigs), splits, context_length, target_bins)


def embedded_coverage(
    files: Sequence[str | Path],
    chromosomes: Iterable[tuple[str, Codes]],
    motifs: Sequence[Motif],
    settings: EmbeddedSettings,
    seed: int,
) -> Iterator[tuple[str | Path, dict[str, NDArray[np.float32]]]]:
    """Noisy coverage of one track after another: its file, and its values (bins,) by chromosome.

    Parameters
    ----------
    files
        Their names say which tracks: disease1.bw, disease2.bw, ... and general1.bw, ...
    chromosomes
        Name and bases of each chromosome.
    motifs, settings, seed
        The motifs of the grammar; number of disease tracks; seed of the study.

    Raises
    ------
    InputError
        A file has another name, or there is no such track.
    """
    tracks = [_kind_and_number(Path(path)) for path in files]
    occupied = {chrom: occupancy(codes, motifs, BIN_SIZE) for chrom, codes in chromosomes}
    general_tracks = max([number for kind, number in tracks if kind == "general"], default=1)
    activity = {
        chrom: {
            "disease": disease_activity(values, motifs, settings.disease_tracks),
            "general": general_activity(values, motifs, general_tracks),
        }
        for chrom, values in occupied.items()
    }
    for path, (kind, number) in zip(files, tracks, strict=True):
        if kind == "disease" and number > settings.disease_tracks:
            raise InputError(f"{path}: there are embedded.disease_tracks = {settings.disease_tracks} disease tracks")
        rng = _generator(seed, _TRACKS, 2 * number + (kind == "disease"))
        signal = {chrom: simulate_coverage(activity[chrom][kind][:, number - 1], rng) for chrom in occupied}
        log.info("%s: mean %.2f", path, np.mean([values.mean() for values in signal.values()]))
        yield path, signal


def _kind_and_number(path: Path) -> tuple[str, int]:
    match = re.fullmatch(r"(disease|general)([1-9][0-9]?)", path.stem)
    if not match:
        raise InputError(f"{path}: simulated tracks are named disease1.bw, ... and general1.bw, ...")
    return match[1], int(match[2])


@dataclass(frozen=True)
class EmbeddedStudy(ReadOnly):
    """Panel, GWAS and truth of the embedded study.

    panel: chrom, pos, snp_id, a1, a2 of the variants in the panel; panel_copies: copies (samples, variants) of A1, an
    array for each chromosome; gwas: columns of GWAS-SSF; truth: TRUTH.
    """

    panel: pd.DataFrame
    panel_copies: Sequence[Dosages]
    gwas: pd.DataFrame
    cases: int
    controls: int
    truth: pd.DataFrame


def embedded_study(
    lengths: dict[str, int],
    chromosomes: Iterable[tuple[str, Codes]],
    motifs: Sequence[Motif],
    settings: EmbeddedSettings,
    seed: int,
) -> EmbeddedStudy:
    """Simulate a population, and in it a panel and a GWAS of other samples, half of them cases.

    Parameters
    ----------
    lengths
        Length (bp) of each chromosome.
    chromosomes
        Name and bases of each, in the same order.
    motifs, settings, seed
        The motifs of the grammar; sizes, heritability and enrichment; seed of the study.

    Raises
    ------
    InputError
        A motif is absent, or chromosomes are too short for so many loci.
    """
    pieces = divide_into_pieces(lengths, settings.causal_loci)
    parts = [
        _variants_of_chromosome(chrom, codes, pieces[chrom], motifs, settings, _generator(seed, _POPULATION, number))
        for number, (chrom, codes) in enumerate(chromosomes, 1)
    ]
    variants = _named(pd.concat([table for table, _ in parts], ignore_index=True))
    dosages = [copies for _, copies in parts]
    panel, panel_copies = _panel(variants, dosages, settings.panel_size, _generator(seed, _FILES, 1))

    rng = _generator(seed, _TRAIT)
    variants["functional"] = functional_variants(variants["track_effect"].to_numpy(), variants["common"].to_numpy())
    causal = choose_causal(variants, lengths, settings.causal_loci, settings.enrichment, rng)
    of_gwas = [copies[:, settings.panel_size :] for copies in dosages]
    of_causal = _rows_of(of_gwas, causal.rows)
    effects = draw_effects(causal, of_causal, settings.heritability, rng)
    cases = draw_cases(genetic_values(of_causal, effects), settings.heritability, rng)

    kept = variants["in_gwas"].to_numpy()
    results = pd.concat([score_test(copies, cases) for copies in _split(of_gwas, kept)], ignore_index=True)
    gwas = variants[kept].reset_index(drop=True).join(results)
    gwas["n"] = settings.gwas_size
    is_causal = np.isin(np.flatnonzero(kept), causal.rows)
    gwas = vary_rows(gwas, is_causal, _generator(seed, _FILES, 2))
    log.info("%d variants in the GWAS, %d causal in %d loci", len(gwas), len(effects), settings.causal_loci)
    truth = _truth(variants, causal, effects)
    return EmbeddedStudy(panel, panel_copies, gwas, int(cases.sum()), int((~cases).sum()), truth)


def _variants_of_chromosome(
    chrom: str,
    codes: Codes,
    pieces: list[tuple[int, int]],
    motifs: Sequence[Motif],
    settings: EmbeddedSettings,
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, Dosages]:
    """Variants of panel and GWAS with what the choice of causal ones needs, and dosages (variants, samples) of ALT.

    track_effect is computed for common variants; it is 0 for the others.
    """
    samples = settings.panel_size + settings.gwas_size
    population = simulate_population(codes, pieces, samples, MIN_MAF / 2, rng)
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
    return table, population.dosages


def _minor_frequency(dosages: Dosages) -> NDArray[np.float64]:
    frequency = dosages.sum(1, dtype=np.int64) / (2 * dosages.shape[1])
    minor: NDArray[np.float64] = np.minimum(frequency, 1 - frequency)
    return minor


def _named(variants: pd.DataFrame) -> pd.DataFrame:
    """Add the columns of the files: chromosomes are plain numbers there, and variants are rs1000001 and so on."""
    return variants.assign(
        rsid=[f"rs{1_000_001 + row}" for row in range(len(variants))],
        chromosome=variants["chrom"].str.removeprefix("chr"),
        base_pair_location=variants["pos"],
        effect_allele=variants["alt"],
        other_allele=variants["ref"],
    )


def _panel(
    variants: pd.DataFrame, dosages: list[Dosages], size: int, rng: np.random.Generator
) -> tuple[pd.DataFrame, list[Dosages]]:
    """Variants of the panel and copies of A1 in the first `size` samples; A1 is ALT or REF at random."""
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
    log.info("%d variants in the panel", int(kept.sum()))
    return table[kept].reset_index(drop=True), [copies.T for copies in _split(a1, kept)]


def _truth(variants: pd.DataFrame, causal: Causal, effects: NDArray[np.float64]) -> pd.DataFrame:
    table = variants.iloc[causal.rows].assign(effect=effects)
    table["variant_id"] = variant_id(table["chrom"], table["pos"], table["ref"], table["alt"])
    return table.sort_index()[tables.TRUTH.names]


def _pieces(values: NDArray[np.bool_], dosages: list[Dosages]) -> list[NDArray[np.bool_]]:
    """Flags of all variants, split by chromosome."""
    return np.split(values, np.cumsum([len(copies) for copies in dosages])[:-1])


def _split(dosages: list[Dosages], kept: NDArray[np.bool_]) -> Iterator[Dosages]:
    """Dosages of the kept variants, one chromosome at a time."""
    return (copies[piece] for copies, piece in zip(dosages, _pieces(kept, dosages), strict=True))


def _rows_of(dosages: list[Dosages], rows: NDArray[np.int64]) -> Dosages:
    """Dosages (rows, samples) of some variants, numbered over all chromosomes."""
    ends = np.cumsum([len(copies) for copies in dosages])
    chromosomes = np.searchsorted(ends, rows, side="right")
    return np.stack(
        [
            dosages[chrom][row - (ends[chrom] - len(dosages[chrom]))]
            for chrom, row in zip(chromosomes, rows, strict=True)
        ]
    )
