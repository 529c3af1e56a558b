"""Rules embed_regions and train_head: a head on the backbone, frozen or not."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fineprior.engine.region_embeddings import read_region_embeddings
from fineprior.files.tables import HEAD_HISTORY, HEAD_METRICS
from fineprior.genome.fasta import Genome
from fineprior.project.settings import BackboneSettings, HeadSettings, TrackSettings
from fineprior.sequence.splits import warn_of_seen
from fineprior.sequence.target_parts import region_files
from fineprior.sequence.tracks import bin_starts, check_splits, read_regions


def embed_regions(
    *,
    fasta: str,
    regions: str,
    output: str,
    store: str,
    backbone: BackboneSettings,
    batch_size: int,
    threads: int,
    code: str = "",
) -> None:
    """Embeddings of the target bins of the training regions (npz); a killed run continues from the store.

    Parameters
    ----------
    fasta
        Genome.
    regions
        BED of training, validation and test regions.
    output
        Embeddings (npz).
    store
        Folder in which batches that are done are kept until all are.
    backbone
        The backbone and its windows.
    batch_size
        Regions in one forward pass.
    threads
        Threads of a CPU.
    code
        Digest of the code; what other code has left in the store is not used.
    """
    from fineprior.engine.backbone import load_backbone
    from fineprior.engine.region_embeddings import cache_regions
    from fineprior.heads.optimisation import checkpoint_folder

    model = load_backbone(backbone)
    with Genome(fasta) as genome:
        table = read_regions(regions, backbone.context_length, genome)
    check_splits(table, bin_starts(table, model.bin_size, model.target_bins), model.bin_size, regions)
    if backbone.training_regions:
        warn_of_seen(table, backbone.training_regions)
    known = Path(fasta).stat()
    genome_file = [fasta, known.st_size, known.st_mtime_ns]
    made_of = [genome_file, table.to_csv(), model.digest, asdict(backbone), batch_size, code]
    with Genome(fasta) as genome, checkpoint_folder(Path(store) / "regions", made_of) as folder:
        cache_regions(output, genome, table, model, batch_size, threads, folder)


def train_head(
    *,
    fasta: str,
    regions: str,
    embeddings: str,
    bigwigs: list[str],
    tracks: list[str],
    outputs: Mapping[str, str],
    store: str,
    settings: HeadSettings,
    backbone: BackboneSettings,
    sheet: Mapping[str, Any],
    seed: int,
    threads: int = 1,
    code: str = "",
) -> None:
    """Train one head; `outputs` are paths of head (safetensors), metrics (HEAD_METRICS) and history (HEAD_HISTORY).

    A run that was killed finds in the store what it had read of the tracks and the last checkpoint of its training.

    Parameters
    ----------
    fasta
        Genome.
    regions
        BED of training, validation and test regions.
    embeddings
        What embed_regions wrote.
    bigwigs
        Signal of each track.
    tracks
        Names of the tracks.
    store
        Folder for targets and checkpoints.
    settings
        How the head is trained.
    backbone
        The backbone and its windows.
    sheet
        `targets` (fields of TrackSettings), `weights` and `strand_pairs` of each track.
    seed
        Of the order of regions and of what is random in training.
    threads
        Threads of a CPU.
    code
        Digest of the code; a checkpoint of other code is not used.
    """
    from fineprior.heads.evaluation import metrics_of_head
    from fineprior.heads.head import write_head
    from fineprior.heads.optimisation import checkpoint_folder
    from fineprior.heads.training import train
    from fineprior.heads.training_regions import Tracks

    cached = read_region_embeddings(embeddings)
    table = read_regions(regions, backbone.context_length)
    of_tracks = Tracks.of(tracks, sheet["weights"], sheet["strand_pairs"])
    with Genome(fasta) as genome:
        each = [TrackSettings(**fields) for fields in sheet["targets"]]
        targets = Path(store) / "targets"
        data = region_files(genome, table, bigwigs, each, cached.bin_size, backbone.target_bins, targets)
        # The regions too: the targets, and their name, are the same when only splits change.
        made_of = [asdict(settings), seed, tracks, dict(sheet), cached.backbone, asdict(backbone), table.to_csv(),
                   data.identity, code]  # fmt: skip
        with checkpoint_folder(Path(store) / "training", made_of) as checkpoint:
            chrom = table["chrom"].to_numpy(dtype=str)
            trained, course = train(data, backbone, of_tracks, settings, seed, embeddings=cached, groups=chrom,
                                    checkpoint=checkpoint, threads=threads)  # fmt: skip
            write_head(trained, outputs["head"])
            HEAD_METRICS.write(metrics_of_head(trained, cached, data, backbone), outputs["metrics"])
            HEAD_HISTORY.write(course, outputs["history"])
