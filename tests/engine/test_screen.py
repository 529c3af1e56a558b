from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from fineprior.engine.allele_embedder import AlleleEmbedder
from fineprior.engine.backbone import load_backbone
from fineprior.engine.screen import largest_of_each, magnitudes, trimmed, worth_scoring
from fineprior.engine.variant_embeddings import embed_alleles
from fineprior.genome.fasta import Genome
from fineprior.heads.head import Head
from fineprior.heads.scores import score_table
from fineprior.project.settings import WindowSettings
from fineprior.sequence.windows import locus_sequences
from toy_enformer import CONTEXT, DIM, save_toy

WINDOWS = WindowSettings(max_offset=32, max_indel_length=10)


@pytest.fixture(scope="module")
def backbone(tmp_path_factory, device):
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


@pytest.mark.slow
def test_the_screen_finds_the_large_effects(variants, backbone, scored):
    embedder = AlleleEmbedder(variants[1], backbone, WINDOWS)
    _, difference = embedder.embed(scored)
    tracks = backbone.track_weights.numpy()
    exact = np.sqrt(((difference @ tracks.T) ** 2).sum((1, 2, 3)))
    found = magnitudes(embedder, backbone, scored)
    assert np.corrcoef(exact, found)[0, 1] > 0.9
    assert not np.allclose(exact, found, rtol=1e-3)


def test_edits_end_where_the_changes_end():
    window, new = torch.randn(8, 3), torch.zeros(5, 3)
    new[:] = window[2:7]
    new[1] += 1
    new[3] += 1
    new[4] += 1e-6
    first, kept = trimmed((2, new), window)
    assert first == 3
    assert torch.equal(kept, new[1:4])
    assert len(trimmed((2, window[2:7]), window)[1]) == 1


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


def test_what_is_not_scored_exactly_is_marked(variants, backbone, slack):
    table, sequences = variants
    everything = embed_alleles(sequences, backbone, WINDOWS)
    found = embed_alleles(sequences, backbone, replace(WINDOWS, screen=0.4))
    kept = found.status == "scored"
    assert set(found.status) == {"scored", "screened"}
    assert kept.sum() == sum(np.ceil(0.4 * (table["locus"] == locus).sum()) for locus in "ab")
    assert np.allclose(found.difference[kept], everything.difference[kept], atol=1e-5 * slack)
    assert not found.difference[~kept].any()
    head = Head(np.ones((1, DIM), np.float32), np.zeros(1, np.float32), ("track",), backbone.digest, 32)
    scores = score_table(table, found, head)
    assert (scores["status"] == found.status).all()
    assert (scores["score"][~kept] == 0).all()
    assert (scores["score"][kept] > 0).all()
