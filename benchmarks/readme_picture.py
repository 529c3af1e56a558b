"""README's picture: one locus of a finished study, before and after the prior.

    snakemake --cores 2                # the embedded study
    python benchmarks/readme_picture.py

Of a simulated study it is the locus whose causal variant gained most, among those in a credible set: a locus in which
the prior did what it should, and not a typical one. Of another study it is the locus in which any variant in a set
gained most. Dashed lines mark causal variants. Says which locus it is, with the PIPs.
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import pandas as pd

from fineprior.files import tables
from fineprior.report.locus_sections import SHOWN_PRIORS, joined_variants
from fineprior.report.plots import encoded, locus_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(variants: pd.DataFrame, start: int, end: int, causal: pd.DataFrame) -> "Figure":
    """The report's figure of a locus, with dashed lines at the causal variants."""
    figure = locus_figure(variants, start, end)
    for pos in causal["pos"]:
        for axes in figure.axes:
            axes.axvline(pos / 1e6, color="#333333", linewidth=1, linestyle=(0, (4, 3)), zorder=0)
    for text in figure.axes[0].texts:  # a line must not cross the lead's name
        text.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1.5, "alpha": 0.85})
    if len(causal):
        figure.text(0.84, 0.16, "- - causal variant", color="#333333", fontsize=8.5)
    return figure


def main() -> None:
    """Draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("results/embedded"))
    parser.add_argument("--truth", type=Path, default=Path("resources/embedded/truth.tsv"))
    parser.add_argument("--output", type=Path, default=Path("docs/images/locus.png"))
    arguments = parser.parse_args()
    variants = joined_variants(
        {prior: tables.FINEMAP_VARIANTS.read(arguments.results / prior / "variants.tsv.gz") for prior in SHOWN_PRIORS}
    )
    known = arguments.truth.is_file()
    causal = variants["variant_id"].isin(tables.TRUTH.read(arguments.truth)["variant_id"] if known else [])
    gain = (variants["pip_functional"] - variants["pip_uniform"])[variants["in_set_functional"]]
    top = variants.loc[(gain[causal[gain.index]] if known else gain).idxmax()]
    loci = tables.LOCI.read(arguments.results / "loci.tsv").set_index("locus")
    start, end = (int(loci.loc[top["locus"], name]) for name in ("start", "end"))
    own = variants[variants["locus"] == top["locus"]]
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_bytes(encoded(draw, own, start, end, own[causal[own.index]], kind="png"))
    change = f"PIP {top['pip_uniform']:.2f} -> {top['pip_functional']:.2f}"
    print(f"{arguments.output}: {top['locus']}, {top['variant_id']}, {change}")


if __name__ == "__main__":
    main()
