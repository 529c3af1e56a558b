"""The sequence model: a tower from bases to tokens, and a trunk from tokens to embeddings of bins.

`Backbone` is what the rest of the program knows of it, `load_backbone` makes one from a folder of weights, and
`Batches` runs it on as many windows at once as memory allows.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import torch
from enformer_pytorch import Enformer
from torch import Tensor

from fineprior.engine.difference import DifferenceTransformer
from fineprior.engine.enformer import Tower, Transformer
from fineprior.engine.loading import load_enformer
from fineprior.files.errors import InputError
from fineprior.project.settings import BackboneSettings

logger = logging.getLogger(__name__)


_BASES_AT_ONCE = {"cpu": 1 << 15, "cuda": 1 << 19}
"""In one pass; on a CPU 16 windows of 2 kb or one of 196 kb: larger batches are slower there (memory traffic)."""


class Backbone(Protocol):
    """What the rest of the program knows of a sequence model; another model is another class with these members.

    A model is a convolutional `tower` from bases to tokens, local, and a `trunk` from the tokens of a whole window to
    the embeddings of its bins. Enformer's tokens are its bins. A model like Borzoi, whose bins are finer and whose
    trunk takes up activations of the tower again, has these side by side in one long token.

    Attributes
    ----------
    digest
        SHA-256 of the configuration and the weights.
    dim
        Length of an embedding.
    bin_size, context_length, target_bins
        Width of a bin (bp), length of a window (bp), number of bins at its centre that are embedded.
    token_size, reach
        Bases of a token, and how many bases to either side of them a token depends on. At an end of the DNA the tower
        sees zeros, so that a slice of a sequence has other tokens within `reach` of an end where the sequence goes on.
    precision, device
        `float32`, `tf32` (products on a GPU) or `bf16` (differences between alleles); where it computes.
    """

    digest: str
    dim: int
    bin_size: int
    context_length: int
    target_bins: int
    token_size: int
    reach: int
    precision: str
    device: torch.device

    def embed(self, one_hot: Tensor) -> Tensor:
        """Embed windows (batch, context_length, 4), float32, as (batch, target_bins, dim)."""

    def tower(self, one_hot: Tensor) -> Tensor:
        """Tokens (batch, bases / token_size, width) of any stretch of bases (batch, bases, 4)."""

    def trunk(self, tokens: Tensor, bins: slice, like: Tensor | None = None) -> Tensor:
        """Embeddings (batch, bins, dim) of those bins of whole windows (batch, tokens of a window, width).

        `like` is a window (tokens, width) from which these differ in few tokens; a model may save work with it.
        """

    def differences(self) -> DifferenceTransformer:
        """The trunk for differences between two alleles, in the backbone's precision."""

    @property
    def track_weights(self) -> Tensor:
        """Weights (tracks, dim) of the tracks that the model itself predicts; the identity matrix if there are none."""


class EnformerBackbone:
    """The trunk of an enformer-pytorch model in evaluation mode (see `Backbone`).

    Parameters
    ----------
    device
        `cpu`, `cuda`, `cuda:1`, ...
    """

    def __init__(self, enformer: Enformer, digest: str, settings: BackboneSettings, device: str = "cpu") -> None:
        self.digest = digest
        self.dim = 2 * enformer.config.dim
        self.context_length = settings.context_length
        self.target_bins = settings.target_bins
        self.precision = settings.precision
        self.device = torch.device(device)
        self._trunk = enformer.trunk.eval().requires_grad_(False).to(self.device)
        tracks = [head[0].weight for head in enformer.heads.values()]
        self.track_weights = torch.cat(tracks).detach() if tracks else torch.eye(self.dim)
        self._tower = Tower(enformer)
        self.token_size = self.bin_size = self._tower.token_size
        self.reach = self._tower.reach
        self._transformer = Transformer(enformer, self.context_length // self.token_size)
        self._differences: DifferenceTransformer | None = None
        self._batches = Batches(_BASES_AT_ONCE[self.device.type])

    @torch.inference_mode()
    def embed(self, one_hot: Tensor) -> Tensor:
        """Embed windows (batch, context_length, 4), float32, as (batch, target_bins, dim)."""
        first = (self._transformer.tokens - self.target_bins) // 2
        bins = slice(first, first + self.target_bins)
        parts = self._batches(
            lambda part: self.trunk(self.tower(one_hot[part]), bins).cpu(), len(one_hot), self.context_length
        )
        return torch.cat(parts) if parts else torch.empty(0, self.target_bins, self.dim)

    @torch.inference_mode()
    def tower(self, one_hot: Tensor) -> Tensor:
        """Tokens (batch, bases / token_size, width) of any stretch of bases (batch, bases, 4)."""
        # In tf32 the changes of an allele's tokens are off by 6e-3, as much as by all of the transformer in bf16.
        with _products("float32"):
            return self._tower(one_hot.to(self.device))

    @torch.inference_mode()
    def trunk(self, tokens: Tensor, bins: slice, like: Tensor | None = None) -> Tensor:
        """Embeddings (batch, bins, dim) of those bins of whole windows (batch, tokens of a window, width).

        On a CPU the first block is only computed for what is not `like` a window (tokens, width).
        """
        with _products(self.precision):
            return self._transformer(tokens, bins, like if self.device.type == "cpu" else None)

    def differences(self) -> DifferenceTransformer:
        """The trunk for differences between two alleles, in the backbone's precision."""
        if self._differences is None:
            self._differences = DifferenceTransformer(self._transformer, self.precision)
        return self._differences


@contextmanager
def _products(precision: str) -> Iterator[None]:
    """Let float32 products on a GPU be tf32 unless the precision is float32; PyTorch's default mixes the two."""
    convolutions, products = torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()
    torch.backends.cudnn.allow_tf32 = precision != "float32"
    torch.set_float32_matmul_precision("highest" if precision == "float32" else "high")
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = convolutions
        torch.set_float32_matmul_precision(products)


def device_for(job: int) -> str:
    """The GPU of a job, where there are any: jobs that run side by side take turns through those that they see."""
    count = torch.cuda.device_count()
    return f"cuda:{job % count}" if count else "cpu"


def load_backbone(settings: BackboneSettings, job: int = 0) -> Backbone:
    """Load a frozen backbone (see `loading.load_enformer`) onto the GPU of a job (see `device_for`) or the CPU.

    Raises
    ------
    InputError
        Weights that are not there, cannot be read or do not fit the settings.
    """
    return EnformerBackbone(*load_enformer(settings), settings, device_for(job))


class Batches:
    """Runs functions over many things in batches, in smaller ones from when memory does not suffice.

    Attributes
    ----------
    limit
        Largest size of a batch, in the unit in which things are weighed.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit

    def __call__(self, function: Callable[[slice], Tensor], count: int, weight: int = 1) -> list[Tensor]:
        """Results of `function` for slices that cover `count` things of this weight.

        Raises
        ------
        InputError
            A single thing does not fit into memory.
        """
        results: list[Tensor] = []
        start = 0
        while start < count:
            stop = min(start + max(1, self.limit // weight), count)
            result = _unless_out_of_memory(function, slice(start, stop))
            if result is not None:
                results.append(result)
                start = stop
                continue
            # Here, and not where it was caught: until then the error holds the tensors of the failed batch.
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            if stop - start == 1:
                raise InputError(
                    "out of memory with a single window; give the job more memory, another GPU, or a smaller backbone"
                )
            self.limit = (stop - start) // 2 * weight
            logger.warning("out of memory with a batch of %d; continuing with %d", stop - start, (stop - start) // 2)
        return results


_CPU_MESSAGES = ("can't allocate memory", "not enough memory", "Cannot allocate memory")
"""What PyTorch says where memory of the CPU does not suffice."""


def _unless_out_of_memory(function: Callable[[slice], Tensor], part: slice) -> Tensor | None:
    try:
        return function(part)
    except (RuntimeError, MemoryError) as error:
        known = isinstance(error, torch.OutOfMemoryError | MemoryError)
        if not known and not any(message in str(error) for message in _CPU_MESSAGES):
            raise
        return None
