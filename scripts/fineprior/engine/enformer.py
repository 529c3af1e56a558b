"""The two halves of an Enformer: the tower from bases to tokens, and the transformer from tokens to embeddings.

The same arithmetic as `enformer_pytorch`, whose modules hold the weights, without the work that they repeat or throw
away. The tower runs on any stretch of bases and knows how far a base reaches in it; pooling over pairs is one
convolution. In the transformer, keys of relative positions are computed once for a model instead of in each forward
pass, attention goes over blocks of queries that need only their own part of the relative logits (no padded copies), and
the last block computes only the tokens that are read. The transformer's results are the library's to the last bit, but
for few queries (`_attend_few`) and blocks of odd sizes, where sums are in another order.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own name for it)
from enformer_pytorch import Enformer
from enformer_pytorch.modeling_enformer import Attention, AttentionPool, get_positional_embed
from torch import Tensor, nn

_MOST_CHANGED = 1 / 8
"""Of a window's tokens; with more, its first block is computed anew."""
_LEAST_REST = 0.5


class Tower:
    """Stem and tower of an enformer-pytorch model whose pools are `PairPool`s, in evaluation mode.

    Attributes
    ----------
    token_size
        Bases of a token.
    reach
        Bases to either side of a token that it depends on: 259 for Enformer. What is changed in bases [a, b) can
        change tokens from floor((a - reach) / token_size) to ceil((b + reach) / token_size) and no others.
    """

    def __init__(self, enformer: Enformer) -> None:
        self._stages = [enformer.stem, *enformer.conv_tower]
        self.token_size = 2 ** len(self._stages)
        self.reach = 0
        for level, stage in enumerate(self._stages):
            convolution = stage[0] if level == 0 else stage[0][2]
            self.reach += convolution.kernel_size[0] // 2 * 2**level

    def __call__(self, one_hot: Tensor) -> Tensor:
        """Tokens (batch, bases / token_size, width) of bases (batch, bases, 4), whose ends are ends of the DNA.

        Beyond the ends each layer sees zeros, so that the tokens within `reach` of an end are not those of the same
        bases in the middle of a longer sequence.
        """
        x = one_hot.transpose(1, 2)
        for stage in self._stages:
            x = stage(x)
        return x.transpose(1, 2)


class PairPool(nn.Module):
    """Enformer's attention pooling over pairs of positions, exactly, at about a tenth of the time on a CPU.

    A softmax over two logits is the logistic function of their difference, and the logits are linear, so that one
    convolution of the differences suffices. Keeps the parameter of the library's module under its name.
    """

    def __init__(self, pool: AttentionPool) -> None:
        super().__init__()
        self.to_attn_logits = pool.to_attn_logits

    def forward(self, x: Tensor) -> Tensor:
        """Pool (batch, channels, length), of even length, to (batch, channels, length / 2)."""
        first, second = x[..., 0::2], x[..., 1::2]
        difference = first - second
        share = torch.sigmoid(F.conv1d(difference, self.to_attn_logits.weight[..., 0]))
        return torch.addcmul(second, share, difference)


def use_pair_pools(module: nn.Module) -> None:
    """Replace all attention pools over pairs within a module; their weights stay."""
    for parent in module.modules():
        for name, child in list(parent.named_children()):
            if isinstance(child, AttentionPool) and child.pool_size == 2:
                setattr(parent, name, PairPool(child))


@dataclass(frozen=True)
class Layer:
    """One block of the transformer.

    Attributes
    ----------
    norm, attention
        Layer norm and attention of its first half; the modules of the library.
    rel_k
        Keys of the relative positions 1 - tokens .. tokens - 1, float32 (heads, 2 tokens - 1, dim_key).
    feed_norm, feed_in, feed_out
        Layer norm and the two linear layers of its second half; between these is a ReLU.
    """

    norm: nn.LayerNorm
    attention: Attention
    rel_k: Tensor
    feed_norm: nn.LayerNorm
    feed_in: nn.Linear
    feed_out: nn.Linear


@dataclass(frozen=True)
class _FirstAttention:
    """Attention of a window (tokens, width) in the first block; the others are (heads, tokens, size)."""

    tokens: Tensor
    queries: Tensor
    keys: Tensor
    values: Tensor
    attended: Tensor
    log_sum: Tensor
    """Logarithm (heads, tokens, 1) of the sum of a query's exponentials."""


class Transformer:
    """Transformer and final pointwise layer of an Enformer in evaluation mode, for windows of one length.

    Parameters
    ----------
    enformer
        Holds the weights and, in each attention module, whether positions are those of TensorFlow's gamma.
    tokens
        Tokens of a window.
    queries_at_once
        Queries in one block of attention.
    """

    def __init__(self, enformer: Enformer, tokens: int, queries_at_once: int = 256) -> None:
        self.tokens = tokens
        self.layers: list[Layer] = []
        self.final_pointwise: nn.Module = enformer.final_pointwise
        self._queries_at_once = queries_at_once
        self._first: _FirstAttention | None = None
        for block in enformer.transformer:
            norm, attention = block[0].fn[0], block[0].fn[1]
            feed_norm, feed_in, _, _, feed_out, _ = block[1].fn
            self.layers.append(Layer(norm, attention, position_keys(attention, tokens), feed_norm, feed_in, feed_out))

    def __call__(self, tokens: Tensor, bins: slice, like: Tensor | None = None) -> Tensor:
        """Embeddings (batch, bins, dim) of the `bins` of windows given as tokens (batch, tokens, width).

        With a window `like` (tokens, width) these, which differs in few tokens, the first block is that of `like` but
        for what they change. What it needs is kept for the next call with the same one.
        """
        x, layers = tokens, self.layers[:-1]
        if like is not None and layers:
            x = torch.stack([self._first_block(window, like) for window in tokens])
            layers = layers[1:]
        for layer in layers:
            x = self.block(layer, x, slice(0, self.tokens))
        for layer in self.layers[-1:]:
            x = self.block(layer, x, bins)
        embedding: Tensor = self.final_pointwise(x if self.layers else x[:, bins])
        return embedding

    def block(self, layer: Layer, x: Tensor, rows: slice) -> Tensor:
        """One block for the `rows` that are needed of tokens (batch, tokens, width)."""
        return _feed_forward(layer, x[:, rows] + self.attend(layer, layer.norm(x), rows))

    def _first_block(self, window: Tensor, like: Tensor) -> Tensor:
        """The first block (tokens, width) of a window that is like another."""
        layer = self.layers[0]
        if self._first is None or not torch.equal(self._first.tokens, like):
            self._first = self._first_attention(layer, like)
        attended = _exchange(layer, self._first, window)
        if attended is None:
            return self.block(layer, window[None], slice(0, self.tokens))[0]
        return _feed_forward(layer, window + layer.attention.to_out(join_heads(attended[None])[0]))

    def _first_attention(self, layer: Layer, tokens: Tensor) -> _FirstAttention:
        queries, keys, values = (part[0] for part in _project(layer, tokens[None]))
        attended, log_sum = torch.empty_like(values), torch.empty_like(values[..., :1])
        for start in range(0, self.tokens, self._queries_at_once):
            rows = slice(start, start + self._queries_at_once)
            logits = _logits(layer, queries[None, :, rows], keys[None].transpose(-1, -2), start)[0]
            log_sum[:, rows] = torch.logsumexp(logits, -1, keepdim=True)
            attended[:, rows] = torch.matmul(torch.softmax(logits, -1), values)
        return _FirstAttention(tokens, queries, keys, values, attended, log_sum)

    def attend(self, layer: Layer, x: Tensor, rows: slice) -> Tensor:
        """Attention (batch, rows, width) of the `rows` to all tokens of x (batch, tokens, width)."""
        attention = layer.attention
        queries = split_heads(attention.to_q(x[:, rows]), attention.heads) * attention.scale
        if _are_few(queries.shape[2], x.shape[1], attention):
            return attention.to_out(join_heads(_attend_few(layer, x, queries, rows.start)))
        keys = split_heads(attention.to_k(x), attention.heads).transpose(-1, -2)
        values = split_heads(attention.to_v(x), attention.heads)
        attended = values.new_empty(*queries.shape[:3], values.shape[-1])
        for start in range(0, queries.shape[2], self._queries_at_once):
            part = queries[:, :, start : start + self._queries_at_once]
            logits = _logits(layer, part, keys, rows.start + start)
            attended[:, :, start : start + part.shape[2]] = torch.matmul(torch.softmax(logits, -1), values)
        return attention.to_out(join_heads(attended))


def _feed_forward(layer: Layer, x: Tensor) -> Tensor:
    out: Tensor = layer.feed_out(layer.feed_in(layer.feed_norm(x)).relu_())
    return out.add_(x)


def _project(layer: Layer, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, scaled, keys and values (batch, heads, tokens, size) of tokens (batch, tokens, width)."""
    attention, y = layer.attention, layer.norm(x)
    queries, keys, values = (
        split_heads(linear(y), attention.heads) for linear in (attention.to_q, attention.to_k, attention.to_v)
    )
    return queries * attention.scale, keys, values


def _logits(layer: Layer, queries: Tensor, keys: Tensor, first: int) -> Tensor:
    """Logits (batch, heads, queries, tokens) of the queries of tokens from `first` on, for transposed keys."""
    logits = torch.matmul(queries + layer.attention.rel_content_bias, keys)
    logits += relative_logits(queries + layer.attention.rel_pos_bias, layer.rel_k, first)
    return logits


def _exchange(layer: Layer, first: _FirstAttention, window: Tensor) -> Tensor | None:
    """Attention (heads, tokens, value size) in the first block when a window has other tokens here and there.

    Exact: with p the shares that a query gave to the tokens that go, and q the exponentials of those that come on the
    same scale, its mean of values m becomes (m - p v + q v') / (1 - p + q). Queries for which that would cancel, as
    they gave half of their attention away, are done in full, like those of the tokens that come.

    Returns
    -------
    None if there are so many of either that the whole block is cheaper.
    """
    tokens = len(window)
    changed = (window != first.tokens).any(-1)
    places = changed.nonzero().flatten()
    if len(places) > _MOST_CHANGED * tokens:
        return None
    if not len(places):
        return first.attended
    content, position = layer.attention.rel_content_bias[0], layer.attention.rel_pos_bias[0]
    queries, keys, values = (part[0] for part in _project(layer, window[None, places]))
    distances = [layer.rel_k[:, place : place + tokens].flip(1) for place in places.tolist()]
    relative = torch.stack([((first.queries + position) * part).sum(-1) for part in distances], -1)
    asking = first.queries + content
    before, after = (
        torch.exp(torch.matmul(asking, some.transpose(-1, -2)) + relative - first.log_sum)
        for some in (first.keys[:, places], keys)
    )
    rest = 1 - before.sum(-1, keepdim=True)
    total = rest + after.sum(-1, keepdim=True)
    attended = first.attended - torch.matmul(before, first.values[:, places]) + torch.matmul(after, values)
    attended /= total
    anew = (changed | ((rest < _LEAST_REST) | ~torch.isfinite(total)).any(0).flatten()).nonzero().flatten()
    if len(anew) > _MOST_CHANGED * tokens:
        return None
    all_queries, all_keys, all_values = (
        whole.index_copy(1, places, some)
        for whole, some in ((first.queries, queries), (first.keys, keys), (first.values, values))
    )
    for row in anew.tolist():
        logits = _logits(layer, all_queries[None, :, row : row + 1], all_keys[None].transpose(-1, -2), row)[0]
        attended[:, row : row + 1] = torch.matmul(torch.softmax(logits, -1), all_values)
    return attended


def _are_few(queries: int, tokens: int, attention: Attention) -> bool:
    """Whether so few queries do with fewer products if there are no keys and values."""
    sizes = attention.to_k.out_features + attention.to_v.out_features
    return queries * (2 * attention.heads * tokens + sizes) < tokens * sizes


def _attend_few(layer: Layer, x: Tensor, queries: Tensor, first: int) -> Tensor:
    """Attention (batch, heads, queries, value size) of few queries to all tokens, without their keys and values.

    With q (K x) = (q K) x and a (V x) = (a x) V, the matrices of keys and values meet the queries, which are fewer.
    """
    attention = layer.attention
    batch, heads, count, _ = queries.shape
    to_k, to_v = (linear.weight.view(heads, -1, x.shape[-1]) for linear in (attention.to_k, attention.to_v))
    asked = torch.matmul(queries + attention.rel_content_bias, to_k).flatten(1, 2)
    logits = torch.matmul(asked, x.transpose(1, 2)).view(batch, heads, count, -1)
    logits += relative_logits(queries + attention.rel_pos_bias, layer.rel_k, first)
    seen = torch.matmul(torch.softmax(logits, -1).flatten(1, 2), x).view(batch, heads, count, -1)
    return torch.matmul(seen, to_v.transpose(-1, -2))


def position_keys(attention: Attention, tokens: int) -> Tensor:
    """Keys of relative positions, float32 (heads, 2 tokens - 1, dim_key), as the library's forward pass makes them.

    Always in float32: half of the positional features of a long window cannot be told apart in bfloat16.
    """
    weight = attention.to_rel_k.weight
    with torch.no_grad():
        features = get_positional_embed(
            tokens, attention.num_rel_pos_features, weight.device, attention.use_tf_gamma, torch.float32
        )
        keys = features @ weight.float().T
    return keys.view(len(keys), attention.heads, -1).transpose(0, 1).contiguous()


def relative_logits(queries: Tensor, rel_k: Tensor, first: int) -> Tensor:
    """Products of queries with the keys of their distances to all tokens.

    Parameters
    ----------
    queries
        (batch, heads, queries, dim_key) of the tokens from `first` on.
    rel_k
        See `Layer`.

    Returns
    -------
    (batch, heads, queries, tokens): a skewed view, in which row i starts one column further left than row i - 1.
    """
    tokens, count = (rel_k.shape[1] + 1) // 2, queries.shape[2]
    width = tokens + count - 1
    begin = tokens - first - count
    products = torch.matmul(queries, rel_k[:, begin : begin + width].transpose(-1, -2))
    batch, heads = products.shape[:2]
    strides = (heads * count * width, count * width, width - 1, 1)
    return products.as_strided((batch, heads, count, tokens), strides, products.storage_offset() + count - 1)


def split_heads(x: Tensor, heads: int) -> Tensor:
    """(batch, tokens, heads * size) as (batch, heads, tokens, size)."""
    return x.view(*x.shape[:2], heads, -1).transpose(1, 2)


def join_heads(x: Tensor) -> Tensor:
    """(batch, heads, tokens, size) as (batch, tokens, heads * size)."""
    return x.transpose(1, 2).flatten(2)
