//! The catalogue, asked of the guard now and then and not for every page.

use std::sync::Arc;
use std::time::Duration;

use engine_protocol::{CatalogueView, ClientReply, ClientRequest, FrameError};
use tokio::sync::Mutex;

use crate::gateway::Gateway;
use crate::guard::AskError;

/// How long an answer is shown before the guard is asked again.
const FRESH: Duration = Duration::from_secs(10);
/// How long a failure is: a guard that hangs must not make every page wait.
const FAILED: Duration = Duration::from_secs(2);

/// The last answer.
#[derive(Debug, Default)]
pub(crate) struct Catalogue {
    last: Mutex<Option<Last>>,
}

#[derive(Debug)]
struct Last {
    at: Duration,
    answer: Result<Arc<CatalogueView>, AskError>,
}

impl Gateway {
    /// The catalogue as of a few seconds ago.
    pub(crate) async fn catalogue(&self) -> Result<Arc<CatalogueView>, AskError> {
        // Held while asking: pages that come meanwhile wait for the same answer.
        let mut last = self.parts().catalogue.last.lock().await;
        if let Some(last) = &*last {
            let age = self.now().saturating_sub(last.at);
            if age < if last.answer.is_ok() { FRESH } else { FAILED } {
                return last.answer.clone();
            }
        }
        let answer = self.ask_catalogue().await.map(Arc::new);
        *last = Some(Last { at: self.now(), answer: answer.clone() });
        answer
    }

    /// The catalogue now.
    pub(crate) async fn ask_catalogue(&self) -> Result<CatalogueView, AskError> {
        match self.ask_publicly(ClientRequest::Catalogue).await? {
            ClientReply::Catalogue(view) => Ok(view),
            _ => Err(AskError::Broken(Arc::new(FrameError::Form))),
        }
    }
}
