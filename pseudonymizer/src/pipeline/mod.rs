//! Deliveries through the stages: taken in part by part, linked, published.
//!
//! Each step leaves its result under a name that appears at once (a renamed directory, a created object), so a process
//! that is killed anywhere leaves either the step before or the step after, and running it again gives the same.

mod account;
mod bucket;
mod delivery;
mod erase;
mod evaluate;
mod ingest;
mod life;
mod link;
mod mentions;
mod numbering;
mod optout;
mod overlap;
mod parts;
mod prune;
mod publish;
mod quality;
mod quarantine;
mod replay;
mod rotation;
mod sealed;
mod sorted;
mod spent;
mod spill;
mod store;
mod ties;
mod times;

pub use account::PartAccount;
pub use delivery::{Delivery, Rejection, deliveries_in};
pub use erase::{Covered, ErasedData, covered, erase, finish_erasure};
pub use evaluate::{Evaluation, EvaluationError, evaluate};
pub use ingest::{IngestError, Ingested, Progress, ingest, ingest_overlap};
pub use life::{Deletion, LifeError, Moved, Recalled, forget, move_to, recall};
pub use link::{LinkError, Linked, RuleEvidence, SchemeEvidence, link, link_timed};
pub(crate) use link::{current_run, next_run};
pub use optout::{OptOutError, OptedOut, opt_out, opted_out_before};
pub use overlap::{HolderGroup, Overlap, holder_groups, overlap};
pub use prune::{PruneError, Pruned, prune};
pub use publish::{PublishError, Published, publish};
pub use quality::{QualityError, quality, truth_quality};
pub use quarantine::{QuarantineError, Quarantined, quarantine};
pub use replay::{Replayed, replay};
pub use rotation::{RotatedLinkage, rotate_linkage};
pub(crate) use sealed::identify_sealed;
pub use sealed::{
    Bundle, EnvelopeError, Holder, HolderCard, HolderError, Registered, SealError, SealedError,
    ingest_sealed, is_sealed, register, seal, seal_list,
};
pub use spent::Spent;
pub(crate) use store::write_whole;
