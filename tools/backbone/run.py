"""One pretraining: train the trunk, fit the output head, measure on held-out data, save in the hub's format."""

import dataclasses
import datetime
import json
import logging
import platform
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from backbone.card import model_card
from backbone.figures import GOALS, held_out_figures
from backbone.training import build_backbone, fit_human_head, train_trunk
from backbone.windows import DhsSites, PretrainSettings, read_dhs_sites
from fineprior.engine.loading import save_enformer
from fineprior.files.whole import atomic_path, sha256
from fineprior.sequence.motifs import Motif, read_motifs

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
    config = save_enformer(model, folder, settings.context_length, tracks)
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


def make_backbone(motifs: str, dhs: str, folder: str, threads: int = 1) -> None:
    """Train, measure and save the backbone: config.json, model.safetensors, metrics.json, MODEL_CARD.md.

    Parameters
    ----------
    motifs, dhs
        What `select_motifs` and `fetch_pretraining_data` wrote.
    folder
        Output folder in the hub's format.
    threads
        Threads of torch.
    """
    pretrain(read_motifs(motifs), read_dhs_sites(dhs), PretrainSettings(), Path(folder), threads)
    for name in ("config.json", "model.safetensors", "metrics.json", "MODEL_CARD.md"):
        LOG.info("%s %s", sha256(Path(folder) / name), name)
