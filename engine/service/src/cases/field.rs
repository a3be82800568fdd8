//! Fields of forms: how they are asked for, and how what was given is read.

use engine_protocol::{AllowedMove, FieldKind, FieldValue, Fields, FormField, Label, OpinionView, Word};
use governance::application::{Opinion, Vote};

use super::GovernError;

/// A text field that must be there.
pub(super) fn text(name: &str, ja: &str, en: &str) -> FormField {
    FormField {
        name: name.to_owned(),
        label: Label::new(ja, en),
        help: Label::default(),
        kind: FieldKind::Text { least: 1 },
        required: true,
        only_if: None,
        value: None,
    }
}

/// A field of another kind that must be there.
pub(super) fn of_kind(name: &str, (ja, en): (&str, &str), kind: FieldKind) -> FormField {
    FormField { kind, ..text(name, ja, en) }
}

/// A field that may be left out.
pub(super) fn optional(field: FormField) -> FormField {
    FormField { required: false, ..field }
}

/// A field with what helps to fill it.
pub(super) fn helped(field: FormField, ja: &str, en: &str) -> FormField {
    FormField { help: Label::new(ja, en), ..field }
}

/// The field that most moves have.
pub(super) fn reason() -> FormField {
    text("reason", "理由", "reason")
}

/// The fields of an opinion.
pub(super) fn opinion() -> Vec<FormField> {
    let of = Vote::ALL.into_iter().map(|vote| Word::new(vote.as_str(), vote.ja(), vote.as_str())).collect();
    vec![
        of_kind("vote", ("意見", "opinion"), FieldKind::Choice { of }),
        text("comment", "理由・コメント", "comment"),
    ]
}

/// A move with its fields.
pub(super) fn allowed((word, ja): (&'static str, &'static str), fields: Vec<FormField>) -> AllowedMove {
    AllowedMove { action: super::stored::words(word, ja), fields }
}

/// An opinion for a reader.
pub(super) fn opinion_view(opinion: &Opinion) -> OpinionView {
    OpinionView {
        who: opinion.who.clone(),
        vote: Word::new(opinion.vote.as_str(), opinion.vote.ja(), opinion.vote.as_str()),
        comment: opinion.comment.clone(),
    }
}

/// What was given, read field by field. What is missing is empty; whoever judges the move says so.
#[derive(Clone, Copy, Debug)]
pub(super) struct Given<'f>(pub(super) &'f Fields);

impl Given<'_> {
    pub(super) fn text(&self, name: &str) -> String {
        self.0.get(name).map(FieldValue::text).unwrap_or_default().trim().to_owned()
    }

    /// A text that is kept as it is, also at its ends.
    pub(super) fn whole(&self, name: &str) -> String {
        self.0.get(name).map(FieldValue::text).unwrap_or_default()
    }

    pub(super) fn list(&self, name: &str) -> Vec<String> {
        let text = self.0.get(name).map(FieldValue::text).unwrap_or_default();
        text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }

    pub(super) fn number(&self, name: &str, otherwise: u16) -> Result<u16, GovernError> {
        let text = self.text(name);
        if text.is_empty() {
            return Ok(otherwise);
        }
        text.parse().map_err(|_| unreadable(name))
    }

    pub(super) fn vote(&self) -> Result<Vote, GovernError> {
        Vote::parse(&self.text("vote")).ok_or_else(|| unreadable("vote"))
    }
}

pub(super) fn unreadable(name: &str) -> GovernError {
    GovernError::no(
        "field",
        format!("the field {name} is missing or not of its form"),
        "記載が正しくない欄があります",
    )
}

pub(super) fn no_such_move(action: &str) -> GovernError {
    GovernError::no("no-move", format!("there is no move {action}"), "その操作はありません")
}
