"""Results as the tables of other programs: BED, FLAMES, PolyFun, GWAS-SSF.

The effect allele is ALT everywhere: A1 of PolyFun and FLAMES, effect_allele of GWAS-SSF.
"""

import gzip
import hashlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import yaml

from fineprior.files.errors import InputError
from fineprior.files.integrity import checked
from fineprior.files.table import opened
from fineprior.genome.fasta import plain_name

ROWS_AT_ONCE = 500_000
_SSF_NUMBERS = {"X": "23", "Y": "24", "MT": "25"}
"""Chromosomes of GWAS-SSF are the numbers 1 to 25."""
_MISSING_IN_SSF = "#NA"

log = logging.getLogger(__name__)


def p_texts(neg_log10_p: pd.Series, digits: int = 5) -> pd.Series:
    """P-values as text `1.23400e-400`: those too small for a double too. NA stays missing."""
    mantissa, exponent = mantissa_exponent(neg_log10_p.to_numpy(float), digits)
    texts = [None if np.isnan(m) else f"{m:.{digits}f}e{int(e):+03d}" for m, e in zip(mantissa, exponent, strict=True)]
    return pd.Series(texts, index=neg_log10_p.index, dtype="str")


def mantissa_exponent(neg_log10_p: np.ndarray, digits: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Mantissa in [1, 10), rounded to `digits` places, and exponent of p-values; NaN where there is none."""
    exponent = np.floor(-neg_log10_p)
    mantissa = np.round(10.0 ** (-neg_log10_p - exponent), digits)
    return np.where(mantissa >= 10, 1.0, mantissa), np.where(mantissa >= 10, exponent + 1, exponent)


def members(credible_sets: pd.DataFrame) -> pd.DataFrame:
    """One row for each variant of each set: locus, credible_set, variant_id, in the order of the sets."""
    split = credible_sets[["locus", "credible_set"]].assign(variant_id=credible_sets["variant_ids"].str.split(","))
    return split.explode("variant_id").reset_index(drop=True)


def of_variants(sumstats: str | Path, variants: Sequence[str], columns: Sequence[str]) -> pd.DataFrame:
    """Some columns of SUMSTATS of some variants, by variant_id; the rest of the genome is not held in memory.

    Raises
    ------
    InputError
        A variant is not there.
    """
    wanted = set(variants)
    names = ["variant_id", *columns]
    frames = [frame[frame["variant_id"].isin(wanted)] for frame in _pieces(sumstats, names)]
    found = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=names)
    missing = wanted - set(found["variant_id"])
    if missing:
        raise InputError(f"{sumstats}: variant {min(missing)} of the results is not in it")
    return found.set_index("variant_id")


def _pieces(sumstats: str | Path, columns: Sequence[str]) -> Iterator[pd.DataFrame]:
    with checked(sumstats, "a readable sumstats table"), pq.ParquetFile(sumstats) as opened_file:
        for batch in opened_file.iter_batches(ROWS_AT_ONCE, columns=list(columns)):
            yield batch.to_pandas()


def write_bed(path: Path, variants: pd.DataFrame, credible_sets: pd.DataFrame) -> None:
    """BED of the variants in credible sets: name `variant;locus:set`, score 1000 PIP; genome browsers shade by it."""
    place = {name: number for number, name in enumerate(variants["chrom"].unique())}
    rows = members(credible_sets).merge(variants.drop(columns="credible_set"), on=["locus", "variant_id"])
    rows = rows.sort_values(["chrom", "pos"], key=lambda c: c.map(place) if c.name == "chrom" else c, kind="stable")
    table = pd.DataFrame(
        {
            "chrom": rows["chrom"],
            "start": rows["pos"] - 1,
            "end": rows["pos"] - 1 + rows["ref"].str.len(),
            "name": rows["variant_id"] + ";" + rows["locus"] + ":" + rows["credible_set"],
            "score": (1000 * rows["pip"]).round().astype("int64"),
            "strand": ".",
        }
    )
    table.to_csv(path, sep="\t", header=False, index=False, lineterminator="\n")


def write_flames(folder: Path, variants: pd.DataFrame, credible_sets: pd.DataFrame, loci: pd.DataFrame) -> None:
    """Input of FLAMES: a file for each credible set, the index of them, and the loci. Paths are those in the folder."""
    known = variants.set_index(["locus", "variant_id"])
    index = []
    for (locus, name), own in members(credible_sets).groupby(["locus", "credible_set"], sort=False):
        rows = known.loc[[(locus, variant) for variant in own["variant_id"]]].reset_index()
        plain = rows["chrom"].map(plain_name)
        ids = plain + ":" + rows["pos"].astype("str") + ":" + rows["alt"] + ":" + rows["ref"]
        file = f"{locus}.{name}.txt"
        _write_text(folder / file, pd.DataFrame({"cred1": ids, "prob1": rows["pip"]}))
        index.append((file, locus))
    _write_text(folder / "indexfile.txt", pd.DataFrame(index, columns=["Filename", "GenomicLocus"]))
    table = {"GenomicLocus": loci["locus"], "chr": loci["chrom"].map(plain_name), "start": loci["start"] + 1}
    _write_text(folder / "loci.txt", pd.DataFrame(table | {"end": loci["end"]}))


def write_polyfun(
    path: Path, variants: pd.DataFrame, credible_sets: pd.DataFrame, loci: pd.DataFrame, sumstats: str | Path
) -> None:
    """Table of PolyFun's finemapper over all loci (without DISTANCE_FROM_CENTER), sorted by position.

    A credible set is named `chr<chromosome>:<start>-<end>:<number>`, 0 is none; SNP is the rsid where there is one.
    """
    fitted = variants[variants["pip"].notna()]
    log.info("%d variants; %d without a PIP left out", len(fitted), len(variants) - len(fitted))
    known = of_variants(sumstats, fitted["variant_id"].tolist(), ["rsid", "n"]).loc[fitted["variant_id"]]
    span = loci.set_index("locus").loc[fitted["locus"]]
    where = "chr" + fitted["chrom"].map(plain_name)
    where += [f":{start + 1}-{end}:" for start, end in zip(span["start"], span["end"], strict=True)]
    table = pd.DataFrame(
        {
            "CHR": fitted["chrom"].map(plain_name),
            "SNP": known["rsid"].fillna(known.index.to_series()).to_numpy(),
            "BP": fitted["pos"],
            "A1": fitted["alt"],
            "A2": fitted["ref"],
            "SNPVAR": fitted["prior"],
            "Z": fitted["z"],
            "N": known["n"].to_numpy(),
            "P": p_texts(fitted["neg_log10_p"]),
            "PIP": fitted["pip"],
            "BETA_MEAN": fitted["posterior_mean"],
            "BETA_SD": fitted["posterior_sd"],
            "CREDIBLE_SET": (where + fitted["credible_set"].str.removeprefix("L")).where(
                fitted["credible_set"].notna(), "0"
            ),
        }
    )
    _write_text(path, table, float_format="%.5e")


def write_ssf(path: Path, sumstats: str | Path, study: str, build: str) -> None:
    """Harmonised summary statistics as GWAS-SSF, with `<path>-meta.yaml`.

    Where betas are not known of every variant, z-scores stand in their place. The meta file says what is known here,
    and nothing that changes from run to run (no date).
    """
    with_beta = not any(frame["beta"].isna().any() for frame in _pieces(sumstats, ["beta"]))
    columns = ["chrom", "pos", "ref", "alt", "rsid", "beta", "se", "z", "neg_log10_p", "eaf", "n"]
    largest, odd = 0.0, set()
    with opened(path, compressed=True) as handle:
        for number, frame in enumerate(_pieces(sumstats, columns)):
            table = _ssf_rows(frame, with_beta)
            odd |= {c for c in table["chromosome"].unique() if not (c.isdecimal() and 1 <= int(c) <= 25)}
            table.to_csv(handle, sep="\t", index=False, header=not number, na_rep=_MISSING_IN_SSF,
                         float_format="%.10g", lineterminator="\n")  # fmt: skip
            largest = max(largest, float(frame["n"].max()))
    if odd:
        log.warning("chromosomes that GWAS-SSF has no number for: %s", ", ".join(sorted(odd)))
    meta: dict[str, Any] = {
        "file_type": "GWAS-SSF v1.0",
        "data_file_name": path.name,
        "data_file_md5sum": hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest(),
        "trait_description": [study],
        "sample_size": round(largest),
        "genome_assembly": build,
        "coordinate_system": "1-based",
        "is_harmonised": True,
        "is_sorted": True,
    }
    Path(f"{path}-meta.yaml").write_text(yaml.safe_dump(meta, sort_keys=False, allow_unicode=True))


def _ssf_rows(frame: pd.DataFrame, with_beta: bool) -> pd.DataFrame:
    names = frame["chrom"].map(plain_name)
    chromosome = names.map(_SSF_NUMBERS).fillna(names)
    effect = {"beta": frame["beta"]} if with_beta else {"z_score": frame["z"]}
    ids = chromosome + "_" + frame["pos"].astype("str") + "_" + frame["ref"] + "_" + frame["alt"]
    return pd.DataFrame(
        {
            "chromosome": chromosome,
            "base_pair_location": frame["pos"],
            "effect_allele": frame["alt"],
            "other_allele": frame["ref"],
            **effect,
            "standard_error": frame["se"],
            "effect_allele_frequency": frame["eaf"],
            "neg_log_10_p_value": frame["neg_log10_p"],
            "variant_id": ids,
            "rsid": frame["rsid"],
            "n": frame["n"],
            "ref_allele": "OA",
        }
    )


def _write_text(path: Path, table: pd.DataFrame, float_format: str = "%.7g") -> None:
    with path.open("wb") as handle:
        if path.suffix == ".gz":
            with gzip.GzipFile(filename="", mode="wb", fileobj=handle, mtime=0) as packed:
                table.to_csv(packed, sep="\t", index=False, na_rep="NA", float_format=float_format, lineterminator="\n")
        else:
            table.to_csv(handle, sep="\t", index=False, na_rep="NA", float_format=float_format, lineterminator="\n")
