"""A head of any mode beside the backbone that it belongs to: loading, predicting."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from fineprior.foundation.settings import BackboneSettings
from fineprior.model.backbone import Backbone
from fineprior.model.head import Head, load_head
from fineprior.model.tuned_backbone import Change, load_changed_backbone
from fineprior.sequence.windows import one_hot

_REGIONS_AT_ONCE = 64


def load_tuned_backbone(settings: BackboneSettings, head: Head | str | Path) -> Backbone:
    """The backbone that makes a head's embeddings: as it was loaded, or as the head's training has changed it.

    Parameters
    ----------
    settings
        Of the backbone before training.
    head
        A head, or its file.

    Raises
    ------
    InputError
        The head is of another backbone.
    """
    where = "head" if isinstance(head, Head) else head
    head = head if isinstance(head, Head) else load_head(head)
    return load_changed_backbone(settings, Change(head.backbone, head.base, head.trunk), where)


def predict(head: Head, backbone: Backbone, codes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Signal (regions, bins, tracks) of windows (regions, length), by a head of any mode and its backbone.

    Where the backbone is frozen and embeddings are at hand, `head.predict(embeddings)` is the same.

    Parameters
    ----------
    backbone
        From `load_tuned_backbone`.
    codes
        uint8 codes of bases.
    """
    shape = (len(codes), backbone.target_bins, len(head.tracks))
    signal = np.empty(shape, np.float32)
    for start in range(0, len(codes), _REGIONS_AT_ONCE):
        part = slice(start, start + _REGIONS_AT_ONCE)
        signal[part] = head.predict(backbone.embed(torch.from_numpy(one_hot(codes[part]))).numpy())
    return signal
