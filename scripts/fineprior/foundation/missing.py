"""One answer to "missing": what the programs of the field write where there is no value.

| written by | words |
| --- | --- |
| PLINK, REGENIE, SAIGE, BOLT-LMM | NA, nan, `.`, and -9 for phenotypes, covariates and frequencies |
| others | -99, -999; -1 for frequencies and imputation qualities |
| R | NA, NaN, `<NA>`, NULL, and an empty field (`na = ""`) |
| pandas and Python | an empty field, nan, NaN, None, `<NA>`, NaT |
| SAS and Stata | `.` |
| spreadsheets, SQL, GWAS-SSF | an empty field, N/A, #N/A, NULL, #NA |

Words are the same in capitals and small letters, with blanks or quotation marks around them. Codes are numbers: -9,
-9.0 and -9e0 are the same. A code is missing only where a negative number has no meaning of its own, or PLINK takes it
so.
"""

from collections.abc import Collection, Iterable
from itertools import product

PLINK_CODES = (-9.0,)
"""Of phenotypes and covariates, which may be below 0."""
CODES = (-9.0, -99.0, -999.0, -9999.0)
"""Of what is never below 0: sizes, standard errors, p-values."""
CODES_OF_SHARES = (*CODES, -1.0, 9.0, 99.0, 999.0, 9999.0)
"""Of what lies within 0 to 1, or not far above: frequencies, imputation qualities."""
CODES_OF_EFFECTS = (*CODES, 99.0, 999.0, 9999.0)
"""Of effects and z-scores, which can have these values too: `sumstats.values.coded_effects` tells which it is."""
WORDS = frozenset({
    "", ".", "na", "n/a", "#n/a", "#na", "<na>", "nan", "+nan", "-nan", "1.#qnan", "-1.#ind", "nat", "null", "none",
})  # fmt: skip
"""In small letters."""
SPELLINGS = sorted({"".join(one) for word in WORDS for one in product(*zip(word, word.upper(), strict=True))})
"""The words in capitals, small letters and mixtures of them, for readers of tables that compare them to the letter."""


def is_missing(value: object, codes: Collection[float] = ()) -> bool:
    """Whether a field of a user's file holds no value.

    Parameters
    ----------
    value
        The field as text, or what a reader made of it: None, a number, nan.
    codes
        Numbers that mean missing, too: `PLINK_CODES`, `CODES` or `CODES_OF_SHARES`.
    """
    if value is None:
        return True
    text = str(value).strip().strip("\"'").strip()
    return text.casefold() in WORDS or is_code(text, codes)


def is_code(value: object, codes: Collection[float]) -> bool:
    """Whether a field is one of these numbers, however it is written."""
    try:
        return bool(codes) and float(str(value).strip().strip("\"'")) in codes
    except ValueError:
        return False


def missing_among(values: Iterable[object], codes: Collection[float] = ()) -> set[object]:
    """Those of the values that are missing, to look up a whole column by its different values."""
    return {value for value in values if is_missing(value, codes)}
