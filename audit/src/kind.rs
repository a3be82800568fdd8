//! The kinds of entries, each with the stable word that stands in the log.

use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

// One line per kind: the enum, its words and the list of all of them cannot drift apart.
macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $name:ident = $word:literal,)+) => {
        /// What an entry is about. A word, once written, never changes its meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Kind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The word in the log.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)+
                }
            }
        }
    };
}

kinds! {
    /// An environment was laid out.
    EnvironmentCreated = "environment-created",
    /// A delivery's manifest and checksums were found right.
    DeliveryAccepted = "delivery-accepted",
    /// A delivery was turned away whole.
    DeliveryRejected = "delivery-rejected",
    /// A delivery was read to its end.
    IngestFinished = "ingest-finished",
    /// A delivery was read again after its layouts were mended.
    DeliveryReplayed = "delivery-replayed",
    /// A delivery was taken back by its holder.
    DeliveryRecalled = "delivery-recalled",
    /// The raw files of a delivery were deleted.
    DeliveryDeleted = "delivery-deleted",
    /// A delivery counts for another month than its holder had written.
    DeliveryMoved = "delivery-moved",
    /// The keys of a dataset, or of one fiscal year of it, were destroyed, or with `begun` are about to be.
    DataErased = "data-erased",
    /// An edition of an official master was imported.
    MasterImported = "master-imported",
    /// Linkage grouped the keys into persons.
    LinkFinished = "link-finished",
    /// A snapshot was committed.
    SnapshotPublished = "snapshot-published",
    /// A snapshot that no permit needs was removed.
    SnapshotRemoved = "snapshot-removed",
    /// A pipeline ended, well or not.
    PipelineFinished = "pipeline-finished",
    /// The environment's catalogue got other files.
    CatalogueChanged = "catalogue-changed",
    /// The environment was brought to a later layout version.
    EnvironmentUpgraded = "environment-upgraded",
    /// An approved application became a permit.
    PermitRegistered = "permit-registered",
    /// An application was moved: submitted, reviewed, decided.
    ApplicationMoved = "application-moved",
    /// An output that is held for review was moved.
    OutputMoved = "output-moved",
    /// An incident or near miss was entered or moved.
    IncidentMoved = "incident-moved",
    /// Somebody looked at what stands behind the cells of an output.
    EvidenceViewed = "evidence-viewed",
    /// A release was called back; its people were told.
    ReleaseRecalled = "release-recalled",
    /// One project, or all, were stopped.
    UseHalted = "use-halted",
    /// One project, or all, go on.
    UseResumed = "use-resumed",
    /// A project has had as many releases in a day as its permit allows.
    QuotaReached = "quota-reached",
    /// A release is none of the tables that its application planned; people look at it afterwards.
    OutsidePlan = "outside-plan",
    /// A project's denied answers look as when somebody is trying; for the steward.
    ProbingAlert = "probing-alert",
    /// Many questions of a project differ in the values they name alone.
    AlikeAlert = "alike-alert",
    /// A project's budget of denied answers is used up; nothing more is answered.
    DenialsLocked = "denials-locked",
    /// A certificate was signed for a release.
    CertificateSigned = "certificate-signed",
    /// A checkpoint was signed by the review board as well.
    CheckpointCountersigned = "checkpoint-countersigned",
    /// A project's workspace, keys and permit were destroyed.
    ProjectDestroyed = "project-destroyed",
    /// A person was entered, changed or shut out.
    PersonChanged = "person-changed",
    /// A released table was made open to anybody.
    TableOpened = "table-opened",
    /// Somebody signed in.
    SessionBegun = "session-begun",
    /// Somebody signed out, here or everywhere.
    SessionEnded = "session-ended",
    /// Somebody did not get in.
    SignInFailed = "sign-in-failed",
    /// An API token was made.
    TokenIssued = "token-issued",
    /// An API token was made useless.
    TokenRevoked = "token-revoked",
    /// An account was invited, enrolled, changed or disabled.
    AccountChanged = "account-changed",
    /// A checkpoint over the record was signed.
    CheckpointSigned = "checkpoint-signed",
    /// A permit ended before its time.
    PermitWithdrawn = "permit-withdrawn",
    /// A query is about to run. Made by [`crate::Log::open_query`] only.
    QueryOpened = "query-opened",
    /// A query ended. Made by [`crate::Opened::close`] and by its drop only.
    QueryClosed = "query-closed",
    /// A release was kept in the ledger, before its answer goes out.
    LedgerKept = "ledger-kept",
    /// An answer was held back beside an earlier one, as when somebody is trying; for the steward.
    NearCohort = "near-cohort",
    /// A question was refused by the vetter.
    QueryRefused = "query-refused",
    /// A question was denied by the policies.
    QueryDenied = "query-denied",
    /// Something that a project keeps inside was made, dropped or registered.
    WorkspaceChanged = "workspace-changed",
    /// A key was made.
    KeyCreated = "key-created",
    /// A key was unwrapped for use.
    KeyUsed = "key-used",
    /// A role got a new key.
    KeyRotated = "key-rotated",
    /// One officer asked for an act, on keys or rows, that takes two.
    KeyActRequested = "key-act-requested",
    /// Keys were handed to a data holder.
    KeyExported = "key-exported",
    /// Somebody became an officer.
    OfficerRegistered = "officer-registered",
    /// Rows of a project leave, in encrypted files that name no person.
    RowsProvided = "rows-provided",
    /// Rows that were to be provided were refused, or could not be made or written.
    ProvisionFailed = "provision-failed",
    /// Persons are left out of every query from now on.
    OptOutChanged = "opt-out-changed",
    /// A key was destroyed.
    KeyDestroyed = "key-destroyed",
    /// Everything but the data was copied to a file.
    BackupTaken = "backup-taken",
    /// An environment was made of a backup.
    EnvironmentRestored = "environment-restored",
    /// The texts of questions from before a day were removed.
    QuestionsForgotten = "questions-forgotten",
    /// Somebody looked at a page, a file or a report.
    View = "view",
    /// An append found the end of a crashed one and put it right. Made by the log itself only.
    LogRecovered = "log-recovered",
    /// The clock stands before the last entry's time; entries keep that time until it has caught up. Made by the log
    /// itself only.
    ClockSetBack = "clock-set-back",
}

impl Kind {
    /// The kind with this word.
    pub fn parse(word: &str) -> Option<Self> {
        static WORDS: LazyLock<HashMap<&str, Kind>> =
            LazyLock::new(|| Kind::ALL.iter().map(|kind| (kind.as_str(), *kind)).collect());
        WORDS.get(word).copied()
    }

    /// Says whether only the log's own functions write this kind.
    pub const fn is_reserved(self) -> bool {
        matches!(self, Self::QueryOpened | Self::QueryClosed | Self::LogRecovered | Self::ClockSetBack)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Kind;

    #[test]
    fn words_are_distinct_and_read_back() {
        let words: BTreeSet<&str> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(words.len(), Kind::ALL.len());
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(kind.as_str()), Some(*kind));
        }
        assert_eq!(Kind::parse("query-open"), None);
    }
}
