from dataclasses import replace

import numpy as np
import pytest
import torch

from fineprior.engine.region_embeddings import RegionEmbeddings
from fineprior.files.errors import InputError
from fineprior.files.tables import HEAD_HISTORY
from fineprior.heads.head import Head, write_head
from fineprior.heads.metrics import pearson_r
from fineprior.heads.readout import poisson_losses, train_linear
from fineprior.project.settings import HeadSettings

SETTINGS = HeadSettings(epochs=40, learning_rate=0.02, batch_bins=128)
TRACKS = ["liver", "kidney"]


def data(seed=1, bins=3000, dim=12):
    """Embeddings with strongly correlated dimensions far from zero, and Poisson counts of a true head."""
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(dim, dim)) * np.geomspace(1, 0.1, dim)
    embedding = (rng.normal(size=(bins, dim)) @ mixing.T + 7).astype(np.float32)
    truth = np.linalg.solve(mixing.T, rng.normal(size=(dim, 2))).T
    truth = Head(truth.astype(np.float32), (1 - truth @ np.full(dim, 7.0)).astype(np.float32), tuple(TRACKS), "b", 128)
    split = np.repeat(["train", "valid", "test"], [bins - 1000, 500, 500])
    signal = truth.predict(embedding.astype(np.float64))
    regions = RegionEmbeddings(np.full(bins, "chr1"), np.arange(bins) * 128, split, embedding, "b", 128)
    return regions, rng.poisson(signal).astype(np.float32), signal


@pytest.fixture(scope="module")
def trained():
    regions, targets, signal = data()
    head, history = train_linear(regions, targets, TRACKS, SETTINGS, 1)
    return regions, targets, signal, head, history


@pytest.mark.slow
def test_the_true_signal_is_found_in_ill_conditioned_embeddings(trained):
    regions, _, signal, head, _ = trained
    test = regions.split == "test"
    assert pearson_r(head.predict(regions.embedding[test]), signal[test]).min() > 0.99


def test_the_epoch_with_the_smallest_validation_loss_is_kept(trained):
    regions, targets, _, head, history = trained
    HEAD_HISTORY.checked(history, "history")
    assert history["best"].sum() == 1
    assert history.loc[history["best"], "valid_loss"].item() == history["valid_loss"].min()
    valid = regions.split == "valid"
    loss = poisson_losses(head.predict(regions.embedding[valid]), targets[valid]).mean()
    assert loss == pytest.approx(history["valid_loss"].min(), abs=1e-4)
    assert history["train_loss"].iloc[-1] < history["train_loss"].iloc[0]


def test_training_stops_without_progress():
    regions, targets, _ = data()
    targets[regions.split == "valid"] = targets[regions.split == "valid"][::-1]
    _, history = train_linear(regions, targets, TRACKS, HeadSettings(epochs=60, patience=3, batch_bins=128), 1)
    assert len(history) == history["epoch"][history["best"]].item() + 3 < 60


@pytest.mark.slow
def test_shift_and_scale_of_the_embedding_do_not_matter(trained):
    regions, targets, _, head, _ = trained
    scale = np.geomspace(0.1, 10, regions.embedding.shape[1]).astype(np.float32)
    other = RegionEmbeddings(
        **vars(regions) | {"embedding": (2 * regions.embedding - 3) * np.float32(1.5) + scale.mean()}
    )
    again, _ = train_linear(other, targets, TRACKS, SETTINGS, 1)
    assert np.allclose(again.predict(other.embedding), head.predict(regions.embedding), rtol=0.02, atol=0.01)


@pytest.mark.slow
def test_same_input_same_bytes(trained, tmp_path):
    regions, targets, _, head, _ = trained
    torch.rand(7)  # the random state at the start is not part of the input
    again, _ = train_linear(regions, targets, TRACKS, SETTINGS, 1)
    for name, made in (("one", head), ("two", again)):
        write_head(made, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    other, _ = train_linear(regions, targets, TRACKS, SETTINGS, 2)
    assert not np.array_equal(other.weight, head.weight)


def test_regularisation_shrinks(trained):
    regions, targets, _, head, _ = trained
    shrunk, _ = train_linear(regions, targets, TRACKS, HeadSettings(epochs=15, batch_bins=128, l2=1.0), 1)
    assert shrunk.predict(regions.embedding).std() < 0.5 * head.predict(regions.embedding).std()


def test_loss_and_prediction_are_those_of_torch():
    rng = np.random.default_rng(3)
    head = Head(rng.normal(size=(2, 3)).astype(np.float32), np.array([-90, 40], np.float32), ("a", "b"), "b", 128)
    embedding = rng.normal(size=(5, 4, 3))
    linear = torch.tensor(embedding) @ torch.tensor(head.weight.T).double() + torch.tensor(head.bias).double()
    assert np.allclose(head.predict(embedding), torch.nn.functional.softplus(linear, threshold=1000).numpy())
    predicted, target = rng.gamma(2, size=(50, 2)), rng.poisson(2, (50, 2)).astype(float)
    expected = torch.nn.PoissonNLLLoss(log_input=False, reduction="none")(*map(torch.tensor, (predicted, target)))
    assert np.allclose(poisson_losses(predicted, target), expected.numpy().mean(0), atol=1e-5)


@pytest.mark.parametrize("missing", ["train", "valid"])
def test_regions_without_a_split(missing):
    regions, targets, _ = data(bins=1200)
    regions = replace(regions, split=np.where(regions.split == missing, "test", regions.split))
    with pytest.raises(InputError, match=f"none has the split '{missing}'"):
        train_linear(regions, targets, TRACKS, SETTINGS, 1)


def test_track_without_signal():
    regions, targets, _ = data(bins=1200)
    targets[regions.split == "train", 1] = 0
    with pytest.raises(InputError, match="track 'kidney' has no signal"):
        train_linear(regions, targets, TRACKS, SETTINGS, 1)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_diverging_training_is_said():
    regions, targets, _ = data(bins=1200)
    with pytest.raises(InputError, match=r"learning_rate: training diverged in epoch \d+ at 3e\+37"):
        train_linear(regions, targets, TRACKS, HeadSettings(learning_rate=3e37), 1)
