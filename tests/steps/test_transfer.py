import numpy as np
import pyBigWig
import pytest

from fineprior.foundation.errors import InputError
from fineprior.foundation.settings import HeadSettings, TrackSettings
from fineprior.foundation.tables import HEAD_BASELINES, HEAD_HISTORY, HEAD_METRICS
from fineprior.genetics.genome import Genome
from fineprior.model import evaluate
from fineprior.model.backbone import load_backbone
from fineprior.model.embeddings import embed_regions as embed
from fineprior.model.embeddings import read_region_embeddings
from fineprior.model.head import load_head
from fineprior.sequence.tracks import read_regions
from fineprior.steps.transfer import embed_regions, evaluate_head, train_head
from toy_enformer import BIN_SIZE, CONTEXT, save_toy

REGIONS = 60
SETTINGS = HeadSettings(epochs=5, batch_bins=64)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Two tracks: GC content of each bin, and twice its A content."""
    folder = tmp_path_factory.mktemp("transfer")
    rng = np.random.default_rng(1)
    length = REGIONS * CONTEXT
    gc = np.repeat(rng.uniform(0.2, 0.8, length // BIN_SIZE), BIN_SIZE)
    codes = np.where(rng.random(length) < gc, rng.integers(1, 3, length), 3 * rng.integers(0, 2, length))
    (folder / "genome.fa").write_text(">chr1\n" + "".join("ACGT"[code] for code in codes) + "\n")
    starts = list(range(0, length, BIN_SIZE))
    bins = codes.reshape(-1, BIN_SIZE)
    for name, values in (("gc", (bins % 3 > 0).mean(1)), ("a", 2 * (bins == 0).mean(1))):
        with pyBigWig.open(str(folder / f"{name}.bw"), "w") as track:
            track.addHeader([("chr1", length)])
            track.addEntries(["chr1"] * len(starts), starts, ends=[s + BIN_SIZE for s in starts],
                             values=values.astype(float).tolist())  # fmt: skip
    splits = np.repeat(["train", "valid", "test"], [REGIONS - 20, 10, 10])
    lines = [f"chr1\t{i * CONTEXT}\t{(i + 1) * CONTEXT}\t{split}" for i, split in enumerate(splits)]
    (folder / "regions.bed").write_text("\n".join(lines) + "\n")
    settings = save_toy(folder / "toy")
    embed_regions(fasta=str(folder / "genome.fa"), regions=str(folder / "regions.bed"),
                  output=str(folder / "regions.npz"), backbone=settings, batch_size=16, threads=1)  # fmt: skip
    return folder, settings


def inputs(folder):
    return {"embeddings": str(folder / "regions.npz"), "bigwigs": [str(folder / "gc.bw"), str(folder / "a.bw")],
            "tracks": ["gc", "a"], "settings": SETTINGS, "targets": TrackSettings(), "seed": 1}  # fmt: skip


def train(folder, out, **changes):
    paths = {name: str(folder / f"{out}.{name}") for name in ("head", "metrics.tsv", "history.tsv")}
    train_head(head=paths["head"], metrics=paths["metrics.tsv"], history=paths["history.tsv"],
               **inputs(folder) | changes)  # fmt: skip
    return paths


def test_embeddings_of_regions(study):
    folder, settings = study
    found = read_region_embeddings(folder / "regions.npz")
    with Genome(folder / "genome.fa") as genome:
        expected = embed(genome, read_regions(folder / "regions.bed", CONTEXT), load_backbone(settings), 16)
    assert np.array_equal(found.embedding, expected.embedding)


def test_head_and_its_tables(study):
    folder, settings = study
    paths = train(folder, "one")
    head = load_head(paths["head"])
    assert head.tracks == ("gc", "a")
    assert (head.backbone, head.bin_size) == (load_backbone(settings).digest, BIN_SIZE)
    metrics = HEAD_METRICS.read(paths["metrics.tsv"])
    test = metrics[(metrics["track"] == "gc") & (metrics["split"] == "test")]
    assert test["pearson_r"].item() > 0.3
    assert HEAD_HISTORY.read(paths["history.tsv"])["best"].sum() == 1


def test_same_input_same_bytes(study):
    folder, _ = study
    for one, two in zip(train(folder, "one").values(), train(folder, "two").values(), strict=True):
        with open(one, "rb") as first, open(two, "rb") as second:
            assert first.read() == second.read()


def test_head_beside_simpler_models(study, monkeypatch):
    folder, settings = study
    monkeypatch.setattr(evaluate, "SCRATCH_EPOCHS", 1)
    monkeypatch.setattr(evaluate, "KMER", 3)
    paths = train(folder, "three")
    evaluate_head(fasta=str(folder / "genome.fa"), regions=str(folder / "regions.bed"), head=paths["head"],
                  output=str(folder / "baselines.tsv"), backbone=settings, threads=1,
                  **{key: value for key, value in inputs(folder).items() if key != "settings"})  # fmt: skip
    table = HEAD_BASELINES.read(folder / "baselines.tsv")
    metrics = HEAD_METRICS.read(paths["metrics.tsv"])
    assert table.loc[table["model"] == "transfer", "pearson_r"].tolist() == pytest.approx(
        metrics.loc[metrics["split"] == "test", "pearson_r"].tolist(), abs=1e-6
    )
    kmers = table[(table["model"] == "kmer_ridge") & (table["track"] == "gc")]
    assert kmers["pearson_r"].item() > 0.3


def test_track_of_another_genome(study, tmp_path):
    folder, _ = study
    path = str(tmp_path / "other.bw")
    with pyBigWig.open(path, "w") as track:
        track.addHeader([("chr1", 1000)])
        track.addEntries(["chr1"], [0], ends=[1000], values=[1.0])
    with pytest.raises(InputError, match=r"other\.bw: chr1:.* lies beyond the chromosome"):
        train(folder, "four", bigwigs=[path, path])
