"""From tracks to a head on the frozen backbone: read, compute, write."""

from fineprior.foundation.settings import BackboneSettings, HeadSettings, TrackSettings
from fineprior.foundation.tables import HEAD_BASELINES, HEAD_HISTORY, HEAD_METRICS
from fineprior.genetics.genome import Genome
from fineprior.model import embeddings as embedded
from fineprior.sequence.tracks import read_regions, read_targets


def embed_regions(
    *, fasta: str, regions: str, output: str, backbone: BackboneSettings, batch_size: int, threads: int
) -> None:
    """Embeddings of the target bins of the training regions (npz)."""
    from fineprior.model.backbone import load_backbone

    model = load_backbone(backbone)
    table = read_regions(regions, backbone.context_length)
    with Genome(fasta) as genome:
        found = embedded.embed_regions(genome, table, model, batch_size, threads)
    embedded.write_embeddings(found, output)


def train_head(
    *,
    embeddings: str,
    bigwigs: list[str],
    tracks: list[str],
    head: str,
    metrics: str,
    history: str,
    settings: HeadSettings,
    targets: TrackSettings,
    seed: int,
) -> None:
    """Train one head on cached embeddings (safetensors, HEAD_METRICS, HEAD_HISTORY)."""
    from fineprior.model import head as heads

    regions = embedded.read_region_embeddings(embeddings)
    signal = read_targets(bigwigs, regions.chrom, regions.start, regions.bin_size, targets)
    trained, course = heads.train_head(regions, signal, tracks, settings, seed)
    heads.write_head(trained, head)
    HEAD_METRICS.write(heads.head_metrics(trained, regions, signal), metrics)
    HEAD_HISTORY.write(course, history)


def evaluate_head(
    *,
    fasta: str,
    regions: str,
    embeddings: str,
    bigwigs: list[str],
    tracks: list[str],
    head: str,
    output: str,
    backbone: BackboneSettings,
    targets: TrackSettings,
    seed: int,
    threads: int,
) -> None:
    """Hold a head against simpler models on the test regions (HEAD_BASELINES)."""
    from fineprior.model import evaluate
    from fineprior.model import head as heads

    cached = embedded.read_region_embeddings(embeddings)
    signal = read_targets(bigwigs, cached.chrom, cached.start, cached.bin_size, targets)
    with Genome(fasta) as genome:
        data = evaluate.region_data(genome, read_regions(regions, backbone.context_length), signal)
    table = evaluate.evaluate_head(heads.load_head(head), cached, data, backbone, seed, threads)
    HEAD_BASELINES.write(table, output)
