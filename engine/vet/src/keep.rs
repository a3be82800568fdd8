//! Statements that keep something inside: `CREATE TABLE ws.NAME AS SELECT …`, `CREATE VIEW ws.NAME AS SELECT …`,
//! `DROP TABLE ws.NAME`, `DROP VIEW ws.NAME`. There are no others, and no options.
//!
//! The head is compared word by word and then taken off; what follows it is one SELECT, read by the same rules as any
//! other. So no clause of SQL's many forms of CREATE can slip in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use catalog_model::{Grant, Workspace, WorkspaceColumn, WorkspaceTable};
use datafusion_common::DataFusionError;
use datafusion_expr::{LogicalPlan, TableSource};

use crate::places::Places;
use crate::plan::VettedPlan;
use crate::refusal::{NotVetted, Refusal, Rule};
use crate::relation::{Judge, Seen};
use crate::rules::workspace::is_plain;
use crate::rules::{root, workspace as rules};
use crate::schema::is_small;
use crate::stored::Meant;
use crate::vet::{self, Scope};
use crate::{rewrite, spelled, workspace};

/// Tables, and views, that a project keeps at the same time.
const MOST_KEPT: usize = 50;

/// A statement that passed every rule.
#[derive(Clone, Debug)]
pub enum Statement {
    /// A query for a protected table.
    Query(Box<VettedPlan>),
    /// Rows that are kept as a table.
    Table(Box<VettedRows>),
    /// A query that is kept under a name.
    View(VettedView),
    /// A table that is dropped.
    DropTable(String),
    /// A view that is dropped.
    DropView(String),
}

/// Rows that may be kept inside, and that no question lets out: another receipt than [`VettedPlan`], so that neither
/// can be taken for the other.
#[derive(Clone, Debug)]
pub struct VettedRows {
    sql: String,
    name: String,
    plan: LogicalPlan,
    columns: Vec<WorkspaceColumn>,
    seen: Seen,
    grant: String,
    hash: String,
}

/// A query that may be kept under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VettedView {
    /// The name.
    pub name: String,
    /// The SELECT.
    pub sql: String,
}

impl VettedRows {
    /// The whole statement.
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// The table's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The table's columns.
    pub fn columns(&self) -> &[WorkspaceColumn] {
        &self.columns
    }

    /// The columns that the statement touches, by table.
    pub const fn used(&self) -> &BTreeMap<String, BTreeSet<String>> {
        &self.seen.used
    }

    /// The catalogue's tables behind everything that is read.
    pub const fn lineage(&self) -> &BTreeSet<String> {
        &self.seen.lineage
    }

    /// The digest that guard and worker must agree on.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The table as it is kept, under this id.
    pub fn table(&self, id: String) -> WorkspaceTable {
        WorkspaceTable {
            id,
            grant: self.grant.clone(),
            columns: self.columns.clone(),
            lineage: self.seen.lineage.clone(),
            bound: self.seen.bound.clone(),
            ages: self.seen.ages.clone(),
        }
    }

    /// The plan of the rows over other sources: one bucket's files.
    ///
    /// # Errors
    ///
    /// `source` does not know a table that the plan reads.
    pub fn rows_over(
        &self,
        source: &dyn Fn(&str) -> Option<Arc<dyn TableSource>>,
    ) -> Result<LogicalPlan, DataFusionError> {
        rewrite::with_sources(&self.plan, source)
    }
}

/// Vets a statement: a query, or one that keeps or drops something of the project's own.
///
/// # Errors
///
/// As [`crate::vet()`].
pub fn vet_statement(sql: &str, scope: Scope<'_>, workspace: &Workspace) -> Result<Statement, NotVetted> {
    match head(sql)? {
        None => Ok(Statement::Query(Box::new(vet::vet_in(sql, scope, workspace)?))),
        Some(Head { act: Act::Drop, is_view, name, .. }) => dropped(is_view, name, workspace, sql),
        Some(Head { act: Act::Create, is_view, name, rest }) => {
            let meant = Meant { catalogue: scope.catalogue, grant: scope.grant, workspace };
            vet::deep(|| created(sql, &rest, (is_view, &name), meant))
        }
    }
}

enum Act {
    Create,
    Drop,
}

/// The head of a statement on the project's own tables, and the text with the head blanked out.
struct Head {
    act: Act,
    is_view: bool,
    name: String,
    rest: String,
}

/// Takes the head off; nothing where the text is another statement.
fn head(sql: &str) -> Result<Option<Head>, Refusal> {
    let places = Places::new(sql);
    let words: Vec<&str> = (0..6).filter_map(|at| places.at(at)).map(|(word, _)| word).collect();
    let is = |word: &str, wanted: &str| word.eq_ignore_ascii_case(wanted);
    let [act, kind, schema, dot, name, rest @ ..] = words.as_slice() else { return Ok(None) };
    let is_view = is(kind, "VIEW");
    if !(is_view || is(kind, "TABLE")) || !is(schema, workspace::SCHEMA) || *dot != "." {
        return Ok(None);
    }
    let act = match rest {
        [] if is(act, "DROP") => Act::Drop,
        [word] if is(act, "CREATE") && is(word, "AS") => Act::Create,
        _ => return Ok(None),
    };
    if !is_plain(name) {
        return Err(Refusal::new(Rule::Workspace, format!("{name} is not a name for a table"))
            .ja(format!("{name} は表の名前として使えません"))
            .at(places.word(name))
            .suggest("CREATE TABLE ws.cohort AS SELECT …: lower-case letters, digits and _"));
    }
    let end = places.at(words.len() - 1).map_or(sql.len(), |(_, (_, end))| end);
    // Blanks in the head's place keep every later place as it is in the text.
    let blank = |c: char| if c == '\n' { "\n".to_owned() } else { " ".repeat(c.len_utf8()) };
    let (before, after) = sql.split_at_checked(end).unwrap_or((sql, ""));
    let rest = before.chars().map(blank).collect::<String>() + after;
    Ok(Some(Head { act, is_view, name: (*name).to_owned(), rest }))
}

fn dropped(is_view: bool, name: String, workspace: &Workspace, sql: &str) -> Result<Statement, NotVetted> {
    let is_there = match is_view {
        true => workspace.views.iter().any(|view| view.name == name),
        false => workspace.tables.contains_key(&name),
    };
    match (is_there, is_view) {
        (true, true) => Ok(Statement::DropView(name)),
        (true, false) => Ok(Statement::DropTable(name)),
        (false, _) => Err(Refusal::new(Rule::Names, format!("there is no ws.{name} of this kind"))
            .ja(format!("ws.{name} はありません"))
            .at(Places::new(sql).word(&name))
            .into()),
    }
}

fn created(
    sql: &str,
    rest: &str,
    (is_view, name): (bool, &str),
    meant: Meant<'_>,
) -> Result<Statement, NotVetted> {
    let judge = Judge::new(rest, meant);
    free(&judge, name, is_view)?;
    let plan = vet::plan(&judge, rest)?;
    if !is_small(&plan) {
        return Err(too_many_tables(&judge).into());
    }
    if is_view {
        // A view stands for rows below a later release point, or is a question by itself.
        judge.relation(&plan).or_else(|refusal| match root::release_point(&judge, &plan) {
            Ok(_) => Ok(Vec::new()),
            Err(_) => Err(refusal),
        })?;
        return Ok(Statement::View(VettedView { name: name.to_owned(), sql: rest.trim().to_owned() }));
    }
    let columns = rules::columns(&judge, &plan)?;
    let plan = rewrite::rows(plan, meant).map_err(|error| vet::explain(&judge, &error))?;
    let hash = hash(&plan, name, &columns, meant.grant);
    Ok(Statement::Table(Box::new(VettedRows {
        sql: sql.to_owned(),
        name: name.to_owned(),
        plan,
        columns,
        seen: judge.into_seen(),
        grant: workspace::grant_digest(meant.grant),
        hash,
    })))
}

/// A name stands for one thing, and a project keeps a bounded number of them.
fn free(judge: &Judge<'_>, name: &str, is_view: bool) -> Result<(), Refusal> {
    let workspace = judge.meant.workspace;
    let is_taken =
        workspace.tables.contains_key(name) || workspace.views.iter().any(|view| view.name == name);
    if is_taken {
        return Err(Refusal::new(Rule::Workspace, format!("ws.{name} is there already"))
            .ja(format!("ws.{name} はすでにあります"))
            .suggest(format!("DROP TABLE ws.{name} first, or take another name")));
    }
    let kept = if is_view { workspace.views.len() } else { workspace.tables.len() };
    if kept >= MOST_KEPT {
        return Err(Refusal::new(Rule::Size, format!("a project keeps at most {MOST_KEPT} of them"))
            .ja(format!("保存できるのは {MOST_KEPT} 個までです"))
            .suggest("drop one that is no longer needed"));
    }
    Ok(())
}

fn too_many_tables(judge: &Judge<'_>) -> Refusal {
    Refusal::new(Rule::Size, "the query reads too many tables, those behind its views among them")
        .ja("ビューの中も含めて、問合せの読む表が多すぎます")
        .at(judge.places.word("FROM"))
        .suggest("keep a step as a table: CREATE TABLE ws.step AS SELECT …")
}

fn hash(plan: &LogicalPlan, name: &str, columns: &[WorkspaceColumn], grant: &Grant) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("misu 2026-11 vetted rows");
    let parts = [
        spelled::plan(plan),
        name.to_owned(),
        format!("{columns:?}"),
        format!("{grant:?}"),
        env!("CARGO_PKG_VERSION").to_owned(),
    ];
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use catalog_model::{Catalogue, CodeList, Tier, Workspace, WorkspaceView};

    use super::{Statement, vet_statement};
    use crate::functions::tests::grant_of_all as grant;
    use crate::refusal::{NotVetted, Rule};
    use crate::vet::{Scope, vet_in};

    /// A workspace with what `sql` keeps, under this id, and a list of codes.
    fn with(catalogue: &Catalogue, sql: &str, id: &str) -> Workspace {
        let grant = grant(catalogue);
        let codes = vec!["E110".to_owned(), "E119".to_owned()];
        let list = CodeList { system: "icd10".to_owned(), codes };
        let lists = BTreeMap::from([("diabetes".to_owned(), list)]);
        let mut workspace = Workspace { lists, ..Workspace::default() };
        match vet_statement(sql, Scope { catalogue, grant: &grant }, &workspace).unwrap() {
            Statement::Table(rows) => {
                workspace.tables.insert(rows.name().to_owned(), rows.table(id.to_owned()));
            }
            Statement::View(view) => workspace.views.push(WorkspaceView { name: view.name, sql: view.sql }),
            other => panic!("{other:?}"),
        }
        workspace
    }

    fn rule(catalogue: &Catalogue, workspace: &Workspace, sql: &str) -> Option<Rule> {
        let grant = grant(catalogue);
        match vet_in(sql, Scope { catalogue, grant: &grant }, workspace) {
            Ok(_) => None,
            Err(NotVetted::Refused(refusal)) => Some(refusal.rule()),
            Err(not_vetted) => panic!("{not_vetted}"),
        }
    }

    const KEPT: &str = "CREATE TABLE ws.c AS SELECT p.person_id, p.birth_date, p.sex, d.icd10 AS code, \
        r.total_points AS points, r.facility_id FROM person p \
        JOIN ndb_diagnosis d ON d.person_id = p.person_id JOIN ndb_receipt r ON r.person_id = p.person_id";

    #[test]
    fn a_kept_column_is_still_what_it_was() {
        let catalogue = Catalogue::builtin().unwrap();
        let workspace = with(&catalogue, KEPT, "01");
        let cases = [
            ("SELECT sex, count(DISTINCT person_id) AS n FROM ws.c GROUP BY sex", None),
            (
                "SELECT age_band(birth_date, DATE '2024-04-01') AS a, sum(points) AS s FROM ws.c GROUP BY a",
                None,
            ),
            ("SELECT count(*) AS n FROM ws.c WHERE code LIKE 'E11%'", None),
            ("SELECT count(*) AS n FROM ws.c WHERE code IN (SELECT code FROM lists.diabetes)", None),
            ("SELECT count(*) AS n FROM ws.c WHERE birth_date = DATE '2003-07-26'", Some(Rule::Identity)),
            ("SELECT birth_date, count(*) AS n FROM ws.c GROUP BY birth_date", Some(Rule::Identity)),
            ("SELECT code, count(*) AS n FROM ws.c GROUP BY code", Some(Rule::GroupKey)),
            ("SELECT facility_id, count(*) AS n FROM ws.c GROUP BY facility_id", Some(Rule::Identity)),
            ("SELECT count(*) AS n FROM ws.c WHERE person_id = 7", Some(Rule::Identity)),
            ("SELECT * FROM ws.c", Some(Rule::Root)),
            (
                "SELECT count(*) AS n FROM ws.c a JOIN ws.c b ON a.facility_id = b.facility_id",
                Some(Rule::Join),
            ),
            (
                "SELECT count(*) AS n FROM ws.c WHERE sex IN (SELECT code FROM lists.diabetes)",
                Some(Rule::List),
            ),
            ("SELECT count(*) AS n FROM lists.diabetes", Some(Rule::List)),
            (
                "SELECT count(*) AS n FROM ws.c WHERE code IN (SELECT max(code) FROM lists.diabetes)",
                Some(Rule::Join),
            ),
        ];
        for (sql, expected) in cases {
            assert_eq!(rule(&catalogue, &workspace, sql), expected, "{sql}");
        }
    }

    #[test]
    fn a_kept_table_is_read_under_its_own_grant_only() {
        let catalogue = Catalogue::builtin().unwrap();
        let workspace = with(&catalogue, KEPT, "01");
        let sql = "SELECT count(*) AS n FROM ws.c";
        let mut other = grant(&catalogue);
        other.tier = Tier::Anonymized;
        let vetted = vet_in(sql, Scope { catalogue: &catalogue, grant: &other }, &workspace);
        assert!(matches!(vetted, Err(NotVetted::Refused(refusal)) if refusal.rule() == Rule::Workspace));
    }

    #[test]
    fn a_table_or_list_of_the_same_name_is_another_question() {
        let catalogue = Catalogue::builtin().unwrap();
        let grant = grant(&catalogue);
        let hash = |workspace: &Workspace, sql| {
            let scope = Scope { catalogue: &catalogue, grant: &grant };
            vet_in(sql, scope, workspace).unwrap().hash().to_owned()
        };
        let (one, two) = (with(&catalogue, KEPT, "01"), with(&catalogue, KEPT, "02"));
        let sql = "SELECT count(*) AS n FROM ws.c";
        assert_ne!(hash(&one, sql), hash(&two, sql));
        let mut longer = one.clone();
        longer.lists.get_mut("diabetes").unwrap().codes.push("E149".to_owned());
        let listed =
            "SELECT count(*) AS n FROM ndb_diagnosis WHERE icd10 IN (SELECT code FROM lists.diabetes)";
        assert_ne!(hash(&one, listed), hash(&longer, listed));
        let inside = "SELECT count(*) FILTER (WHERE icd10 IN (SELECT code FROM lists.diabetes)) AS n FROM ndb_diagnosis";
        assert_ne!(hash(&one, inside), hash(&longer, inside));
    }

    #[test]
    fn a_view_stands_for_its_query_and_reads_earlier_ones_only() {
        let catalogue = Catalogue::builtin().unwrap();
        let mut workspace =
            with(&catalogue, "CREATE VIEW ws.v AS SELECT person_id, sex FROM person WHERE sex = '1'", "");
        let sql = "SELECT sex, count(DISTINCT person_id) AS n FROM ws.v GROUP BY sex";
        assert_eq!(rule(&catalogue, &workspace, sql), None);
        let own = WorkspaceView { name: "w".to_owned(), sql: "SELECT person_id FROM ws.w".to_owned() };
        workspace.views.push(own);
        assert_eq!(rule(&catalogue, &workspace, "SELECT count(*) AS n FROM ws.w"), Some(Rule::Names));
    }
}
