from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from fineprior.foundation.settings import WindowSettings
from fineprior.genetics.genome import Genome
from fineprior.model.backbone import load_backbone
from fineprior.model.delta import AlleleEmbedder
from fineprior.model.difference import DifferenceTransformer
from fineprior.model.embeddings import embed_alleles
from fineprior.model.head import Head
from fineprior.model.scores import score_table
from fineprior.model.screen import first_order, first_order_magnitudes, largest_of_each, worth_scoring
from fineprior.sequence.windows import locus_sequences
from toy_enformer import CONTEXT, DIM, save_toy

WINDOWS = WindowSettings(max_offset=32, max_indel_length=10)


@pytest.fixture(scope="module")
def backbone(tmp_path_factory):
    return load_backbone(save_toy(tmp_path_factory.mktemp("toy")))


@pytest.fixture(scope="module")
def variants(tmp_path_factory):
    """Two loci: SNVs, and an insertion and a deletion."""
    path = tmp_path_factory.mktemp("genome") / "genome.fa"
    path.write_text(">chr1\n" + "".join(np.random.default_rng(4).choice(list("ACGT"), 4000)) + "\n")
    rows = []
    with Genome(path) as genome:
        for locus, start in (("a", 700), ("b", 2900)):
            for pos in range(start, start + 100, 9):
                bases = "".join("ACGT"[code] for code in genome.codes("chr1", pos - 1, pos + 4))
                pairs = [(bases[0], "CGTA"["ACGT".index(bases[0])])]
                if pos in (709, 718):
                    pairs.append((bases, bases[0]) if pos == 709 else (bases[0], bases[0] + "GAT"))
                rows += [(locus, f"chr1:{pos}:{ref}:{alt}", "chr1", pos, ref, alt) for ref, alt in pairs]
        table = pd.DataFrame(rows, columns=["locus", "variant_id", "chrom", "pos", "ref", "alt"])
        yield table, locus_sequences(table, genome, CONTEXT, WINDOWS)


@pytest.fixture(scope="module")
def scored(variants):
    return np.arange(len(variants[0]))


def test_a_small_edit_does_what_its_gradient_says(backbone):
    bins, tokens = slice(6, 10), torch.randn(16, 24, generator=torch.Generator().manual_seed(1))
    weights = torch.randn(5, 4, DIM, generator=torch.Generator().manual_seed(2))
    gradients = backbone.gradients(tokens, bins, weights)
    engine = DifferenceTransformer(backbone._transformer, "float32")
    new = tokens[3:5] + 1e-4 * torch.randn(2, 24, generator=torch.Generator().manual_seed(3))
    effect = engine.difference(engine.reference(tokens, bins), [(3, new)])[0]
    expected = (weights * effect).sum((1, 2))
    assert torch.allclose(first_order(gradients, tokens, (3, new)), expected, rtol=1e-2, atol=1e-6)
    assert expected.abs().min() > 1e-5


def test_magnitudes_estimate_the_norm_over_tracks_and_bins(variants, backbone, scored):
    embedder = AlleleEmbedder(variants[1], backbone, WINDOWS)
    directions = torch.randn(3, DIM, generator=torch.Generator().manual_seed(2))
    found = first_order_magnitudes(embedder, backbone, scored, 400, directions)
    squares = np.zeros(len(scored))
    for strand in range(2):
        for group in embedder.groups(scored, strand):
            count = group.bins.stop - group.bins.start
            every = torch.einsum("bc,td->tbcd", torch.eye(count), directions).reshape(3 * count, count, DIM)
            edits = group.edits(slice(0, len(group.index)))
            for row, edit in enumerate(edits):
                window = group.windows[group.owner[row]]
                change = first_order(backbone.gradients(window, group.bins, every), window, edit).view(3, count)
                squares[group.index[row]] += float(change[:, torch.from_numpy(group.read[row])].square().sum())
    assert np.allclose(found, np.sqrt(squares), rtol=0.25)
    assert np.corrcoef(found, np.sqrt(squares))[0, 1] > 0.99


def test_the_screen_finds_the_large_effects(variants, backbone, scored):
    embedder = AlleleEmbedder(variants[1], backbone, WINDOWS)
    _, difference = embedder.embed(scored)
    tracks = backbone.track_weights.numpy()
    exact = np.sqrt(((difference @ tracks.T) ** 2).sum((1, 2, 3)))
    found = first_order_magnitudes(embedder, backbone, scored)
    assert pd.Series(exact).corr(pd.Series(found), method="spearman") > 0.6


@pytest.mark.parametrize(("share", "counts"), [(0.5, (2, 2)), (0.51, (3, 2)), (0.01, (1, 1)), (1.0, (4, 3))])
def test_the_largest_of_each_locus(share, counts):
    magnitude = np.array([5, 1, 1, 4, 0.3, 0.2, 0.1])
    chosen = largest_of_each(magnitude, np.array([7, 7, 7, 7, 2, 2, 2]), share)
    assert (chosen[:4].sum(), chosen[4:].sum()) == counts
    assert chosen[0]
    assert chosen[4]
    assert chosen[1] >= chosen[2]


def test_a_locus_does_not_depend_on_others(variants, backbone, scored):
    table, sequences = variants
    embedder = AlleleEmbedder(sequences, backbone, WINDOWS)
    together = worth_scoring(embedder, backbone, scored, sequences.origin, 0.3)
    second = scored[(table["locus"] == "b").to_numpy()]
    assert (together[second] == worth_scoring(embedder, backbone, second, sequences.origin[second], 0.3)).all()
    assert len(np.unique(sequences.origin)) == 2


def test_what_is_not_scored_exactly_is_marked(variants, backbone):
    table, sequences = variants
    everything = embed_alleles(sequences, backbone, WINDOWS)
    found = embed_alleles(sequences, backbone, replace(WINDOWS, screen=0.4))
    kept = found.status == "scored"
    assert set(found.status) == {"scored", "screened"}
    assert kept.sum() == sum(np.ceil(0.4 * (table["locus"] == locus).sum()) for locus in "ab")
    assert np.allclose(found.difference[kept], everything.difference[kept], atol=1e-5)
    assert not found.difference[~kept].any()
    head = Head(np.ones((1, DIM), np.float32), np.zeros(1, np.float32), ("track",), backbone.digest, 32)
    scores = score_table(table, found, head)
    assert (scores["status"] == found.status).all()
    assert (scores["score"][~kept] == 0).all()
    assert (scores["score"][kept] > 0).all()
