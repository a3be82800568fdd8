//! The reader's language: chosen with a link, else as the browser says, else Japanese.
//!
//! It is set for the length of a request by the shield, so that every page, also one about a problem, is written in it
//! without handing it through every function.

use axum::http::header::{ACCEPT_LANGUAGE, COOKIE};
use axum::http::{HeaderMap, HeaderValue};
pub(crate) use reports::Language;

/// The cookie that remembers a choice; it says nothing else of anybody.
const COOKIE_NAME: &str = "misu_language";
/// How long a choice is remembered.
const YEAR: u64 = 365 * 24 * 60 * 60;

tokio::task_local! {
    static CURRENT: Language;
}

/// The language of the request that is being answered.
pub(crate) fn current() -> Language {
    CURRENT.try_with(|language| *language).unwrap_or_default()
}

/// Answers a request in this language.
pub(crate) async fn within<F: Future>(language: Language, answering: F) -> F::Output {
    CURRENT.scope(language, answering).await
}

/// The language that these headers ask for.
pub(crate) fn asked(headers: &HeaderMap) -> Language {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let chosen = pairs.find(|(name, _)| *name == COOKIE_NAME).and_then(|(_, tag)| parse(tag));
    let accepted = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    chosen.or_else(|| accepted.and_then(preferred)).unwrap_or_default()
}

/// The language with this tag.
pub(crate) fn parse(tag: &str) -> Option<Language> {
    match tag {
        "ja" => Some(Language::Japanese),
        "en" => Some(Language::English),
        _ => None,
    }
}

/// The tag of a language.
pub(crate) const fn tag(language: Language) -> &'static str {
    match language {
        Language::Japanese => "ja",
        Language::English => "en",
    }
}

/// The header that has the browser remember a choice.
pub(crate) fn cookie(language: Language) -> Option<HeaderValue> {
    let tag = tag(language);
    HeaderValue::try_from(format!("{COOKIE_NAME}={tag}; Path=/; HttpOnly; SameSite=Lax; Max-Age={YEAR}")).ok()
}

/// The one of our languages that a browser likes best; the first of equals.
fn preferred(accepted: &str) -> Option<Language> {
    let mut best: Option<(f32, Language)> = None;
    for part in accepted.split(',').take(32) {
        let mut pieces = part.split(';').map(str::trim);
        let primary = pieces.next().and_then(|range| range.split('-').next()).unwrap_or_default();
        let Some(language) = parse(&primary.to_ascii_lowercase()) else { continue };
        let quality = pieces.find_map(|piece| piece.strip_prefix("q="));
        let quality = quality.map_or(Some(1.0), |text| text.parse::<f32>().ok()).unwrap_or_default();
        if quality > 0.0 && best.is_none_or(|(known, _)| quality > known) {
            best = Some((quality, language));
        }
    }
    best.map(|(_, language)| language)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;

    use super::{Language, asked};

    fn judge(accepted: &str, cookie: &str) -> Language {
        let mut headers = HeaderMap::new();
        headers.insert("accept-language", accepted.parse().unwrap());
        headers.insert("cookie", cookie.parse().unwrap());
        asked(&headers)
    }

    #[test]
    fn the_choice_counts_before_what_the_browser_says() {
        for (accepted, cookie, expected) in [
            ("", "", Language::Japanese),
            ("en-GB,en;q=0.9", "", Language::English),
            ("fr, en;q=0.4, ja;q=0.8", "", Language::Japanese),
            ("en;q=0, ja;q=0.1", "", Language::Japanese),
            ("ja", "a=1; misu_language=en", Language::English),
            ("en", "misu_language=ja", Language::Japanese),
            ("en;q=x", "misu_language=<b>", Language::Japanese),
        ] {
            assert_eq!(judge(accepted, cookie), expected, "{accepted} {cookie}");
        }
    }
}
