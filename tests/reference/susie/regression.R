# Answers of susieR's susie and susie_suff_stat for the genotypes and phenotypes made here:
#   Rscript tests/reference/susie/regression.R tests/reference/susie
# writes regression_data.tsv (y, then a column per variant) and regression.tsv (setting, name, value; values in order).
# Made with susieR 0.12.35, R 4.2.2.
suppressMessages(library(susieR))
folder <- commandArgs(TRUE)[1]
set.seed(1)
n <- 150
p <- 40
haplotypes <- matrix(rnorm(2 * n * p), 2 * n, p)
for (j in 2:p) haplotypes[, j] <- 0.97 * haplotypes[, j - 1] + 0.24 * haplotypes[, j]
alleles <- sweep(haplotypes, 2, qnorm(seq(0.6, 0.95, length.out = p)), ">")
X <- (alleles[1:n, ] + alleles[n + 1:n, ]) * 1.0
y <- round(2 + 0.7 * X[, 7] - 0.6 * X[, 20] + rnorm(n), 6)
w <- (1:p) / sum(1:p)
write.table(cbind(y, X), file.path(folder, "regression_data.tsv"), sep = "\t", row.names = FALSE, col.names = FALSE)

centred <- scale(X, scale = FALSE)
from_sums <- function(...) {
  susie_suff_stat(crossprod(centred), drop(crossprod(centred, y - mean(y))), sum((y - mean(y))^2), n,
    X_colmeans = colMeans(X), y_mean = mean(y), tol = 1e-8, max_iter = 5000, ...)
}
from_people <- function(...) susie(X, y, tol = 1e-8, max_iter = 5000, ...)
fits <- list(
  susie = from_people(),
  susie_per_allele = from_people(standardize = FALSE),
  susie_without_intercept = from_people(intercept = FALSE),
  susie_per_allele_without_intercept = from_people(standardize = FALSE, intercept = FALSE),
  susie_fixed = from_people(estimate_residual_variance = FALSE, residual_variance = 1.3),
  susie_weighted = from_people(prior_weights = w, estimate_prior_method = "simple"),
  susie_null = from_people(null_weight = 0.3, L = 3),
  susie_ss = from_sums(),
  susie_ss_per_allele = from_sums(standardize = FALSE),
  susie_ss_weighted = from_sums(prior_weights = w, estimate_residual_variance = FALSE)
)
rows <- list()
for (setting in names(fits)) {
  fit <- fits[[setting]]
  values <- list(pip = fit$pip, V = fit$V, sigma2 = fit$sigma2, elbo = tail(fit$elbo, 1), intercept = fit$intercept,
    coefficients = (colSums(fit$alpha * fit$mu)[1:p] / fit$X_column_scale_factors[1:p]),
    sets = unlist(fit$sets$cs) - 1, set_sizes = lengths(fit$sets$cs), purity = unlist(fit$sets$purity))
  for (name in names(values)) {
    if (length(values[[name]]) == 0) next
    value <- sprintf("%.12g", as.numeric(values[[name]]))
    rows[[length(rows) + 1]] <- data.frame(setting, name, value)
  }
}
write.table(do.call(rbind, rows), file.path(folder, "regression.tsv"), sep = "\t", quote = FALSE, row.names = FALSE)
