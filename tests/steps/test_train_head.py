import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict, replace

import numpy as np
import pyBigWig
import pytest

from fineprior.engine.backbone import load_backbone
from fineprior.engine.region_embeddings import embed_regions as embed
from fineprior.engine.region_embeddings import read_region_embeddings
from fineprior.files.errors import InputError
from fineprior.files.tables import (
    HEAD_HISTORY,
    HEAD_METRICS,
)
from fineprior.genome.fasta import Genome
from fineprior.heads import training
from fineprior.heads.head import load_head
from fineprior.project.settings import HeadSettings, TrackSettings
from fineprior.sequence import target_parts
from fineprior.sequence.tracks import read_regions
from fineprior.steps.train_head import embed_regions, train_head
from head_study import REGIONS, SHEET, inputs, train, write_study
from toy_enformer import BIN_SIZE, CONTEXT, TARGET_BINS, toy_settings


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("transfer"))


@pytest.mark.slow
def test_embeddings_of_regions(study):
    folder, settings = study
    found = read_region_embeddings(folder / "regions.npz")
    with Genome(folder / "genome.fa") as genome:
        expected = embed(genome, read_regions(folder / "regions.bed", CONTEXT), load_backbone(settings), 16)
    assert np.array_equal(found.embedding, expected.embedding)


def test_test_regions_that_the_backbone_was_trained_on_are_warned_of(study, tmp_path, caplog):
    folder, settings = study
    (tmp_path / "seen.bed").write_text(f"chr1\t0\t{(REGIONS - 3) * CONTEXT}\ttrain\n")
    seen = replace(settings, training_regions=str(tmp_path / "seen.bed"))
    embed_regions(fasta=str(folder / "genome.fa"), regions=str(folder / "regions.bed"), store=str(tmp_path),
                  output=str(tmp_path / "regions.npz"), backbone=seen, batch_size=16, threads=1)  # fmt: skip
    assert "7 of 10 test regions overlap regions that the backbone was trained on" in caplog.text
    assert (tmp_path / "regions.npz").read_bytes() == (folder / "regions.npz").read_bytes()
    assert not list((tmp_path / "regions").iterdir())


def test_head_and_its_tables(study):
    folder, settings = study
    paths = train(folder, "one")
    head = load_head(paths["head"])
    assert head.tracks == ("gc", "a")
    assert (head.backbone, head.bin_size) == (load_backbone(settings).digest, BIN_SIZE)
    metrics = HEAD_METRICS.read(paths["metrics.tsv"])
    test = metrics[(metrics["track"] == "gc") & (metrics["split"] == "test")]
    assert test["pearson_r"].item() > 0.3
    assert HEAD_HISTORY.read(paths["history.tsv"])["best"].sum() == 1


def test_same_input_same_bytes(study):
    folder, _ = study
    for one, two in zip(train(folder, "one").values(), train(folder, "two").values(), strict=True):
        with open(one, "rb") as first, open(two, "rb") as second:
            assert first.read() == second.read()


def test_track_of_another_genome(study, tmp_path):
    folder, _ = study
    path = str(tmp_path / "other.bw")
    with pyBigWig.open(path, "w") as track:
        track.addHeader([("chr1", 1000)])
        track.addEntries(["chr1"], [0], ends=[1000], values=[1.0])
    with pytest.raises(InputError, match=r"other\.bw: chr1:.* lies beyond the chromosome"):
        train(folder, "four", bigwigs=[path, path])


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["mlp", "lora"])
def test_other_modes_on_the_same_data_path(study, mode):
    folder, _ = study
    paths = train(folder, mode, settings=HeadSettings(mode=mode, epochs=2, freeze_epochs=3, rank=2, batch_regions=8))
    head = load_head(paths["head"])
    assert bool(head.base) == (mode == "lora")
    metrics = HEAD_METRICS.read(paths["metrics.tsv"])
    history = HEAD_HISTORY.read(paths["history.tsv"])
    valid = metrics.loc[metrics["split"] == "valid", "poisson_loss"].mean()
    assert valid == pytest.approx(history.loc[history["best"], "valid_loss"].item(), rel=1e-4)
    assert not list((folder / "store/training").glob("*"))


KILLED = """
import json, os, signal, sys
from fineprior.project.settings import BackboneSettings, HeadSettings
from fineprior.heads import optimisation
from fineprior.steps.train_head import train_head

left, original = int(sys.argv[1]), optimisation._step

def step(*arguments):
    global left
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    original(*arguments)

optimisation._step, optimisation.CHECKPOINT_SECONDS = step, 0.0
given = json.loads(sys.argv[2])
given |= {"settings": HeadSettings(**given["settings"]), "backbone": BackboneSettings(**given["backbone"])}
train_head(**given)
"""


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["mlp", "lora", "guided"])
def test_a_job_that_is_killed_by_force_goes_on_and_ends_with_the_same_bytes(study, mode):
    folder, backbone = study
    settings = HeadSettings(mode=mode, epochs=2, freeze_epochs=2, rank=2, batch_regions=8, batch_bins=64, scouts=2,
                            dropout=0.1)  # fmt: skip
    train(folder, f"whole_{mode}", settings=settings)
    outputs = {name: str(folder / name) for name in ("head", "metrics", "history")}
    given = {"fasta": str(folder / "genome.fa"), "regions": str(folder / "regions.bed"), "backbone": asdict(backbone),
             "outputs": outputs} | inputs(folder) | {"settings": asdict(settings)}  # fmt: skip
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", KILLED, "4", json.dumps(given)]
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert list((folder / "store/training").rglob("*.pt"))
    train(folder, f"killed_{mode}", settings=settings)
    assert not list((folder / "store/training").rglob("*.pt"))
    for name in ("head", "metrics.tsv", "history.tsv"):
        assert (folder / f"killed_{mode}.{name}").read_bytes() == (folder / f"whole_{mode}.{name}").read_bytes(), name


def test_another_split_does_not_go_on_from_a_checkpoint(study, tmp_path, monkeypatch):
    folder, _ = study
    found = []

    def interrupted(*_, checkpoint, **__):
        found.append(checkpoint)
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "train", interrupted)
    regions = (folder / "regions.bed").read_text()
    for text in (regions, regions, regions.replace("valid", "train", 1)):
        (tmp_path / "regions.bed").write_text(text)
        with pytest.raises(KeyboardInterrupt):
            train_head(fasta=str(folder / "genome.fa"), regions=str(tmp_path / "regions.bed"), outputs={},
                       backbone=toy_settings(folder / "toy"), **inputs(folder))  # fmt: skip
    assert found[0] == found[1] != found[2]


def test_targets_are_read_once_for_all_trainings(study, monkeypatch):
    folder, _ = study
    train(folder, "six")
    monkeypatch.setattr(target_parts, "read_targets", None)
    train(folder, "six", settings=HeadSettings(mode="mlp", epochs=1))


def test_masked_bins_are_left_out_of_training_and_metrics(study, tmp_path):
    folder, _ = study
    (tmp_path / "unmappable.bed").write_text(f"chr1\t0\t{2 * CONTEXT}\n")
    own = vars(TrackSettings(unmappable=str(tmp_path / "unmappable.bed")))
    paths = train(folder, "seven", sheet=SHEET | {"targets": [own, own]})
    metrics = HEAD_METRICS.read(paths["metrics.tsv"])
    assert metrics.loc[metrics["split"] == "train", "bins"].tolist() == [(REGIONS - 22) * TARGET_BINS] * 2
