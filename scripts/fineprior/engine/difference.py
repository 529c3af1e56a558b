"""The effect of a variant, carried through the transformer as a difference, so that low precision keeps it.

Subtracting two predictions that were each rounded leaves nothing of an effect smaller than the rounding. Here the
difference d = alternative - reference itself goes through the blocks, around activations of the reference window that
are computed once in float32 and kept: matrix products act on d, in low precision with float32 sums; what is not
linear (layer norm, softmax, ReLU, GELU) has a formula of the difference in which nothing cancels, in float32. In exact
arithmetic the result is the subtraction's; docs/method/precision.md has the error of each precision.

Interface::

    engine = DifferenceTransformer(Transformer(enformer, tokens=1536), "bf16")
    reference = engine.reference(tokens, slice(766, 770))    # (T, dim) float32, token indices of the bins
    reference.embedding                                      # (bins, 2 dim) float32, of the reference allele
    engine.difference(reference, [(764, new_tokens), ...])   # edits (first token, (m, dim) float32) -> (k, bins, 2 dim)
    engine.local_difference(reference, [...])                # the same, roughly and fast, for a screen

New tokens may be as many as one likes (an indel changes all to its right), and must come from the same arithmetic as
the reference's tokens. A reference of the full Enformer (1,536 tokens, 11 blocks) holds 1.3 GB in float32, 0.9 GB with
bf16; beside it each variant of a batch needs about 0.1 GB, less in the attention, which is done in blocks of queries.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own name for it)
from torch import Tensor

from fineprior.engine.enformer import Layer, Transformer, relative_logits, split_heads

PRECISIONS = ("float32", "tf32", "bf16")
Edit = tuple[int, Tensor]
"""First token that an allele changes in its reference window, and its tokens (m, dim) from there on."""

_LOGITS_AT_ONCE = {"cpu": 1 << 22, "cuda": 1 << 28}
"""Attention logits in one block of queries: what a core's cache likes, and 1 GB for each of a few temporaries."""
_LEAST_QUERIES = 32
_LARGEST_LOGIT_CHANGE = 80.0
"""Its exponential, and that of 1,536 such keys together, are float32."""
_GELU_SLOPE = 1.702


class Products:
    """Matrix products of one precision (`PRECISIONS`), with float32 sums; tf32 is float32 where there is no GPU."""

    def __init__(self, precision: str) -> None:
        self.precision = precision
        self.kept = torch.bfloat16 if precision == "bf16" else torch.float32

    def operand(self, x: Tensor) -> Tensor:
        """What a product takes of `x`."""
        return x.to(self.kept)

    def __call__(self, first: Tensor, second: Tensor) -> Tensor:
        """float32 (..., n, m) of (..., n, k) and (..., k, m), of any precision."""
        return torch.matmul(self.operand(first), self.operand(second)).float()

    def unrounded(self, first: Tensor, second: Tensor) -> Tensor:
        """The same of (k, heads, n, m) and (k, heads, m, j), whose sums are not rounded to bfloat16 on their way out.

        Logits need this: those of the changed tokens change by so much that the exponential would magnify it.
        """
        first, second = self.operand(first), self.operand(second)
        if self.kept == torch.bfloat16 and first.is_cuda:
            product = torch.bmm(first.flatten(0, 1), second.flatten(0, 1), out_dtype=torch.float32)
            return product.view(*first.shape[:2], *product.shape[1:])
        return torch.matmul(first.float(), second.float())

    @contextmanager
    def active(self) -> Iterator[None]:
        """Let a GPU's float32 products be tf32 within this block, if that is the precision."""
        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("high" if self.precision == "tf32" else "highest")
        try:
            yield
        finally:
            torch.set_float32_matmul_precision(before)


@dataclass(frozen=True)
class _BlockReference:
    """Activations of a reference window in one block; q queries, all but in the last block all T tokens."""

    normed: Tensor
    """(T, dim), without the norm's weight and bias."""
    scale: Tensor
    """(T, 1), 1 / standard deviation."""
    query: Tensor
    """(heads, q, dim_key), with the content bias."""
    key: Tensor
    value: Tensor
    """Less its mean over tokens."""
    attention: Tensor
    """(heads, q, T)."""
    feed_normed: Tensor
    feed_scale: Tensor
    hidden: Tensor
    """(q, 2 dim), before the ReLU."""


@dataclass(frozen=True)
class Reference:
    """A reference window's tokens (T, dim), the bins that are read, their embedding and what differences need."""

    tokens: Tensor
    bins: slice
    embedding: Tensor
    blocks: tuple[_BlockReference, ...]
    last: tuple[Tensor, Tensor]

    @property
    def nbytes(self) -> int:
        """Memory that is held."""
        tensors = [getattr(block, field.name) for block in self.blocks for field in fields(block)]
        return sum(tensor.nbytes for tensor in (*tensors, *self.last, self.tokens, self.embedding))


class DifferenceTransformer:
    """Transformer and final pointwise layer of an Enformer for the differences between alleles (see the module).

    Parameters
    ----------
    transformer
        Holds the weights.
    precision
        One of `PRECISIONS`, or `Products` of another kind, for differences.
    reference_precision
        The same for the reference: float32, unless one wants to see what two predictions lose in another.
    """

    def __init__(
        self,
        transformer: Transformer,
        precision: str | Products = "bf16",
        reference_precision: str | Products = "float32",
    ) -> None:
        self._products, self._exact = (
            given if isinstance(given, Products) else Products(given) for given in (precision, reference_precision)
        )
        self._tokens = transformer.tokens
        self._layers = transformer.layers
        pointwise: Any = transformer.final_pointwise
        self._norm, _, self._point = pointwise[1]
        with torch.no_grad():
            self._matrices, self._reference_matrices = (
                [_matrices(layer, product) for layer in self._layers] for product in (self._products, self._exact)
            )
            self._point_matrix = self._point.weight[..., 0].T

    @torch.inference_mode()
    def reference(self, tokens: Tensor, bins: slice) -> Reference:
        """Run a window's tokens (T, dim) and keep what `difference` needs, for the bins (token indices)."""
        if len(tokens) != self._tokens or not 0 <= bins.start < bins.stop <= len(tokens):
            raise ValueError(f"{len(tokens)} tokens and bins {bins}; expected {self._tokens} tokens and bins of them")
        kept, x = [], tokens
        with self._exact.active():
            for number, layer in enumerate(self._layers):
                activations, x = self._reference_block(
                    layer, self._reference_matrices[number], x, self._rows(number, bins)
                )
                kept.append(activations)
            before = F.batch_norm(
                x, self._norm.running_mean, self._norm.running_var, self._norm.weight, self._norm.bias,
                eps=self._norm.eps,
            )  # fmt: skip
            after = self._exact(gelu(before), self._point_matrix) + self._point.bias
        return Reference(tokens, bins, gelu(after), tuple(kept), (before, after))

    def _rows(self, number: int, bins: slice) -> slice:
        """The tokens of a block's output that are needed."""
        return bins if number == len(self._layers) - 1 else slice(0, self._tokens)

    def _reference_block(
        self, layer: Layer, matrices: dict[str, Tensor], x: Tensor, queries: slice
    ) -> tuple[_BlockReference, Tensor]:
        product, heads = self._exact, layer.attention.heads
        normed, scale = _standardise(x, layer.norm.eps)
        y = normed * layer.norm.weight + layer.norm.bias
        query, key, value = (
            split_heads(product(rows[None], matrices[name]), heads)[0]
            for name, rows in (("query", y[queries]), ("key", y), ("value", y))
        )  # fmt: skip
        content, position = query + layer.attention.rel_content_bias[0], query + layer.attention.rel_pos_bias[0]
        attention = torch.empty((heads, query.shape[1], len(x)), dtype=self._products.kept, device=x.device)
        mixed = torch.empty((heads, query.shape[1], value.shape[-1]), device=x.device)
        for rows in _query_blocks(query.shape[1], heads * len(x), x.device.type):
            logits = product(content[:, rows], key.mT)
            here = product.operand(position[None, :, rows])
            logits += relative_logits(here, matrices["positions"], rows.start + queries.start)[0]
            share = logits.softmax(-1)
            attention[:, rows] = share
            mixed[:, rows] = product(share, value)
        x = x[queries] + product(_merge(mixed), matrices["out"]) + layer.attention.to_out.bias
        feed_normed, feed_scale = _standardise(x, layer.feed_norm.eps)
        y = feed_normed * layer.feed_norm.weight + layer.feed_norm.bias
        hidden = product(y, matrices["feed_in"]) + layer.feed_in.bias
        # Changes of attention sum to zero, so that they see no difference; their rounding errors do.
        value = value - value.mean(1, keepdim=True)
        key, value = (each.to(self._products.kept) for each in (key, value))
        activations = _BlockReference(normed, scale, content, key, value, attention, feed_normed, feed_scale, hidden)
        return activations, x + product(hidden.relu(), matrices["feed_out"]) + layer.feed_out.bias

    @torch.inference_mode()
    def difference(self, reference: Reference, edits: Sequence[Edit]) -> Tensor:
        """Alternative minus reference embedding (k, bins, 2 dim), float32, of k alleles in one window.

        Raises
        ------
        ValueError
            An edit that reaches beyond the window.
        """
        d = reference.tokens.new_zeros((len(edits), *reference.tokens.shape))
        for row, (first, new) in enumerate(edits):
            if first < 0 or first + len(new) > self._tokens:
                raise ValueError(f"an edit of {len(new)} tokens at {first} in a window of {self._tokens}")
            d[row, first : first + len(new)] = new - reference.tokens[first : first + len(new)]
        with self._products.active():
            for number, layer in enumerate(self._layers):
                around, rows = reference.blocks[number], self._rows(number, reference.bins)
                d = self._difference_block(layer, self._matrices[number], around, d, rows)
            return self._finish(reference, d)

    def _finish(self, reference: Reference, d: Tensor) -> Tensor:
        """What d (k, bins, dim) after the last block makes of the embedding (k, bins, 2 dim)."""
        before, after = reference.last
        d = d * (self._norm.weight * (self._norm.running_var + self._norm.eps).rsqrt())
        return gelu_difference(after, self._products(gelu_difference(before, d), self._point_matrix))

    @torch.inference_mode()
    def local_difference(self, reference: Reference, edits: Sequence[Edit]) -> Tensor:
        """As `difference`, if all tokens but the edited ones and the bins stayed what they are in the reference.

        An approximation at a small part of the cost: it ignores what reaches the bins by way of other tokens.
        """
        bins = torch.arange(reference.bins.start, reference.bins.stop, device=reference.tokens.device)
        rows = [torch.cat((torch.arange(at, at + len(new), device=bins.device), bins)) for at, new in edits]
        rows = [torch.unique(one) for one in rows]
        found = reference.tokens.new_empty((len(edits), len(bins), self._point_matrix.shape[1]))
        with self._products.active():
            for count in {len(one) for one in rows}:
                members = [number for number, one in enumerate(rows) if len(one) == count]
                together = torch.stack([rows[number] for number in members])
                d = reference.tokens.new_zeros((*together.shape, reference.tokens.shape[1]))
                for change, number in zip(d, members, strict=True):
                    first, new = edits[number]
                    at = int(torch.searchsorted(rows[number], first))
                    change[at : at + len(new)] = new - reference.tokens[first : first + len(new)]
                for number in range(len(self._layers)):
                    d, together = self._local_block(number, reference, d, together)
                found[members] = self._finish(reference, d)
        return found

    def _local_block(self, number: int, reference: Reference, d: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """A block for d (k, m, dim) of tokens `rows` (k, m), sorted; and the rows that come out (of the last, bins)."""
        product, layer, matrices = self._products, self._layers[number], self._matrices[number]
        around, heads, needed = reference.blocks[number], layer.attention.heads, self._rows(number, reference.bins)
        y = product.operand(norm_difference(around.normed[rows], around.scale[rows], d) * layer.norm.weight)
        inside = (rows >= needed.start) & (rows < needed.stop)  # as many in each row of `rows`
        asking = rows[inside].view(len(rows), -1)
        at = asking - needed.start
        query = split_heads(product(y[inside].view(*asking.shape, -1), matrices["query"]), heads)
        key, value = (split_heads(product(y, matrices[name]), heads) for name in ("key", "value"))
        logits = product.unrounded(query, around.key.mT.expand(len(rows), -1, -1, -1))
        distances = torch.arange(self._tokens, device=rows.device) - asking[..., None] + self._tokens - 1
        logits += product(query, matrices["positions"].mT).gather(-1, distances[:, None].expand_as(logits))
        changed = product.unrounded(around.query[:, at].transpose(0, 1) + query, key.mT)
        logits.scatter_add_(-1, rows[:, None, None].expand_as(changed), changed)
        share = around.attention[:, at].transpose(0, 1).float()
        change = softmax_difference(share, logits)
        mixed = product(change, around.value)
        mixed += product((change + share).gather(-1, rows[:, None, None].expand_as(changed)), value)
        d = d[inside].view(*asking.shape, -1) + product(_merge(mixed), matrices["out"])
        y = norm_difference(around.feed_normed[at], around.feed_scale[at], d) * layer.feed_norm.weight
        hidden = product(y, matrices["feed_in"])
        return d + product(relu_difference(around.hidden[at], hidden), matrices["feed_out"]), asking

    def _difference_block(
        self, layer: Layer, matrices: dict[str, Tensor], around: _BlockReference, d: Tensor, queries: slice
    ) -> Tensor:
        product, heads = self._products, layer.attention.heads
        y = product.operand(norm_difference(around.normed, around.scale, d) * layer.norm.weight)
        query = split_heads(product(y[:, queries], matrices["query"]), heads)
        key = split_heads(product.operand(product(y, matrices["key"])), heads)
        value = split_heads(product.operand(product(y, matrices["value"])), heads)
        # q'k' - qk = dq k + (q + dq) dk: one product of twice the length.
        keys = torch.cat((around.key.expand(len(d), -1, -1, -1), key), -1).mT
        mixed = query.new_empty((len(d), heads, query.shape[2], value.shape[-1]))
        for rows in _query_blocks(query.shape[2], len(d) * heads * self._tokens, d.device.type):
            here = query[:, :, rows]
            logits = product.unrounded(torch.cat((here, around.query[:, rows] + here), -1), keys)
            logits += relative_logits(product.operand(here), matrices["positions"], rows.start + queries.start)
            share = around.attention[:, rows]
            change = softmax_difference(share, logits)
            mixed[:, :, rows] = product(change, around.value) + product(change + share, value)
        d = d[:, queries] + product(_merge(mixed), matrices["out"])
        y = norm_difference(around.feed_normed, around.feed_scale, d) * layer.feed_norm.weight
        hidden = product(y, matrices["feed_in"])
        return d + product(relu_difference(around.hidden, hidden), matrices["feed_out"])


def norm_difference(normed: Tensor, scale: Tensor, d: Tensor) -> Tensor:
    """Change (..., dim) of the standardised `normed` = (x - mean) scale, as x changes by `d`.

    With e = (d - mean(d)) scale, the variance grows by a factor 1 + mean(e (2 normed + e)) = 1 + v (the norm's epsilon
    included), and the change is e + s (e + normed), s = (1 + v)^-1/2 - 1.
    """
    e = (d - d.mean(-1, keepdim=True)) * scale
    moved = e + normed
    growth = (e * (moved + normed)).mean(-1, keepdim=True)
    return e + torch.expm1(-0.5 * torch.log1p(growth)) * moved


def softmax_difference(share: Tensor, change: Tensor) -> Tensor:
    """Change of the softmax `share` (heads, q, T) as its logits change by `change` (k, heads, q, T), which is used up.

    P' - P = P (w - t) / (1 + t), with w = expm1(change), t = sum(P w). Adding a constant to all logits of a query
    changes nothing; with sum(P change) taken away, t is not negative (Jensen), so that 1 + t cannot cancel. More is
    taken away where a key gains so much that its exponential would overflow.
    """
    mean = (share * change).sum(-1, keepdim=True)
    change -= torch.maximum(mean, change.amax(-1, keepdim=True) - _LARGEST_LOGIT_CHANGE)
    weighted = change.expm1_().mul_(share)
    total = weighted.sum(-1, keepdim=True)
    return torch.addcmul(weighted, share.to(total.dtype), total, value=-1, out=weighted).div_(1 + total)


def relu_difference(x: Tensor, d: Tensor) -> Tensor:
    """relu(x + d) - relu(x), without the cancellation of writing it so."""
    return torch.maximum(d + x.clamp(max=0), -x.clamp(min=0))


def gelu(x: Tensor) -> Tensor:
    """Enformer's GELU, x sigmoid(1.702 x)."""
    return torch.sigmoid(_GELU_SLOPE * x) * x


def gelu_difference(x: Tensor, d: Tensor) -> Tensor:
    """gelu(x + d) - gelu(x), from tanh a - tanh b = tanh(a - b) (1 - tanh a tanh b)."""
    before, after = (torch.tanh(0.5 * _GELU_SLOPE * at) for at in (x, x + d))
    return d * (0.5 + 0.5 * after) + x * (0.5 * torch.tanh(0.5 * _GELU_SLOPE * d) * (1 - before * after))


def _matrices(layer: Layer, product: Products) -> dict[str, Tensor]:
    """A block's weights as products take them: (in, out), and `positions` as `Layer.rel_k`."""
    attention = layer.attention
    linear = {
        "query": attention.to_q.weight * attention.scale,
        "key": attention.to_k.weight,
        "value": attention.to_v.weight,
        "out": attention.to_out.weight,
        "feed_in": layer.feed_in.weight,
        "feed_out": layer.feed_out.weight,
    }
    return {name: product.operand(weight).T for name, weight in linear.items()} | {
        "positions": product.operand(layer.rel_k)
    }


def _standardise(x: Tensor, epsilon: float) -> tuple[Tensor, Tensor]:
    """(x - mean) / standard deviation, and 1 / standard deviation (..., 1)."""
    centred = x - x.mean(-1, keepdim=True)
    scale = (centred.square().mean(-1, keepdim=True) + epsilon).rsqrt()
    return centred * scale, scale


def _merge(x: Tensor) -> Tensor:
    """(..., heads, n, dim) as (..., n, heads * dim)."""
    return x.transpose(-2, -3).flatten(-2)


def _query_blocks(count: int, logits_per_query: int, device: str) -> Iterator[slice]:
    size = max(_LEAST_QUERIES, _LOGITS_AT_ONCE.get(device, 1 << 22) // logits_per_query)
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))
