"""The part of a head that is trained: its losses, its normalisation, and that folding changes nothing."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from fineprior.heads.readout import Readout, train_cached, training_loss, training_statistics
from fineprior.heads.training_regions import embed_rows
from toy_enformer import TARGET_BINS
from toy_training import NAMES, QUICK


@pytest.mark.parametrize("kind", ["poisson", "poisson_multinomial"])
def test_loss_is_that_of_the_usable_bins(kind):
    rng = np.random.default_rng(5)
    predicted, target = (torch.from_numpy(rng.gamma(2, size=(3, 5, 2)).astype(np.float32)) for _ in range(2))
    weights, keep = torch.tensor([0.5, 1.5]), [0, 1, 2, 4]
    holed = target.clone()
    holed[:, 3, 1] = np.nan
    fewer = training_loss(predicted[:, keep], target[:, keep], kind, weights)
    assert float(training_loss(predicted, holed, kind, weights)) == pytest.approx(float(fewer), rel=1e-5)


def test_multinomial_loss():
    rng = np.random.default_rng(2)
    predicted, target = (torch.from_numpy(rng.gamma(2, size=(3, 5, 2)).astype(np.float32)) for _ in range(2))
    ones = torch.ones(2)
    poisson = training_loss(predicted, target, "poisson", ones)
    assert float(poisson) == pytest.approx(float((predicted - target * predicted.log()).mean()), rel=1e-5)
    found = training_loss(predicted, target, "poisson_multinomial", ones)
    share = predicted / predicted.sum(1, keepdim=True)
    total, whole = predicted.sum(1), target.sum(1)
    expected = -(target * share.log()).sum() + 0.2 * (total - whole * total.log()).sum()
    assert float(found) == pytest.approx(float(expected) / target.numel(), rel=1e-5)
    # The shape of a region's signal decides; its level hardly does.
    louder = training_loss(2 * predicted, target, "poisson_multinomial", ones) - found
    assert abs(float(louder)) < 0.3 * abs(float(training_loss(2 * predicted, target, "poisson", ones) - poisson))


def test_a_folded_readout_says_what_it_said(data, backbone):
    cached = embed_rows(data, np.arange(len(data.split)), backbone)
    for mode in ("linear", "mlp"):
        head, _ = train_cached(cached, data.targets.reshape(-1, 2), TARGET_BINS, NAMES, replace(QUICK, mode=mode), 1)
        readout = Readout(*training_statistics(cached, data.targets.reshape(-1, 2), NAMES.names))
        if mode == "linear":
            readout.start_from(head)
            with torch.no_grad():
                signal = readout(torch.tensor(cached.embedding)).numpy()
            assert np.allclose(signal, head.predict(cached.embedding), atol=1e-4)
        else:
            assert head.hidden_weight.shape == (8, cached.embedding.shape[1])


@pytest.mark.parametrize("mode", ["linear", "mlp"])
def test_only_training_bins_normalise(data, backbone, mode):
    cached = embed_rows(data, np.arange(len(data.split)), backbone)
    embedding = cached.embedding.copy()
    embedding[cached.split == "test"] *= 100
    other = replace(cached, embedding=embedding)
    flat = data.targets.reshape(-1, 2).copy()
    one, two = (train_cached(regions, flat, TARGET_BINS, NAMES, replace(QUICK, mode=mode), 1)[0]
                for regions in (cached, other))  # fmt: skip
    assert np.array_equal(one.weight, two.weight)
    assert np.array_equal(one.hidden_weight, two.hidden_weight)
