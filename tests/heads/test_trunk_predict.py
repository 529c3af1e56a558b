"""A head of each mode beside its backbone."""

import numpy as np
import pytest
import torch

from fineprior.files.errors import InputError
from fineprior.files.tables import HEAD_HISTORY
from fineprior.heads.head import load_head, write_head
from fineprior.heads.readout import training_loss
from fineprior.heads.trunk import load_tuned_backbone, predict
from toy_enformer import TARGET_BINS, save_toy
from toy_training import MODES


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_gives_a_head_that_predicts_after_a_round_trip(trained, data, backbone, tmp_path, mode):
    head, history = trained[mode]
    HEAD_HISTORY.checked(history, "history")
    assert history["best"].sum() == 1
    assert history["epoch"].tolist() == list(range(1, len(history) + 1))
    write_head(head, tmp_path / "head.safetensors")
    again = load_head(tmp_path / "head.safetensors")
    rows = np.flatnonzero(data.split == "valid")
    signal = predict(again, load_tuned_backbone(backbone, tmp_path / "head.safetensors"), data.codes[rows])
    assert signal.shape == (len(rows), TARGET_BINS, 2)
    loss = float(
        training_loss(torch.from_numpy(signal), torch.from_numpy(data.targets[rows]), "poisson", torch.ones(2))
    )
    assert loss == pytest.approx(history.loc[history["best"], "valid_loss"].item(), rel=1e-4)


def test_a_head_of_another_backbone_is_refused(trained, tmp_path):
    from toy_enformer import toy_enformer

    other = save_toy(tmp_path, toy_enformer(seed=2))
    for mode in ("linear", "lora"):
        with pytest.raises(InputError, match=r"trained on backbone \w{12}, but backbone.weights are"):
            load_tuned_backbone(other, trained[mode][0])
