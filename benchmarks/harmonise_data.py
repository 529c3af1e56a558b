"""A synthetic genome, panel and GWAS with the accidents of real files, and what was done to each row."""

import gzip
import io
from pathlib import Path

import numpy as np
import pandas as pd

from fineprior.simulate.population import write_panel

CONTIGS, PEOPLE = 22, 100
KINDS = ("snv", "palindromic", "multi-allelic", "insertion", "deletion")
ACCIDENTS = ("none", "swapped", "strand", "strand and swapped", "not left-aligned", "not parsimonious", "duplicate",
             "alleles of no variant", "missing value", "I/D alleles", "absent from panel")  # fmt: skip
_BASES = np.array(list("ACGT"))
_SHARE = {"swapped": 0.25, "strand": 0.02, "strand and swapped": 0.01, "not left-aligned": 0.2,
          "not parsimonious": 0.1, "duplicate": 0.005, "alleles of no variant": 0.004, "missing value": 0.002,
          "I/D alleles": 0.02, "absent from panel": 0.03}  # fmt: skip
_INDELS, _MULTI, _TRANSITIONS = 0.08, 0.01, 2 / 3


def make(folder: Path, rows: int, megabases: int, seed: int) -> int:
    """Write genome.fa, panel.bed, .bim, .fam, gwas.tsv.gz, and truth.1.parquet, ... for each contig; return the rows.

    The truth of a row: kind, accident, number in its rsid, and the variant and effect that it is of.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    bim: list[pd.DataFrame] = []
    written = 0

    def chunks():
        nonlocal written
        size = megabases * 1_000_000 // CONTIGS
        with (
            (folder / "genome.fa").open("wb") as fasta,
            gzip.open(folder / "gwas.tsv.gz", "wb", compresslevel=1) as packed,
            io.TextIOWrapper(packed, write_through=True) as gwas,
        ):
            for number in range(1, CONTIGS + 1):
                bases = _contig(rng, size)
                _write_fasta(fasta, f"chr{number}", bases)
                variants = _variants(rng, bases, rows // CONTIGS)
                frame, told, in_panel = _rows(rng, bases, variants, number, rows)
                frame.to_csv(gwas, sep="\t", index=False, header=number == 1, na_rep="#NA", float_format="%.6g")
                told.to_parquet(folder / f"truth.{number}.parquet")
                written += len(told)
                kept = variants[in_panel]
                bim.append(pd.DataFrame({"chrom": str(number), "pos": kept["pos"], "snp_id": ".", "a1": kept["alt"],
                                         "a2": kept["ref"]}))  # fmt: skip
                for first in range(0, len(kept), 100_000):
                    af = (kept["af"].to_numpy()[first : first + 100_000] * 256).astype(np.uint8)
                    draws = rng.integers(0, 256, (2, PEOPLE, len(af)), np.uint8)
                    copies = (draws < af).sum(0, dtype=np.int8)
                    copies[:2] = [[0], [2]]  # every variant varies
                    yield copies

    class Bim:
        """The table, which is complete when all chunks were drawn."""

        def __len__(self) -> int:
            return sum(map(len, bim))

        def assign(self, **columns):
            return pd.concat(bim, ignore_index=True).assign(**columns)

    write_panel(folder / "panel", Bim(), chunks())
    return written


def _contig(rng, size):
    """Random bases with runs of one base."""
    bases = rng.integers(0, 4, size, np.uint8)
    starts = rng.integers(0, size - 10, size // 40)
    for step in range(1, 6):
        starts = starts[rng.random(len(starts)) < 0.8]
        bases[starts + step] = bases[starts]
    return bases


def _write_fasta(handle, name, bases):
    letters = np.frombuffer(b"ACGT", np.uint8)[bases]
    whole = len(letters) // 60 * 60
    lines = np.full((whole // 60, 61), ord("\n"), np.uint8)
    lines[:, :60] = letters[:whole].reshape(-1, 60)
    handle.write(f">{name}\n".encode() + lines.tobytes() + letters[whole:].tobytes() + b"\n")


def _variants(rng, bases, count):
    """Columns pos, ref, alt, kind, af: true variants, left-aligned."""
    step = len(bases) // (count + 2)
    pos = np.arange(1, count + 1) * step + rng.integers(0, max(step - 12, 1), count)
    ref = bases[pos - 1]
    transition = rng.random(count) < _TRANSITIONS
    alt = np.where(transition, ref ^ 2, np.where(rng.random(count) < 0.5, 3 - ref, (3 - ref) ^ 2)).astype(np.uint8)
    table = pd.DataFrame({"pos": pos, "ref": _BASES[ref].astype(object), "alt": _BASES[alt].astype(object),
                          "kind": np.where(ref + alt == 3, "palindromic", "snv").astype(object)})  # fmt: skip
    longer = np.flatnonzero(rng.random(count) < _INDELS)
    refs, alts, kinds = table["ref"].to_numpy(copy=True), table["alt"].to_numpy(copy=True), table["kind"].to_numpy(
        copy=True)  # fmt: skip
    for row in longer.tolist():
        place, length = int(pos[row]), int(rng.integers(1, 5))
        anchor = _BASES[bases[place - 1]]
        unit = "".join(_BASES[bases[place : place + length]])
        if rng.random() < 0.5 and length > 1:
            unit = "".join(_BASES[rng.integers(0, 4, length)])
            if unit[-1] != anchor:
                refs[row], alts[row], kinds[row] = anchor, anchor + unit, "insertion"
        elif unit[-1] != anchor:
            pair = (anchor + unit, anchor) if rng.random() < 0.5 else (anchor, anchor + unit)
            refs[row], alts[row] = pair
            kinds[row] = "deletion" if len(pair[0]) > 1 else "insertion"
    table["ref"], table["alt"], table["kind"] = refs, alts, kinds
    again = table[(table["kind"] == "snv") & (rng.random(count) < _MULTI / 0.7)].copy()
    turned = dict(zip("ACGT", "CATG", strict=True))
    again["alt"] = [turned[r] if turned[r] != a else turned[a.translate(str.maketrans("ACGT", "GTAC"))]
                    for r, a in zip(again["ref"], again["alt"], strict=True)]  # fmt: skip
    again = again[again["alt"] != again["ref"]].assign(kind="multi-allelic")
    table.loc[again.index, "kind"] = "multi-allelic"
    table = pd.concat([table, again]).sort_values("pos", kind="stable", ignore_index=True)
    return table.assign(af=rng.beta(0.8, 0.8, len(table)).clip(0.05, 0.95))


def _rows(rng, bases, variants, number, total):
    """The GWAS of one contig: its columns, kind and accident of each row, and which variants the panel has."""
    count = len(variants)
    pos = variants["pos"].to_numpy(copy=True)
    effect, other = variants["alt"].to_numpy(copy=True), variants["ref"].to_numpy(copy=True)
    indel = variants["kind"].isin(["insertion", "deletion"]).to_numpy()
    accident = np.full(count, "none", object)
    draw = rng.random(count)
    low = 0.0
    for name in ("swapped", "strand", "strand and swapped", "alleles of no variant", "missing value",
                 "absent from panel"):  # fmt: skip
        accident[(draw >= low) & (draw < low + _SHARE[name])] = name
        low += _SHARE[name]
    accident[indel & np.isin(accident, ["strand", "strand and swapped", "alleles of no variant"])] = "none"
    low = 0.5
    for name in ("not left-aligned", "not parsimonious", "I/D alleles"):
        accident[indel & (draw >= low) & (draw < low + _SHARE[name])] = name
        low += _SHARE[name]
    for row in np.flatnonzero(accident == "not left-aligned").tolist():
        _shift_right(bases, pos, effect, other, accident, row)
    for row in np.flatnonzero(accident == "not parsimonious").tolist():
        after = _BASES[bases[pos[row] - 1 + len(other[row])]]
        effect[row], other[row] = effect[row] + after, other[row] + after
    for row in np.flatnonzero(accident == "I/D alleles").tolist():
        effect[row], other[row] = ("I", "D") if len(effect[row]) > len(other[row]) else ("D", "I")
    turn = str.maketrans("ACGT", "TGCA")
    for row in np.flatnonzero(np.isin(accident, ["strand", "strand and swapped"])).tolist():
        effect[row], other[row] = effect[row].translate(turn), other[row].translate(turn)
    for row in np.flatnonzero(accident == "alleles of no variant").tolist():
        free = [base for base in "ACGT" if base not in (other[row], other[row].translate(turn))]
        effect[row], other[row] = free
    swapped = np.isin(accident, ["swapped", "strand and swapped"])
    effect, other = np.where(swapped, other, effect), np.where(swapped, effect, other)
    se = rng.uniform(0.01, 0.03, count)
    z = rng.normal(0, 1.2, count)
    eaf = np.clip(variants["af"].to_numpy() + rng.normal(0, 0.01, count), 0.001, 0.999)
    eaf, beta = np.where(swapped, 1 - eaf, eaf), np.where(swapped, -1, 1) * np.round(z * se, 6)
    frame = pd.DataFrame({
        "chromosome": number, "base_pair_location": pos, "effect_allele": effect, "other_allele": other, "beta": beta,
        "standard_error": np.round(se, 6), "effect_allele_frequency": eaf, "p_value": _p(z),
        "n": rng.integers(90_000, 100_000, count),
    })  # fmt: skip
    frame.loc[accident == "missing value", ["beta"]] = np.nan
    told = variants[["pos", "ref", "alt"]].assign(
        kind=pd.Categorical(variants["kind"], KINDS), accident=pd.Categorical(accident, ACCIDENTS),
        beta=np.where(swapped, -1, 1) * frame["beta"],
    )  # fmt: skip
    again = rng.random(count) < _SHARE["duplicate"]
    frame = pd.concat([frame, frame[again].assign(n=50_000)], ignore_index=True)
    told = pd.concat([told, told[again].assign(accident=pd.Categorical(["duplicate"] * again.sum(), ACCIDENTS))],
                     ignore_index=True)  # fmt: skip
    order = np.argsort(frame["base_pair_location"], kind="stable")
    frame, told = frame.iloc[order].reset_index(drop=True), told.iloc[order].reset_index(drop=True)
    frame["rsid"] = "rs" + (number * 10_000_000 + np.arange(len(frame))).astype("str").astype(object)
    told["rsid"] = number * 10_000_000 + np.arange(len(frame))
    return frame, told, accident != "absent from panel"


def _shift_right(bases, pos, effect, other, accident, row):
    """The same insertion or deletion, one base further right, where the sequence lets it move; else as it was."""
    longer, shorter = (effect, other) if len(effect[row]) > 1 else (other, effect)
    unit, place = longer[row][1:], int(pos[row])
    if _BASES[bases[place]] != unit[0]:
        accident[row] = "none"
        return
    deletion = longer is other
    moved = unit[1:] + unit[0]
    if deletion and "".join(_BASES[bases[place + 1 : place + 1 + len(unit)]]) != moved:
        accident[row] = "none"
        return
    pos[row], longer[row], shorter[row] = place + 1, unit[0] + moved, unit[0]


def _p(z):
    from scipy.special import ndtr

    return 2 * ndtr(-np.abs(z))
