//! Nothing: the tests are in `it/`, their cases in the folders beside it.
