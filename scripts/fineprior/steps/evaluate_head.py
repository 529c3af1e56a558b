"""Rule evaluate_head: a head compared with simpler models, its learning curve, and cross-validation."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fineprior.engine.region_embeddings import read_region_embeddings
from fineprior.files.tables import (
    HEAD_BASELINES,
    HEAD_FOLDS,
    HEAD_HISTORY,
    HEAD_METRICS,
    HEAD_SCATTER,
    LEARNING_CURVE,
)
from fineprior.genome.fasta import Genome
from fineprior.project.settings import BackboneSettings, EvaluationSettings, HeadSettings, TrackSettings
from fineprior.sequence.target_parts import region_files
from fineprior.sequence.tracks import read_regions


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
    """Compare a head with simpler models, fewer training regions and other choices, on regions that it has not seen.

    In memory are predictions and signal of the test regions; all other sequence and signal is read when it is needed.

    `outputs`: paths of baselines (HEAD_BASELINES), curve (LEARNING_CURVE), folds (HEAD_FOLDS), scatter (HEAD_SCATTER)
    and, where the settings ask for TensorBoard's event files, events (a folder).

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
    head
        What train_head wrote.
    metrics
        Its metrics (HEAD_METRICS).
    history
        Course of its training (HEAD_HISTORY).
    backbone
        The backbone and its windows.
    settings
        How the head was trained.
    evaluation
        Points of the learning curve, folds, event files.
    sheet
        `targets` (fields of TrackSettings), `weights` and `strand_pairs` of each track.
    store
        Folder of the targets.
    seed
        Of what is drawn at random.
    threads
        Threads of a CPU.
    """
    from fineprior.heads.baselines import baselines
    from fineprior.heads.evaluation import predicted_test, scatter_table, write_events
    from fineprior.heads.head import load_head
    from fineprior.heads.learning_curve import learning_curve, nested_folds, region_folds, trainer
    from fineprior.heads.training_regions import RegionData, Tracks

    cached = read_region_embeddings(embeddings)
    table = read_regions(regions, backbone.context_length)
    trained = load_head(head)
    of_tracks = Tracks.of(tracks, sheet["weights"], sheet["strand_pairs"])
    with Genome(fasta) as genome:
        each = [TrackSettings(**fields) for fields in sheet["targets"]]
        targets = Path(store) / "targets"
        files = region_files(genome, table, bigwigs, each, cached.bin_size, backbone.target_bins, targets)
        data = RegionData(files.codes, files.targets, files.split)
        predicted = predicted_test(trained, data, cached, backbone)
        beside = baselines(predicted, trained.parameters, tracks, cached, data, backbone, seed, threads)
        HEAD_BASELINES.write(beside, outputs["baselines"])
        train = trainer(data, cached, backbone, of_tracks, seed, threads)
        curve = learning_curve(
            train, settings, data.split, data.targets, tracks, predicted, evaluation.curve_sizes, seed
        )
        LEARNING_CURVE.write(curve, outputs["curve"])
        folds = HEAD_FOLDS.empty()
        if evaluation.folds:
            places = table["chrom"].to_numpy(str), table["start"].to_numpy("int64")
            grouped = region_folds(*places, evaluation.folds)
            modes = dict.fromkeys(["linear", "mlp", settings.mode])
            folds = nested_folds(train, settings, grouped, data.targets, list(modes))
        HEAD_FOLDS.write(folds, outputs["folds"])
        flat = (-1, len(tracks))
        observed = data.targets[data.rows("test")].reshape(flat)
    HEAD_SCATTER.write(scatter_table(predicted.reshape(flat), observed, tracks, seed), outputs["scatter"])
    if "events" in outputs:
        write_events(HEAD_HISTORY.read(history), HEAD_METRICS.read(metrics), outputs["events"])
