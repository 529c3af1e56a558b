"""How probable is it, by its scores, that a variant is causal?

One module a stage: `study` (variants, scores and signals of all loci), `features`, `folds` (leaving out chromosomes),
`candidates` (models and their held-out gains), `choice` (which is used, and the verdict), `prior` (of a batch).
`estimate` calls them for a study.
"""
