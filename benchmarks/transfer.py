"""What each mode of training a head is worth and costs, and what caching embeddings saves.

    python benchmarks/transfer.py --project PROJECT             # 5 minutes of one core
    python benchmarks/transfer.py --project PROJECT --finemap   # fine-maps the study under each mode besides
    python benchmarks/transfer.py --project PROJECT --regions 100 --epochs 2 --modes linear mlp lora

PROJECT is the folder of a finished run of the embedded study (`snakemake` in a clone, config.yaml as it is; without
--finemap, `snakemake results/heads/disease/head.safetensors` will do). Each mode trains in a process of its own on the
same training, validation and test regions, with the default settings; modes that change the backbone with --epochs,
--batch-regions and --trunk-learning-rate, which is larger than the default: that one is for Enformer, of 250 million
weights, the backbone here has 380,000. With --dnase the same table follows for a real track: GM12878 DNase over 1 Mb of
chromosome 1, blocks of 100 kb in turn for training, validation and test.

Seconds are CPU time of one thread; "all memory" is the most that the process held. The last lines are
`ratio NAME VALUE goal GOAL`.
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import numpy as np
import pandas as pd
import torch
import yaml

from fineprior.engine.backbone import load_backbone
from fineprior.engine.loading import load_enformer
from fineprior.engine.region_embeddings import embed_regions, region_codes
from fineprior.files.tables import TRUTH_COMPARISON
from fineprior.genome.fasta import Genome
from fineprior.heads.learning_curve import predicted_test
from fineprior.heads.metrics import quality_table
from fineprior.heads.readout import poisson_loss, train_linear
from fineprior.heads.training import train
from fineprior.heads.training_regions import RegionData, Tracks, region_data
from fineprior.project.settings import BackboneSettings, HeadSettings, TrackSettings
from fineprior.sequence.tracks import bin_starts, read_regions, read_targets
from fineprior.sequence.windows import one_hot

ROOT = Path(__file__).parents[1]
MODES = ("linear", "mlp", "last_blocks", "lora", "full", "guided")
CONTEXT, TARGET_BINS, BIN = 2048, 12, 128
BACKBONE = BackboneSettings(weights=str(ROOT / "resources/backbone"), context_length=CONTEXT, target_bins=TARGET_BINS)
DNASE = ROOT.parent / "shared/data/dnase_chr1"
EPOCHS = (1, 5, 20)
PLAIN_BATCH = 16
COLUMNS = ("mode", "r_bins", "r_regions", "r2", "trained", "seconds", "embedding_seconds", "memory_mb", "coverage",
           "power", "mean_size", "pip_above_0.9", "false_above_0.9")  # fmt: skip
"""Columns of docs/performance/transfer.tsv."""
CACHE_GOAL, SAVED_GOAL = 1.05, 0.9
ENFORMER_BINS, ENFORMER_DIM = 896, 3072


def main() -> None:
    """Train each mode, time the cache, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--project", type=Path, required=True)
    parser.add_argument("--dnase", type=Path, default=DNASE if DNASE.is_dir() else None)
    parser.add_argument("--modes", nargs="+", default=MODES, choices=MODES)
    parser.add_argument("--regions", type=int, default=600, help="training regions; a third for validation and test")
    parser.add_argument(
        "--epochs", type=int, default=5, help="largest number of passes of the modes that change the backbone"
    )
    parser.add_argument("--batch-regions", type=int, default=8)
    parser.add_argument("--trunk-learning-rate", type=float, default=1e-3)
    parser.add_argument("--speed-regions", type=int, default=200)
    parser.add_argument("--finemap", action="store_true")
    parser.add_argument("--write", type=Path, help="tab-separated file for the embedded study's table (with --finemap; "
                        "docs/performance/transfer.tsv)")  # fmt: skip
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.one:
        print(json.dumps(measure(arguments, *arguments.one)))
        return
    found = {}
    for name in ("embedded", "dnase") if arguments.dnase else ("embedded",):
        found[name] = table(arguments, name)
    study = embedded_study(arguments.project, arguments.speed_regions)
    with study[2]:
        ratios = speed(*study)
    for name, reached in found.items():
        for mode, r in reached.items():
            if mode != "linear" and "linear" in reached:
                ratios.append((f"r_{mode}_over_linear_{name}", r / reached["linear"], 1.0))
    for ratio in ratios:
        print("ratio {} {:.4g} goal {:g}".format(*ratio))


def table(arguments: argparse.Namespace, name: str) -> dict[str, float]:
    """Print a row for each mode on one study; mean r on the test regions by mode."""
    columns = [
        "mode",
        "r over bins",
        "r over regions",
        "R²",
        "trained",
        "seconds",
        "of these embedding",
        "all memory (MB)",
    ]
    finemap = arguments.finemap and name == "embedded"
    columns += ["coverage", "power", "mean size", "PIP > 0.9", "of these false"] if finemap else []
    reached: dict[str, float] = {}
    uniform: list[str] = []
    lines = [list(COLUMNS)]
    for mode in arguments.modes:
        command = [sys.executable, *sys.argv, "--one", name, mode]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{name}, {mode}: {done.stderr.strip()[-2000:]}")
        row = json.loads(done.stdout.splitlines()[-1])
        if not reached:
            print(f"\n{name}: {row['regions']} training regions, {row['tracks']} track(s), at most {arguments.epochs} "
                  "passes through the backbone")  # fmt: skip
            print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}", flush=True)
        reached[mode] = row["r"]
        cells = [mode, *(f"{row[key]:.3f}" for key in ("r", "r_regions", "r2")), f"{row['parameters']:,}",
                 *(f"{row[key]:.1f}" for key in ("seconds", "embedding")), f"{row['memory']:.0f}"]  # fmt: skip
        if finemap:
            uniform, functional = finemapped(arguments, mode)
            cells += functional
            lines.append([cell.replace(",", "") for cell in cells])
        print(f"| {' | '.join(cells)} |", flush=True)
    if uniform:
        print(f"| (uniform prior) {'| ' * (len(columns) - len(uniform) - 1)}| {' | '.join(uniform)} |")
        lines.append(["uniform prior", *["NA"] * (len(COLUMNS) - len(uniform) - 1), *uniform])
        if arguments.write:
            arguments.write.write_text("".join("\t".join(line) + "\n" for line in lines))
    return reached


def measure(arguments: argparse.Namespace, name: str, mode: str) -> dict[str, float]:
    """Train one mode and predict the test regions."""
    if name == "embedded":
        data, regions, genome, tracks = embedded_study(arguments.project, arguments.regions)
    else:
        data, regions, genome, tracks = dnase_study(arguments.dnase, arguments.regions)
    begin = time.process_time()
    with genome:
        embeddings = embed_regions(genome, regions, load_backbone(BACKBONE), PLAIN_BATCH)
    embedded = time.process_time() - begin
    settings = HeadSettings(**settings_of(arguments, mode))
    chrom = regions["chrom"].to_numpy(np.str_)
    head, _ = train(data, BACKBONE, Tracks.of(tracks), settings, 1, embeddings=embeddings, groups=chrom)
    seconds = time.process_time() - begin
    predicted = predicted_test(head, data, embeddings, BACKBONE)
    quality = quality_table(tracks, [("test", predicted, data.targets[data.rows("test")])])
    return {
        "regions": len(data.rows("train")), "tracks": len(tracks), "r": quality["pearson_r"].mean(),
        "r_regions": quality["pearson_r_regions"].mean(), "r2": quality["r2"].mean(), "parameters": head.parameters,
        "seconds": seconds, "embedding": embedded,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }  # fmt: skip


def settings_of(arguments: argparse.Namespace, mode: str) -> dict[str, Any]:
    """Keys of `head` in config.yaml; heads on the frozen backbone train as long as they do by default."""
    if mode in ("linear", "mlp"):
        return {"mode": mode}
    return {"mode": mode, "epochs": arguments.epochs, "batch_regions": arguments.batch_regions,
            "trunk_learning_rate": arguments.trunk_learning_rate}  # fmt: skip


def embedded_study(project: Path, number: int) -> tuple[RegionData, pd.DataFrame, Genome, list[str]]:
    """Evenly spaced regions of the embedded study: `number` for training, a third for validation and test."""
    sheet = pd.read_csv(project / "config/tracks.tsv", sep="\t").query("head == 'disease'")
    regions = read_regions(project / "resources/embedded/regions.bed", CONTEXT)
    kept = []
    for split, most in (("train", number), ("valid", number // 3), ("test", number // 3)):
        rows = np.flatnonzero(regions["split"] == split)
        kept.append(rows[np.linspace(0, len(rows) - 1, min(len(rows), max(most, 2))).astype(int)])
    regions = regions.iloc[np.concatenate(kept)].reset_index(drop=True)
    files = [str(project / path) for path in sheet["bigwig"]]
    genome = Genome(project / "resources/embedded/genome.fa")
    return (*_data(genome, regions, files), genome, sheet["track"].tolist())


def dnase_study(folder: Path, number: int) -> tuple[RegionData, pd.DataFrame, Genome, list[str]]:
    """Windows of 1 Mb whose bins do not overlap, without those of N; blocks of 100 kb are one split."""
    genome = Genome(folder / "reference.fa")
    starts = np.arange(0, 1_000_000 - CONTEXT, TARGET_BINS * BIN)
    split = np.array(["train", "train", "test", "train", "valid"])[starts // 100_000 % 5]
    regions = pd.DataFrame({"chrom": "1", "start": starts, "end": starts + CONTEXT, "split": split})
    known = (region_codes(genome, regions) < 4).all(1)
    regions = regions[known].groupby("split", sort=False).head(number).reset_index(drop=True)
    return (*_data(genome, regions, [str(folder / "gm12878_dnase_fold_change.bw")]), genome, ["GM12878 DNase"])


def _data(genome: Genome, regions: pd.DataFrame, files: list[str]) -> tuple[RegionData, pd.DataFrame]:
    starts = bin_starts(regions, BIN, TARGET_BINS)
    chrom = np.repeat(regions["chrom"].to_numpy(np.str_), TARGET_BINS)
    return region_data(genome, regions, read_targets(files, chrom, starts.ravel(), BIN, TrackSettings())), regions


def speed(data: RegionData, regions: pd.DataFrame, genome: Genome, tracks: list[str]) -> list[tuple[str, float, float]]:
    """Time of a linear head on the cache beside one through the frozen backbone in each epoch."""
    backbone, (enformer, _) = load_backbone(BACKBONE), load_enformer(BACKBONE)
    enformer.eval()
    plain, cached = [], []
    for _ in range(3):  # alternating, so that other work on the machine meets both
        begin = time.process_time()
        for start in range(0, len(regions), PLAIN_BATCH):
            windows = torch.from_numpy(one_hot(region_codes(genome, regions.iloc[start : start + PLAIN_BATCH])))
            with torch.inference_mode():
                enformer(windows, return_only_embeddings=True)
        plain.append(time.process_time() - begin)
        begin = time.process_time()
        embeddings = embed_regions(genome, regions, backbone, PLAIN_BATCH)
        cached.append(time.process_time() - begin)
    once = min(cached)
    print(f"\n{len(regions)} regions: one plain forward pass {min(plain):.2f} s, embeddings cached in {once:.2f} s, "
          f"{embeddings.embedding.nbytes / len(regions) / 1e3:.1f} kB for each region (the published Enformer: "
          f"{ENFORMER_BINS * ENFORMER_DIM * 4 / 1e6:.1f} MB)")  # fmt: skip
    print("| epochs | on the cache, with embedding (s) | through the backbone (s) | times faster |\n|---|---|---|---|")
    ratios = [("cache_over_plain_pass", once / min(plain), CACHE_GOAL)]
    for epochs in EPOCHS:
        begin = time.process_time()
        settings = HeadSettings(epochs=epochs, patience=epochs)
        train_linear(embeddings, data.targets.reshape(-1, len(tracks)), tracks, settings, 1)
        on_cache = once + time.process_time() - begin
        through = _through_backbone(data, regions, genome, enformer, epochs)
        print(f"| {epochs} | {on_cache:.2f} | {through:.2f} | {through / on_cache:.1f} |", flush=True)
        ratios.append((f"cached_training_{epochs}_epochs", through / on_cache, SAVED_GOAL * epochs))
    return ratios


def _through_backbone(
    data: RegionData, regions: pd.DataFrame, genome: Genome, enformer: torch.nn.Module, epochs: int
) -> float:
    """Seconds of training a linear head with a forward pass of all training and validation regions in each epoch."""
    dim = 2 * enformer.config.dim
    head = torch.nn.Linear(dim, data.targets.shape[-1])
    optimiser = torch.optim.Adam(head.parameters(), lr=HeadSettings().learning_rate)
    begin = time.process_time()
    for _ in range(epochs):
        for split in ("train", "valid", "test"):  # as the cache has them too
            rows = data.rows(split)
            for part in np.array_split(rows, -(-len(rows) // PLAIN_BATCH)):
                codes = region_codes(genome, regions.iloc[part])
                with torch.no_grad():
                    embedding = enformer(torch.from_numpy(one_hot(codes)), return_only_embeddings=True)
                loss = poisson_loss(torch.nn.functional.softplus(head(embedding)), torch.from_numpy(data.targets[part]))
                if split == "train":
                    optimiser.zero_grad()
                    torch.autograd.backward([loss])
                    optimiser.step()
    return time.process_time() - begin


def finemapped(arguments: argparse.Namespace, mode: str) -> list[list[str]]:
    """Cells on the uniform and the functional prior against the truth, the latter with a head of this mode.

    The workflow trains the head again, on the regions of the table.
    """
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        shutil.copytree(arguments.project, project, symlinks=True)
        for part in ("workflow", "scripts"):
            shutil.copytree(ROOT / part, project / part, dirs_exist_ok=True)
        path = project / "config/config.yaml"
        config = yaml.safe_load(path.read_text())
        config["head"] = config.get("head", {}) | settings_of(arguments, mode)
        config["regions"] = "config/regions.bed"
        regions = embedded_study(arguments.project, arguments.regions)[1]
        regions[["chrom", "start", "end", "split"]].to_csv(
            project / config["regions"], sep="\t", header=False, index=False
        )
        path.write_text(yaml.safe_dump(config, sort_keys=False))
        target = "results/embedded/truth_comparison.tsv"
        command = [sys.executable, "-m", "snakemake", "--cores", "1", "--quiet", "all", "--", target]
        done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"fine-mapping with {mode}: {(done.stdout + done.stderr).strip()[-2000:]}")
        found = TRUTH_COMPARISON.read(project / target).set_index("prior")
    return [[f"{row['coverage']:.3f}", f"{row['power']:.3f}", f"{row['mean_size']:.1f}", f"{row['hits_90']:.0f}",
             f"{row['false_90']:.0f}"] for row in (found.loc["uniform"], found.loc["functional"])]  # fmt: skip


if __name__ == "__main__":
    main()
