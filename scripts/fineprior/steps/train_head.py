"""From tracks to a head on the frozen backbone: read, compute, write."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from fineprior.engine import embeddings as embedded
from fineprior.files.tables import (
    HEAD_BASELINES,
    HEAD_FOLDS,
    HEAD_HISTORY,
    HEAD_METRICS,
    HEAD_SCATTER,
    LEARNING_CURVE,
)
from fineprior.genome.fasta import Genome
from fineprior.heads.learning_curve import write_events
from fineprior.project.settings import BackboneSettings, EvaluationSettings, HeadSettings
from fineprior.sequence.splits import warn_of_seen
from fineprior.sequence.tracks import bin_starts, check_splits, read_regions
from fineprior.steps.head_files import files_of_regions, metrics_of_head


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
    """Embeddings of the target bins of the training regions (npz); a run that was killed goes on from the store.

    Parameters
    ----------
    code
        Digest of the code; what other code has left in the store is not gone on from.
    """
    from fineprior.engine.backbone import load_backbone
    from fineprior.heads.training_data import cache_regions
    from fineprior.heads.training_loop import checkpoint_folder

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
    sheet
        `targets` (fields of TrackSettings), `weights` and `strand_pairs` of each track.
    code
        Digest of the code; a checkpoint of other code is not gone on from.
    """
    from fineprior.heads import head as heads
    from fineprior.heads.training import train
    from fineprior.heads.training_data import Tracks
    from fineprior.heads.training_loop import checkpoint_folder

    cached = embedded.read_region_embeddings(embeddings)
    table = read_regions(regions, backbone.context_length)
    of_tracks = Tracks.of(tracks, sheet["weights"], sheet["strand_pairs"])
    with Genome(fasta) as genome:
        data = files_of_regions(genome, table, bigwigs, cached.bin_size, sheet, backbone, store)
        # The regions too: the targets, and their name, are the same when only splits change.
        made_of = [asdict(settings), seed, tracks, dict(sheet), cached.backbone, asdict(backbone), table.to_csv(),
                   data.identity, code]  # fmt: skip
        with checkpoint_folder(Path(store) / "training", made_of) as checkpoint:
            chrom = table["chrom"].to_numpy(dtype=np.str_)
            trained, course = train(data, backbone, of_tracks, settings, seed, embeddings=cached, groups=chrom,
                                    checkpoint=checkpoint, threads=threads)  # fmt: skip
            heads.write_head(trained, outputs["head"])
            HEAD_METRICS.write(metrics_of_head(trained, cached, data, backbone), outputs["metrics"])
            HEAD_HISTORY.write(course, outputs["history"])


def evaluate_head(
    *,
    fasta: str,
    regions: str,
    embeddings: str,
    bigwigs: list[str],
    tracks: list[str],
    head: str,
    metrics: str,
    history: str,
    outputs: Mapping[str, str],
    backbone: BackboneSettings,
    settings: HeadSettings,
    evaluation: EvaluationSettings,
    sheet: Mapping[str, Any],
    store: str,
    seed: int,
    threads: int,
) -> None:
    """Hold a head against simpler models, fewer training regions and other choices, on regions that it has not seen.

    In memory are predictions and signal of the test regions; all other sequence and signal is read when it is needed.

    `outputs`: paths of baselines (HEAD_BASELINES), curve (LEARNING_CURVE), folds (HEAD_FOLDS), scatter (HEAD_SCATTER)
    and, where TensorBoard's event files are asked for, events (a folder).
    """
    from fineprior.heads import evaluation as evaluate
    from fineprior.heads import head as heads
    from fineprior.heads import learning_curve as evaluate_curve
    from fineprior.heads.training_data import Tracks

    cached = embedded.read_region_embeddings(embeddings)
    table = read_regions(regions, backbone.context_length)
    trained = heads.load_head(head)
    of_tracks = Tracks.of(tracks, sheet["weights"], sheet["strand_pairs"])
    with Genome(fasta) as genome:
        files = files_of_regions(genome, table, bigwigs, cached.bin_size, sheet, backbone, store)
        data = evaluate.RegionData(files.codes, files.targets, files.split)
        predicted = evaluate_curve.predicted_test(trained, data, cached, backbone)
        beside = evaluate.baselines(predicted, trained.parameters, tracks, cached, data, backbone, seed, threads)
        HEAD_BASELINES.write(beside, outputs["baselines"])
        train = evaluate_curve.trainer(data, cached, backbone, of_tracks, seed, threads)
        curve = evaluate_curve.learning_curve(
            train, settings, data.split, data.targets, tracks, predicted, evaluation.curve_sizes, seed
        )
        LEARNING_CURVE.write(curve, outputs["curve"])
        folds = HEAD_FOLDS.empty()
        if evaluation.folds:
            places = table["chrom"].to_numpy(np.str_), table["start"].to_numpy(np.int64)
            grouped = evaluate_curve.region_folds(*places, evaluation.folds)
            modes = dict.fromkeys(["linear", "mlp", settings.mode])
            folds = evaluate_curve.nested_folds(train, settings, grouped, data.targets, list(modes))
        HEAD_FOLDS.write(folds, outputs["folds"])
        flat = (-1, len(tracks))
        observed = data.targets[data.rows("test")].reshape(flat)
    HEAD_SCATTER.write(evaluate.scatter_table(predicted.reshape(flat), observed, tracks, seed), outputs["scatter"])
    if "events" in outputs:
        write_events(HEAD_HISTORY.read(history), HEAD_METRICS.read(metrics), outputs["events"])
