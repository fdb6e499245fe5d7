# What models.R asks of each model, and how it is written.
#
# A vector over the rows is written as its values at the six `rows` (counted from 0: the first three, and the
# three others of largest Cook's distance), then its sum and its sum of squares over all rows where it is
# finite. A covariance is written as its diagonal, then the rest of its first row. Figures have 15 digits,
# X and y as many as give the same numbers back. What does not exist (nan, infinite) is null.

LAG <- 3 # of Newey and West's covariance, Bartlett weights 1 - l / 4, no prewhitening
CLUSTER <- 5 # rows in a cluster: 0 to 4, 5 to 9, ...
HC <- c("HC0", "HC1", "HC2", "HC3", "HC4", "HC4m", "HC5")
ROWS <- 60 # more rows than this are thinned to FEW
FEW <- 40
MORE <- 40 # steps of a glm after it has converged

# -- models --------------------------------------------------------------------------------------------------

read_table <- function(text, columns) {
  lines <- strsplit(trimws(text), "\n")[[1]]
  parts <- strsplit(paste0(lines, strrep("|", length(columns))), "|", fixed = TRUE)
  as.data.frame(setNames(as.list(as.data.frame(
    do.call(rbind, lapply(parts, function(p) p[seq_along(columns)]))
  )), columns))
}

expression_of <- function(text) if (nzchar(text)) parse(text = text)[[1]] else NULL

# The rows that are fitted: those without missing values, thinned, without unused levels.
data_of <- function(line) {
  if (line$data %in% c("freeny")) {
    found <- get(line$data, "package:datasets")
    found <- data.frame(y = as.numeric(found$y), found[-1])
  } else {
    where <- new.env()
    data(list = line$data, package = line$package, envir = where)
    found <- as.data.frame(get(line$data, where))
  }
  used <- intersect(names(found), unlist(lapply(c(line$formula, line$weights, line$offset), function(text) {
    all.vars(expression_of(text))
  })))
  found <- found[complete.cases(found[used]), used, drop = FALSE]
  if (nrow(found) > ROWS) found <- found[unique(round(seq(1, nrow(found), length.out = FEW))), , drop = FALSE]
  rownames(found) <- NULL
  found <- droplevels(found)
  for (name in names(found)) if (is.ordered(found[[name]])) found[[name]] <- factor(found[[name]], ordered = FALSE)
  found
}

fitted_model <- function(line, kind) {
  call <- list(as.name(kind), as.formula(line$formula), data = quote(rows))
  if (nzchar(line$weights)) call$weights <- expression_of(line$weights)
  if (nzchar(line$offset)) call$offset <- expression_of(line$offset)
  if (kind == "glm") {
    call$family <- expression_of(line$family)
    call$control <- quote(glm.control(epsilon = 1e-11))
  }
  where <- new.env(parent = globalenv())
  where$rows <- data_of(line)
  fit <- suppressWarnings(eval(as.call(call), where)) # proportions that are no counts over trials are meant
  if (kind == "glm") {
    # A smaller epsilon would also be the tolerance below which columns are aliased. Each pass takes one more
    # step at least, so that the weights that leverages come from have converged too.
    for (pass in seq_len(MORE)) {
      where$start <- ifelse(is.na(coef(fit)), 0, coef(fit))
      call$start <- quote(start)
      fit <- suppressWarnings(eval(as.call(call), where))
    }
  }
  fit
}

# -- figures -------------------------------------------------------------------------------------------------

shown_rows <- function(cook) {
  others <- setdiff(order(-cook, na.last = TRUE), 1:3)
  c(1:3, head(others, 3))[seq_len(min(length(cook), 6))]
}

over_rows <- function(values, rows) {
  finite <- values[is.finite(values)]
  unname(c(values[rows], sum(finite), sum(finite^2)))
}

first_row <- function(matrix) I(unname(c(diag(matrix), matrix[1, -1])))

# HC2 and on divide by 1 - leverage: at leverage 1 there is nothing but rounding, and nothing is written.
covariances <- function(fit) {
  kinds <- if (max(hatvalues(fit)) > 1 - 1e-8) c("HC0", "HC1") else HC
  n <- nrow(model.matrix(fit))
  cluster <- (seq_len(n) - 1) %/% CLUSTER
  c(
    list(model = first_row(vcov(fit, complete = FALSE))),
    sapply(kinds, function(kind) first_row(vcovHC(fit, type = kind)), simplify = FALSE),
    list(
      cluster = first_row(vcovCL(fit, cluster, type = "HC1", cadjust = TRUE)),
      cluster_plain = first_row(vcovCL(fit, cluster, type = "HC0", cadjust = FALSE)),
      newey_west = first_row(NeweyWest(fit, lag = LAG, prewhite = FALSE, adjust = FALSE)),
      newey_west_adjusted = first_row(NeweyWest(fit, lag = LAG, prewhite = FALSE, adjust = TRUE))
    )
  )
}

# Which rows R stars, by measure: dfb_0, dfb_1, ..., dffit, cov.r, cook.d, hat.
stars <- function(fit) {
  starred <- influence.measures(fit)$is.inf
  p <- ncol(starred) - 4
  names <- c(paste0("dfb_", seq_len(p) - 1), "dffits", "cov_ratio", "cooks_d", "hat_diag")
  found <- lapply(seq_along(names), function(j) I(unname(which(starred[, j])) - 1))
  names(found) <- names
  found[lengths(found) > 0]
}

# The row of largest |rstudent|: position, rstudent, p value, Bonferroni's.
outlier <- function(fit) {
  worst <- outlierTest(fit, cutoff = Inf, n.max = 1)
  c(as.numeric(names(worst$rstudent)) - 1, worst$rstudent, worst$p, worst$bonf.p)
}

# Variance inflation: one number per coefficient but the constant, or GVIF where a term has several.
inflation <- function(fit) {
  found <- tryCatch(suppressWarnings(suppressMessages(vif(fit))), error = function(e) NULL)
  if (is.null(found)) return(NULL)
  I(unname(if (is.matrix(found)) found[, "GVIF"] else found))
}

shared_figures <- function(fit) {
  n <- nobs(fit)
  X <- model.matrix(fit)
  kept <- !is.na(coef(fit))
  rows <- shown_rows(cooks.distance(fit))
  vectors <- list(
    hat_diag = hatvalues(fit), cooks_d = cooks.distance(fit), rstudent = rstudent(fit), dffits = dffits(fit),
    cov_ratio = covratio(fit)
  )
  measures <- influence.measures(fit)$infmat
  dfbetas <- measures[, seq_len(ncol(measures) - 4), drop = FALSE]
  list(
    X = lapply(seq_len(ncol(X)), function(j) exact(unname(X[, j]))),
    weights = exact(weights_of(fit)),
    offset = exact(model.offset(model.frame(fit))),
    names = I(colnames(X)),
    aliased = I(unname(which(!kept)) - 1),
    rows = I(rows - 1),
    coef = I(unname(coef(fit)[kept])),
    se = I(unname(sqrt(diag(vcov(fit, complete = FALSE))))),
    log_likelihood = if (is.na(logLik(fit))) NULL else as.numeric(logLik(fit)),
    deviance = deviance(fit),
    df_residual = df.residual(fit),
    vectors = lapply(vectors, over_rows, rows),
    dfbetas = lapply(seq_len(ncol(dfbetas)), function(j) over_rows(dfbetas[, j], rows)),
    covariance = if (all(kept)) covariances(fit),
    vif = inflation(fit),
    outlier = outlier(fit),
    stars = stars(fit)
  )
}

weights_of <- function(fit) {
  found <- weights(fit, "prior")
  if (is.null(found) || all(found == 1)) NULL else as.numeric(found)
}

lm_figures <- function(line) {
  fit <- fitted_model(line, "lm")
  shared <- shared_figures(fit)
  rows <- shared$rows + 1
  shared$vectors$rstandard <- over_rows(rstandard(fit), rows)
  shared$vectors$residual <- over_rows(residuals(fit), rows)
  c(list(y = exact(unname(model.response(model.frame(fit)))), dispersion = sigma(fit)^2), shared)
}

glm_figures <- function(line) {
  fit <- fitted_model(line, "glm")
  shared <- shared_figures(fit)
  rows <- shared$rows + 1
  for (type in c("pearson", "deviance")) {
    shared$vectors[[paste0("rstandard_", type)]] <- over_rows(rstandard(fit, type = type), rows)
  }
  for (type in c("response", "pearson", "deviance", "working")) {
    shared$vectors[[paste0("residual_", type)]] <- over_rows(residuals(fit, type), rows)
  }
  c(
    list(
      family = sub("\\(.*", "", family(fit)$family), link = family(fit)$link,
      variance = family(fit)$varfun,
      theta = if (grepl("Negative", family(fit)$family)) as.numeric(gsub("[^0-9.]", "", family(fit)$family)),
      y = exact(unname(fit$y)),
      dispersion = summary(fit)$dispersion
    ),
    shared
  )
}

# -- JSON ----------------------------------------------------------------------------------------------------

exact <- function(x) if (is.null(x)) NULL else structure(as.numeric(x), class = "exact")

number <- function(x, digits = 15) {
  if (!is.finite(x)) return("null")
  for (d in digits:17) {
    text <- formatC(x, digits = d, format = "g", width = 1)
    if (digits == 15 || as.numeric(text) == x) break
  }
  sub("e([+-])0*", "e\\1", sub("e\\+0*", "e", text))
}

text <- function(x) paste0('"', gsub('"', '\\\\"', x), '"')

json <- function(x) {
  if (inherits(x, "exact")) return(paste0("[", paste(vapply(unclass(x), number, "", digits = 1), collapse = ","), "]"))
  alone <- length(x) == 1 && !inherits(x, "AsIs")
  if (is.list(x)) {
    x <- x[!vapply(x, is.null, TRUE)]
    if (length(x) == 0) return("{}")
    inner <- vapply(x, json, "")
    if (is.null(names(x))) return(paste0("[", paste(inner, collapse = ","), "]"))
    return(paste0("{", paste0(text(names(x)), ":", inner, collapse = ","), "}"))
  }
  inner <- if (is.character(x)) text(x) else vapply(as.numeric(x), number, "")
  if (alone) inner else paste0("[", paste(inner, collapse = ","), "]")
}

write_models <- function(table, columns, figures, file) {
  lines <- read_table(table, columns)
  models <- vapply(seq_len(nrow(lines)), function(i) {
    line <- lines[i, ]
    given <- Filter(nzchar, as.list(line))
    result <- tryCatch(figures(line), error = function(e) stop(paste(given, collapse = " | "), ": ", conditionMessage(e)))
    json(c(list(model = paste(given, collapse = " | ")), result))
  }, "")
  head <- paste0('{"R":', text(R.version$version.string), ',"models":[')
  writeLines(c(head, paste0(models, c(rep(",", length(models) - 1), "")), "]}"), file.path(commandArgs(TRUE)[1], file))
}
