//! Fields of a form: how a posted form says them, and how they are shown again.

use std::collections::BTreeMap;

use engine_protocol::{FieldValue, Fields, FormField};

/// The values of a posted form. A field's name stands behind the kind of its value: `text:`, `list:` or `flag:`.
pub(super) fn read(pairs: &[(String, String)]) -> Fields {
    let mut fields = BTreeMap::new();
    for (name, value) in pairs {
        let value = value.replace("\r\n", "\n");
        let (name, value) = match name.split_once(':') {
            Some(("text", name)) if !value.trim().is_empty() => {
                (name, FieldValue::Text(value.trim().to_owned()))
            }
            Some(("flag", name)) => (name, FieldValue::Flag(value == "yes")),
            Some(("list", name)) => {
                let entries: Vec<String> =
                    value.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
                if entries.is_empty() {
                    continue;
                }
                (name, FieldValue::List(entries))
            }
            _ => continue,
        };
        fields.insert(name.to_owned(), value);
    }
    fields
}

/// One value of a posted form that is no field.
pub(super) fn plain<'p>(pairs: &'p [(String, String)], name: &str) -> &'p str {
    pairs.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str()).unwrap_or_default()
}

/// The fields with what was typed, so that nothing has to be typed again.
pub(super) fn typed(mut fields: Vec<FormField>, typed: &Fields) -> Vec<FormField> {
    for field in &mut fields {
        if let Some(value) = typed.get(&field.name) {
            field.value = Some(value.clone());
        }
    }
    fields
}

/// What a field says now, for its input.
pub(super) fn value(field: &FormField) -> String {
    field.value.as_ref().map(FieldValue::text).unwrap_or_default()
}

/// Says whether a pledge is given.
pub(super) fn is_given(field: &FormField) -> bool {
    field.value == Some(FieldValue::Flag(true))
}

#[cfg(test)]
mod tests {
    use engine_protocol::FieldValue;

    use super::read;

    #[test]
    fn a_posted_form_says_texts_entries_and_pledges() {
        let pairs = [
            ("form_word", "x"),
            ("text:title", " a "),
            ("text:empty", "  "),
            ("list:tables", "one\r\n\r\n two \r\n"),
            ("flag:pledge", "yes"),
            ("flag:other", "no"),
            ("seen", "3"),
        ];
        let pairs: Vec<(String, String)> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let fields = read(&pairs);
        assert_eq!(fields.len(), 4);
        assert_eq!(fields["title"], FieldValue::Text("a".to_owned()));
        assert_eq!(fields["tables"], FieldValue::List(vec!["one".to_owned(), "two".to_owned()]));
        assert_eq!(
            (&fields["pledge"], &fields["other"]),
            (&FieldValue::Flag(true), &FieldValue::Flag(false))
        );
    }
}
