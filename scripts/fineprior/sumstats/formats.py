"""Formats of summary statistics: how each is recognised, and which of its columns is what.

A format is recognised by the names in its header, never by the file's name. Names are compared without regard to case
and to a leading `#`. No column is guessed from its name alone: `A1` is the effect allele of PLINK and GCTA, `Allele1`
that of METAL but the other allele of SAIGE, so a header that is not one of these needs a `columns:` block.

| format | effect allele | other allele | effect | p-value | frequency | sample size |
|---|---|---|---|---|---|---|
| gwas-ssf | effect_allele | other_allele | beta, log of odds_ratio or hazard_ratio, z_score | p_value, neg_log_10_p_value | effect_allele_frequency | n, n_cases and n_controls |
| gwas-catalog-hm | hm_effect_allele | hm_other_allele | hm_beta, log of hm_odds_ratio | p_value | hm_effect_allele_frequency | n |
| plink2 | A1 | OMITTED, or of REF and ALT the one that is not A1 | BETA, log of OR | P, LOG10_P and NEG_LOG10_P (both -log10 p) | A1_FREQ | OBS_CT |
| plink1 | A1 | A2 | BETA, log of OR, STAT | P | F_A, F_U | NMISS |
| regenie | ALLELE1 | ALLELE0 | BETA | LOG10P (-log10 p) | A1FREQ | N, N_CASES and N_CONTROLS |
| saige | Allele2 | Allele1 | BETA | p.value (with saddlepoint) | AF_Allele2 | N, N_case and N_ctrl |
| bolt | ALLELE1 | ALLELE0 | BETA | P_BOLT_LMM, else P_BOLT_LMM_INF, else P_LINREG | A1FREQ | - |
| fastgwa | A1 | A2 | BETA | P | AF1 | N |
| cojo (.ma, .mlma) | A1 | A2 | b | p | freq | N |
| metal | Allele1 | Allele2 | Effect, Zscore | P-value | Freq1 | N, TotalSampleSize, Weight |
| finngen | alt | ref | beta | mlogp (-log10 p), pval | af_alt | - |
| polyfun, ldsc | A1 | A2 | Z | P | FRQ | N |
| gwaslab | EA | NEA | BETA, log of OR or HR, Z | MLOG10P, P | EAF | N_CASE and N_CONTROL, N_EFF, N |
| vcf (GWAS-VCF) | ALT | REF | ES, EZ | LP (-log10 p) | AF | SS, NC |

Of bolt, z is that of BETA and SE (the infinitesimal model), whichever p-value there is. Frequencies that are of the
minor allele (MAF) are not taken: whose they are is not known.
"""  # noqa: E501

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fineprior.files.errors import InputError

RATIOS = ("odds_ratio", "hazard_ratio")
NUMBERS = (
    "base_pair_location", "beta", *RATIOS, "z_score", "standard_error", "p_value", "neg_log_10_p_value",
    "effect_allele_frequency", "frequency_in_cases", "frequency_in_controls", "n", "n_cases", "n_controls", "info",
)  # fmt: skip
TEXTS = (
    "chromosome", "effect_allele", "other_allele", "reference_allele", "alternative_allele", "rsid", "variant_id",
    "test",
)  # fmt: skip
"""What a column can be, in the words of GWAS-SSF. variant_id: chr:pos, or chr:pos:allele:allele, for a file without
columns for them; reference_allele and alternative_allele: alleles of which one is the effect allele; test: rows other
than ADD are excluded."""

_CATALOG_SIZES = {
    "n": "n_eff neff n n_samples n_total sample_size",
    "n_cases": "n_cases n_case",
    "n_controls": "n_controls n_control",
}


@dataclass(frozen=True)
class Layout:
    """One format.

    signature: of each group the header holds a name; absent: names that it does not hold; columns: what a column can
    be -> its names, of which the first that is there counts; assembly: genome build that the format implies, where
    the file does not say; remedy: what to do about columns that the format does not have.
    """

    name: str
    signature: tuple[tuple[str, ...], ...]
    columns: Mapping[str, tuple[str, ...]]
    absent: tuple[str, ...] = ()
    assembly: str | None = None
    remedy: str = ""

    @property
    def hint(self) -> str:
        """The remedy as the end of a message."""
        return f"; {self.remedy}" if self.remedy else ""


def _layout(
    name: str, signature: str, absent: str = "", assembly: str | None = None, remedy: str = "", **columns: str
) -> Layout:
    """Groups and columns as text: names are set apart by spaces, alternatives of the signature by `|`."""
    groups = tuple(tuple(group.split("|")) for group in signature.split())
    return Layout(
        name, groups, {key: tuple(names.split()) for key, names in columns.items()}, tuple(absent.split()), assembly,
        remedy,
    )  # fmt: skip


_NO_POSITIONS = (
    "give the file that it was made from, add columns for chromosome and position, or name the variants chr:pos:ref:alt"
)

FORMATS = (
    _layout(
        "gwas-catalog-hm", "HM_CHROM HM_POS HM_EFFECT_ALLELE HM_OTHER_ALLELE", assembly="GRCh38",
        chromosome="hm_chrom", base_pair_location="hm_pos", effect_allele="hm_effect_allele",
        other_allele="hm_other_allele", beta="hm_beta", odds_ratio="hm_odds_ratio", standard_error="standard_error",
        p_value="p_value", neg_log_10_p_value="neg_log_10_p_value", info="info", rsid="hm_rsid",
        effect_allele_frequency="hm_effect_allele_frequency",
        **_CATALOG_SIZES,
    ),
    _layout(
        "gwas-ssf", "CHROMOSOME BASE_PAIR_LOCATION EFFECT_ALLELE OTHER_ALLELE",
        chromosome="chromosome", base_pair_location="base_pair_location", effect_allele="effect_allele",
        other_allele="other_allele", beta="beta", odds_ratio="odds_ratio", hazard_ratio="hazard_ratio",
        z_score="z_score", standard_error="standard_error", p_value="p_value",
        neg_log_10_p_value="neg_log_10_p_value", effect_allele_frequency="effect_allele_frequency", info="info",
        rsid="rsid rs_id", **_CATALOG_SIZES,
    ),
    _layout(
        "plink2", "CHROM POS A1 OMITTED|REF|ALT|AX OBS_CT|TEST|ERRCODE|T_STAT|Z_STAT|LOG10_P|NEG_LOG10_P",
        chromosome="CHROM", base_pair_location="POS", effect_allele="A1", other_allele="OMITTED AX",
        reference_allele="REF", alternative_allele="ALT", beta="BETA", odds_ratio="OR",
        standard_error="SE LOG(OR)_SE", z_score="Z_STAT T_STAT Z_OR_F_STAT T_OR_F_STAT", p_value="P",
        neg_log_10_p_value="NEG_LOG10_P LOG10_P", effect_allele_frequency="A1_FREQ", n="OBS_CT", info="MACH_R2",
        rsid="ID", test="TEST",
    ),
    _layout(
        "regenie", "CHROM GENPOS ALLELE0 ALLELE1",
        remedy="write one file for each phenotype (without --no-split)",
        chromosome="CHROM", base_pair_location="GENPOS", effect_allele="ALLELE1", other_allele="ALLELE0", beta="BETA",
        standard_error="SE", p_value="P", neg_log_10_p_value="LOG10P", effect_allele_frequency="A1FREQ", n="N",
        n_cases="N_CASES", n_controls="N_CONTROLS", info="INFO", rsid="ID", test="TEST",
    ),
    _layout(
        "bolt", "CHR BP ALLELE1 ALLELE0 P_BOLT_LMM|P_BOLT_LMM_INF|P_LINREG",
        chromosome="CHR", base_pair_location="BP", effect_allele="ALLELE1", other_allele="ALLELE0", beta="BETA",
        standard_error="SE", p_value="P_BOLT_LMM P_BOLT_LMM_INF P_LINREG", effect_allele_frequency="A1FREQ", n="N",
        info="INFO", rsid="SNP",
    ),
    _layout(
        "saige", "CHR POS ALLELE1 ALLELE2 P.VALUE AF_ALLELE2|AC_ALLELE2|TSTAT",
        chromosome="CHR", base_pair_location="POS", effect_allele="Allele2", other_allele="Allele1", beta="BETA",
        standard_error="SE", p_value="p.value", effect_allele_frequency="AF_Allele2", n="N",
        n_cases="N_case N.Cases", n_controls="N_ctrl N.Controls", info="imputationInfo", rsid="MarkerID rsid SNPID",
    ),
    _layout(
        "metal", "MARKERNAME ALLELE1 ALLELE2 P-VALUE", remedy=_NO_POSITIONS,
        chromosome="Chromosome Chrom Chr", base_pair_location="Position Pos BP", variant_id="MarkerName",
        effect_allele="Allele1", other_allele="Allele2", beta="Effect", standard_error="StdErr", z_score="Zscore",
        p_value="P-value", effect_allele_frequency="Freq1", n="TotalSampleSize N_total N Weight", n_cases="N_CASES",
        n_controls="N_CONTROLS", rsid="MarkerName",
    ),
    _layout(
        "finngen", "CHROM POS REF ALT PVAL|MLOGP BETA SEBETA",
        chromosome="chrom", base_pair_location="pos", effect_allele="alt", other_allele="ref", beta="beta",
        standard_error="sebeta", p_value="pval", neg_log_10_p_value="mlogp", effect_allele_frequency="af_alt", n="n",
        info="info", rsid="rsids",
    ),
    _layout(
        "fastgwa", "CHR SNP POS A1 A2 AF1 P",
        chromosome="CHR", base_pair_location="POS", effect_allele="A1", other_allele="A2", beta="BETA",
        standard_error="SE", p_value="P", effect_allele_frequency="AF1", n="N", info="INFO", rsid="SNP",
    ),
    _layout(
        "cojo", "SNP A1 A2 FREQ B SE P", remedy=_NO_POSITIONS,
        chromosome="CHR", base_pair_location="BP POS", variant_id="SNP", effect_allele="A1", other_allele="A2",
        beta="b", standard_error="se", p_value="p", effect_allele_frequency="freq", n="N", rsid="SNP",
    ),
    _layout(
        "plink1", "CHR SNP BP F_A|F_U|C_A|TEST|NMISS P",
        remedy="PLINK 1.9 writes only A1 to .assoc.linear and .assoc.logistic, and no allele to .qassoc: add the "
        "columns A1 and A2 of the .bim, run PLINK 2 (--glm), or give genotypes and a phenotype",
        chromosome="CHR", base_pair_location="BP", variant_id="SNP", effect_allele="A1", other_allele="A2",
        beta="BETA", odds_ratio="OR", standard_error="SE", z_score="STAT T", p_value="P", n="NMISS", info="INFO",
        frequency_in_cases="F_A", frequency_in_controls="F_U", rsid="SNP", test="TEST",
    ),
    _layout(
        "gwaslab", "CHR POS EA NEA",
        chromosome="CHR", base_pair_location="POS", effect_allele="EA", other_allele="NEA", beta="BETA",
        odds_ratio="OR", hazard_ratio="HR", standard_error="SE", z_score="Z", p_value="P",
        neg_log_10_p_value="MLOG10P", effect_allele_frequency="EAF", n="N_EFF N", n_cases="N_CASE",
        n_controls="N_CONTROL", info="INFO", rsid="RSID SNPID",
    ),
    _layout(
        "polyfun", "SNP CHR BP A1 A2 Z N", absent="BETA B OR EFFECT",
        chromosome="CHR", base_pair_location="BP", effect_allele="A1", other_allele="A2", z_score="Z", p_value="P",
        effect_allele_frequency="FRQ", n="N", info="INFO", rsid="SNP",
    ),
    _layout(
        "ldsc", "SNP A1 A2 Z N", absent="BETA B OR EFFECT", remedy=_NO_POSITIONS,
        chromosome="CHR", base_pair_location="BP POS", variant_id="SNP", effect_allele="A1", other_allele="A2",
        z_score="Z", p_value="P", effect_allele_frequency="FRQ", n="N", info="INFO", rsid="SNP",
    ),
)  # fmt: skip
"""In the order in which they are tried."""

FORMAT_NAMES = (*(layout.name for layout in FORMATS), "vcf")
OWN_COLUMNS = "columns"
_ALLELE_NAMES = {
    name.upper()
    for layout in FORMATS
    for key in ("effect_allele", "other_allele", "alternative_allele")
    for name in layout.columns.get(key, ())
}
_SHOWN_COLUMNS = 20


def choose_layout(header: Sequence[str], given: str | Mapping[str, str] | None, path: object) -> Layout:
    """The format of a header: recognised, named, or as a mapping of GWAS-SSF's names (`NUMBERS`, `TEXTS`) to its own.

    Raises
    ------
    InputError
        The header is that of no known format, the name is unknown, or the mapping is not one of known names.
    """
    if isinstance(given, Mapping):
        return _own_layout(given, path)
    if given:
        named = [layout for layout in FORMATS if layout.name == given]
        if not named:
            raise InputError(f"{path}: format '{given}' is not known; allowed: {', '.join(FORMAT_NAMES)}, or the name "
                             "of a `columns:` block of the config")  # fmt: skip
        return named[0]
    names = {_plain(name) for name in header}
    for layout in FORMATS:
        if all(names.intersection(group) for group in layout.signature) and not names.intersection(layout.absent):
            return layout
    raise InputError(f"{path}: {_why_unknown(header, names)}")


def _own_layout(given: Mapping[str, str], path: object) -> Layout:
    unknown = [key for key in given if key not in (*NUMBERS, *TEXTS)]
    if unknown:
        raise InputError(f"{path}: columns: '{unknown[0]}' is not known; allowed: {', '.join((*NUMBERS, *TEXTS))}")
    return Layout(OWN_COLUMNS, (), {key: (str(name),) for key, name in given.items()})


def _why_unknown(header: Sequence[str], names: set[str]) -> str:
    shown = ", ".join(header[:_SHOWN_COLUMNS]) + (", ..." if len(header) > _SHOWN_COLUMNS else "")
    if sum(bool(re.fullmatch(r"-?[0-9.]+(e-?[0-9]+)?", name.strip().lower())) for name in header) > 1:
        return f"the first line holds numbers ({shown}), so it is no header; add one"
    if not (names & _ALLELE_NAMES or any(name.endswith("ALLELE") for name in names)):
        return (
            f"no column holds alleles (columns: {shown}); effects without effect and other allele have no sign: join "
            "them to the file, or give the file that it was made from"
        )
    lacking = {layout.name: [g for g in layout.signature if not names.intersection(g)] for layout in FORMATS}
    nearest = min(FORMATS, key=lambda layout: len(lacking[layout.name]) / len(layout.signature))
    hint = ""
    if 2 * len(lacking[nearest.name]) <= len(nearest.signature) and lacking[nearest.name]:
        missing = " or ".join(f"'{name.lower()}'" for name in lacking[nearest.name][0])
        hint = f" (it could be {nearest.name}, but column {missing} is missing)"
    return (
        f"columns {shown} are those of no known format{hint}; known are {', '.join(FORMAT_NAMES)}; for others, name "
        "the columns in a `columns:` block of the config and the block in column 'format' of the studies sheet"
    )


def bind(layout: Layout, header: Sequence[str], path: object) -> dict[str, int]:
    """Which column of the header is what; checks that they suffice.

    Raises
    ------
    InputError
        A column that is needed is missing, or one that is used is there twice.
    """
    places = {}
    for key, names in layout.columns.items():
        for name in names:
            same = [i for i, column in enumerate(header) if layout.name == OWN_COLUMNS and column == name]
            same = same or [i for i, column in enumerate(header) if _plain(column) == _plain(name)]
            if len(same) > 1:
                raise InputError(f"{path}: column '{header[same[0]]}' is there {len(same)} times")
            if same:
                places[key] = same[0]
                break
            if layout.name == OWN_COLUMNS:
                raise InputError(f"{path}: column '{name}', which `columns:` names as {key}, is missing")
    _check_sufficient(layout, places, header, path)
    return places


def _check_sufficient(layout: Layout, places: dict[str, int], header: Sequence[str], path: object) -> None:
    def names(key: str) -> str:
        return " or ".join(f"'{name}'" for name in layout.columns.get(key, (key,)))

    has = set(places)
    from_id = {"chromosome", "base_pair_location", "other_allele"} if "variant_id" in has else set()
    if {"reference_allele", "alternative_allele"} <= has:
        from_id.add("other_allele")
    for key in ("chromosome", "base_pair_location", "effect_allele", "other_allele"):
        if key not in has | from_id:
            hint = layout.hint if "variant_id" in layout.columns else ""
            raise InputError(f"{path}: {key} ({layout.name}: column {names(key)}) is missing{hint}")
    effects = [key for key in ("beta", *RATIOS) if key in has]
    if not effects and "z_score" not in has:
        known = [name for key in ("beta", *RATIOS, "z_score") for name in layout.columns.get(key, ())]
        several = [name for name in header if re.match(r"(?i)beta\.", name)]
        raise InputError(
            f"{path}: no effect column ({layout.name}: {', '.join(known)})" + (layout.hint if several else "")
        )
    if not has & {"standard_error", "p_value", "neg_log_10_p_value", "z_score"}:
        raise InputError(
            f"{path}: neither a standard error ({names('standard_error')}) nor a p-value ({names('p_value')}) is "
            f"there; one of them is needed beside {header[places[effects[0]]]}"
        )


def _plain(name: str) -> str:
    return name.strip().lstrip("#\ufeff").strip().upper()
