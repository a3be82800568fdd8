//! Which deliveries lie in the environment, and the account of every file.
//!
//! Counts, digests, names of deliveries and paths of delivered files; nothing about a person.

use std::collections::BTreeMap;

use catalog_model::FaultKind;

use crate::database::{Row, Transaction, query};
use crate::meta::{Meta, MetaError, run, signed, unsigned};

/// A delivery that was taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRecord {
    /// The digest of its list of files, which identifies it.
    pub id: String,
    /// The holder's name for it.
    pub name: String,
    /// The database it belongs to.
    pub database: String,
    /// Who handed it over.
    pub holder: String,
    /// The month it is for, as `2023-04`.
    pub month: String,
    /// When it was taken in, as RFC 3339 text.
    pub taken_in: String,
    /// The number of parts it was staged in.
    pub parts: u32,
    /// How often it was read again: 0 for the first reading.
    pub generation: u32,
    /// Whether its rows count.
    pub standing: Standing,
    /// When the raw delivery was deleted, as RFC 3339 text, where it was.
    pub raw_deleted: Option<String>,
    /// The account of each file, in the delivery's order.
    pub files: Vec<FileAccount>,
}

impl DeliveryRecord {
    /// Its place among the deliveries.
    fn place(&self) -> (&str, &str, &str) {
        (&self.month, &self.name, &self.id)
    }

    /// The name of its folders below `staging/` and of its list of faults.
    pub fn staged(&self) -> String {
        staged(&self.id, self.generation)
    }
}

/// The name of the folders of one reading of a delivery.
pub fn staged(id: &str, generation: u32) -> String {
    if generation == 0 { id.to_owned() } else { format!("{id}.r{generation}") }
}

/// Whether a delivery's rows count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// They do.
    Held,
    /// The holder took it back.
    Recalled {
        /// When, as RFC 3339 text.
        at: String,
        /// Why, in the custodian's words.
        why: String,
    },
    /// A corrected delivery of the same name took its place.
    Replaced {
        /// When, as RFC 3339 text.
        at: String,
        /// The id of the corrected delivery.
        by: String,
    },
}

impl Standing {
    /// Says whether the delivery's rows count.
    pub fn is_held(&self) -> bool {
        *self == Self::Held
    }

    fn columns(&self) -> (&'static str, &str, &str) {
        match self {
            Self::Held => ("held", "", ""),
            Self::Recalled { at, why } => ("recalled", at, why),
            Self::Replaced { at, by } => ("replaced", at, by),
        }
    }

    fn read(state: &str, at: String, note: String) -> Self {
        match state {
            "recalled" => Self::Recalled { at, why: note },
            "replaced" => Self::Replaced { at, by: note },
            _ => Self::Held,
        }
    }
}

/// What became of one delivered file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileAccount {
    /// The path below the delivery folder.
    pub path: String,
    /// The family of its layout.
    pub family: String,
    /// The size in bytes.
    pub bytes: u64,
    /// What became of its lines.
    pub account: Account,
}

/// What became of lines: each is stored, deliberately dropped for a reason, or in quarantine with a kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Lines read.
    pub read: u64,
    /// Lines whose content went into a table.
    pub stored: u64,
    /// Lines dropped by class, by reason.
    pub dropped: BTreeMap<String, u64>,
    /// Lines in quarantine, by kind.
    pub quarantined: BTreeMap<FaultKind, u64>,
}

impl Account {
    /// Lines dropped by class.
    pub fn dropped_lines(&self) -> u64 {
        self.dropped.values().sum()
    }

    /// Lines in quarantine.
    pub fn quarantined_lines(&self) -> u64 {
        self.quarantined.values().sum()
    }

    /// Says whether every line read is stored, dropped or in quarantine.
    pub fn closes(&self) -> bool {
        self.read == self.stored + self.dropped_lines() + self.quarantined_lines()
    }

    /// Adds another account's lines.
    pub fn add(&mut self, other: &Self) {
        self.read += other.read;
        self.stored += other.stored;
        for (reason, lines) in &other.dropped {
            *self.dropped.entry(reason.clone()).or_default() += lines;
        }
        for (kind, lines) in &other.quarantined {
            *self.quarantined.entry(*kind).or_default() += lines;
        }
    }
}

impl Meta {
    /// Records a delivery that was taken in, and that it took the place of the one with the id `replaces`: all or
    /// nothing.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn add_delivery(&self, delivery: &DeliveryRecord, replaces: Option<&str>) -> Result<(), MetaError> {
        run("record a delivery", async {
            let mut transaction = self.begin().await?;
            insert(&mut transaction, delivery).await?;
            if let Some(former) = replaces {
                let standing = Standing::Replaced { at: delivery.taken_in.clone(), by: delivery.id.clone() };
                stand(&mut transaction, former, &standing).await?;
            }
            transaction.commit().await
        })
    }

    /// Puts another reading of a delivery in the place of the one before, all or nothing.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn replace_reading(&self, delivery: &DeliveryRecord) -> Result<(), MetaError> {
        run("record another reading of a delivery", async {
            let mut transaction = self.begin().await?;
            let statements = [
                "delete from quarantined where delivery = ?",
                "delete from dropped where delivery = ?",
                "delete from file where delivery = ?",
                "delete from delivery where id = ?",
            ];
            for statement in statements {
                query(statement).bind(&delivery.id).execute(&mut transaction).await?;
            }
            insert(&mut transaction, delivery).await?;
            transaction.commit().await
        })
    }

    /// Says of a delivery whether its rows count.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn set_standing(&self, id: &str, standing: &Standing) -> Result<(), MetaError> {
        run("record a delivery's standing", async {
            let mut transaction = self.begin().await?;
            stand(&mut transaction, id, standing).await?;
            transaction.commit().await
        })
    }

    /// Puts a delivery under another month.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn set_month(&self, id: &str, month: &str) -> Result<(), MetaError> {
        run("record a delivery's month", async {
            let mut transaction = self.begin().await?;
            let moved = query("update delivery set month = ? where id = ?").bind(month).bind(id);
            moved.execute(&mut transaction).await?;
            transaction.commit().await
        })
    }

    /// Records that the raw delivery was deleted.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn set_raw_deleted(&self, id: &str, at: &str) -> Result<(), MetaError> {
        run("record a deletion", async {
            let mut transaction = self.begin().await?;
            let deleted = query("update delivery set raw_deleted = ? where id = ?").bind(at).bind(id);
            deleted.execute(&mut transaction).await?;
            transaction.commit().await
        })
    }

    /// Says whether the delivery was taken in before.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn has_delivery(&self, id: &str) -> Result<bool, MetaError> {
        run("look for a delivery", async {
            let found =
                query("select 1 from delivery where id = ?").bind(id).fetch_optional(&self.pool).await?;
            Ok(found.is_some())
        })
    }

    /// Every delivery whose rows count, with its accounts, in the order that decides which of two records came first.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn deliveries(&self) -> Result<Vec<DeliveryRecord>, MetaError> {
        let mut deliveries = self.every_delivery()?;
        deliveries.retain(|delivery| delivery.standing.is_held());
        Ok(deliveries)
    }

    /// Every delivery that was ever taken in, those recalled and replaced as well: by month, then by name, then by id,
    /// whenever and in whatever order they came.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn every_delivery(&self) -> Result<Vec<DeliveryRecord>, MetaError> {
        run("list deliveries", async {
            let rows = query("select * from delivery order by id").fetch_all(&self.pool).await?;
            let mut deliveries = Vec::with_capacity(rows.len());
            for row in rows {
                deliveries.push(self.whole(&row).await?);
            }
            // Sorted here: databases differ in how they order letters.
            deliveries.sort_by(|one, two| one.place().cmp(&two.place()));
            Ok(deliveries)
        })
    }

    /// Id, present reading and standing of every delivery that was ever taken in; without the accounts of its files,
    /// of which there may be thousands.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn standings(&self) -> Result<Vec<(String, u32, Standing)>, MetaError> {
        run("list deliveries", async {
            let rows = query("select id, generation, state, state_at, state_note from delivery order by id")
                .fetch_all(&self.pool)
                .await?;
            rows.iter()
                .map(|row| Ok((row.try_get("id")?, row.try_get("generation")?, standing(row)?)))
                .collect()
        })
    }

    /// The delivery with this id, whether its rows count or not.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn delivery(&self, id: &str) -> Result<Option<DeliveryRecord>, MetaError> {
        run("look for a delivery", async {
            let found =
                query("select * from delivery where id = ?").bind(id).fetch_optional(&self.pool).await?;
            Ok(match found {
                Some(row) => Some(self.whole(&row).await?),
                None => None,
            })
        })
    }

    /// The id of the delivery that counts under a holder's name for it.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn held_as(&self, database: &str, holder: &str, name: &str) -> Result<Option<String>, MetaError> {
        run("look for a delivery", async {
            let named = "select id, state, state_at, state_note from delivery
                where database = ? and holder = ? and name = ? order by id";
            let rows = query(named).bind(database).bind(holder).bind(name).fetch_all(&self.pool).await?;
            for row in rows {
                if standing(&row)?.is_held() {
                    return Ok(Some(row.try_get("id")?));
                }
            }
            Ok(None)
        })
    }

    /// A delivery's row with the accounts of its files.
    async fn whole(&self, row: &Row) -> Result<DeliveryRecord, sqlx::Error> {
        let id: String = row.try_get("id")?;
        let files = self.files(&id).await?;
        Ok(DeliveryRecord {
            name: row.try_get("name")?,
            database: row.try_get("database")?,
            holder: row.try_get("holder")?,
            month: row.try_get("month")?,
            taken_in: row.try_get("taken_in")?,
            parts: row.try_get("parts")?,
            generation: row.try_get("generation")?,
            standing: standing(row)?,
            raw_deleted: Some(row.try_get("raw_deleted")?).filter(|at: &String| !at.is_empty()),
            id,
            files,
        })
    }

    async fn files(&self, delivery: &str) -> Result<Vec<FileAccount>, sqlx::Error> {
        let rows = query("select * from file where delivery = ? order by number")
            .bind(delivery)
            .fetch_all(&self.pool)
            .await?;
        let mut files = Vec::with_capacity(rows.len());
        for row in rows {
            files.push(FileAccount {
                path: row.try_get("path")?,
                family: row.try_get("family")?,
                bytes: unsigned(row.try_get("bytes")?),
                account: Account {
                    read: unsigned(row.try_get("lines_read")?),
                    stored: unsigned(row.try_get("lines_stored")?),
                    ..Account::default()
                },
            });
        }
        let reasons = query("select number, reason, lines from dropped where delivery = ?")
            .bind(delivery)
            .fetch_all(&self.pool)
            .await?;
        for row in reasons {
            if let Some(file) = files.get_mut(index(row.try_get("number")?)) {
                file.account.dropped.insert(row.try_get("reason")?, unsigned(row.try_get("lines")?));
            }
        }
        let kinds = query("select number, kind, lines from quarantined where delivery = ?")
            .bind(delivery)
            .fetch_all(&self.pool)
            .await?;
        for row in kinds {
            let kind = FaultKind::parse(&row.try_get::<String>("kind")?);
            if let (Some(file), Some(kind)) = (files.get_mut(index(row.try_get("number")?)), kind) {
                file.account.quarantined.insert(kind, unsigned(row.try_get("lines")?));
            }
        }
        Ok(files)
    }
}

fn standing(row: &Row) -> Result<Standing, sqlx::Error> {
    let at = (row.try_get("state_at")?, row.try_get("state_note")?);
    Ok(Standing::read(&row.try_get::<String>("state")?, at.0, at.1))
}

async fn insert(transaction: &mut Transaction, delivery: &DeliveryRecord) -> Result<(), sqlx::Error> {
    let (state, at, note) = delivery.standing.columns();
    query(
        "insert into delivery (id, name, database, holder, month, taken_in, parts, generation, state, state_at,
         state_note, raw_deleted) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&delivery.id)
    .bind(&delivery.name)
    .bind(&delivery.database)
    .bind(&delivery.holder)
    .bind(&delivery.month)
    .bind(&delivery.taken_in)
    .bind(delivery.parts)
    .bind(delivery.generation)
    .bind(state)
    .bind(at)
    .bind(note)
    .bind(delivery.raw_deleted.as_deref().unwrap_or_default())
    .execute(&mut *transaction)
    .await?;
    for (number, file) in delivery.files.iter().enumerate() {
        add_file(transaction, &delivery.id, number, file).await?;
    }
    Ok(())
}

async fn stand(transaction: &mut Transaction, id: &str, standing: &Standing) -> Result<(), sqlx::Error> {
    let (state, at, note) = standing.columns();
    query("update delivery set state = ?, state_at = ?, state_note = ? where id = ?")
        .bind(state)
        .bind(at)
        .bind(note)
        .bind(id)
        .execute(&mut *transaction)
        .await?;
    Ok(())
}

async fn add_file(
    transaction: &mut Transaction,
    delivery: &str,
    number: usize,
    file: &FileAccount,
) -> Result<(), sqlx::Error> {
    let number = signed(number as u64);
    query("insert into file values (?, ?, ?, ?, ?, ?, ?)")
        .bind(delivery)
        .bind(number)
        .bind(&file.path)
        .bind(&file.family)
        .bind(signed(file.bytes))
        .bind(signed(file.account.read))
        .bind(signed(file.account.stored))
        .execute(&mut *transaction)
        .await?;
    for (reason, lines) in &file.account.dropped {
        query("insert into dropped values (?, ?, ?, ?)")
            .bind(delivery)
            .bind(number)
            .bind(reason)
            .bind(signed(*lines))
            .execute(&mut *transaction)
            .await?;
    }
    for (kind, lines) in &file.account.quarantined {
        query("insert into quarantined values (?, ?, ?, ?)")
            .bind(delivery)
            .bind(number)
            .bind(kind.as_str())
            .bind(signed(*lines))
            .execute(&mut *transaction)
            .await?;
    }
    Ok(())
}

fn index(value: i64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use catalog_model::FaultKind;

    use super::{Account, DeliveryRecord, FileAccount, Standing};
    use crate::stores::everywhere;

    fn delivery(id: &str) -> DeliveryRecord {
        let account = Account {
            read: 10,
            stored: 6,
            dropped: BTreeMap::from([("trailer".to_owned(), 1)]),
            quarantined: BTreeMap::from([(FaultKind::Date, 2), (FaultKind::Orphan, 1)]),
        };
        let text = |text: &str| text.to_owned();
        DeliveryRecord {
            id: text(id),
            name: text("ndb-2023-04"),
            database: text("ndb"),
            holder: text("架空の支払機関"),
            month: text("2023-04"),
            taken_in: text("2026-11-20T00:00:00Z"),
            parts: 1,
            generation: 0,
            standing: Standing::Held,
            raw_deleted: None,
            files: vec![FileAccount { path: text("a.UKE"), family: text("ndb-medical"), bytes: 99, account }],
        }
    }

    #[test]
    fn what_was_recorded_is_read_back() {
        everywhere(|meta| {
            assert!(!meta.has_delivery("b").unwrap());
            meta.add_delivery(&delivery("b"), None).unwrap();
            meta.add_delivery(&delivery("a"), None).unwrap();
            assert!(meta.has_delivery("b").unwrap());
            assert_eq!(meta.deliveries().unwrap(), [delivery("a"), delivery("b")]);
            assert_eq!(meta.delivery("b").unwrap(), Some(delivery("b")));
            assert_eq!(meta.delivery("c").unwrap(), None);
            let heads = meta.deliveries().unwrap().into_iter().map(|of| (of.id, of.generation, of.standing));
            assert_eq!(meta.standings().unwrap(), heads.collect::<Vec<_>>());
            let of = delivery("b");
            let named = |name: &str| meta.held_as(&of.database, &of.holder, name).unwrap();
            assert!(named(&of.name).is_some());
            assert_eq!(named("another name"), None);
            assert!(meta.add_delivery(&delivery("a"), None).is_err());
        });
    }

    #[test]
    fn deliveries_stand_by_month_and_name_whatever_their_ids_are() {
        everywhere(|meta| {
            let of = |id: &str, month: &str, name: &str| DeliveryRecord {
                month: month.to_owned(),
                name: name.to_owned(),
                ..delivery(id)
            };
            for (id, month, name) in [("a", "2023-05", "x"), ("b", "2023-04", "z"), ("c", "2023-04", "y")] {
                meta.add_delivery(&of(id, month, name), None).unwrap();
            }
            let ids: Vec<String> = meta.deliveries().unwrap().into_iter().map(|found| found.id).collect();
            assert_eq!(ids, ["c", "b", "a"]);
        });
    }

    #[test]
    fn a_corrected_delivery_takes_the_place_of_the_former_and_history_keeps_both() {
        everywhere(|meta| {
            meta.add_delivery(&delivery("a"), None).unwrap();
            meta.add_delivery(&delivery("b"), Some("a")).unwrap();
            let again = DeliveryRecord { generation: 1, parts: 2, ..delivery("b") };
            meta.replace_reading(&again).unwrap();
            assert_eq!(meta.deliveries().unwrap(), [again]);
            let every = meta.every_delivery().unwrap();
            let replaced = Standing::Replaced { at: "2026-11-20T00:00:00Z".to_owned(), by: "b".to_owned() };
            assert_eq!((every.len(), &every[0].standing), (2, &replaced));
        });
    }

    #[test]
    fn an_account_closes_when_every_line_has_a_fate() {
        let mut account = delivery("a").files.remove(0).account;
        assert!(account.closes());
        account.stored -= 1;
        assert!(!account.closes());
    }
}
