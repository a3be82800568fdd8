//! Applications: from the first draft to the end of use.
//!
//! ```text
//! draft → submitted → under-review → approved ⇄ suspended → closing → closed
//!            ⇅ returned      ↘ rejected → (appeal, once) submitted
//! approved → amending → amendment-submitted → amendment-under-review → approved
//! ```
//! Until approval an application can be withdrawn. While an amendment (or a renewal, which is one) is under way, the
//! permit stays as it was decided.

mod case;
mod step;

pub use case::{Application, Opinion, Vote};
pub use step::{Action, Mark, State};
