"""Enformer's variant effects: enformer-pytorch as it comes against fineprior, in one run, same weights and variants.

    python benchmarks/enformer.py                  # the published size; about 10 minutes of a free core
    python benchmarks/enformer.py --small          # seconds, to see that it runs; no goals
    python benchmarks/enformer.py --no-batched     # without the naive batch of two windows

Weights are random and not degenerate (`random_enformer.py`): neither time nor equality depends on their values.
Everything is of one strand and one thread. "CPU" is the least CPU time of the repetitions (`time.process_time`), "wall"
the least wall time; goals are compared with CPU times on a CPU and wall times on a GPU. Work beside it on the machine
slows ours, which is all matrix products, more than naive, which waits for memory, and makes wall times useless.

    naive            the library's trunk on the reference and on the alternative window (no heads)
    naive, batched   the two in one batch
    central bins     ours, SNVs that share a window, 4 bins around each: seconds for one more variant
    all bins         the same, all 896 target bins, as for their mean
    own window       ours, each variant in a window of its own on the grid of bins, 4 bins: both alleles

What the first variant of a place costs beside that is printed too: the tokens of the window, and its reference pass.
The bound is the fewest products with which the effect can be computed exactly when the reference window is known: the
5 or 6 changed tokens from bases, the first block for what they change, the last block for the bins that are read.
"""

import argparse
import copy
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from enformer_pytorch import Enformer
from random_enformer import FULL, SMALL, random_enformer
from torch.utils.flop_counter import FlopCounterMode

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))
from fineprior.engine.allele_embedder import AlleleEmbedder
from fineprior.engine.backbone import EnformerBackbone
from fineprior.engine.enformer import use_pair_pools
from fineprior.genome.fasta import Genome
from fineprior.project.settings import BackboneSettings, WindowSettings
from fineprior.sequence.windows import LocusSequences, locus_sequences, one_hot

BIN = 128
CENTRE_BINS = 4
GOALS = {"central_bins": 16.0, "all_bins": 15.0, "own_window": 7.0}
GPU_GOALS = {"gpu_float32": 8.0, "gpu_tf32": 8.0, "gpu_bf16_over_float32": 30.0}
VARIANTS_PER_WINDOW = 50
"""In a window shared by variants within 4 kb of its middle, at the density of common variants in 1000 Genomes."""


class Seconds(NamedTuple):
    """CPU and wall time."""

    cpu: float
    wall: float

    def __str__(self) -> str:
        return f"{self.cpu:8.3f} {self.wall:8.3f}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="a small model")
    parser.add_argument("--no-batched", action="store_true", help="leave the naive batch out")
    parser.add_argument("--repeats", type=int, default=3, help="repetitions of ours; naive passes are run once")
    parser.add_argument("--variants", type=int, default=3, help="variants in one measurement of ours")
    parser.add_argument("--gpu-variants", type=int, default=256)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    size = SMALL if arguments.small else FULL
    settings = BackboneSettings(context_length=196_608, target_bins=896)
    enformer = random_enformer(**size)
    with tempfile.TemporaryDirectory() as folder, Genome(random_genome(Path(folder))) as genome:
        case = Case(enformer, settings, genome, arguments.variants)
        results = case.cpu(arguments.repeats, not arguments.no_batched)
        if torch.cuda.is_available():
            results += gpu(enformer, settings, genome, arguments.gpu_variants)
    for name, value in results:
        goal = GOALS.get(name) or GPU_GOALS.get(name)
        print(f"ratio {name} {value:.3g}" + (f" goal {goal:g}" if goal and not arguments.small else ""))


def random_genome(folder: Path) -> Path:
    """A FASTA file of 1 Mb."""
    bases = np.random.default_rng(1).choice(list("ACGT"), 1_000_000)
    path = folder / "genome.fa"
    path.write_text(">chr1\n" + "\n".join("".join(line) for line in bases.reshape(-1, 100)) + "\n")
    return path


def snvs(genome: Genome, positions: list[int]) -> pd.DataFrame:
    """Variants of one locus."""
    refs = ["ACGT"[genome.codes("chr1", pos - 1, pos)[0]] for pos in positions]
    alts = ["CGTA"["ACGT".index(ref)] for ref in refs]
    names = [f"chr1:{pos}:{ref}:{alt}" for pos, ref, alt in zip(positions, refs, alts, strict=True)]
    return pd.DataFrame(
        {"locus": "L", "variant_id": names, "chrom": "chr1", "pos": positions, "ref": refs, "alt": alts}
    )


def fast_copy(enformer: Enformer, settings: BackboneSettings, device: str = "cpu") -> EnformerBackbone:
    """Ours, with the same tensors."""
    shared = {id(tensor): tensor for tensor in chain(enformer.parameters(), enformer.buffers())}
    copied = copy.deepcopy(enformer, shared if device == "cpu" else {})
    use_pair_pools(copied)
    return EnformerBackbone(copied, "random", settings, device)


def timed(function: Callable[[], Any], repeats: int = 1) -> tuple[Any, Seconds]:
    """Result and least times."""
    cpu, wall = [], []
    for _ in range(repeats):
        begin, busy = time.perf_counter(), time.process_time()
        result = function()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        cpu.append(time.process_time() - busy)
        wall.append(time.perf_counter() - begin)
    return result, Seconds(min(cpu), min(wall))


def counted(function: Callable[[], Any]) -> float:
    """GFLOP of a function."""
    with FlopCounterMode(display=False) as counter:
        function()
    return counter.get_total_flops() / 1e9


def least_gflop(enformer: Enformer, tokens: int, bins: int) -> float:
    """Of an exact effect of an SNV in a known reference window (see the module)."""
    config = enformer.config
    width, heads = config.dim, config.heads
    keys, values = heads * config.attn_dim_key, width
    changed = 6
    feed = 4 * width
    pairs = 2 * keys + values  # per pair of tokens: logits of content and position, sum of values
    block = tokens * (2 * keys + 2 * values + feed) * width + tokens * tokens * pairs
    first = changed * (2 * keys + values) * width + 2 * changed * tokens * pairs + tokens * (values + feed) * width
    read = bins * (keys + values + feed) * width
    last = read + min(
        tokens * (keys + values) * width + bins * tokens * pairs,
        bins * ((keys + values) * width + tokens * (2 * heads * width + keys)),
    )
    pointwise = bins * 2 * width * width
    stages = [enformer.stem, *enformer.conv_tower]
    tower, length = 0, changed * 2 ** len(stages)
    for number, stage in enumerate(stages):
        convolution = stage[0] if number == 0 else stage[0][2]
        channels = convolution.out_channels
        tower += length * channels * (convolution.in_channels * convolution.kernel_size[0] + channels + channels // 2)
        length //= 2
    middle = (config.depth - 2) * block
    return 2 * (tower + first + middle + last + pointwise) / 1e9


class Case:
    """The same variants for all."""

    def __init__(self, enformer: Enformer, settings: BackboneSettings, genome: Genome, count: int) -> None:
        self.enformer, self.settings, self.genome, self.count = enformer, settings, genome, count
        self.backbone = fast_copy(enformer, settings)
        # Distances from the middle of a window that begins at a multiple of 8,192 bp: all within one window.
        middle = 3 * 8192 + settings.context_length // 2
        self.positions = [middle + 1 + 997 * number for number in range(count)]

    def sequences(self, settings: WindowSettings, positions: list[int] | None = None) -> LocusSequences:
        """Of the variants, or of others."""
        found = snvs(self.genome, positions or self.positions)
        return locus_sequences(found, self.genome, self.settings.context_length, settings)

    def cpu(self, repeats: int, batched: bool) -> list[tuple[str, float]]:
        """Times on one CPU thread; ratios."""
        shared = WindowSettings(centre_bins=CENTRE_BINS, max_offset=4096, reverse_complement=False)
        print(f"{'one CPU thread, float32':44s}      CPU     wall", flush=True)
        naive, effect = self.naive(shared, batched)
        central, found = self.ours("central bins", shared, repeats)
        whole, _ = self.ours("all bins", WindowSettings(896, max_offset=4096, reverse_complement=False), repeats)
        own = self.own_window(repeats)
        error = np.abs(found - effect).max() / np.abs(effect).max()
        print(f"largest difference from naive, of the largest effect: {error:.1e}")
        self.products(naive, central, whole)
        self.profile(shared, central)
        times = {"central_bins": central, "all_bins": whole, "own_window": own}
        return [(name, naive.cpu / seconds.cpu) for name, seconds in times.items()]

    def naive(self, settings: WindowSettings, batched: bool) -> tuple[Seconds, np.ndarray]:
        """Seconds of a variant, and the effect of the first one on the bins that are read."""
        sequences = self.sequences(settings)
        row = np.zeros(1, np.int64)
        windows = [torch.from_numpy(one_hot(codes)) for codes in (sequences.reference(row), sequences.alternative(row))]
        self.enformer.set_target_length(-1)

        def both() -> list[torch.Tensor]:
            return [self.enformer(window, return_only_embeddings=True) for window in windows]

        with torch.inference_mode():
            (reference, alternative), seconds = timed(both)
            print(f"{'naive, two forward passes':44s} {seconds}", flush=True)
            if batched:
                pair = torch.cat(windows)
                _, together = timed(lambda: self.enformer(pair, return_only_embeddings=True))
                print(f"{'naive, batched':44s} {together}", flush=True)
                seconds = min(seconds, together)
        crop = (reference.shape[1] - self.settings.target_bins) // 2
        first = crop + int(sequences.first_bin(row, BIN, self.settings.target_bins, CENTRE_BINS)[0])
        return seconds, (alternative - reference)[0, first : first + CENTRE_BINS].numpy()

    def ours(self, name: str, settings: WindowSettings, repeats: int) -> tuple[Seconds, np.ndarray]:
        """Seconds of one more variant in a shared window, and the effect of the first."""
        embedder = AlleleEmbedder(self.sequences(settings), self.backbone, settings)
        one, rows = np.arange(1), np.arange(self.count)
        _, cold = timed(lambda: embedder.embed(one))
        _, alone = timed(lambda: embedder.embed(one), repeats)
        (_, effects), all_of_them = timed(lambda: embedder.embed(rows), repeats)
        more = Seconds(*((b - a) / (self.count - 1) for a, b in zip(alone, all_of_them, strict=True)))
        once = Seconds(*(a - b for a, b in zip(cold, more, strict=True)))
        share = Seconds(*(a + b / VARIANTS_PER_WINDOW for a, b in zip(more, once, strict=True)))
        print(f"{f'{name}: one more variant':44s} {more}")
        print(f"{'  the window, once: tokens and reference':44s} {once}")
        print(f"{f'  a variant of {VARIANTS_PER_WINDOW} in a window, all counted':44s} {share}", flush=True)
        return more, effects[0, 0]

    def own_window(self, repeats: int) -> Seconds:
        """Seconds of a variant in its own window, where the tokens of the stretch are known."""
        settings = WindowSettings(centre_bins=CENTRE_BINS, max_offset=64, reverse_complement=False)
        positions = [self.positions[0] + BIN * number for number in range(1 + repeats * (self.count - 1))]
        embedder = AlleleEmbedder(self.sequences(settings, positions), self.backbone, settings)
        _, cold = timed(lambda: embedder.embed(np.array([0])))
        # Windows that were not seen before: their ends are computed too.
        parts = np.array_split(np.arange(1, len(positions)), repeats)
        times = [timed(lambda rows=rows: embedder.embed(rows))[1] for rows in parts]
        each = Seconds(*(min(values) / (self.count - 1) for values in zip(*times, strict=True)))
        print(f"{'own window: a variant on the token track':44s} {each}")
        print(f"{'  the first one, with the track':44s} {cold}", flush=True)
        return each

    def products(self, naive: Seconds, central: Seconds, whole: Seconds) -> None:
        """Print FLOPs beside the bound."""
        tokens = self.settings.context_length // BIN
        window = torch.zeros(1, self.settings.context_length, 4)
        with torch.inference_mode():
            naive_gflop = 2 * counted(lambda: self.enformer(window, return_only_embeddings=True))
            slice_gflop = counted(lambda: self.backbone.tower(window[:, : 12 * BIN]))
            reference = torch.rand(1, tokens, self.enformer.config.dim)
            other = reference.clone()
            other[:, tokens // 2 - 3 : tokens // 2 + 3] += 1
            self.backbone.trunk(reference, slice(0, 1), reference[0])
            print(f"{'GFLOP of a variant':28s}  counted    bound of bound  GFLOP/s  x fewer")
            print(f"{'naive':28s} {naive_gflop:8.0f} {'':8s} {'':8s} {naive_gflop / naive.cpu:8.0f}")
            for name, bins, seconds in (("central bins", CENTRE_BINS, central), ("all bins", 896, whole)):
                read = slice((tokens - bins) // 2, (tokens + bins) // 2)
                gflop = slice_gflop + counted(lambda read=read: self.backbone.trunk(other, read, reference[0]))
                bound = least_gflop(self.enformer, tokens, bins)
                print(f"{name:28s} {gflop:8.0f} {bound:8.0f} {bound / gflop:8.2f} {gflop / seconds.cpu:8.0f} "
                      f"{naive_gflop / gflop:8.2f}")  # fmt: skip

    def profile(self, settings: WindowSettings, central: Seconds) -> None:
        """Print what reading the FASTA file, cutting windows and one-hot encoding cost a variant."""
        positions = list(range(200_000, 700_000, 500))
        sequences, reading = timed(lambda: self.sequences(settings, positions))
        rows = np.arange(256)
        bases = torch.eye(5, 4)
        slices = sequences.reference(rows)[:, : 12 * BIN]
        _, encoding = timed(lambda: bases[torch.from_numpy(slices).int()])
        each = reading.cpu / len(positions) + encoding.cpu / len(rows)
        print(f"FASTA, windows and one-hot: {1e6 * each:.0f} microseconds a variant, "
              f"{100 * each / central.cpu:.3f}% of the time of one more variant", flush=True)  # fmt: skip


def gpu(enformer: Enformer, settings: BackboneSettings, genome: Genome, count: int) -> list[tuple[str, float]]:
    """Variants per second on a GPU; ratios at equal precision, and of the difference path over naive float32."""
    middle = 3 * 8192 + settings.context_length // 2
    positions = [middle - 4000 + 8000 * number // count for number in range(count)]
    windows = WindowSettings(centre_bins=CENTRE_BINS, max_offset=4096, reverse_complement=False)
    sequences = locus_sequences(snvs(genome, positions), genome, settings.context_length, windows)
    results, rate, effects = [], {}, {}
    library = copy.deepcopy(enformer).cuda()
    codes = torch.from_numpy(
        one_hot(np.concatenate([sequences.reference(np.arange(8)), sequences.alternative(np.arange(8))]))
    )
    print(f"{torch.cuda.get_device_name()}: variants per second")
    for precision in ("float32", "tf32", "bf16"):
        rate[precision] = naive_rate(library, codes.cuda(), precision)
        backbone = fast_copy(enformer, BackboneSettings(**vars(settings) | {"precision": precision}), "cuda")
        embedder = AlleleEmbedder(sequences, backbone, windows)
        rows = np.arange(count)
        embedder.embed(rows)
        (_, effects[precision]), seconds = timed(lambda embedder=embedder, rows=rows: embedder.embed(rows), 3)
        ours = count / seconds.wall
        error = np.linalg.norm(effects[precision] - effects["float32"]) / np.linalg.norm(effects["float32"])
        memory = torch.cuda.max_memory_allocated() / 2**30
        print(
            f"{precision:8s} naive {rate[precision]:8.2f}  ours {ours:8.2f}  error {error:.1e}  {memory:.1f} GB",
            flush=True,
        )
        results.append((f"gpu_{precision}", ours / rate[precision]))
        if precision == "bf16":
            results.append(("gpu_bf16_over_float32", ours / rate["float32"]))
    return results


def naive_rate(library: Enformer, codes: torch.Tensor, precision: str) -> float:
    """Variants per second of the library's trunk, two windows each, in its best batch and compiled or not."""
    torch.backends.cudnn.allow_tf32 = precision != "float32"
    torch.set_float32_matmul_precision("highest" if precision == "float32" else "high")
    best = 0.0
    for trunk in (library.trunk, torch.compile(library.trunk)):
        for batch in (2, 8, 16):
            part = codes[:batch]

            def run(trunk: Any = trunk, part: torch.Tensor = part) -> Any:
                with torch.inference_mode(), torch.autocast("cuda", torch.bfloat16, enabled=precision == "bf16"):
                    return trunk(part)

            run()
            best = max(best, batch / 2 / timed(run, 3)[1].wall)
    return best


if __name__ == "__main__":
    main()
