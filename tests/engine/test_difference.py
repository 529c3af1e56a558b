import sys
from pathlib import Path

import pytest
import torch

from fineprior.engine import difference as module
from fineprior.engine.backbone import load_backbone
from fineprior.engine.difference import (
    PRECISIONS,
    DifferenceTransformer,
    gelu,
    gelu_difference,
    norm_difference,
    relu_difference,
    softmax_difference,
)
from fineprior.engine.enformer import Transformer
from fineprior.project.settings import BackboneSettings
from toy_enformer import toy_enformer

ROOT = Path(__file__).parents[2]
TOKENS, WIDTH, BINS = 40, 24, slice(18, 22)
SMALL = 1e-4


def random(*shape, seed=0, scale=1.0, device="cpu"):
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(device)


def error(found, truth):
    return float((found.double() - truth).square().mean().sqrt() / truth.square().mean().sqrt())


@pytest.fixture(scope="module")
def enformer(device):
    return toy_enformer().requires_grad_(False).to(device)


@pytest.fixture(scope="module")
def tokens(device):
    return random(TOKENS, WIDTH, device=device)


@pytest.fixture(scope="module")
def edits(tokens):
    return [
        (17, tokens[17:23] + random(6, WIDTH, seed=1, device=tokens.device)),
        (0, random(3, WIDTH, seed=2, device=tokens.device)),
        (TOKENS - 5, 10 * random(5, WIDTH, seed=3, device=tokens.device)),
        (12, random(TOKENS - 12, WIDTH, seed=4, device=tokens.device)),
        (30, tokens[30:33] + random(3, WIDTH, seed=5, scale=SMALL, device=tokens.device)),
    ]


def edited(tokens, edit):
    changed = tokens.clone()
    changed[edit[0] : edit[0] + len(edit[1])] = edit[1]
    return changed


def exact(enformer, tokens, edits, bins):
    """The library's own modules, in float64."""
    modules = [module.double() for module in (enformer.transformer, enformer.final_pointwise)]
    try:
        windows = torch.stack([tokens, *(edited(tokens, edit) for edit in edits)]).double()
        embedded = modules[1](modules[0](windows)[:, bins])
    finally:
        for module in modules:
            module.float()
    return embedded[1:] - embedded[:1]


@pytest.mark.parametrize("scale", [1e-6, 1e-2, 1.0, 30.0])
def test_differences_of_what_is_not_linear_do_not_cancel(scale):
    x, d = random(5, 7, 32), random(3, 5, 7, 32, seed=1, scale=scale)
    deep, far = x.double(), d.double()

    def norm(value):
        return torch.nn.functional.layer_norm(value, (32,))

    centred = x - x.mean(-1, keepdim=True)
    spread = (centred.square().mean(-1, keepdim=True) + 1e-5).rsqrt()
    pairs = [
        (norm_difference(centred * spread, spread, d), norm(deep + far) - norm(deep)),
        (softmax_difference(x.softmax(-1), d.clone()), (deep + far).softmax(-1) - deep.softmax(-1)),
        (relu_difference(x, d), (deep + far).relu() - deep.relu()),
        (gelu_difference(x, d), gelu(deep + far) - gelu(deep)),
    ]
    for found, truth in pairs:
        assert error(found, truth) < 2e-6


def test_softmax_stands_logits_that_all_rise_or_fall_far():
    share = random(1, 3, 16, scale=3.0).softmax(-1)
    moved = random(1, 1, 3, 16, seed=1)
    truth = softmax_difference(share.double(), moved.double())
    for shift in (-300.0, -20.0, 60.0):
        assert torch.allclose(softmax_difference(share, moved + shift).double(), truth, atol=1e-5), shift
    alone = torch.zeros(1, 1, 1, 16)
    alone[..., 3] = 200
    assert torch.allclose(softmax_difference(torch.full((1, 1, 16), 1 / 16), alone)[0, 0, 0, 3], torch.tensor(15 / 16))


def test_in_float32_a_difference_is_the_exact_subtraction(enformer, tokens, edits, slack):
    truth = exact(enformer, tokens, edits, BINS)
    transformer = Transformer(enformer, TOKENS)
    engine = DifferenceTransformer(transformer, "float32")
    reference = engine.reference(tokens, BINS)
    found = engine.difference(reference, edits)
    assert found.dtype == torch.float32
    assert found.shape == (len(edits), 4, 2 * WIDTH)
    plain = transformer(torch.stack([tokens, *(edited(tokens, edit) for edit in edits)]), BINS)
    assert torch.allclose(reference.embedding, plain[0], atol=1e-5 * slack)
    assert torch.allclose(found, plain[1:] - plain[:1], atol=1e-4 * slack)
    for one, exactly in zip(found, truth, strict=True):
        assert error(one, exactly) < 1e-5 * slack
    assert error(plain[-1] - plain[0], truth[-1]) > 100 / slack * error(found[-1], truth[-1])


@pytest.mark.parametrize("bins", [slice(0, 1), slice(0, TOKENS), slice(TOKENS - 2, TOKENS)])
def test_any_bins_can_be_read(enformer, tokens, edits, bins, slack):
    engine = DifferenceTransformer(Transformer(enformer, TOKENS), "float32")
    every = engine.difference(engine.reference(tokens, slice(0, TOKENS)), edits)
    found = engine.difference(engine.reference(tokens, bins), edits)
    assert torch.allclose(found, every[:, bins], atol=1e-5 * slack)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_batches_blocks_of_queries_and_repeats_do_not_matter(enformer, tokens, edits, precision, slack, monkeypatch):
    engine = DifferenceTransformer(Transformer(enformer, TOKENS), precision)
    reference = engine.reference(tokens, BINS)
    together = engine.difference(reference, edits)
    assert torch.equal(together, engine.difference(reference, edits))
    monkeypatch.setattr(module, "_LOGITS_AT_ONCE", {"cpu": 1, "cuda": 1})
    monkeypatch.setattr(module, "_LEAST_QUERIES", 7)
    apart = torch.cat([engine.difference(engine.reference(tokens, BINS), [edit]) for edit in edits])
    for one, other in zip(together, apart, strict=True):
        rounded = precision == "bf16" or (precision == "tf32" and tokens.is_cuda)
        assert error(one, other.double()) < (5e-3 if rounded else 1e-5 * slack)


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_the_local_difference_is_exact_where_every_token_is_edited(enformer, tokens, precision, slack):
    engine = DifferenceTransformer(Transformer(enformer, TOKENS), precision)
    reference = engine.reference(tokens, BINS)
    edits = [(0, random(TOKENS, WIDTH, seed=seed, device=tokens.device)) for seed in (7, 8)]
    truth = engine.difference(reference, edits).double()
    assert error(engine.local_difference(reference, edits), truth) < (1e-2 if precision == "bf16" else 1e-5 * slack)


def test_the_local_difference_leaves_out_what_goes_by_way_of_other_tokens(enformer, tokens, edits):
    engine = DifferenceTransformer(Transformer(enformer, TOKENS), "float32")
    reference = engine.reference(tokens, BINS)
    found, truth = engine.local_difference(reference, edits), engine.difference(reference, edits)
    assert found.shape == truth.shape
    for one, exactly in zip(found, truth, strict=True):
        assert error(one, exactly.double()) > 1e-3
    assert torch.corrcoef(torch.stack([found[0].flatten(), truth[0].flatten()]))[0, 1] > 0.95


def test_an_edit_that_changes_nothing_gives_exactly_zero(enformer, tokens):
    engine = DifferenceTransformer(Transformer(enformer, TOKENS), "bf16")
    found = engine.difference(engine.reference(tokens, BINS), [(20, tokens[20:24])])
    assert not found.any()


def test_the_shipped_backbone(device):
    backbone = load_backbone(
        BackboneSettings(weights=str(ROOT / "resources/backbone"), context_length=2048, target_bins=16)
    )
    codes = torch.randint(4, (2048,), generator=torch.Generator().manual_seed(3))
    changed = codes.clone()
    changed[1024] = (codes[1024] + 1) % 4
    windows = torch.nn.functional.one_hot(torch.stack([codes, changed]), 4).float()
    both, embedded = backbone.tower(windows), backbone.embed(windows)
    for precision, allowed in (("float32", 1e-4), ("bf16", 2e-2)):
        engine = DifferenceTransformer(backbone._transformer, precision)
        reference = engine.reference(both[0], slice(6, 10))
        found = engine.difference(reference, [(5, both[1, 5:11])])
        assert error(found[0].cpu(), (embedded[1] - embedded[0])[6:10].double()) < allowed


@pytest.mark.slow
def test_bf16_keeps_small_effects_that_two_predictions_lose(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    from random_enformer import random_enformer

    long, bins, width = 1536, slice(766, 770), 192
    enformer = random_enformer(dim=width, depth=2, heads=4, dim_divisible_by=32)
    tokens = random(long, width)
    places = [765 + distance // 128 for distance in (0, 2_000, 20_000, 90_000)]
    edits = [(at, tokens[at : at + 5] + random(5, width, seed=at)) for at in places]
    transformer = Transformer(enformer, long)
    full, engine = (DifferenceTransformer(transformer, precision) for precision in ("float32", "bf16"))
    whole, reference = (one.reference(tokens, bins) for one in (full, engine))
    truth = full.difference(whole, edits).double()
    found = engine.difference(reference, edits)
    for at_distance, exactly in zip(found, truth, strict=True):
        assert error(at_distance, exactly) < 1e-2
        assert torch.corrcoef(torch.stack([at_distance.double().flatten(), exactly.flatten()]))[0, 1] > 0.9999
    assert reference.nbytes < 0.7 * whole.nbytes
    low = DifferenceTransformer(transformer, "bf16", reference_precision="bf16")
    plain = low.reference(edited(tokens, edits[2]), bins).embedding - low.reference(tokens, bins).embedding
    assert error(plain, truth[2]) > 0.3
    sys.modules.pop("random_enformer")


@pytest.mark.parametrize("edit", [(-1, 2), (TOKENS - 1, 2)])
def test_an_edit_beyond_the_window_is_refused(enformer, tokens, edit):
    engine = DifferenceTransformer(Transformer(enformer, TOKENS), "float32")
    with pytest.raises(ValueError, match="2 tokens at"):
        engine.difference(engine.reference(tokens, BINS), [(edit[0], random(edit[1], WIDTH, device=tokens.device))])


@pytest.mark.parametrize(("count", "bins"), [(TOKENS - 1, BINS), (TOKENS, slice(3, 3)), (TOKENS, slice(0, TOKENS + 1))])
def test_a_window_of_another_length_is_refused(enformer, tokens, count, bins):
    engine = DifferenceTransformer(Transformer(enformer, TOKENS), "float32")
    with pytest.raises(ValueError, match="expected 40 tokens"):
        engine.reference(tokens[:count], bins)


@pytest.mark.parametrize(("precision", "allowed"), [("float32", 1e-5), ("tf32", 5e-3), ("bf16", 2e-2)])
def test_each_precision_is_as_close_as_its_products(enformer, tokens, edits, precision, allowed):
    """A product in tf32 has 10 bits, one in bfloat16 has 8, and their errors add up over two blocks."""
    truth = exact(enformer, tokens, edits, BINS)
    engine = DifferenceTransformer(Transformer(enformer, TOKENS), precision)
    found = engine.difference(engine.reference(tokens, BINS), edits)
    for one, exactly in zip(found, truth, strict=True):
        assert error(one, exactly) < allowed
