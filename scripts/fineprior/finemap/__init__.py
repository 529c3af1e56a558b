"""Which variants are causal, given z-scores, LD and a prior?

Entry: `locus` fits one locus, `workers` many in several processes, `locus_tables` makes the rows of its tables.

Of use without the workflow, from Python (of the rest of fineprior it needs `files`, the settings, and names of places):

- `susie.susie_rss`(z, R, n, prior_weights=...): SuSiE from z-scores and LD, with the names and answers of susieR;
- `regression.susie`(X, y) and `regression.susie_ss`(XtX, Xty, yty, n): SuSiE from genotypes or sufficient statistics;
- `infinitesimal.susie_inf`(z, R, n): SuSiE-inf, sparse effects on an infinitesimal background;
- `search.search`(z, R, variance): PIPs that weigh several modes of the posterior, by a search of configurations (LD of
  the GWAS);
- `single_signal.single_signal`(z, n): one causal variant, without LD;
- `ladder.fit_with_fallback`(...): SuSiE, corrected for the LD of a panel where needed, or one causal variant;
- `locus.fit_locus`(...): the same with a status and remarks in place of errors; `workers.fit_loci` for many loci;
- `correlation.panel_correlations`(X): the LD of genotypes, in the form in which a fit is fastest;
- `ld_mismatch.diagnose_ld`(z, R, n): whether z and R belong together;
- `credible_sets.credible_sets`(...): credible sets of a fit, of any coverage;
- `fits.save_fits`, `fits.load_fits`, `rds.write_rds`: fits in files, for Python and for R;
- `locus_input.read_locus`(...), `locus_tables.fine_map`(...): from files of one locus to the rows of its tables.

Importing this package loads none of them.
"""
