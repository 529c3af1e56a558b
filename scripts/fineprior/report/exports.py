"""Results in the formats of other programs: BED, FLAMES, GWAS-SSF, PolyFun, and Open Targets' StudyLocus.

The effect allele is ALT in all of them: A1 of PolyFun and FLAMES, effect_allele of GWAS-SSF.

StudyLocus is the table of credible sets of gentropy, the software of the Open Targets Platform (study_locus.json): a
row is a credible set, and its variants are a list of structs. What fineprior does not know is null: LD sets, quality
flags, and purityMeanR2, which is not the square of a mean |r|.
"""

import gzip
import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from fineprior.files.errors import InputError
from fineprior.files.integrity import checked
from fineprior.files.table import opened
from fineprior.finemap.credible_sets import CredibleSets
from fineprior.finemap.susie import SusieFit
from fineprior.genome.contigs import plain_name
from fineprior.report.compare import members

ROWS_AT_ONCE = 500_000
_SSF_NUMBERS = {"X": "23", "Y": "24", "MT": "25"}
"""GWAS-SSF numbers the chromosomes from 1 to 25."""
_MISSING_IN_SSF = "#NA"

METHODS = {"susie": "SuSie", "susie_inf": "SuSiE-inf"}
"""gentropy's names of the models."""
_TEXT, _INT, _DOUBLE, _FLOAT, _FLAG = pa.string(), pa.int32(), pa.float64(), pa.float32(), pa.bool_()
_P = [("pValueMantissa", _FLOAT), ("pValueExponent", _INT)]
_TAG = pa.struct([("tagVariantId", _TEXT), ("r2Overall", _DOUBLE)])
_VARIANT = pa.struct(
    [("is95CredibleSet", _FLAG), ("is99CredibleSet", _FLAG), ("logBF", _DOUBLE), ("posteriorProbability", _DOUBLE),
     ("variantId", _TEXT), *_P, ("beta", _DOUBLE), ("standardError", _DOUBLE), ("r2Overall", _DOUBLE)]
)  # fmt: skip
SCHEMA = pa.schema(
    [pa.field("studyLocusId", _TEXT, False), ("studyType", _TEXT), pa.field("variantId", _TEXT, False),
     ("chromosome", _TEXT), ("position", _INT), ("region", _TEXT), pa.field("studyId", _TEXT, False),
     ("beta", _DOUBLE), ("zScore", _DOUBLE), *_P, ("effectAlleleFrequencyFromSource", _FLOAT),
     ("standardError", _DOUBLE), ("subStudyDescription", _TEXT), ("qualityControls", pa.list_(_TEXT)),
     ("finemappingMethod", _TEXT), ("credibleSetIndex", _INT), ("credibleSetlog10BF", _DOUBLE),
     ("purityMeanR2", _DOUBLE), ("purityMinR2", _DOUBLE), ("locusStart", _INT), ("locusEnd", _INT),
     ("sampleSize", _INT), ("ldSet", pa.list_(_TAG)), ("locus", pa.list_(_VARIANT)), ("confidence", _TEXT),
     ("isTransQtl", _FLAG)]
)  # fmt: skip
_LARGEST_SHARE = 0.99
"""A set lists its variants, most probable first, up to this sum of posterior probabilities."""

Known = Mapping[str, dict[str, Any]]
"""Columns of SUMSTATS by variant_id."""

log = logging.getLogger(__name__)


def p_texts(neg_log10_p: pd.Series, digits: int = 5) -> pd.Series:
    """P-values as text such as `1.23400e-400`, also those too small for a double. NA stays missing."""
    mantissa, exponent = mantissa_exponent(neg_log10_p.to_numpy(float), digits)
    texts = [None if np.isnan(m) else f"{m:.{digits}f}e{int(e):+03d}" for m, e in zip(mantissa, exponent, strict=True)]
    return pd.Series(texts, index=neg_log10_p.index, dtype="str")


def mantissa_exponent(neg_log10_p: np.ndarray, digits: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Mantissa in [1, 10), rounded to `digits` places, and exponent of p-values; NaN where a p-value is missing."""
    exponent = np.floor(-neg_log10_p)
    mantissa = np.round(10.0 ** (-neg_log10_p - exponent), digits)
    return np.where(mantissa >= 10, 1.0, mantissa), np.where(mantissa >= 10, exponent + 1, exponent)


def of_variants(sumstats: str | Path, variants: Sequence[str], columns: Sequence[str]) -> pd.DataFrame:
    """Read columns of SUMSTATS for some variants, indexed by variant_id; the whole table is never in memory.

    Raises
    ------
    InputError
        A variant is not in the table.
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
    """Write the variants in credible sets as BED: name `variant;locus:set`, score 1000 PIP, by which browsers shade."""
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
    """Write input of FLAMES: a file for each credible set, their index (paths within the folder), and the loci."""
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
    """Write the table of PolyFun's finemapper for all loci, sorted by position, without DISTANCE_FROM_CENTER.

    CREDIBLE_SET is `chr<chromosome>:<start>-<end>:<number>`, or 0 outside of sets; SNP is the rsid where it is known.
    """
    fitted = variants[variants["pip"].notna()]
    log.info("%d variants; %d without a PIP are not written", len(fitted), len(variants) - len(fitted))
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
    """Write harmonised summary statistics as GWAS-SSF, with `<path>-meta.yaml`.

    Unless every variant has a beta, z-scores are written instead. The metadata have no field that changes from run to
    run, such as a date.
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
        log.warning("GWAS-SSF has no number for these chromosomes: %s", ", ".join(sorted(odd)))
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


def write_study_locus(
    path: Path,
    *,
    study: str,
    model: str,
    variants: pd.DataFrame,
    credible_sets: pd.DataFrame,
    loci: pd.DataFrame,
    sumstats: str | Path,
    fits: Mapping[str, tuple[SusieFit, Sequence[str]]],
) -> None:
    """Write the credible sets of a study.

    Parameters
    ----------
    path
        Parquet file.
    study, model
        Name of the study; `finemap.model`.
    variants, credible_sets, loci, sumstats
        FINEMAP_VARIANTS, CREDIBLE_SETS (of the main coverage), LOCI, and the file of SUMSTATS.
    fits
        Fit of each locus and the names of its variants. Posterior probabilities are those of the set's effect; a set
        lists its variants up to 99% of it. With a posterior by search they are PIPs, and a set lists the variants of
        its two coverages.
    """
    in_sets = variants["locus"].isin(credible_sets["locus"])
    ids = variants.loc[in_sets, "variant_id"].unique().tolist()
    known = of_variants(sumstats, ids, ["beta", "se", "z", "neg_log10_p", "eaf", "n"])
    known["mantissa"], known["exponent"] = mantissa_exponent(known["neg_log10_p"].to_numpy(float))
    rows_by_id: Known = known.to_dict("index")
    spans = loci.set_index("locus")
    rows = [
        _row(study, METHODS[model], found, spans.loc[found["locus"]], fits[found["locus"]], rows_by_id)
        for found in credible_sets.to_dict("records")
    ]
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), path, compression="zstd")


def study_locus_id(study: str, variant: str, method: str) -> str:
    """Identifier of a credible set in gentropy: MD5 of study, lead variant and method, one after the other."""
    return hashlib.md5(f"{study}{variant}{method}".encode(), usedforsecurity=False).hexdigest()


def _row(
    study: str, method: str, found: Mapping[Any, Any], span: pd.Series, fitted: tuple[SusieFit, Sequence[str]],
    known: Known,
) -> dict[str, Any]:  # fmt: skip
    lead = known[found["lead_variant"]]
    chrom = plain_name(found["chrom"])
    lead_id = _identifier(found["lead_variant"])
    sizes = [known[variant]["n"] for variant in found["variant_ids"].split(",")]
    return {
        "studyLocusId": study_locus_id(study, lead_id, method),
        "studyType": "gwas",
        "variantId": lead_id,
        "chromosome": chrom,
        "position": int(found["lead_variant"].rsplit(":", 3)[1]),
        "region": f"{chrom}:{span['start'] + 1}-{span['end']}",
        "studyId": study,
        "beta": _number(lead["beta"]),
        "zScore": _number(lead["z"]),
        **_p_of(lead),
        "effectAlleleFrequencyFromSource": _number(lead["eaf"]),
        "standardError": _number(lead["se"]),
        "finemappingMethod": method,
        "credibleSetIndex": int(found["credible_set"].removeprefix("L")),
        "credibleSetlog10BF": _number(found["log10_bf"]),
        "purityMinR2": _number(found["min_abs_r"] ** 2),
        "locusStart": int(span["start"]) + 1,
        "locusEnd": int(span["end"]),
        "sampleSize": round(max(sizes)),
        "locus": _variants_of(int(found["credible_set"].removeprefix("L")), fitted, known),
    }


def _variants_of(effect: int, fitted: tuple[SusieFit, Sequence[str]], known: Known) -> list[dict[str, Any]]:
    """Variants of a set, most probable first: those of 99% of SuSiE's effect, or of the sets of a search.

    A set of a search has PIPs for posterior probabilities, and no Bayes factors where SuSiE has no such effect.
    """
    fit, ids = fitted
    log_bf = fit.lbf_variable[effect - 1] if effect <= len(fit.lbf_variable) else np.full(len(ids), np.nan)
    if fit.search is None:
        posterior = fit.alpha[effect - 1, : len(ids)]
        order = np.argsort(-posterior, kind="stable")
        before = np.concatenate([[0.0], np.cumsum(posterior[order])[:-1]])
        listed, main = order[before < _LARGEST_SHARE].tolist(), set(order[before < 0.95].tolist())
    else:
        posterior, main = fit.search.pip, _members(fit.search.sets, effect)
        listed = sorted(main | _members(fit.search.further, effect), key=lambda row: (-posterior[row], row))
    return [
        {
            "is95CredibleSet": row in main,
            "is99CredibleSet": True,
            "logBF": _number(log_bf[row]),
            "posteriorProbability": float(posterior[row]),
            "variantId": _identifier(ids[row]),
            "beta": _number(known[ids[row]]["beta"]),
            "standardError": _number(known[ids[row]]["se"]),
            **_p_of(known[ids[row]]),
        }
        for row in listed
    ]


def _members(sets: CredibleSets, effect: int) -> set[int]:
    """Variants of the set of an effect; none where there is no such set."""
    return {int(row) for one in sets.sets if one.effect == effect for row in one.variables}


def _identifier(variant: str) -> str:
    """chrom_pos_ref_alt, the chromosome without `chr`."""
    chrom, *rest = variant.rsplit(":", 3)
    return "_".join([plain_name(chrom), *rest])


def _p_of(row: Mapping[str, Any]) -> dict[str, Any]:
    unknown = np.isnan(row["mantissa"])
    return {
        "pValueMantissa": None if unknown else float(row["mantissa"]),
        "pValueExponent": None if unknown else int(row["exponent"]),
    }


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
