//! The Jupyter kernel through a real JupyterLab server and nbclient, with the notebook that is an example.

use std::process::Command;

use crate::doors::{DOORS, installed, printed};

#[test]
fn jupyterlab_runs_the_example_and_everything_else_that_a_kernel_does() {
    let mut command = Command::new(installed("jupyter", "python"));
    command
        .arg(crate::root().join("tests/clients/jupyter_session.py"))
        .env("MISU_NOTEBOOK", crate::root().join("examples/jupyter/ask.ipynb"))
        .env("MISU_GUARD", DOORS.guard.to_string());
    assert_eq!(printed(&DOORS.run(command, "")), "");
}
