# Asks misu from R, over its HTTP API.
#
#   apt install r-base-core r-cran-jsonlite r-cran-curl
#   export MISU_URL=http://127.0.0.1:8080 MISU_TOKEN=...
#   Rscript ask.R
library(curl)
library(jsonlite)

ask <- function(path, sql) {
  handle <- new_handle()
  handle_setheaders(handle,
    "authorization" = paste("Bearer", Sys.getenv("MISU_TOKEN")),
    "content-type" = "application/json"
  )
  handle_setopt(handle, postfields = toJSON(list(sql = sql), auto_unbox = TRUE))
  response <- curl_fetch_memory(paste0(Sys.getenv("MISU_URL"), "/api/v1/", path), handle)
  list(status = response$status_code, text = rawToChar(response$content))
}

# A question; what comes back has passed disclosure control. `***` is hidden, which R reads as NA.
answer <- ask("query?format=csv", "SELECT sex, count(DISTINCT person_id) AS persons FROM person GROUP BY sex")
stopifnot(answer$status == 200)
table <- read.csv(text = answer$text, na.strings = "***", colClasses = c(sex = "character"))
print(table[c("sex", "sex_en", "persons")], row.names = FALSE)
cat("share of women:", format(table$persons[table$sex == "2"] / sum(table$persons), digits = 3), "\n")

# A question that is refused says which rule it breaks, where, and what would be allowed.
refusal <- ask("query", "SELECT birth_date, count(*) FROM person GROUP BY birth_date")
problem <- fromJSON(refusal$text)
cat(refusal$status, problem$title, "\n")
cat(" ", problem$rule, "at line", problem$place$line, "column", paste0(problem$place$column, ":"), problem$place$text, "\n")
cat("  allowed:", problem$suggestion, "\n")
