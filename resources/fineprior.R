# Results of fineprior in R: source("resources/fineprior.R"). Base R only; susieR and coloc are used where you call them.
# The vignette is docs/fineprior-in-r.md.

# What cannot be guessed from the values alone: chromosomes may be 1, 2, ... and all alleles of a locus may be T.
.fineprior_text <- c(
  "locus", "variant_id", "chrom", "ref", "alt", "rsid", "lead_variant", "credible_set", "variant_ids", "shared_with",
  "partners", "ld_flag", "status", "reason", "remarks", "lost", "lost_lead", "source", "note", "top_variant",
  "top_variant_uniform", "sentence", "posterior", "gene", "genes", "gene_id", "kind", "strand", "consequence",
  "transcript", "exon_starts", "exon_ends"
)

# Read one table of fineprior (.tsv or .tsv.gz). As read.delim, but columns of text stay text: read.delim alone makes
# an integer of chromosome 1, TRUE of an allele column that holds only T, and logical NA of a column that is all NA.
read_fineprior_table <- function(path) {
  if (!file.exists(path)) stop("no file ", path, call. = FALSE)
  header <- strsplit(readLines(path, n = 1), "\t", fixed = TRUE)[[1]]
  text <- intersect(header, .fineprior_text)
  classes <- stats::setNames(rep("character", length(text)), text)
  utils::read.delim(path, colClasses = if (length(text)) classes else NA, check.names = FALSE)
}

# Read the results of a study under one prior ("uniform", "functional" or "shuffled").
#   folder  the results folder of the workflow
#   study   name of the study
# Returns a list: study and prior (names), the data frames loci, variants, credible_sets, status, comparison and verdict,
# genes (of the loci; NULL without genome.genes), and fits, a list with an object of class "susie" for each locus that was
# fitted, by the locus's name.
read_fineprior <- function(folder, study, prior = "functional") {
  place <- file.path(folder, study)
  if (!dir.exists(place)) stop("no study '", study, "' in ", folder, call. = FALSE)
  if (!dir.exists(file.path(place, prior))) {
    stop("no prior '", prior, "' in ", place, "; allowed: uniform, functional, shuffled", call. = FALSE)
  }
  table <- function(...) read_fineprior_table(file.path(place, ...))
  list(
    study = study,
    prior = prior,
    loci = table("loci.tsv"),
    variants = table(prior, "variants.tsv.gz"),
    credible_sets = table(prior, "credible_sets.tsv"),
    status = table(prior, "loci_status.tsv"),
    comparison = table("comparison.tsv"),
    verdict = table("prior", "verdict.tsv"),
    genes = if (file.exists(file.path(place, "locus_genes.tsv"))) table("locus_genes.tsv"),
    fits = readRDS(file.path(place, prior, "fits.rds"))
  )
}

# One row for each variant of each credible set of the main coverage, in decreasing PIP within a set.
#   result  of read_fineprior
# `posterior` is the probability that the variant is the causal one of this set's effect; `pip` counts all effects. Of a
# posterior by search (LD of the GWAS itself) there is only one probability: `posterior` is `pip`.
credible_set_table <- function(result) {
  sets <- result$credible_sets[result$credible_sets$main, ]
  one_set <- function(i) {
    ids <- strsplit(sets$variant_ids[i], ",", fixed = TRUE)[[1]]
    fit <- result$fits[[sets$locus[i]]]
    effect <- as.integer(sub("^L", "", sets$credible_set[i]))
    alpha <- if (is.null(fit$search)) fit$alpha[effect, ids] else fit$search$pip[ids]
    own <- result$variants[result$variants$locus == sets$locus[i], ]
    rows <- own[match(ids, own$variant_id), c("locus", "variant_id", "chrom", "pos", "ref", "alt", "z", "prior", "pip")]
    cbind(credible_set = sets$credible_set[i], rows, posterior = unname(alpha))
  }
  rows <- do.call(rbind, lapply(seq_len(nrow(sets)), one_set))
  if (is.null(rows)) return(NULL)
  rownames(rows) <- NULL
  rows[order(match(rows$locus, result$loci$locus), rows$credible_set, -rows$pip), ]
}

# One row for each gene that is nearest to a variant of a credible set of the main coverage, by locus and decreasing PIP.
#   result  of read_fineprior
# `pip` is the sum over these variants, `distance` the smallest distance in bp (0 within the gene); `lead_variant` has the
# largest PIP of them, and `consequence` is that of it.
# NULL, with a message, where the study was run without genome.genes.
gene_table <- function(result) {
  sets <- credible_set_table(result)
  if (is.null(sets)) return(NULL)
  place <- match(paste(sets$locus, sets$variant_id), paste(result$variants$locus, result$variants$variant_id))
  sets <- cbind(sets, result$variants[place, c("gene", "gene_distance", "consequence")])
  sets <- sets[!is.na(sets$gene), ]
  if (nrow(sets) == 0) {
    message(result$study, ": no genes; set genome.genes in the config")
    return(NULL)
  }
  of_gene <- function(own) {
    lead <- which.max(own$pip)
    data.frame(locus = own$locus[1], credible_set = own$credible_set[1], gene = own$gene[1], variants = nrow(own),
               pip = sum(own$pip), distance = min(own$gene_distance), lead_variant = own$variant_id[lead],
               consequence = own$consequence[lead])
  }
  rows <- do.call(rbind, lapply(split(sets, list(sets$locus, sets$credible_set, sets$gene), drop = TRUE), of_gene))
  rownames(rows) <- NULL
  rows[order(match(rows$locus, result$loci$locus), rows$credible_set, -rows$pip), ]
}

# Draw a locus: -log10 P above, coloured by r2 with the lead variant, and PIPs below, coloured by credible set.
#   result  of read_fineprior
#   locus   name of the locus (default: the first one with a credible set)
# Returns the plotted variants, invisibly.
plot_locus <- function(result, locus = result$credible_sets$locus[1]) {
  own <- .variants_of(result, locus)
  before <- graphics::par(mfrow = c(2, 1), mar = c(4, 4, 2, 1))
  on.exit(graphics::par(before))
  r2 <- cut(own$r_lead^2, c(-Inf, 0.2, 0.4, 0.6, 0.8, Inf))
  shades <- grDevices::hcl.colors(5, "viridis")
  colour <- ifelse(is.na(r2), "grey60", shades[as.integer(r2)])
  place <- own$pos / 1e6
  graphics::plot(place, own$neg_log10_p, pch = 19, col = colour, xlab = "", ylab = expression(-log[10](P)),
                 main = paste(result$study, locus))
  graphics::legend("topright", c("0-0.2", "0.2-0.4", "0.4-0.6", "0.6-0.8", "0.8-1"), col = shades, pch = 19,
                   title = expression(r^2), cex = 0.7)
  sets <- unique(stats::na.omit(own$credible_set))
  palette <- c("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
  of_set <- palette[(match(own$credible_set, sets) - 1) %% length(palette) + 1]
  graphics::plot(place, own$pip, pch = 19, col = ifelse(is.na(of_set), "grey60", of_set), ylim = c(0, 1),
                 xlab = paste("chromosome", own$chrom[1], "(Mb)"), ylab = paste("PIP,", result$prior, "prior"))
  if (length(sets)) {
    graphics::legend("topright", sets, col = palette[(seq_along(sets) - 1) %% length(palette) + 1], pch = 19,
                     title = "credible set", cex = 0.7)
  }
  invisible(own)
}

# A locus as coloc.susie() takes it: an object of class "susie" whose columns are named by variants.
#   result  of read_fineprior
#   locus   name of the locus
# Variants are named chrom:pos:ref:alt without "chr", so that studies on FASTAs of either kind have names in common.
# Bayes factors do not hold the prior, so that colocalisation does not use it twice; coloc.bf_bf() and coloc.abf() take
# it as prior_weights1 = fit$pi. Sets and effects are those of SuSiE, also where PIPs are those of a search.
# NULL, with a message, where the locus has no credible set: there is nothing to compare.
to_coloc <- function(result, locus) {
  .variants_of(result, locus)
  fit <- result$fits[[locus]]
  if (is.null(fit) || length(fit$sets$cs) == 0) {
    message(result$study, ", ", locus, ": no credible set")
    return(NULL)
  }
  plain <- function(names) sub("^chr", "", names)
  for (field in c("alpha", "mu", "mu2", "lbf_variable")) colnames(fit[[field]]) <- plain(colnames(fit[[field]]))
  names(fit$pip) <- plain(names(fit$pip))
  fit$sets$cs <- lapply(fit$sets$cs, function(rows) stats::setNames(rows, names(fit$pip)[rows]))
  fit
}

.variants_of <- function(result, locus) {
  own <- result$variants[result$variants$locus == locus, ]
  if (nrow(own) == 0) stop("no locus '", locus, "' in ", result$study, call. = FALSE)
  own
}
