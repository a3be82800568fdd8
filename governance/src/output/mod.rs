//! Output review (airlock): what a permit sends to people, or what is drawn, and what they say of it.
//!
//! ```text
//! pending → submitted → partly-reviewed → reviewed → approved → released → revoked
//!               ⇅ returned                   ↘ rejected → (appeal, once) submitted
//! ```
//! Two reviewers say their opinion without seeing the other's. A change of the output voids what was said. What
//! passed the rules by itself is released at once, kept, and some of it is looked at later ([`is_drawn`]): it begins
//! at `submitted` with the table out, and is found right (`released`) or called back (`revoked`).

mod attachment;
mod case;
mod step;

pub use attachment::{AttachmentFault, check as check_attachment};
pub use case::{Output, TARGET_DAYS, is_drawn};
pub use step::{Action, Mark, State};
