"""Consistent synthetic tables of a study, for the tests of the report: made, not fine-mapped."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd

from fineprior.files import tables as t
from fineprior.files.table import Table
from fineprior.report.page import StudyTables

PRIORS = ("uniform", "functional", "shuffled")


def study_tables(loci: int = 4, variants: int = 60, seed: int = 1) -> StudyTables:
    """A study in which locus 2 has no credible set and locus 3 failed; the prior helps a little elsewhere."""
    rng = np.random.default_rng(seed)
    names, spans = [], []
    for i in range(loci):
        chrom, start = f"chr{1 + i * 4 // loci}", 100_000 + 200_000 * i
        spans.append((chrom, start, start + 100_000))
        names.append(f"{chrom}_{start + 1}_{start + 100_000}")
    kinds = {1: "no_signal", 2: "failed"}
    made = [_locus(rng, names[i], spans[i], variants, kinds.get(i, "ok")) for i in range(loci)]
    frames = {p: pd.concat([m[0][p] for m in made], ignore_index=True) if made else None for p in PRIORS}
    sets = {p: [row for m in made for row in m[1][p]] for p in PRIORS}
    status = {p: pd.DataFrame([m[2][p] for m in made]) for p in PRIORS}
    loci_rows = [
        {"locus": names[i], "chrom": spans[i][0], "start": spans[i][1], "end": spans[i][2],
         "lead_variant": made[i][3]["variant_id"], "lead_z": made[i][3]["z"],
         "lead_neg_log10_p": made[i][3]["neg_log10_p"], "variants": variants, "batch": i % 2, "source": "window",
         "note": None}
        for i in range(loci)
    ]  # fmt: skip
    filled = {p: _table(t.FINEMAP_VARIANTS, frames[p]) for p in PRIORS}
    credible = {p: _table(t.CREDIBLE_SETS, pd.DataFrame(sets[p])) for p in PRIORS}
    statuses = {p: _table(t.LOCI_STATUS, status[p]) for p in PRIORS}
    return StudyTables(
        study="demo <disease>",
        loci=_table(t.LOCI, pd.DataFrame(loci_rows)),
        comparison=_comparison(names, filled, credible),
        variants=filled, credible_sets=credible, status=statuses,
        **_study_wide(loci),
    )  # fmt: skip


def without_optional(tables: StudyTables) -> StudyTables:
    """The same study without head, baselines and truth, and with a prior of weight 0."""
    verdict = tables.verdict.assign(weight=0.0, top_decile_ratio=np.nan, held_out_gain=np.nan)
    variants = {"uniform": tables.variants["uniform"], "functional": tables.variants["uniform"]}
    return replace(
        tables, verdict=verdict, variants=variants, head_metrics=t.HEAD_METRICS.empty(),
        baselines=t.HEAD_BASELINES.empty(), history=t.HEAD_HISTORY.empty(), curve=t.LEARNING_CURVE.empty(),
        folds=t.HEAD_FOLDS.empty(), scatter=t.HEAD_SCATTER.empty(), shift=t.SHIFT.empty(),
        windows=t.WINDOW_COMPARISON.empty(), truth_comparison=t.TRUTH_COMPARISON.empty(),
        calibration=t.CALIBRATION.empty(), fst=t.PANEL_FST.empty(),
    )  # fmt: skip


def _table(table: Table, frame: pd.DataFrame | None) -> pd.DataFrame:
    return table.empty() if frame is None or frame.empty else table.checked(frame, "synthetic")


def _locus(rng, name, span, count, kind):
    chrom, start, end = span
    pos = np.sort(rng.choice(np.arange(start + 1, end + 1), count, replace=False))
    causal = int(rng.integers(count // 4, 3 * count // 4))
    r = np.exp(-np.abs(pos - pos[causal]) / 18_000) * rng.choice([-1, 1], count) * rng.uniform(0.75, 1, count)
    r[causal] = 1.0
    z = rng.uniform(5, 9) * r + rng.normal(0, 0.6, count)
    lead = int(np.argmax(np.abs(z)))
    r_lead = np.clip(r * r[lead], -1, 1)
    r_lead[lead] = 1.0
    z[lead] *= 1.05
    base = pd.DataFrame({
        "locus": name, "variant_id": [f"{chrom}:{p}:A:G" for p in pos], "chrom": chrom, "pos": pos, "ref": "A",
        "alt": "G", "z": z, "neg_log10_p": z**2 / 4.6, "r_lead": r_lead,
    })  # fmt: skip
    log_odds = rng.normal(0, 0.8, count)
    log_odds[causal] = 3.0
    frames, sets, status = {}, {}, {}
    for prior in PRIORS:
        odds = {"uniform": np.zeros(count), "functional": log_odds, "shuffled": rng.permutation(log_odds)}[prior]
        weights = np.exp(odds) / np.exp(odds).sum()
        alpha = weights * np.exp(z**2 / 4 - (z**2).max() / 4)
        alpha /= alpha.sum()
        order = np.argsort(-alpha)
        size = int(np.searchsorted(np.cumsum(alpha[order]), 0.95)) + 1
        members = order[:size] if kind == "ok" else order[:0]
        credible = np.full(count, None, dtype=object)
        credible[members] = "L1"
        pip = alpha if kind != "failed" else np.full(count, np.nan)
        frames[prior] = base.assign(prior=weights, pip=pip, posterior_mean=pip * 0.1, posterior_sd=0.01,
                                    credible_set=credible, pip_susie=pip, pip_credible=pip, z_expected=z,
                                    ld_flag=None)  # fmt: skip
        sets[prior] = [] if not len(members) else [{
            "locus": name, "credible_set": "L1", "variants": size, "coverage": alpha[members].sum(),
            "min_abs_r": 0.8, "mean_abs_r": 0.9, "median_abs_r": 0.9, "log10_bf": 15.2,
            "lead_variant": base["variant_id"][order[0]], "lead_pip": alpha[order[0]], "chrom": chrom,
            "start": pos[members].min() - 1, "end": pos[members].max(),
            "variant_ids": ",".join(base["variant_id"][members]), "requested_coverage": 0.95, "main": True,
            "shared_with": None, "partners": None,
        }]  # fmt: skip
        reason = {"ok": None, "no_signal": "purity of every set below 0.5", "failed": "R is not <finite>"}[kind]
        status[prior] = {
            "locus": name, "status": kind, "reason": reason, "variants": count, "credible_sets": len(sets[prior]),
            "remarks": None, "left_out": 0, "lost_sets": 0, "panel_size": np.nan, "s": 0.01, "s_scaled": 0.0,
            "fst": np.nan, "fst_error": np.nan,
            "drift": np.nan, "discordant_pairs": 0, "duplicates": 0,
            "iterations": 12, "elbo": -np.inf if kind == "failed" else -812.3,
            "lead_variant": base["variant_id"][lead], "lead_z": z[lead], "max_pip": pip.max(),
            "posterior": None if kind == "failed" else "susie", "expected_causal": np.nan, "search_gap": np.nan,
            "gwas_rows": count + 3, "fitted": count, "fitted_share": count / (count + 3), "lost_rows": 3,
            "lost": "low_maf:2;missing_value:1", "lost_lead": f"{chrom}:{start + 5}:A:G", "lost_neg_log10_p": 2.5,
            "variants_per_kb": count / 100, "empty_start": 120.0, "empty_end": 80.0, "largest_gap": 5000.0,
        }  # fmt: skip
    return frames, sets, status, base.iloc[lead]


def _comparison(names, variants, credible):
    rows = []
    for prior in PRIORS[1:]:
        for name in names:
            pair = []
            for p in ("uniform", prior):
                own = variants[p][variants[p]["locus"] == name]
                sizes = credible[p].loc[credible[p]["locus"] == name, "variants"]
                top = own.loc[own["pip"].idxmax()] if own["pip"].notna().any() else None
                pair.append((own, sizes, top))
            (uniform, sizes_u, top_u), (own, sizes, top) = pair
            if top is None:
                continue
            rows.append({
                "locus": name, "prior": prior, "sets_uniform": len(sizes_u), "sets": len(sizes),
                "mean_size_uniform": sizes_u.mean(), "mean_size": sizes.mean(),
                "top_variant_uniform": top_u["variant_id"], "top_pip_uniform": top_u["pip"],
                "top_variant": top["variant_id"], "top_pip": top["pip"],
                "top_prior_ratio": top["prior"] * len(own),
                "max_pip_change": np.abs(own["pip"].to_numpy() - uniform["pip"].to_numpy()).max(),
                "high_pip_uniform": (uniform["pip"] > 0.9).sum(), "high_pip": (own["pip"] > 0.9).sum(),
            })  # fmt: skip
    return _table(t.COMPARISON, pd.DataFrame(rows))


def _study_wide(loci):
    chroms = [f"chr{i}" for i in range(1, 5)]
    enrichment = pd.DataFrame({
        "prior": "functional", "left_out": [*chroms, "none"], "loci": loci, "signals": loci + 1, "ridge": 10.0,
        "rounds": 1, "log_enrichment": [0.8, 0.9, 0.75, 1.0, 0.87], "lower": [0.4, 0.5, 0.3, np.nan, 0.53],
        "upper": [1.2, 1.3, 1.1, np.nan, 1.2], "weight": 0.95, "reason": None,
        "held_out_gain": [1.2, 0.7, -0.3, 0.9, np.nan],
    })  # fmt: skip
    rows = [("marginal", 1, loci, 0.6, 1.8, 1.6, -0.7, 0.4, False),
            ("signals", 1, loci + 1, 0.95, 2.5, 2.2, 0.0, 0.0, True)]  # fmt: skip
    steps = pd.DataFrame(rows, columns=t.PRIOR_STEPS.names)
    verdict = pd.DataFrame([{
        "prior": "functional", "log_enrichment": 0.87, "lower": 0.53, "upper": 1.2, "weight": 0.95,
        "held_out_gain": 2.5, "unmixed_gain": 2.2, "shuffled_gain": -1.1, "top_decile_ratio": 6.1, "loci": loci,
        "signals": loci + 1,
        "sentence": "The scores carry information: prior odds rise 2.4-fold per SD (95% interval 1.7 to 3.3).",
    }])  # fmt: skip
    qc = pd.DataFrame([
        ("kept", "kept", 11_800, 40, "alleles as in the FASTA"), ("kept", "swapped", 9_120, 31, "effect allele is REF"),
        ("dropped", "palindromic", 310, 2, "A/T or C/G with a frequency near one half"),
        ("dropped", "not_in_panel", 2_041, 0, "not among the panel's variants"),
    ], columns=["outcome", "reason", "rows", "significant", "meaning"])  # fmt: skip
    tracks, r = ["disease_1", "disease_2", "disease_3"], [0.71, 0.64, 0.58]
    metrics = pd.DataFrame([(track, split, 4_000, value - drop, 0.9, 400, value, value**2)
                            for track, value in zip(tracks, r, strict=True)
                            for split, drop in (("train", -0.05), ("valid", 0), ("test", 0.01))],
                           columns=t.HEAD_METRICS.names[:8]).reindex(columns=t.HEAD_METRICS.names)  # fmt: skip
    baselines = pd.DataFrame([(model, track, value - drop, size, note) for track, value in zip(tracks, r, strict=True)
                              for model, drop, size, note in (("transfer", 0.01, 579, None),
                                                              ("scratch", 0.3, 512_003, None),
                                                              ("kmer_ridge", 0.35, 6_243, None),
                                                              ("own_track", 0.2, 0, "SPI1 <x>"))],
                             columns=["model", "track", "pearson_r", "parameters", "note"])  # fmt: skip
    curve = pd.DataFrame([("linear", size, track, value - 1 / size) for size in (10, 20, 40)
                          for track, value in zip(tracks, r, strict=True)],
                         columns=t.LEARNING_CURVE.names)  # fmt: skip
    folds = pd.DataFrame([(0, "linear", 1e-4, 0.61, True, 0.6), (0, "mlp", 1e-4, 0.6, False, np.nan)],
                         columns=t.HEAD_FOLDS.names)  # fmt: skip
    scatter = pd.DataFrame([(track, 0.1 * i, 0.1 * i + 0.05) for track in tracks for i in range(20)],
                           columns=t.HEAD_SCATTER.names)  # fmt: skip
    shift = pd.DataFrame([("covariate", "share of G and C", 0.41, 0.6, 2.0, "shifted", "Scored windows are <richer>.")],
                         columns=t.SHIFT.names)  # fmt: skip
    windows = pd.DataFrame([("chr1:5:A:G", 40, 1.0, 0.8), ("chr1:9:A:G", -64, 0.1, 0.1), ("chr1:12:A:G", 3, 0.0, 0.0)],
                           columns=t.WINDOW_COMPARISON.names)  # fmt: skip
    epochs = np.arange(1, 13)
    history = pd.DataFrame({"epoch": epochs, "train_loss": 0.8 + 0.6 / epochs, "valid_loss": 0.85 + 0.55 / epochs,
                            "valid_pearson_r": 0.65 - 0.4 / epochs, "best": epochs == 9})  # fmt: skip
    truth = pd.DataFrame([(p, loci, 6, 5, 0.96, 0.6 + 0.1 * i, 8.1 - i, 6 + i, 1, 3 + i, 0) for i, p in
                          enumerate(PRIORS)], columns=t.TRUTH_COMPARISON.names)  # fmt: skip
    edges = np.linspace(0, 1, 6)
    bins = [(p, a, b, 40, (a + b) / 2, min(1, (a + b) / 2 + 0.03), (a + b) / 2 - 0.1, min(1, (a + b) / 2 + 0.15))
            for p in PRIORS for a, b in pairwise(edges)]  # fmt: skip
    bins[2] = ("uniform", edges[2], edges[3], 0, *[np.nan] * 4)
    return {
        "windows": _table(t.WINDOW_COMPARISON, windows),
        "steps": _table(t.PRIOR_STEPS, steps),
        "enrichment": _table(t.ENRICHMENT, enrichment), "verdict": _table(t.VERDICT, verdict),
        "qc": _table(t.SUMSTATS_QC, qc), "head_metrics": _table(t.HEAD_METRICS, metrics),
        "baselines": _table(t.HEAD_BASELINES, baselines.reindex(columns=t.HEAD_BASELINES.names)),
        "history": _table(t.HEAD_HISTORY, history), "curve": _table(t.LEARNING_CURVE, curve),
        "folds": _table(t.HEAD_FOLDS, folds), "scatter": _table(t.HEAD_SCATTER, scatter),
        "shift": _table(t.SHIFT, shift),
        "fst": _table(t.PANEL_FST, pd.DataFrame([("known", 0.004, 0.0005, 9_000, 0, 40, 503, "F_ST in <words>.")],
                                                columns=t.PANEL_FST.names)),
        "truth_comparison": _table(t.TRUTH_COMPARISON, truth),
        "calibration": _table(t.CALIBRATION, pd.DataFrame(bins, columns=t.CALIBRATION.names)),
    }  # fmt: skip
