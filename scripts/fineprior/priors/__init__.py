"""From scores and annotations to prior causal probabilities.

The walk goes through one module a stage: `study` (variants, scores and signals of all loci), `features`, `folds`
(leaving out chromosomes), `candidates` (models and their held-out gains), `choice` (which is used, and the verdict),
`prior` (probabilities of a batch). `estimate` calls these stages for a study.
"""
