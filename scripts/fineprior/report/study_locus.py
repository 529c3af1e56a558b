"""Credible sets as StudyLocus of Open Targets' gentropy: one row for each set, its variants as a list of structs.

Fields and types are those of gentropy's schema of the Open Targets Platform's credible sets (study_locus.json). What
fineprior does not know is null: LD sets, quality flags, and purityMeanR2, which is not the square of a mean |r|.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from fineprior.finemap.susie import SusieFit
from fineprior.genome.fasta import plain_name
from fineprior.report.export_tables import mantissa_exponent, of_variants

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

Known = Mapping[str, dict[str, Any]]


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
        lists its variants up to 99% of it.
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
        "locus": _variants_of(int(found["credible_set"].removeprefix("L")) - 1, fitted, known),
    }


def _variants_of(effect: int, fitted: tuple[SusieFit, Sequence[str]], known: Known) -> list[dict[str, Any]]:
    """Variants of an effect in decreasing posterior probability, up to 99% of it."""
    fit, ids = fitted
    alpha, log_bf = fit.alpha[effect, : len(ids)], fit.lbf_variable[effect, : len(ids)]
    order = np.argsort(-alpha, kind="stable")
    before = np.concatenate([[0.0], np.cumsum(alpha[order])[:-1]])
    return [
        {
            "is95CredibleSet": bool(sum_before < 0.95),
            "is99CredibleSet": True,
            "logBF": float(log_bf[row]),
            "posteriorProbability": float(alpha[row]),
            "variantId": _identifier(ids[row]),
            "beta": _number(known[ids[row]]["beta"]),
            "standardError": _number(known[ids[row]]["se"]),
            **_p_of(known[ids[row]]),
        }
        for row, sum_before in zip(order, before, strict=True)
        if sum_before < _LARGEST_SHARE
    ]


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
