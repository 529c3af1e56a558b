"""Pretraining of the shipped backbone: a small Enformer that starts from position weight matrices.

A random start learns GC content first and was far from any motif when this one was done. Here the stem's filters are
the motifs' log odds on both strands, the tower begins close to the identity, and the residual branches begin close to
zero, so that the first prediction already is "which motif matches in which bin" and training refines it.
"""

import logging
import math
from collections.abc import Iterator, Sequence
from typing import cast

import numpy as np
import torch
from enformer_pytorch import Enformer
from enformer_pytorch.modeling_enformer import AttentionPool
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from backbone.windows import OFFSET, DhsSites, PretrainSettings, Windows, WindowSampler, join_windows
from fineprior.engine.enformer import PairPool
from fineprior.sequence.motifs import Motif, site_thresholds

LOG = logging.getLogger(__name__)
LOSS_WEIGHTS = {"motifs": 2.5, "effects": 10.0, "dhs": 1.0, "cell_types": 1.0}
"""Without more weight on the motifs, cell types win and the trunk forgets motifs that are no help with them; most
entries of the difference of a pair, the effects, are zero."""


def one_hot(codes: NDArray[np.uint8]) -> Tensor:
    """Model input (n, length, 4) of codes (n, length); N is four zeros."""
    table = torch.cat([torch.eye(4), torch.zeros(1, 4)])
    return table[torch.from_numpy(codes.astype(np.int64))]


def build_backbone(motifs: Sequence[Motif], tracks: int, settings: PretrainSettings) -> Enformer:
    """A new Enformer whose stem reads the motifs; output head `human` with `tracks` tracks."""
    torch.manual_seed(settings.seed)
    model = Enformer.from_hparams(
        dim=settings.dim,
        depth=settings.depth,
        heads=settings.heads,
        output_heads={"human": tracks},
        target_length=-1,
        attn_dim_key=settings.attn_dim_key,
        dim_divisible_by=settings.dim_divisible_by,
        dropout_rate=settings.dropout,
        attn_dropout=0.0,
        pos_dropout=0.0,
        use_tf_gamma=False,
    )
    with torch.no_grad():
        _motifs_into_stem(model, motifs)
        _near_identity(model)
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, AttentionPool):
                setattr(module, name, PairPool(child))
    return model


def _motifs_into_stem(model: Enformer, motifs: Sequence[Motif]) -> None:
    """One filter per motif and strand, centred on the site's centre base; other filters stay random but small."""
    stem = model.stem[0]
    kernel, filters = stem.kernel_size[0], stem.out_channels
    stem.weight.mul_(0.3)
    thresholds = site_thresholds(motifs)
    strands = [(index, reverse) for reverse in (False, True) for index in range(len(motifs))]
    for channel, (index, reverse) in enumerate(strands[:filters]):
        motif = motifs[index]
        log_odds = motif.log_odds[::-1, ::-1] if reverse else motif.log_odds
        # The centre as `occupancy` counts it, so that sites at the edge of a bin fall into the right one.
        first = kernel // 2 - ((motif.width - 1) // 2 if reverse else motif.width // 2)
        columns = range(max(0, -first), min(motif.width, kernel - first))
        stem.weight[channel] = 0.0
        for column in columns:
            stem.weight[channel, :, first + column] = torch.tensor(0.5 * log_odds[column], dtype=torch.float32)
        stem.bias[channel] = 1.0 - 0.5 * float(thresholds[index])


def _near_identity(model: Enformer) -> None:
    """Tower = identity plus small noise; residual branches close to zero."""
    for block in (model.stem[1].fn, *(stage[1].fn for stage in model.conv_tower)):
        block[2].weight.mul_(0.05)
        block[2].bias.zero_()
    for stage in model.conv_tower:
        noise = 0.1 * stage[0][2].weight
        stage[0][2].weight.copy_(nn.init.dirac_(torch.empty_like(noise)) + noise)
        stage[0][2].bias.zero_()
    final = model.final_pointwise[1][2]
    noise = 0.3 * final.weight
    final.weight.copy_(nn.init.dirac_(torch.empty_like(noise)) + noise)
    for layer in model.transformer:
        layer[1].fn[4].weight.mul_(0.05)
        layer[1].fn[4].bias.zero_()


def draw_windows(sampler: WindowSampler, sites: DhsSites, settings: PretrainSettings) -> Windows:
    """One batch: synthetic pairs, then windows with DHS."""
    return join_windows(sampler.synthetic(settings.synthetic_windows), sampler.with_dhs(sites, settings.dhs_windows))


def element_embeddings(embeddings: Tensor, elements: NDArray[np.int64]) -> Tensor:
    """Mean embedding (k, channels) of the two bins around the centre of each element."""
    window, first = torch.from_numpy(elements[:, 0]), torch.from_numpy(elements[:, 1])
    return (embeddings[window, first] + embeddings[window, first + 1]) / 2


def _losses(embeddings: Tensor, probes: nn.ModuleDict, windows: Windows, pairs: int) -> dict[str, Tensor]:
    predicted, target = probes["motifs"](embeddings), torch.from_numpy(windows.log_occupancy)
    effect = predicted[pairs : 2 * pairs] - predicted[:pairs]
    true_effect = target[pairs : 2 * pairs] - target[:pairs]
    with_dhs = embeddings[2 * pairs :]
    real = windows.elements[windows.elements[:, 2] >= 0]
    cells = probes["cell_types"](element_embeddings(embeddings, real))
    return {
        "motifs": functional.mse_loss(predicted, target),
        "effects": functional.mse_loss(effect, true_effect),
        "dhs": functional.binary_cross_entropy_with_logits(
            probes["dhs"](with_dhs)[..., 0], torch.from_numpy(windows.dhs[2 * pairs :])
        ),
        "cell_types": functional.cross_entropy(cells, torch.from_numpy(real[:, 2])),
    }


def _optimizer(
    model: Enformer, probes: nn.ModuleDict, settings: PretrainSettings
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """AdamW with a warm-up and a cosine decay; the stem learns slowly, because it starts where it should end."""
    stem = list(model.stem[0].parameters())
    others = [p for p in (*model.trunk.parameters(), *probes.parameters()) if all(p is not q for q in stem)]
    groups = [
        {"params": others, "lr": settings.learning_rate, "weight_decay": settings.weight_decay},
        {"params": stem, "lr": settings.stem_learning_rate, "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups)

    def share(step: int) -> float:
        return min(1.0, (step + 1) / 100) * (0.5 * (1 + math.cos(math.pi * step / settings.steps)) + 0.005)

    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, share)


def train_trunk(
    model: Enformer, motifs: Sequence[Motif], sites: DhsSites, settings: PretrainSettings
) -> Iterator[tuple[int, dict[str, float]]]:
    """Train the trunk, yielding (step, mean losses) every 50 steps.

    The targets are read from the embedding by linear probes that are thrown away: what a linear head on the
    embedding can say is what users will get.
    """
    rng = np.random.default_rng([settings.seed, 1])
    sampler = WindowSampler(motifs, settings, rng)
    channels = 2 * settings.dim
    probes = nn.ModuleDict(
        {
            "motifs": nn.Linear(channels, len(motifs)),
            "dhs": nn.Linear(channels, 1),
            "cell_types": nn.Linear(channels, len(sites.cell_types)),
        }
    )
    parameters = [*model.trunk.parameters(), *probes.parameters()]
    optimizer, scheduler = _optimizer(model, probes, settings)
    model.train()
    sums: dict[str, float] = {}
    for step in range(settings.steps):
        windows = draw_windows(sampler, sites, settings)
        embeddings = model(one_hot(windows.codes), return_only_embeddings=True)
        losses = _losses(embeddings, probes, windows, settings.synthetic_windows // 2)
        optimizer.zero_grad()
        torch.autograd.backward([LOSS_WEIGHTS[name] * loss for name, loss in losses.items()])
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        scheduler.step()
        for name, loss in losses.items():
            sums[name] = sums.get(name, 0.0) + float(loss.detach())
        if (step + 1) % 50 == 0 or step + 1 == settings.steps:
            done = (step % 50) + 1
            yield step + 1, {name: total / done for name, total in sums.items()}
            sums = {}


def embed(model: Enformer, codes: NDArray[np.uint8], batch: int = 16) -> Tensor:
    """Embeddings (n, bins, 2 * dim) of windows (n, length), in evaluation mode."""
    model.eval()
    with torch.inference_mode():
        parts = [
            model(one_hot(codes[start : start + batch]), return_only_embeddings=True)
            for start in range(0, len(codes), batch)
        ]
    return torch.cat(parts).clone()


def predict(model: Enformer, codes: NDArray[np.uint8]) -> Tensor:
    """Tracks (n, bins, tracks) of windows (n, length)."""
    with torch.inference_mode():
        return cast(Tensor, model.heads["human"](embed(model, codes)))


def track_targets(windows: Windows, cell_types: int) -> Tensor:
    """Targets (n, bins, tracks): motif occupancies, then the fraction of a bin in a DHS of each cell type."""
    occupancies = torch.from_numpy(np.exp(windows.log_occupancy) - np.float32(OFFSET)).clamp(min=0)
    cells = functional.one_hot(torch.from_numpy(windows.cell_type), cell_types)
    return torch.cat([occupancies, torch.from_numpy(windows.dhs)[..., None] * cells], dim=-1)


def fit_human_head(
    model: Enformer, motifs: Sequence[Motif], sites: DhsSites, settings: PretrainSettings, epochs: int = 20
) -> None:
    """Fit the shipped output head (linear and softplus) on the frozen trunk, with a Poisson loss."""
    sampler = WindowSampler(motifs, settings, np.random.default_rng([settings.seed, 2]))
    embeddings, targets = [], []
    total = settings.synthetic_windows + settings.dhs_windows
    for _ in range(math.ceil(settings.head_windows / total)):
        windows = draw_windows(sampler, sites, settings)
        embeddings.append(embed(model, windows.codes).flatten(0, 1))
        targets.append(track_targets(windows, len(sites.cell_types)).flatten(0, 1))
    x, y = torch.cat(embeddings), torch.cat(targets)
    torch.manual_seed(settings.seed)
    scale = x.std(0) + 1e-6
    head = nn.Linear(x.shape[1], y.shape[1])
    optimizer = torch.optim.Adam(head.parameters(), lr=0.01)
    batches = math.ceil(len(x) / 1024)
    for epoch in range(epochs):
        optimizer.param_groups[0]["lr"] = 0.01 * 0.5 * (1 + math.cos(math.pi * epoch / epochs))
        for rows in torch.randperm(len(x)).tensor_split(batches):
            predicted = functional.softplus(head((x[rows] - x.mean(0)) / scale)) + 1e-6
            loss = (predicted - y[rows] * predicted.log()).mean()
            optimizer.zero_grad()
            torch.autograd.backward([loss])
            optimizer.step()
    with torch.no_grad():
        linear = model.heads["human"][0]
        linear.weight.copy_(head.weight / scale)
        linear.bias.copy_(head.bias - linear.weight @ x.mean(0))
    LOG.info("human head: Poisson loss %.4f", float(loss.detach()))
