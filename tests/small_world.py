"""A small world: two contigs, a panel with variants of every kind, and a GWAS of them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fineprior.genome.fasta import Genome
from fineprior.genotypes.plink_panel import PlinkPanel
from fineprior.simulate.population import write_panel
from fineprior.sumstats.reader import STANDARD
from fineprior.sumstats.values import neg_log10_p_of

PEOPLE = 101
TURN = str.maketrans("ACGT", "TGCA")


@dataclass(frozen=True)
class World:
    fasta: Path
    prefix: Path
    variants: pd.DataFrame
    """chrom, pos, ref, alt, kind, af: the truth."""
    gwas: pd.DataFrame
    """Columns STANDARD, effect allele = alt."""

    @property
    def genome(self):
        return Genome(self.fasta)

    @property
    def panel(self):
        return PlinkPanel(self.prefix)


def write_fasta(path, sequences):
    path.write_text("".join(f">{name}\n{sequence}\n" for name, sequence in sequences.items()))
    return path


def standard(variants, rng):
    """The standard frame of a GWAS of `variants`, effect allele = alt."""
    z = np.round(rng.normal(0, 3, len(variants)), 3)
    se = np.round(rng.uniform(0.01, 0.02, len(variants)), 4)
    frame = pd.DataFrame({
        "row": np.arange(2, len(variants) + 2), "chrom": variants["chrom"], "source_pos": variants["pos"].astype("str"),
        "pos": variants["pos"].astype("float64"), "effect_allele": variants["alt"], "other_allele": variants["ref"],
        "beta": z * se, "se": se, "z": z, "neg_log10_p": neg_log10_p_of(z),
        "eaf": np.round(np.clip(variants["af"] + rng.normal(0, 0.01, len(variants)), 0.01, 0.99), 4),
        "n": 5000.0, "info": np.nan, "rsid": [f"rs{i}" for i in range(len(variants))],
    })  # fmt: skip
    return frame[list(STANDARD)]


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    rng = np.random.default_rng(7)
    sequences = {name: "".join(rng.choice(list("ACGT"), size)) for name, size in (("chr1", 900), ("chr2", 300))}
    fasta = write_fasta(folder / "genome.fa", sequences)
    lines = []
    for chrom, sequence in sequences.items():
        for number, pos in enumerate(range(20, len(sequence) - 20, 10)):
            ref = sequence[pos - 1]
            if number % 5 == 4:
                alt, kind = ref.translate(TURN), "palindromic"
            elif number % 7 == 6:
                ref, kind = sequence[pos - 1 : pos + 2], "deletion"
                alt = ref[0]
            else:
                alt = rng.choice([base for base in "ACGT" if base not in (ref, ref.translate(TURN))])
                kind = "plain"
            lines.append((chrom, pos, ref, str(alt), kind))
    variants = pd.DataFrame(lines, columns=["chrom", "pos", "ref", "alt", "kind"])
    wanted = rng.choice([0.15, 0.25, 0.75, 0.85], len(variants))
    alt_dosages = rng.binomial(2, wanted, (PEOPLE, len(variants))).astype(np.int8)
    variants["af"] = alt_dosages.mean(0) / 2
    # A1 is either allele; of the deletions A2 is the reference, as PLINK 2 writes it
    a1_is_alt = (rng.random(len(variants)) < 0.5) | (variants["kind"] == "deletion").to_numpy()
    bim = pd.DataFrame({
        "chrom": variants["chrom"].str.removeprefix("chr"), "pos": variants["pos"],
        "snp_id": [f"rs{i}" for i in range(len(variants))],
        "a1": np.where(a1_is_alt, variants["alt"], variants["ref"]),
        "a2": np.where(a1_is_alt, variants["ref"], variants["alt"]),
    })  # fmt: skip
    write_panel(folder / "panel", bim, [np.where(a1_is_alt, alt_dosages, 2 - alt_dosages).astype(np.int8)])
    return World(fasta, folder / "panel", variants, standard(variants, rng))
