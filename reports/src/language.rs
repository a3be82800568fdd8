//! The language of a report that is written in one.

/// Japanese or English. Names of tables, codes and rules stand in a report as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// Japanese.
    #[default]
    Japanese,
    /// English.
    English,
}

impl Language {
    /// The wording in this language.
    pub const fn pick<'w>(self, ja: &'w str, en: &'w str) -> &'w str {
        match self {
            Self::Japanese => ja,
            Self::English => en,
        }
    }
}
