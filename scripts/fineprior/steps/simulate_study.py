"""Rules simulate_genome, simulate_tracks and simulate_study: the embedded study and its truth."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from fineprior.files import tables
from fineprior.files.whole import atomic_path
from fineprior.genome.fasta import Genome
from fineprior.project.settings import EmbeddedSettings
from fineprior.sequence.motifs import read_motifs
from fineprior.simulate.embedded import embedded_coverage, embedded_genome, embedded_study, training_windows
from fineprior.simulate.grammar import write_bigwig
from fineprior.simulate.gwas import write_gwas
from fineprior.simulate.population import write_panel
from fineprior.simulate.synthetic_genome import write_fasta

if TYPE_CHECKING:
    from fineprior.simulate.embedded import Codes

log = logging.getLogger(__name__)


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
    contigs = embedded_genome(read_motifs(motifs), settings, seed)
    windows = training_windows(contigs, context_length, target_bins)
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
    with Genome(fasta) as genome:
        signals = embedded_coverage(bigwigs, _chromosomes(genome), read_motifs(motifs), settings, seed)
        for path, signal in signals:
            write_bigwig(path, genome.contigs, signal)


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

    Panel and GWAS are different samples of one population; half of the samples of the GWAS are cases.

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
    with Genome(fasta) as genome:
        study = embedded_study(genome.contigs, _chromosomes(genome), read_motifs(motifs), settings, seed)
    write_panel(panel, study.panel, study.panel_copies)
    tables.TRUTH.write(study.truth, truth)
    write_gwas(sumstats, study.gwas, study.cases, study.controls)


def _chromosomes(genome: Genome) -> "Iterator[tuple[str, Codes]]":
    for chrom, length in genome.contigs.items():
        yield chrom, genome.codes(chrom, 0, length)
