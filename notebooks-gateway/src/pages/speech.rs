//! Words in the reader's language, for templates.

use super::words::Named;
use crate::language::{self, Language};

/// The language in which a page speaks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Speech {
    pub(crate) language: Language,
}

impl Speech {
    /// The language of the request that is being answered.
    pub(crate) fn now() -> Self {
        Self { language: language::current() }
    }

    /// The wording in this language; the Japanese one where there is no English.
    pub(crate) fn t<'w>(&self, ja: &'w str, en: &'w str) -> &'w str {
        let text = self.language.pick(ja, en);
        if text.is_empty() { ja } else { text }
    }

    /// One of two wordings that belong together.
    pub(crate) fn of<'w>(&self, words: &(&'w str, &'w str)) -> &'w str {
        self.t(words.0, words.1)
    }

    /// One of two wordings that a function gives.
    pub(crate) fn both<'w>(&self, words: (&'w str, &'w str)) -> &'w str {
        self.t(words.0, words.1)
    }

    /// The same of two texts of a file.
    pub(crate) fn of_texts<'w>(&self, words: &'w (String, String)) -> &'w str {
        self.t(&words.0, &words.1)
    }

    /// A thing's name.
    pub(crate) fn name<'n>(&self, named: &Named<'n>) -> &'n str {
        let name = self.language.pick(named.ja, named.en);
        if name.is_empty() { named.ja } else { name }
    }

    /// Says whether the page speaks Japanese.
    pub(crate) fn is_ja(&self) -> bool {
        self.language == Language::Japanese
    }

    /// The language's tag.
    pub(crate) fn tag(&self) -> &'static str {
        language::tag(self.language)
    }
}
