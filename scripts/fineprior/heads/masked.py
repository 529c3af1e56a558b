"""Self-supervised pretraining of a backbone from scratch, where there is none: predict hidden bases.

The encoder is an Enformer with a random start. A decoder, one linear layer from the embedding of a bin to its bases,
predicts the hidden ones from the others; it is then discarded, and the encoder is a backbone like any other: a head
takes the decoder's place.
"""

import json
import logging
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from enformer_pytorch import Enformer
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from fineprior.engine.backbone import device_for
from fineprior.engine.enformer import use_pair_pools
from fineprior.engine.loading import load_torch, save_enformer
from fineprior.files.errors import InputError
from fineprior.files.logs import Progress
from fineprior.files.whole import atomic_path
from fineprior.genome.fasta import UNKNOWN
from fineprior.heads import optimisation
from fineprior.project.settings import MaskedSettings
from fineprior.sequence.windows import one_hot

_VALID_REGIONS = 256

logger = logging.getLogger(__name__)


class Masked(nn.Module):
    """Encoder and decoder."""

    def __init__(self, settings: MaskedSettings) -> None:
        super().__init__()
        self.encoder = Enformer.from_hparams(
            dim=settings.dim, depth=settings.depth, heads=settings.heads, output_heads={}, target_length=-1,
            attn_dim_key=settings.attn_dim_key, dim_divisible_by=settings.dim_divisible_by,
            num_downsamples=settings.num_downsamples, dropout_rate=0.0, attn_dropout=0.0, pos_dropout=0.0,
        )  # fmt: skip
        use_pair_pools(self.encoder)
        self.decoder = nn.Linear(2 * settings.dim, 4 * 2**settings.num_downsamples)

    def forward(self, windows: Tensor) -> Tensor:
        """Logits (batch, bases, 4) of the bases of windows (batch, bases, 4)."""
        embedding = self.encoder(windows, return_only_embeddings=True)
        logits: Tensor = self.decoder(embedding).reshape(len(windows), -1, 4)
        return logits


def hide(
    codes: NDArray[np.uint8], share: float, span: int, random: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Windows (n, length) with stretches of `span` bases made unknown, and which known bases that hid (n, length)."""
    begins = random.random(codes.shape) < share / span
    counts = np.cumsum(begins, axis=1)
    hidden = counts - np.pad(counts, ((0, 0), (span, 0)))[:, : codes.shape[1]] > 0
    return np.where(hidden, UNKNOWN, codes).astype(np.uint8), hidden & (codes < UNKNOWN)


def masked_loss(
    model: Masked, codes: NDArray[np.uint8], settings: MaskedSettings, random: np.random.Generator
) -> Tensor:
    """Mean cross-entropy (nats) of hidden bases."""
    device = next(model.parameters()).device
    seen, hidden = hide(codes, settings.mask_share, settings.mask_span, random)
    logits = model(torch.from_numpy(one_hot(seen)).to(device))
    return functional.cross_entropy(
        logits[torch.from_numpy(hidden).to(device)], torch.from_numpy(codes[hidden].astype(np.int64)).to(device)
    )


def pretrain_masked(
    codes: Any,
    split: NDArray[np.str_],
    context_length: int,
    settings: MaskedSettings,
    seed: int,
    threads: int = 1,
    checkpoint: Path | None = None,
) -> tuple[Enformer, dict[str, float]]:
    """Pretrain on the training regions' sequence.

    Parameters
    ----------
    codes
        Indexed by row numbers: uint8 (rows, length), as in `training_regions.Regions`.
    split
        (regions,) train, valid or test.
    checkpoint
        File that is written every ten minutes, and that pretraining goes on from if it is there.

    Returns
    -------
    The encoder, and figures on at most 256 validation regions: `loss` of hidden bases and `loss_composition` (nats),
    that of a prediction from base frequencies alone.

    Raises
    ------
    InputError
        Windows that are not whole bins, an architecture that the library refuses, or no training or validation region.
    """
    _check(settings, context_length)
    train, valid = (np.flatnonzero(split == name) for name in ("train", "valid"))
    if not len(train) or not len(valid):
        raise InputError("regions: pretraining needs training and validation regions")
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    model = Masked(settings).to(device_for(0)).train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=settings.learning_rate, weight_decay=0.01)
    warmup = max(1, settings.steps // 20)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min(1, (step + 1) / warmup) * 0.5 * (1 + math.cos(math.pi * step / settings.steps))
    )
    parts: dict[str, Any] = {"model": model, "optimiser": optimiser, "schedule": schedule}
    first = _resume(parts, checkpoint)
    progress = Progress(settings.steps - first, "steps")
    spoken = time.monotonic()
    for step in range(first, settings.steps):
        random = np.random.default_rng([seed, step])
        torch.manual_seed(int(random.integers(2**31)))  # of dropout: as in a run that was not killed
        rows = np.sort(random.choice(train, min(settings.batch_regions, len(train)), replace=False))
        loss = masked_loss(model, codes[rows], settings, random)
        if not torch.isfinite(loss):
            raise InputError(f"masked.learning_rate: training diverged in step {step + 1} at {settings.learning_rate}")
        optimiser.zero_grad()
        torch.autograd.backward([loss])
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        progress.advance(1)
        if checkpoint and time.monotonic() - spoken >= optimisation.CHECKPOINT_SECONDS:
            spoken = time.monotonic()
            with atomic_path(checkpoint, shared=True) as temporary:
                torch.save({"step": step + 1} | {name: part.state_dict() for name, part in parts.items()}, temporary)
    progress.finish()
    figures = _figures(model.eval(), codes, train, valid[:_VALID_REGIONS], settings, seed)
    return model.encoder.cpu(), figures


def _check(settings: MaskedSettings, context_length: int) -> None:
    """Refuse what the library would fail on."""
    bin_size = 2**settings.num_downsamples
    if context_length % bin_size:
        raise InputError(
            f"backbone.context_length: {context_length} is not a multiple of {bin_size} bp (masked.num_downsamples)"
        )
    if settings.dim % settings.heads or settings.dim // settings.heads % 6:
        raise InputError(f"masked.dim: {settings.dim} / masked.heads {settings.heads} must be a multiple of 6")


def _resume(parts: dict[str, Any], checkpoint: Path | None) -> int:
    """Bring model, optimiser and schedule to where the checkpoint is; the step that comes next."""
    if checkpoint is None or not checkpoint.is_file():
        return 0
    with optimisation.reading_checkpoint(checkpoint):
        found = load_torch(checkpoint)
        for name, part in parts.items():
            part.load_state_dict(found[name])
        step = int(found["step"])
    logger.info("continuing from %s: step %d", checkpoint, step)
    return step


@torch.no_grad()
def _figures(
    model: Masked, codes: Any, train: NDArray[np.int64], valid: NDArray[np.int64], settings: MaskedSettings, seed: int
) -> dict[str, float]:
    """Losses on hidden bases of validation regions."""
    random = np.random.default_rng([seed, settings.steps])
    share = np.bincount(codes[train[:_VALID_REGIONS]].ravel(), minlength=5)[:4] + 1.0
    share /= share.sum()
    losses, plain, weights = [], [], []
    for rows in np.array_split(valid, -(-len(valid) // settings.batch_regions)):
        part = codes[rows]
        losses.append(float(masked_loss(model, part, settings, random)))
        known = part[part < UNKNOWN]
        plain.append(float(-np.log(share[known]).mean()))
        weights.append(len(rows))
    figures = {"loss": float(np.average(losses, weights=weights)),
               "loss_composition": float(np.average(plain, weights=weights))}  # fmt: skip
    logger.info("hidden bases of held-out regions: %.4f nats, %.4f from composition alone", *figures.values())
    return figures


def save_masked(encoder: Enformer, figures: dict[str, float], context_length: int, folder: Path) -> None:
    """Write config.json, model.safetensors and metrics.json, a backbone in the hub's format."""
    save_enformer(encoder, folder, context_length, [])
    with atomic_path(folder / "metrics.json") as temporary:
        temporary.write_text(json.dumps(figures, indent=1) + "\n")
