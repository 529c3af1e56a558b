import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file

from fineprior.engine.backbone import load_backbone
from fineprior.engine.variant_embeddings import VariantEmbeddings, embed_alleles
from fineprior.files.errors import InputError
from fineprior.files.tables import SCORES
from fineprior.genome.fasta import Genome
from fineprior.heads.head import Head
from fineprior.heads.scores import TRACK_SCORES, predicted_alleles, score_table, track_scores
from fineprior.project.settings import BackboneSettings, ScoreSettings, WindowSettings
from fineprior.sequence.motifs import occupancy, read_motifs
from fineprior.sequence.windows import locus_sequences

ROOT = Path(__file__).parents[2]
RNG = np.random.default_rng(1)
DIM, TRACKS = 5, ("liver", "kidney")
HEAD = Head(RNG.normal(size=(2, DIM)).astype(np.float32), np.ones(2, np.float32), TRACKS, "digest", 128)


def embedded(count=6, seed=2, **changes):
    rng = np.random.default_rng(seed)
    shape = (count, 2, 4, DIM)
    fields = {
        "variant_id": np.array([f"chr1:{10 + row}:A:C" for row in range(count)]),
        "status": np.full(count, "scored"),
        "reference": rng.normal(size=shape).astype(np.float32),
        "difference": (0.1 * rng.normal(size=shape)).astype(np.float32),
        "backbone": "digest",
        "bin_size": 128,
    }
    return VariantEmbeddings(**fields | changes)


def variants(names):
    parts = [name.split(":") for name in names]
    frame = pd.DataFrame(parts, columns=["chrom", "pos", "ref", "alt"])
    return frame.assign(locus="L", variant_id=list(names), pos=frame["pos"].astype(int), z=1.0)


def test_scores_by_hand():
    """Signal 1 -> 3 and 3 -> 1 (log2 ratios 1 and -1) in the middle, 7 -> 0 (-3) and 0 -> 0 beside it."""
    reference, alternative = (np.array(bins, float)[None, :, None] for bins in ([7, 1, 3, 0], [0, 3, 1, 0]))
    found = {name: values.item() for name, values in track_scores(reference, alternative, 2).items()}
    expected = {"l2": np.sqrt(11), "sad": -7, "log_sum": -3, "central": 0, "max": -7}
    assert found == pytest.approx(expected)
    assert track_scores(reference, alternative, 4)["central"].item() == pytest.approx(-7 / 4)


@pytest.mark.parametrize("magnitude", TRACK_SCORES)
def test_the_score_is_the_norm_of_the_chosen_magnitude(magnitude):
    made = embedded()
    table = score_table(variants(made.variant_id), made, HEAD, ScoreSettings(magnitude=magnitude))
    assert np.allclose(table["score"], np.hypot(table[f"liver.{magnitude}"], table[f"kidney.{magnitude}"]))


def test_alleles_are_predicted_by_the_head_and_strands_averaged():
    made = embedded(1)
    reference, alternative = predicted_alleles(HEAD, made.reference, made.difference)
    assert reference.shape == (1, 4, 2)

    def softplus(x):
        return np.log1p(np.exp(x))

    whole = made.reference[0, :, 2].astype(float) + made.difference[0, :, 2]
    assert alternative[0, 2] == pytest.approx(softplus(whole @ HEAD.weight.T + HEAD.bias).mean(0))
    assert np.allclose(reference, predicted_alleles(HEAD, made.reference[:, ::-1], made.difference)[0])


def test_tracks_of_a_strand_pair_change_places_on_the_reverse_strand():
    made = embedded(3)
    stranded = replace(HEAD, other_strand=(1, 0))
    for views in (2, 6):
        arrays = [np.tile(array, (1, views // 2, 1, 1)) for array in (made.reference, made.difference)]
        for found, array in zip(
            predicted_alleles(stranded, *arrays), (made.reference, made.reference + made.difference), strict=True
        ):
            forward, reverse = (HEAD.predict(array[:, view].astype(np.float64)) for view in (0, 1))
            assert np.allclose(found, (forward + reverse[..., ::-1]) / 2, atol=1e-6)
    shifted = [np.tile(array[:, :1], (1, 3, 1, 1)) for array in (made.reference, made.difference)]
    assert np.array_equal(predicted_alleles(stranded, *shifted), predicted_alleles(HEAD, *shifted))


def test_swapped_alleles_negate_signed_scores_and_keep_magnitudes():
    made = embedded()
    swapped = embedded(reference=made.reference + made.difference, difference=-made.difference)
    names = variants(made.variant_id)
    first, second = score_table(names, made, HEAD), score_table(names, swapped, HEAD)
    for track in TRACKS:
        assert np.allclose(first[f"{track}.l2"], second[f"{track}.l2"], atol=1e-6)
        for name in TRACK_SCORES[1:]:
            assert np.allclose(first[f"{track}.{name}"], -second[f"{track}.{name}"], atol=1e-6)
            assert (first[f"{track}.{name}"] != 0).all()
    assert np.allclose(first["score"], second["score"], atol=1e-6)
    assert (first["score"] > 0).all()


def test_small_effects_beside_large_signal_are_not_rounded_away():
    reference = np.full((1, 1, 1, 1), 1e4, np.float32)
    head = Head(np.ones((1, 1), np.float32), np.zeros(1, np.float32), ("t",), "digest", 128)
    predicted = predicted_alleles(head, reference, np.full_like(reference, 1e-4))
    assert track_scores(*predicted, 1)["sad"].item() == pytest.approx(1e-4, rel=1e-3)


def test_table_is_joined_by_variant_and_says_what_was_not_scored():
    made = embedded(status=np.array(["scored"] * 4 + ["too_long", "all_n"]))
    order = np.array([4, 2, 0, 5, 2])
    table = SCORES.checked(score_table(variants(made.variant_id[order]), made, HEAD), "scores")
    assert table["variant_id"].tolist() == made.variant_id[order].tolist()
    assert table["status"].tolist() == ["too_long", "scored", "scored", "all_n", "scored"]
    assert table["score"].isna().tolist() == [True, False, False, True, False]
    assert table.columns[-10:].tolist() == [f"{track}.{name}" for track in TRACKS for name in TRACK_SCORES]
    scored = table.dropna()
    assert np.allclose(scored["score"], np.hypot(scored["liver.l2"], scored["kidney.l2"]))
    alone = score_table(variants(made.variant_id[[2]]), made, HEAD)
    assert alone["score"].item() == pytest.approx(table["score"][1])


def test_left_out_tracks_have_no_magnitude_that_a_prior_could_take():
    made = embedded()
    table = score_table(variants(made.variant_id), made, HEAD, excluded={"liver"})
    whole = score_table(variants(made.variant_id), made, HEAD)
    assert set(whole) - set(table) == {"liver.l2"}
    assert np.allclose(table["score"], whole["kidney.l2"])
    assert score_table(variants(made.variant_id), made, HEAD, excluded=set(TRACKS))["score"].isna().all()


def test_no_difference_is_no_effect():
    made = embedded()
    table = score_table(variants(made.variant_id), embedded(difference=np.zeros_like(made.difference)), HEAD)
    assert not table.drop(columns=SCORES.names[:7]).to_numpy().any()


def test_batch_without_variants():
    table = score_table(variants([]).astype({"pos": int}), embedded(0), HEAD)
    assert len(SCORES.checked(table, "scores")) == 0


def test_head_of_another_backbone():
    with pytest.raises(InputError, match=r"trained on backbone digest, but .* backbone other"):
        score_table(variants(["chr1:10:A:C"]), embedded(backbone="other"), HEAD)


def test_variant_without_embedding():
    with pytest.raises(InputError, match="1 of 2 variants have no embedding, the first is chr1:99:A:C"):
        score_table(variants(["chr1:10:A:C", "chr1:99:A:C"]), embedded(), HEAD)


QUIET = range(900, 1450)
"""Where sequences of the tests below have no site of any motif but the planted one."""


def quiet_sequence(motifs, rng, length=2400):
    """Random codes, in QUIET the least motif-like of 48 random octamers after the other."""
    codes = rng.integers(0, 4, length).astype(np.uint8)
    for start in range(QUIET.start, QUIET.stop, 8):
        choices = rng.integers(0, 4, (48, 8)).astype(np.uint8)
        before = np.repeat(codes[None, start - 32 : start], 48, 0)
        apart = np.full((48, 24), 4, np.uint8)
        sites = occupancy(np.concatenate([before, choices, apart], 1).ravel(), motifs, 64).sum(1)
        codes[start : start + 8] = choices[sites.argmin()]
    return codes


def planted_variants(motif, codes, rng):
    """One sequence with the motif at 1100 and CTCF sites farther off; variants in the motif and beside it."""
    site = 1100
    codes[site : site + motif.width] = motif.consensus
    text = "".join("ACGT"[code] for code in codes)
    column = int((motif.probabilities * np.log2(motif.probabilities)).sum(1).argmax())
    worst = "ACGT"[motif.probabilities[column].argmin()]
    middle, beside = site + motif.width // 2, site + 100
    spare = text[1400:1440]
    alleles = {
        "snv": (site + column, text[site + column], worst),
        "deletion": (middle - 3, text[middle - 3 : middle + 2], text[middle - 3]),
        "insertion": (middle - 1, text[middle - 1], text[middle - 1] + spare[:6]),
        "creating": (beside, text[beside], text[beside] + text[site : site + motif.width]),
    }
    for length in (1, 12, 30):
        alleles[f"neutral -{length}"] = beside, text[beside : beside + length + 1], text[beside]
        alleles[f"neutral +{length}"] = beside, text[beside], text[beside] + spare[:length]
    return text, alleles


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """Score over that of the SNV (rows motif, columns variant) with stitched and left-anchored windows."""
    folder = ROOT / "resources/backbone"
    backbone = load_backbone(BackboneSettings(weights=str(folder), context_length=2048, target_bins=12))
    tensors = load_file(folder / "model.safetensors")
    tracks = tuple(json.loads((folder / "config.json").read_text())["tracks"])
    head = Head(tensors["_heads.human.0.weight"], tensors["_heads.human.0.bias"], tracks, backbone.digest, 128)
    motifs = read_motifs(folder / "motifs.meme")
    by_name = {motif.name: motif for motif in motifs}
    rng = np.random.default_rng(11)
    fasta, rows = tmp_path_factory.mktemp("planted") / "genome.fa", []
    with fasta.open("w") as handle:
        for name in ("CTCF", "HNF4A", "ERG", "FOXA1"):
            codes = quiet_sequence(motifs, rng)
            for place in (1100 - 290, 1100 + 360):
                codes[place : place + by_name["CTCF"].width] = by_name["CTCF"].consensus
            text, alleles = planted_variants(by_name[name], codes, rng)
            handle.write(f">{name}\n{text}\n")
            rows += [(name, start + 1, ref, alt, what) for what, (start, ref, alt) in alleles.items()]
    frame = pd.DataFrame(rows, columns=["chrom", "pos", "ref", "alt", "what"])
    frame["variant_id"] = [":".join(map(str, row[:4])) for row in rows]
    frame["locus"] = frame["chrom"]
    found = {}
    with Genome(fasta) as genome:
        for indels in ("stitch", "left"):
            windows = WindowSettings(indels=indels)
            made = embed_alleles(locus_sequences(frame, genome, 2048, windows), backbone, windows)
            scores = frame.assign(score=score_table(frame, made, head)["score"].to_numpy())
            scores = scores.pivot(index="chrom", columns="what", values="score")
            found[indels] = scores.div(scores["snv"], axis=0)
    return found


@pytest.mark.slow
def test_indels_that_destroy_a_motif_score_like_the_snv_that_does(planted):
    for what in ("deletion", "insertion"):
        assert planted["stitch"][what].between(0.6, 4).all()
        assert 0.8 < planted["stitch"][what].median() < 2.5


@pytest.mark.slow
def test_insertions_that_bring_a_motif_are_seen(planted):
    assert (planted["stitch"]["creating"] > 0.8).all()


@pytest.mark.slow
@pytest.mark.parametrize("what", [f"neutral {sign}{length}" for length in (1, 12, 30) for sign in "+-"])
def test_neutral_indels_score_near_zero(planted, what):
    assert planted["stitch"][what].median() < 0.06
    assert planted["stitch"][what].median() < planted["left"][what].median() / 2
