"""Rule pretrain_masked: a backbone from the sequence of the training regions."""

from dataclasses import asdict
from pathlib import Path

from fineprior.genome.fasta import Genome
from fineprior.project.settings import MaskedSettings
from fineprior.sequence.target_parts import GenomeCodes
from fineprior.sequence.tracks import read_regions


def pretrain_masked(
    *,
    fasta: str,
    regions: str,
    folder: str,
    store: str,
    context_length: int,
    settings: MaskedSettings,
    seed: int,
    threads: int,
    code: str = "",
) -> None:
    """Pretrain a backbone on the sequence of the training regions: config.json, model.safetensors, metrics.json.

    A run that was killed goes on from the last checkpoint in the `store`, unless settings, regions or `code`, the
    digest of the code, are others.
    """
    from fineprior.heads import masked
    from fineprior.heads.optimisation import checkpoint_folder

    with Genome(fasta) as genome:
        table = read_regions(regions, context_length, genome)
        split = table["split"].to_numpy(dtype=str)
        codes = GenomeCodes(genome, table)
        made_of = [asdict(settings), seed, context_length, table.to_csv(), fasta, code]
        with checkpoint_folder(Path(store) / "pretraining", made_of) as checkpoint:
            encoder, figures = masked.pretrain_masked(
                codes, split, context_length, settings, seed, threads, checkpoint / "last.pt"
            )
            masked.save_masked(encoder, figures, context_length, Path(folder))
