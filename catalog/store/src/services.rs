//! Programs that come with a client certificate, as the metadata database keeps them.

use crate::database::{Row, query};
use crate::meta::{Meta, MetaError, run};

/// A program that was registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceRecord {
    /// The address that stands in its certificate.
    pub uri: String,
    /// The person who answers for it, and as whom it asks.
    pub user: String,
    /// The project for which it asks.
    pub project: String,
    /// From when on it no longer may, as seconds since 1970.
    pub ends: i64,
}

impl Meta {
    /// Registers a program, in place of one with the same address.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn set_service(&self, service: &ServiceRecord) -> Result<(), MetaError> {
        run("register a service", async {
            let text = "insert into service (uri, account, project, ends) values (?1, ?2, ?3, ?4)
                on conflict (uri) do update set account = excluded.account, project = excluded.project,
                  ends = excluded.ends";
            query(text)
                .bind(&service.uri)
                .bind(&service.user)
                .bind(&service.project)
                .bind(service.ends)
                .execute(&self.pool)
                .await
        })
        .map(drop)
    }

    /// Every program, by address.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn services(&self) -> Result<Vec<ServiceRecord>, MetaError> {
        run("list services", async {
            let rows = query("select * from service order by uri").fetch_all(&self.pool).await?;
            rows.iter().map(service).collect()
        })
    }

    /// Strikes a program off; says whether it was there.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn remove_service(&self, uri: &str) -> Result<bool, MetaError> {
        run("remove a service", async {
            let done = query("delete from service where uri = ?1").bind(uri).execute(&self.pool).await?;
            Ok(done.rows_affected() == 1)
        })
    }

    /// Puts a one-time word down unless it is there already; says whether it was not.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn note_once(&self, digest: &str, purpose: &str, ends: i64) -> Result<bool, MetaError> {
        run("note what serves once", async {
            let text = "insert into invitation (digest, account, purpose, ends, held)
                values (?1, '', ?2, ?3, '') on conflict (digest) do nothing";
            let done = query(text).bind(digest).bind(purpose).bind(ends).execute(&self.pool).await?;
            Ok(done.rows_affected() == 1)
        })
    }
}

fn service(row: &Row) -> Result<ServiceRecord, sqlx::Error> {
    Ok(ServiceRecord {
        uri: row.try_get("uri")?,
        user: row.try_get("account")?,
        project: row.try_get("project")?,
        ends: row.try_get("ends")?,
    })
}

#[cfg(test)]
mod tests {
    use super::ServiceRecord;
    use crate::stores::everywhere;

    #[test]
    fn a_service_is_registered_changed_and_struck_off() {
        everywhere(|meta| {
            let mut service = ServiceRecord {
                uri: "spiffe://example/batch".to_owned(),
                user: "one".to_owned(),
                project: "p".to_owned(),
                ends: 9,
            };
            meta.set_service(&service).unwrap();
            service.ends = 10;
            meta.set_service(&service).unwrap();
            assert_eq!(meta.services().unwrap(), [service.clone()]);
            assert!(meta.remove_service(&service.uri).unwrap());
            assert!(!meta.remove_service(&service.uri).unwrap());
            assert!(meta.note_once("d", "proof", 5).unwrap() && !meta.note_once("d", "proof", 6).unwrap());
        });
    }
}
