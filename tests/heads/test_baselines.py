import dataclasses
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from fineprior.engine.backbone import load_backbone
from fineprior.engine.region_embeddings import embed_regions
from fineprior.files.tables import HEAD_BASELINES
from fineprior.genome.fasta import Genome, codes_of, reverse_complement
from fineprior.heads import baselines as evaluate
from fineprior.heads.metrics import pearson_r
from fineprior.heads.readout import train_linear
from fineprior.heads.training_regions import RegionData, region_data
from fineprior.project.settings import HeadSettings
from fineprior.sequence.tracks import bin_starts
from toy_enformer import BIN_SIZE, CONTEXT, TARGET_BINS, save_toy

SITE = codes_of("GATTACA")
REGIONS = 90


def spelled(codes):
    return "".join("ACGTN"[code] for code in codes)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A genome in which the signal of a bin is the number of its copies of one site, on either strand."""
    rng = np.random.default_rng(1)
    length = REGIONS * CONTEXT
    codes = rng.integers(0, 4, length).astype(np.uint8)
    starts = rng.choice(length // 20, length // 200, replace=False) * 20
    for number, start in enumerate(starts):
        codes[start : start + 7] = SITE if number % 2 else reverse_complement(SITE)
    folder = tmp_path_factory.mktemp("study")
    (folder / "genome.fa").write_text(f">chr1\n{spelled(codes)}\n")
    begin = np.arange(REGIONS) * CONTEXT
    split = np.repeat(["train", "valid", "test"], REGIONS // 3)
    regions = pd.DataFrame({"chrom": "chr1", "start": begin, "end": begin + CONTEXT, "split": split})
    counts = np.bincount((starts + 3) // BIN_SIZE, minlength=length // BIN_SIZE)
    bins = bin_starts(regions, BIN_SIZE, TARGET_BINS) // BIN_SIZE
    targets = np.stack([counts[bins], 2 * counts[bins] + 1], -1).reshape(-1, 2).astype(np.float32)
    settings = save_toy(folder / "toy")
    with Genome(folder / "genome.fa") as genome:
        embeddings = embed_regions(genome, regions, load_backbone(settings), 16)
        yield settings, embeddings, targets, region_data(genome, regions, targets)


def test_counts_are_those_of_a_sliding_window():
    rng = np.random.default_rng(2)
    codes = rng.integers(0, 4, (2, 400)).astype(np.uint8)
    codes[1, 150:155] = 4
    counts = evaluate.kmer_counts(codes, bin_size=40, bins=6, k=3)
    assert counts.shape == (12, 32)
    words = sorted({min(w, spelled(reverse_complement(codes_of(w)))) for w in map(spelled, np.ndindex(4, 4, 4))})
    for row in range(12):
        region, place = divmod(row, 6)
        begin = 80 + 40 * place
        piece = spelled(codes[region, max(0, begin - 64) : begin + 40 + 64])
        seen = Counter(piece[at : at + 3] for at in range(len(piece) - 2) if "N" not in piece[at : at + 3])
        expected = [seen[word] + seen[spelled(reverse_complement(codes_of(word)))] for word in words]
        assert counts[row].tolist() == expected


def test_counts_of_the_other_strand_are_the_same():
    codes = np.random.default_rng(3).integers(0, 4, (1, 512)).astype(np.uint8)
    turned = evaluate.kmer_counts(reverse_complement(codes), 32, 12, k=6)
    assert np.array_equal(turned[::-1], evaluate.kmer_counts(codes, 32, 12, k=6))
    assert turned.shape[1] == 2080


@pytest.mark.slow
def test_kmer_ridge_finds_what_is_in_the_words(study, monkeypatch):
    """Flanks switched off, so that the words of a bin say almost all of its signal."""
    monkeypatch.setattr(evaluate, "KMER_FLANK", 3)
    *_, data = study
    ridge = evaluate.fit_kmer_ridge(data, BIN_SIZE, k=5)
    test = data.rows("test")
    predicted = ridge.predict(data.codes[test])
    reached = pearson_r(predicted.reshape(-1, 2), data.targets[test].reshape(-1, 2))
    assert reached.min() > 0.5
    forgotten = RegionData(data.codes, data.targets[::-1].copy(), data.split)
    lost = evaluate.fit_kmer_ridge(forgotten, BIN_SIZE, k=5).predict(data.codes[test])
    assert pearson_r(lost.reshape(-1, 2), data.targets[test].reshape(-1, 2)).max() < 0.3


@pytest.mark.slow
def test_kmer_ridge_is_one_of_scikit_learns(study):
    """Where it is installed: the ridge regression with one of the penalties, of the signal or of its log1p."""
    linear_model = pytest.importorskip("sklearn.linear_model")
    *_, data = study
    found = evaluate.fit_kmer_ridge(data, BIN_SIZE, k=3)
    train = data.rows("train")
    counts = evaluate.kmer_counts(data.codes[train], BIN_SIZE, TARGET_BINS, 3).astype(float)
    unit = counts.var(0).mean() * len(counts)
    for track in (0, 1):
        signal = data.targets[train][..., track].ravel().astype(float)
        signal = np.log1p(signal) if found.logarithmic[track] else signal
        fits = [linear_model.Ridge(alpha=penalty * unit).fit(counts, signal) for penalty in evaluate.KMER_PENALTIES]
        nearest = min(fits, key=lambda fit: np.abs(fit.coef_ - found.weight[:, track]).max())
        assert found.weight[:, track] == pytest.approx(nearest.coef_, rel=1e-4, abs=1e-6)
        assert found.intercept[track] == pytest.approx(nearest.intercept_, rel=1e-4)


@pytest.mark.slow
def test_three_models_side_by_side(study, monkeypatch):
    monkeypatch.setattr(evaluate, "SCRATCH_EPOCHS", 1)
    monkeypatch.setattr(evaluate, "KMER", 4)
    settings, embeddings, targets, data = study
    head, _ = train_linear(embeddings, targets, ["one", "two"], HeadSettings(epochs=5), 1)
    test = embeddings.split == "test"
    predicted = head.predict(embeddings.embedding[test])
    table = evaluate.baselines(predicted, head.parameters, head.tracks, embeddings, data, settings, 1)
    table = HEAD_BASELINES.checked(table, "baselines")
    assert table["model"].tolist() == ["transfer"] * 2 + ["scratch"] * 2 + ["kmer_ridge"] * 2 + ["own_track"] * 2
    assert np.allclose(table["pearson_r"][:2], pearson_r(predicted, targets[test]))
    assert table["parameters"].tolist()[0] == 2 * (embeddings.embedding.shape[1] + 1)
    own = table[table["model"] == "own_track"]
    assert set(own["note"]) <= {"one", "two"}
    assert (own["parameters"] == 0).all()
    assert own["pearson_r"].notna().all()


@pytest.mark.slow
def test_test_regions_have_no_say_in_simpler_models(study, monkeypatch):
    monkeypatch.setattr(evaluate, "SCRATCH_EPOCHS", 2)
    settings, *_, data = study
    found = []
    for split in ("none", "test", "valid"):
        targets = data.targets.copy()
        targets[data.split == split] = targets.max() - targets[data.split == split]
        changed = RegionData(data.codes, targets, data.split)
        ridge, network = evaluate.fit_kmer_ridge(changed, BIN_SIZE, k=3), evaluate.train_scratch(changed, settings, 1)
        found.append((ridge.weight, network.predict(data.codes[:4])))
    assert all(np.array_equal(one, two) for one, two in zip(found[0], found[1], strict=True))
    assert not np.array_equal(found[0][0], found[2][0])


def test_own_track_of_another_backbone_is_not_available(study):
    settings, embeddings, _, data = study
    other = dataclasses.replace(embeddings, backbone="another")
    signal, parameters, notes = evaluate._own_track(["one", "two"], other, data, settings)
    assert np.isnan(signal).all()
    assert parameters == 0
    assert all(note.startswith("not available") for note in notes)


@pytest.mark.slow
def test_bins_without_observation_change_nothing_elsewhere(study, monkeypatch):
    """Models see the same when the first region's bins are missing as when that region is no training region."""
    monkeypatch.setattr(evaluate, "SCRATCH_EPOCHS", 1)
    settings, *_, data = study
    monkeypatch.setattr(evaluate, "SCRATCH_BATCH", 1)  # a step without any known bin
    missing = data.targets.copy()
    missing[0] = np.nan
    split = data.split.copy()
    split[0] = ""
    with_gaps = RegionData(data.codes, missing, data.split)
    fewer = RegionData(data.codes, data.targets, split)
    ridges = [evaluate.fit_kmer_ridge(each, BIN_SIZE, k=4) for each in (with_gaps, fewer)]
    assert ridges[0].weight == pytest.approx(ridges[1].weight)
    predicted = evaluate.train_scratch(with_gaps, settings, 1).predict(data.codes[:2])
    assert np.isfinite(predicted).all()


class Read:
    """An array that is only read by row numbers, and remembers the most that were asked for at once."""

    def __init__(self, array):
        self.array, self.most = array, 0

    def __getitem__(self, rows):
        self.most = max(self.most, len(rows))
        return self.array[rows]


def test_simpler_models_read_few_training_regions_at_once(study, monkeypatch):
    monkeypatch.setattr(evaluate, "SCRATCH_EPOCHS", 1)
    monkeypatch.setattr(evaluate, "SCRATCH_REGIONS", 8)
    monkeypatch.setattr(evaluate, "SCRATCH_VALID_REGIONS", 8)
    monkeypatch.setattr(evaluate, "_REGIONS_AT_ONCE", 5)
    monkeypatch.setattr(evaluate, "KMER", 3)
    settings, *_, data = study
    files = dataclasses.replace(data, codes=Read(data.codes), targets=Read(data.targets))
    ridge, whole = (evaluate.fit_kmer_ridge(each, BIN_SIZE, 3) for each in (files, data))
    network = evaluate.train_scratch(files, settings, 1)
    most = evaluate.SCRATCH_BATCH
    assert files.codes.most <= most < len(data.rows("train"))
    assert files.targets.most <= most
    assert ridge.weight == pytest.approx(whole.weight)
    assert np.isfinite(network.predict(data.codes[:2])).all()


def test_a_large_backbone_is_set_against_a_small_network(study, monkeypatch):
    settings, *_ = study
    monkeypatch.setattr(evaluate, "SMALL", {"dim": 16, "depth": 1, "heads": 2, "attn_dim_key": 4})
    network = evaluate.Scratch(settings, 2)
    assert network.head.in_features == 32


@pytest.mark.slow
def test_network_from_scratch_is_new_reproducible_and_learns(study):
    settings, *_, data = study
    first, second = (evaluate.train_scratch(data, settings, seed=3) for _ in range(2))
    assert np.array_equal(first.predict(data.codes[:4]), second.predict(data.codes[:4]))
    shipped = {name: value for name, value in load_backbone(settings)._trunk.state_dict().items() if value.ndim > 1}
    assert shipped
    assert not any(np.array_equal(value, first.trunk.state_dict()[name]) for name, value in shipped.items())
    untrained = evaluate.Scratch(settings, 2)
    valid = data.rows("valid")
    losses = [
        evaluate.poisson_losses(net.predict(data.codes[valid]).reshape(-1, 2), data.targets[valid].reshape(-1, 2))
        for net in (first, untrained)
    ]
    assert losses[0].mean() < losses[1].mean()
