import numpy as np
import pytest

from fineprior.engine.region_embeddings import RegionEmbeddings
from fineprior.files.errors import InputError
from fineprior.files.tables import HEAD_FOLDS, LEARNING_CURVE
from fineprior.heads.learning_curve import learning_curve, nested_folds, region_folds, trainer
from fineprior.heads.readout import train_linear
from fineprior.heads.training_regions import RegionData, Tracks
from fineprior.project.settings import BackboneSettings, HeadSettings

REGIONS, BINS = 64, 5
SPLIT = np.repeat(["train", "valid", "test"], [48, 8, 8])
TARGETS = np.random.default_rng(1).gamma(1, 1, (REGIONS, BINS, 2)).astype(np.float32)


def noisy(seen):
    """A training whose predictions are better with more regions; it keeps what it was asked for."""

    def train(settings, split):
        seen.append((settings, split.copy()))
        observed = TARGETS[split == "test"]
        noise = np.random.default_rng(2).normal(0, 1, observed.shape)
        return observed + noise * (10 * settings.l2 + 8 / (split == "train").sum())

    return train


def test_sizes_are_halved_nested_and_end_with_the_whole():
    seen = []
    whole = TARGETS[SPLIT == "test"]
    curve = learning_curve(noisy(seen), HeadSettings(), SPLIT, TARGETS, ["a", "b"], whole, 4, 1)
    curve = LEARNING_CURVE.checked(curve, "curve")
    assert curve["regions"].tolist() == [6, 6, 12, 12, 24, 24, 48, 48]
    used = [set(np.flatnonzero(split == "train")) for _, split in seen]
    assert used[0] < used[1] < used[2] < set(np.flatnonzero(SPLIT == "train"))
    assert all((split[SPLIT != "train"] == SPLIT[SPLIT != "train"]).all() for _, split in seen)
    assert curve["pearson_r"].tolist()[-2:] == pytest.approx([1, 1])
    assert curve.groupby("regions")["pearson_r"].mean().is_monotonic_increasing


def test_sizes_that_are_too_small_are_left_out_or_missing():
    def fails(settings, split):
        raise InputError("track 'a' has no signal in any training region")

    curve = learning_curve(fails, HeadSettings(), SPLIT, TARGETS, ["a", "b"], TARGETS[SPLIT == "test"], 8, 1)
    assert sorted(set(curve["regions"])) == [6, 12, 24, 48]
    assert curve["pearson_r"].isna().tolist() == [True] * 6 + [False] * 2
    assert learning_curve(fails, HeadSettings(), SPLIT, TARGETS, ["a", "b"], TARGETS[56:], 0, 1).empty


def test_folds_are_whole_chromosomes_of_about_one_size():
    chrom = np.repeat(["chr1", "chr2", "chr3", "chr4", "chr5", "chr6"], [20, 12, 10, 9, 8, 5])
    fold = region_folds(chrom, np.arange(len(chrom)), 4)
    assert all(len(set(fold[chrom == name])) == 1 for name in set(chrom))
    assert np.bincount(fold).max() <= 20
    start = np.random.default_rng(1).permutation(40)
    stretches = region_folds(np.repeat("chr1", 40), start, 4)
    assert (np.diff(stretches[np.argsort(start)]) >= 0).all()
    assert np.bincount(stretches).tolist() == [10] * 4


def test_the_outer_fold_has_no_say():
    seen = []
    fold = np.arange(REGIONS) * 4 // REGIONS
    table = nested_folds(noisy(seen), HeadSettings(l2=0.01), fold, TARGETS, ["linear", "mlp"])
    table = HEAD_FOLDS.checked(table, "folds")
    assert table["chosen"].sum() == 4
    assert (table[table["chosen"]]["l2"] == 0.001).all()
    assert table["outer_r"].notna().tolist() == table["chosen"].tolist()
    assert len(seen) == 4 * (6 * 3 + 1)
    for start in range(0, len(seen), 19):
        outer = fold[seen[start + 18][1] == "test"][0]
        for _, split in seen[start : start + 18]:
            assert (split[fold == outer] == "").all()
            assert set(split[fold != outer]) == {"train", "valid", "test"}
        assert set(seen[start + 18][1]) == {"train", "valid", "test"}


def test_too_few_folds():
    with pytest.raises(InputError, match=r"evaluation\.folds: 3 are too few"):
        nested_folds(noisy([]), HeadSettings(), np.arange(9) % 3, TARGETS, ["linear"])


def test_an_outer_fold_is_chosen_for_by_what_can_be_computed():
    fold = np.arange(REGIONS) * 4 // REGIONS

    def train(settings, split):
        observed = TARGETS[split == "test"]
        return observed if settings.mode == "mlp" else np.zeros_like(observed)

    table = nested_folds(train, HeadSettings(l2=0.01), fold, TARGETS, ["linear", "mlp"])
    assert set(table.loc[table["chosen"], "mode"]) == {"mlp"}


def test_trainer_is_the_head_of_the_changed_split():
    rng = np.random.default_rng(3)
    embedding = rng.normal(size=(REGIONS * BINS, 6)).astype(np.float32)
    targets = np.exp(embedding[:, :2] / 2).reshape(REGIONS, BINS, 2).astype(np.float32)
    starts = (np.arange(REGIONS)[:, None] * 100 + np.arange(BINS)).ravel()
    regions = RegionEmbeddings(np.full(len(starts), "chr1"), starts, np.repeat(SPLIT, BINS), embedding, "b", 1)
    data = RegionData(np.zeros((REGIONS, 4), np.uint8), targets, SPLIT)
    changed = SPLIT.copy()
    changed[:20] = ""
    settings = HeadSettings(epochs=4, batch_bins=32)
    found = trainer(data, regions, BackboneSettings(), Tracks.of(["a", "b"]), 1)(settings, changed)
    kept = np.repeat(changed != "", BINS)
    fewer = RegionEmbeddings(*(getattr(regions, name)[kept] for name in ("chrom", "start")),
                             np.repeat(changed, BINS)[kept], embedding[kept], "b", 1)  # fmt: skip
    head, _ = train_linear(fewer, targets.reshape(-1, 2)[kept], ["a", "b"], settings, 1)
    assert found == pytest.approx(head.predict(embedding[-8 * BINS :]).reshape(8, BINS, 2), abs=1e-5)
