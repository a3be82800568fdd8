//! Cases of governance (applications, outputs, incidents) as the moves that made them, and the people of the house.
//!
//! A move is stored once under the next number of its case: of two programs that judged the same state, one is
//! told that the case has moved. What a move says is the `governance` room's; here it is text.

use crate::database::{Row, query};
use crate::meta::{Meta, MetaError, run, signed};

/// A case as it was begun, with its moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseRecord {
    /// What it is: `application`, `output`, `incident`.
    pub kind: String,
    /// Its id, unique in its kind.
    pub id: String,
    /// Who began it.
    pub by: String,
    /// When, as RFC 3339 text.
    pub at: String,
    /// What it is about, as its kind writes it.
    pub about: String,
    /// The moves in order, as JSON.
    pub moves: Vec<String>,
}

/// A person of the house.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PersonRecord {
    /// The user id.
    pub user: String,
    /// The organisation.
    pub organisation: String,
    /// Roles as words, separated by spaces.
    pub roles: String,
    /// The last day on which the training is valid, as `2026-11-21`; empty where there was none.
    pub trained_until: String,
    /// Whether the person may act.
    pub is_active: bool,
}

impl Meta {
    /// Begins a case; says whether there was none of this kind and id.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn begin_case(&self, case: &CaseRecord) -> Result<bool, MetaError> {
        run("begin a case", async {
            let text =
                "insert into governance_case (kind, id, begun_by, begun_at, about) values (?, ?, ?, ?, ?)
                on conflict do nothing";
            let done = query(text)
                .bind(&case.kind)
                .bind(&case.id)
                .bind(&case.by)
                .bind(&case.at)
                .bind(&case.about)
                .execute(&self.pool)
                .await?;
            Ok(done.rows_affected() == 1)
        })
    }

    /// Adds the move of this number, from 0; says whether the number was the next one.
    ///
    /// # Errors
    ///
    /// The database gave an error, or there is no such case.
    pub fn add_move(&self, kind: &str, id: &str, number: u64, json: &str) -> Result<bool, MetaError> {
        run("record a move", async {
            let text = "insert into governance_move (kind, id, number, move)
                select ?1, ?2, ?3, ?4
                where (select count(*) from governance_move where kind = ?1 and id = ?2) = ?3
                on conflict do nothing";
            let done =
                query(text).bind(kind).bind(id).bind(signed(number)).bind(json).execute(&self.pool).await?;
            Ok(done.rows_affected() == 1)
        })
    }

    /// Every case of a kind, by id.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn cases(&self, kind: &str) -> Result<Vec<CaseRecord>, MetaError> {
        run("list cases", async {
            let rows = query("select * from governance_case where kind = ? order by id")
                .bind(kind)
                .fetch_all(&self.pool)
                .await?;
            let mut cases = Vec::with_capacity(rows.len());
            for row in rows {
                let id: String = row.try_get("id")?;
                let moves =
                    query("select move from governance_move where kind = ? and id = ? order by number")
                        .bind(kind)
                        .bind(&id)
                        .fetch_all(&self.pool)
                        .await?;
                cases.push(CaseRecord {
                    kind: kind.to_owned(),
                    by: row.try_get("begun_by")?,
                    at: row.try_get("begun_at")?,
                    about: row.try_get("about")?,
                    moves: moves.iter().map(|row| row.try_get("move")).collect::<Result<_, _>>()?,
                    id,
                });
            }
            Ok(cases)
        })
    }

    /// The case of this kind and id.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn case(&self, kind: &str, id: &str) -> Result<Option<CaseRecord>, MetaError> {
        Ok(self.cases(kind)?.into_iter().find(|case| case.id == id))
    }

    /// Enters a person, in place of an entry of the same user.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn set_person(&self, person: &PersonRecord) -> Result<(), MetaError> {
        run("enter a person", async {
            let text = "insert into person (\"user\", organisation, roles, trained_until, is_active)
                values (?, ?, ?, ?, ?)
                on conflict (\"user\") do update set organisation = excluded.organisation, roles = excluded.roles,
                  trained_until = excluded.trained_until, is_active = excluded.is_active";
            query(text)
                .bind(&person.user)
                .bind(&person.organisation)
                .bind(&person.roles)
                .bind(&person.trained_until)
                .bind(person.is_active)
                .execute(&self.pool)
                .await
        })
        .map(drop)
    }

    /// Every person, by user id.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn persons(&self) -> Result<Vec<PersonRecord>, MetaError> {
        run("list people", async {
            let rows = query("select * from person order by \"user\"").fetch_all(&self.pool).await?;
            let read = |row: &Row| {
                Ok(PersonRecord {
                    user: row.try_get("user")?,
                    organisation: row.try_get("organisation")?,
                    roles: row.try_get("roles")?,
                    trained_until: row.try_get("trained_until")?,
                    is_active: row.try_get("is_active")?,
                })
            };
            rows.iter().map(read).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{CaseRecord, PersonRecord};
    use crate::stores::everywhere;

    #[test]
    fn a_move_is_taken_once_and_in_order() {
        everywhere(|meta| {
            let mut case = CaseRecord {
                kind: "application".to_owned(),
                id: "p1".to_owned(),
                by: "lead".to_owned(),
                at: "2026-11-21T00:00:00Z".to_owned(),
                about: "2026-11-01".to_owned(),
                moves: vec![],
            };
            assert!(meta.begin_case(&case).unwrap());
            assert!(!meta.begin_case(&case).unwrap());
            assert!(meta.add_move("application", "p1", 0, "{}").unwrap());
            // Two programs saw the same state: the second is told.
            assert!(!meta.add_move("application", "p1", 0, "{\"other\":1}").unwrap());
            assert!(!meta.add_move("application", "p1", 2, "{}").unwrap());
            assert!(meta.add_move("application", "nobody's", 0, "{}").is_err());
            case.moves = vec!["{}".to_owned()];
            assert_eq!(meta.case("application", "p1").unwrap(), Some(case));
            assert_eq!(meta.case("output", "p1").unwrap(), None);
        });
    }

    #[test]
    fn a_person_is_entered_and_changed() {
        everywhere(|meta| {
            let mut person = PersonRecord {
                user: "one".to_owned(),
                organisation: "a board".to_owned(),
                roles: "reviewer".to_owned(),
                trained_until: "2027-03-31".to_owned(),
                is_active: true,
            };
            meta.set_person(&person).unwrap();
            person.is_active = false;
            meta.set_person(&person).unwrap();
            assert_eq!(meta.persons().unwrap(), [person]);
        });
    }
}
