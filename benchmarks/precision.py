"""How much of a variant's effect each precision keeps, with two predictions subtracted and with their difference.

    python benchmarks/precision.py                # the published model's size: about 10 min on one core, 6 GB
    python benchmarks/precision.py --size small   # seconds
    python benchmarks/precision.py --device cuda  # besides, the GPU's own tf32 and bf16

Weights are random and not degenerate (random_enformer.py). Effects are those of single-base variants on the embedding
of the four bins in the middle of the window, beside the library's own modules in float64. "rounded" precisions round
the inputs of each product of the transformer and sum in float32, as tensor cores do; the others are the processor's
own products. Prints a row for each precision and distance, then what was reached beside the goals, as
`ratio NAME VALUE goal GOAL`.
"""

import argparse
import copy
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import torch
from random_enformer import FULL, SMALL, random_bases, random_enformer
from torch import Tensor, nn

from fineprior.engine.difference import DifferenceTransformer, Edit, Products, Reference
from fineprior.engine.enformer import Transformer

BIN, TOKENS = 128, 1536
BINS = slice(TOKENS // 2 - 2, TOKENS // 2 + 2)
DISTANCES = (0, 2_000, 20_000, 90_000)
AROUND = 8  # tokens of the tower run on each side of a variant; the 3 outermost know of the edge
CHANGED = 5
LARGEST_ERROR, LEAST_CORRELATION = 1e-2, 0.9999


class Rounded(Products):
    """Products whose inputs are rounded by `rounding`, in float32."""

    def __init__(self, name: str, rounding: Callable[[Tensor], Tensor]) -> None:
        super().__init__("float32")
        self.precision = name
        self._rounding = rounding

    def operand(self, x: Tensor) -> Tensor:
        """Rounded, in float32."""
        return self._rounding(x.float())


def tf32(x: Tensor) -> Tensor:
    """Keep ten bits of the mantissa, rounding half away from zero."""
    return ((x.contiguous().view(torch.int32) + 0x1000) & ~0x1FFF).view(torch.float32)


ROUNDINGS = {"tf32": tf32, "fp16": lambda x: x.half().float(), "bf16": lambda x: x.bfloat16().float()}


def main() -> None:
    """Make weights and variants, run each precision, print."""
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    torch.set_grad_enabled(False)
    enformer = random_enformer(arguments.seed, **(FULL if arguments.size == "full" else SMALL)).to(arguments.device)
    tokens, edits = variants(enformer, arguments.seed, arguments.device)
    error = tower_error(enformer, arguments.seed, changed(tokens, edits))
    print(f"changes of tokens with the tower's convolutions in tf32: error {error:.1e}", end="\n\n")
    truth = exact_effects(enformer, tokens, edits)
    print("| precision | distance (bp) | effect / scale | subtraction: error | r | difference: error | r |")
    print("|---" * 7 + "|", flush=True)
    worst = (0.0, 1.0)
    for products in precisions(arguments.device):
        begin = time.process_time()
        rows = list(agreement(enformer, products, tokens, edits, truth))
        for distance, scale, plain, difference in rows:
            cells = " | ".join(f"{error:.1e} | {r:.5f}" for error, r in (plain, difference))
            print(f"| {products[0]} | {distance} | {scale:.1e} | {cells} |", flush=True)
        print(f"{products[0]}: {time.process_time() - begin:.0f} s", file=sys.stderr)
        if "bf16" in products[0]:
            worst = (max(worst[0], *(row[3][0] for row in rows)), min(worst[1], *(row[3][1] for row in rows)))
    print(f"ratio bf16_difference_error {worst[0]:.2e} goal {LARGEST_ERROR}")
    print(f"ratio bf16_difference_correlation {worst[1]:.6f} goal {LEAST_CORRELATION}")


def variants(enformer: nn.Module, seed: int, device: str) -> tuple[Tensor, list[Edit]]:
    """Tokens (T, dim) of a random window, and the edits of variants at `DISTANCES` from its middle."""
    bases = random_bases(TOKENS * BIN, seed + 1).to(device)

    def tower(part: Tensor) -> Tensor:
        found: Tensor = enformer.conv_tower(enformer.stem(part.T[None]))[0].T
        return found

    tokens = tower(bases)
    edits = []
    for distance in DISTANCES:
        position = TOKENS * BIN // 2 + distance
        middle = position // BIN
        start = middle - AROUND
        part = bases[start * BIN : (middle + AROUND) * BIN]
        alternative = part.clone()
        alternative[position - start * BIN] = alternative[position - start * BIN].roll(1)
        rows = slice(middle - CHANGED, middle + CHANGED)
        change = (tower(alternative) - tower(part))[AROUND - CHANGED : AROUND + CHANGED]
        edits.append((rows.start, tokens[rows] + change))
    return tokens, edits


def tower_error(enformer: nn.Module, seed: int, changes: Tensor) -> float:
    """Relative error of changes of tokens with the inputs of each convolution of the tower rounded to tf32."""
    low = copy.deepcopy(enformer)
    for module in low.modules():
        if isinstance(module, nn.Conv1d | nn.Conv2d):
            module.weight.copy_(tf32(module.weight))
            module.register_forward_pre_hook(lambda _, inputs: (tf32(inputs[0]),))
    return _compare(changed(*variants(low, seed, str(changes.device))), changes.double())[0]


def changed(tokens: Tensor, edits: list[Edit]) -> Tensor:
    """Changes (tokens of all edits, width) of tokens."""
    return torch.cat([new - tokens[first : first + len(new)] for first, new in edits])


def exact_effects(enformer: nn.Module, tokens: Tensor, edits: list[Edit]) -> Tensor:
    """Effects (variants, bins, 2 dim) of the library's modules in float64."""
    transformer, pointwise = (
        copy.deepcopy(module).double() for module in (enformer.transformer, enformer.final_pointwise)
    )

    def embedding(x: Tensor) -> Tensor:
        found: Tensor = pointwise(transformer(x.double()[None])[:, BINS])[0]
        return found

    reference = embedding(tokens)
    return torch.stack([embedding(_edited(tokens, edit)) - reference for edit in edits])


def precisions(device: str) -> Iterator[tuple[str, str | Products]]:
    """Names and products."""
    yield "float32", "float32"
    for name, rounding in ROUNDINGS.items():
        yield f"{name} rounded", Rounded(name, rounding)
    if device == "cuda":
        yield "tf32", "tf32"
    yield "bf16", "bf16"


def agreement(
    enformer: nn.Module, products: tuple[str, str | Products], tokens: Tensor, edits: list[Edit], truth: Tensor
) -> Iterator[tuple[int, float, tuple[float, float], tuple[float, float]]]:
    """Distance, size of the effect beside the embedding's, and for both ways the relative error and correlation."""
    transformer = Transformer(enformer, TOKENS)
    engine = DifferenceTransformer(transformer, products[1])
    reference: Reference = engine.reference(tokens, BINS)
    print(f"reference: {reference.nbytes / 2**30:.2f} GiB", file=sys.stderr)
    both_low = DifferenceTransformer(transformer, products[1], reference_precision=products[1])
    before = both_low.reference(tokens, BINS).embedding
    for distance, edit, effect in zip(DISTANCES, edits, truth, strict=True):
        plain = both_low.reference(_edited(tokens, edit), BINS).embedding - before
        yield (
            distance,
            float(effect.std() / reference.embedding.std()),
            _compare(plain, effect),
            _compare(engine.difference(reference, [edit])[0], effect),
        )


def _edited(tokens: Tensor, edit: Edit) -> Tensor:
    changed = tokens.clone()
    changed[edit[0] : edit[0] + len(edit[1])] = edit[1]
    return changed


def _compare(found: Tensor, truth: Tensor) -> tuple[float, float]:
    found = found.double()
    error = (found - truth).square().mean().sqrt() / truth.square().mean().sqrt()
    return float(error), float(torch.corrcoef(torch.stack([found.flatten(), truth.flatten()]))[0, 1])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=["full", "small"], default="full")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
