//! Writes a project's policies from its application, by the text of `project.cedar`.
//!
//! The names that are filled in were checked when the form was read: lower-case letters, digits, `-` and `_` only.

use std::fmt::Write as _;

use crate::application::Application;
use crate::form::Columns;

/// Parts the policies that a project has once from those that it has for each table.
const EACH_TABLE: &str = "// ---- once for each table ----\n";

/// The project's policies as text; nothing where the template has no part for the tables.
pub(crate) fn write(template: &str, application: &Application) -> Option<String> {
    let (once, each) = template.split_once(EACH_TABLE)?;
    let project = application.project();
    let mut text = once.trim_end().replace("{project}", project);
    for (table, columns) in application.tables() {
        let each = each.trim().replace("{project}", project).replace("{table}", table);
        text.push_str("\n\n");
        text.push_str(&each.replace("{granted}", &granted(table, columns)));
    }
    text.push('\n');
    Some(text)
}

fn granted(table: &str, columns: &Columns) -> String {
    let Columns::Named(columns) = columns else {
        return format!("Misu::Table::\"{table}\"");
    };
    let mut list = String::from("[\n");
    for column in columns {
        // Writing to a string cannot fail.
        let _ = writeln!(list, "    Misu::Column::\"{table}.{column}\",");
    }
    list.push_str("  ]");
    list
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::write;
    use crate::application::Application;

    #[test]
    fn a_project_reads_as_policies() {
        let text = include_str!("../tests/applications/other.toml");
        let application = Application::parse("other.toml", text).unwrap();
        let policies = write(include_str!("../project.cedar"), &application).unwrap();
        expect![[r#"
            // The policies of project other, made from its approved application. The application is the original.
            // They only permit, and only this project; invariants.cedar forbids what no application can reach.

            @id("other/ask")
            @reason("the application of project other is approved")
            @reason_ja("プロジェクト other の申出が承認されています")
            permit (
              principal in Misu::Project::"other",
              action in [Misu::Action::"vet", Misu::Action::"runQuery", Misu::Action::"release"],
              resource == Misu::Project::"other"
            )
            when { context.project == Misu::Project::"other" };

            @id("other/ndb_comment")
            @reason("the application of project other names it")
            @reason_ja("プロジェクト other の申出書に記載されています")
            permit (
              principal in Misu::Project::"other",
              action == Misu::Action::"useColumn",
              resource
            )
            when {
              context.project == Misu::Project::"other" &&
              resource in Misu::Table::"ndb_comment"
            };

            @id("other/person")
            @reason("the application of project other names it")
            @reason_ja("プロジェクト other の申出書に記載されています")
            permit (
              principal in Misu::Project::"other",
              action == Misu::Action::"useColumn",
              resource
            )
            when {
              context.project == Misu::Project::"other" &&
              resource in [
                Misu::Column::"person.person_id",
                Misu::Column::"person.sex",
              ]
            };
        "#]].assert_eq(&policies);
    }
}
