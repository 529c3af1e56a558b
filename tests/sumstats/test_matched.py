"""Rows matched to the variants of a panel, and frequencies as the judge between two of them."""

import numpy as np
import pandas as pd
import pytest

from fineprior.files.errors import InputError
from fineprior.genome.fasta import Genome
from fineprior.genotypes.plink_panel import PlinkPanel
from fineprior.project.settings import HarmoniseSettings
from fineprior.simulate.population import write_panel
from fineprior.sumstats.located import locate
from fineprior.sumstats.matched import match_panel
from fineprior.sumstats.oriented import orient
from fineprior.sumstats.outcomes import reason_names
from fineprior.sumstats.rows import gather_rows
from sumstats.test_rows import frame

PANEL = [  # pos, a1, a2, copies of a1 among 10 samples: frequencies 0.1, 0.9, 0.2, 0.45 of the deletion; 8 in 20
    (1, "C", "A", [1, 1] + [0] * 8), (2, "C", "G", [2] * 8 + [1] * 2), (3, "GT", "G", [1] * 4 + [0] * 6),
    (3, "G", "GT", [1] * 9 + [0]), (8, "C", "A", [0] * 10), (9, "A", "C", [1] * 10),
]  # fmt: skip


@pytest.fixture
def genome(tmp_path):
    (tmp_path / "g.fa").write_text(">1\nACGTTTTACAGATTACA\n")
    with Genome(tmp_path / "g.fa") as opened:
        yield opened


@pytest.fixture
def panel(tmp_path):
    bim = pd.DataFrame([(pos, a1, a2) for pos, a1, a2, _ in PANEL], columns=["pos", "a1", "a2"])
    copies = np.array([copies for *_, copies in PANEL], np.int8).T
    write_panel(tmp_path / "p", bim.assign(chrom="1", snp_id="."), [copies])
    return PlinkPanel(tmp_path / "p")


def oriented(genome, lines):
    pos, effect, other, eaf = zip(*lines, strict=True)
    rows = frame(len(lines), pos=list(map(float, pos)), effect_allele=list(effect), other_allele=list(other),
                 eaf=list(eaf))  # fmt: skip
    return orient(locate(gather_rows([rows], HarmoniseSettings(), "g.tsv"), genome, None, plink=False)[0], genome)


def reasons(stage):
    return [reason_names()[number] for number in stage.rows.reason]


def test_rows_find_their_variant_and_its_frequency_whichever_allele_the_panel_counts(genome, panel):
    found = match_panel(oriented(genome, [(1, "C", "A", 0.2), (2, "C", "G", 0.8)]), genome, panel)
    assert found.panel_index.tolist() == [0, 1]
    assert found.a1_is_alt.tolist() == [True, False]
    assert found.alt_af == pytest.approx([0.1, 0.1])
    assert found.source_af() == pytest.approx([0.2, 0.2])
    assert found.panel_has_frequencies
    assert not found.doubtful


def test_frequencies_of_the_minor_allele_are_not_used_and_stay_in_the_source(world, caplog):
    eaf = np.minimum(world.gwas["eaf"], 1 - world.gwas["eaf"])
    rows = gather_rows([world.gwas.assign(eaf=eaf)], HarmoniseSettings(), "g.tsv")
    found = match_panel(
        orient(locate(rows, world.genome, None, plink=False)[0], world.genome), world.genome, world.panel
    )
    assert "it is that of the minor allele, and is not used" in caplog.text
    assert found.doubtful
    assert np.isnan(found.eaf).all()
    assert np.isnan(found.source_af()).all()
    assert rows.numbers["eaf"].tolist() == eaf.tolist()
    with pytest.raises(ValueError, match="read-only"):
        rows.numbers["eaf"][:] = np.nan


def test_what_the_panel_lacks_or_has_in_one_state_is_excluded_with_its_reason(genome, panel):
    found = match_panel(
        oriented(genome, [(1, "C", "A", 0.1), (1, "G", "A", 0.1), (8, "C", "A", 0.1), (9, "A", "C", 0.5)]),
        genome,
        panel,
    )
    assert reasons(found) == ["", "absent_from_panel", "monomorphic_in_panel", "monomorphic_in_panel"]
    with pytest.raises(InputError, match="1 absent_from_panel"):
        match_panel(oriented(genome, [(1, "G", "A", 0.1)]), genome, panel)


@pytest.mark.parametrize(("eaf", "variant"), [(0.22, 2), (0.53, 3), (0.38, None), (np.nan, None)])
def test_of_an_insertion_and_a_deletion_the_closer_frequency_is_taken(genome, panel, eaf, variant):
    found = match_panel(oriented(genome, [(1, "C", "A", 0.1), (3, "GT", "G", eaf)]), genome, panel)
    if variant is None:
        assert reasons(found) == ["", "indel_ambiguous"]
    else:
        assert found.panel_index.tolist() == [0, variant]
        assert found.a1_is_alt.all()  # A2 is the reference allele
        assert found.orientation.swapped.tolist() == [False, variant == 3]
        assert found.source_af()[1] == pytest.approx(eaf if variant == 2 else 1 - eaf)


def test_without_frequencies_those_of_the_source_stand_in(genome, panel):
    class Source:
        variants = panel.variants

    found = match_panel(
        oriented(genome, [(1, "C", "A", 0.2), (2, "C", "A", 0.3), (3, "GT", "G", 0.2)]), genome, Source()
    )
    assert reasons(found) == ["", "absent_from_panel", "indel_ambiguous"]
    assert found.alt_af.tolist() == [0.2]
    assert not found.panel_has_frequencies
