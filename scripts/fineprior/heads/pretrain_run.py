"""One complete pretraining: train, fit the output head, measure on held-out data, save in the hub's format."""

import dataclasses
import datetime
import inspect
import json
import logging
import platform
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from enformer_pytorch import Enformer
from enformer_pytorch.config_enformer import EnformerConfig
from safetensors.torch import save_file

from fineprior.files.whole import atomic_path, sha256
from fineprior.heads.pretrain import build_backbone, fit_human_head, train_trunk
from fineprior.heads.pretrain_card import model_card
from fineprior.heads.pretrain_data import DhsSites
from fineprior.heads.pretrain_evaluate import GOALS, held_out_figures
from fineprior.project.settings import PretrainSettings
from fineprior.sequence.motifs import Motif

LOG = logging.getLogger(__name__)


def pretrain(
    motifs: Sequence[Motif], sites: DhsSites, settings: PretrainSettings, folder: Path, threads: int = 1
) -> dict[str, Any]:
    """Make the backbone and write its four files into `folder`; returns what metrics.json holds."""
    torch.set_num_threads(threads)
    tracks = [motif.name for motif in motifs] + [f"DHS:{cell}" for cell in sites.cell_types]
    train = sites.part("train")
    started = time.process_time()
    model = build_backbone(motifs, len(tracks), settings)
    history = []
    for step, losses in train_trunk(model, motifs, train, settings):
        history.append({"step": step} | {name: round(loss, 4) for name, loss in losses.items()})
        LOG.info("step %d of %d: %s", step, settings.steps, json.dumps(history[-1]))
    fit_human_head(model, motifs, train, settings)
    cpu_minutes = (time.process_time() - started) / 60
    figures = held_out_figures(model, motifs, sites.part("test"), settings)
    config = save_backbone(model, folder, settings.context_length, tracks)
    metrics = {
        "sha256": sha256(folder / "model.safetensors"),
        "figures": figures,
        "goals": GOALS,
        "motifs": len(motifs),
        "train_sites": len(train.codes),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "cpu_minutes": round(cpu_minutes, 1),
        "threads": threads,
        "settings": dataclasses.asdict(settings),
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in ("torch", "enformer-pytorch", "transformers", "numpy")},
        "history": history,
    }
    with atomic_path(folder / "metrics.json") as temporary:
        temporary.write_text(json.dumps(metrics, indent=1) + "\n")
    with atomic_path(folder / "MODEL_CARD.md") as temporary:
        temporary.write_text(model_card(metrics, config, datetime.date.today().isoformat()))
    return metrics


def save_backbone(model: Enformer, folder: Path, context_length: int, tracks: Sequence[str]) -> dict[str, Any]:
    """Write config.json and model.safetensors so that `Enformer.from_pretrained(folder)` reads them.

    Each tensor is written once: enformer_pytorch lists those of the trunk a second time as `_trunk.*`.
    """
    tensors = {
        name: tensor.detach().contiguous()
        for name, tensor in model.state_dict().items()
        if not name.startswith("_trunk.")
    }
    with atomic_path(folder / "model.safetensors") as temporary:
        save_file(tensors, temporary, metadata={"format": "pt"})
        temporary.chmod(0o644)
    fields = set(inspect.signature(EnformerConfig.__init__).parameters) - {"self", "kwargs"}
    config: dict[str, Any] = {
        **model.config.to_diff_dict(),
        # The architecture in full, whatever the library's defaults become.
        **{name: getattr(model.config, name) for name in fields if hasattr(model.config, name)},
        "architectures": ["Enformer"],
        "context_length": context_length,
        "tracks": list(tracks),
    }
    with atomic_path(folder / "config.json") as temporary:
        temporary.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    return config
