//! Names and the forms in which facilities write them.

use catalog_model::Date;

use super::Sex;
use crate::dice::Dice;
use crate::model::{Era, Names};
use crate::world::{KanaForm, NameForm};

// Percent of families whose register has the older form, where the surname has one.
const OLDER_FORM: f64 = 38.0;

/// A surname and a given name, as places in the tables of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FullName {
    pub(crate) surname: Family,
    pub(crate) given: Given,
}

/// A family's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Family {
    index: usize,
    is_older_form: bool,
}

/// A given name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Given {
    era: usize,
    sex: Sex,
    index: usize,
}

impl Family {
    /// A surname, the common ones more often.
    pub(crate) fn draw(names: &Names, dice: &mut Dice) -> Self {
        let index = dice.weighted(names.surnames.iter().map(|surname| surname.weight));
        let has_older_form = names.surnames.get(index).is_some_and(|surname| surname.old.is_some());
        Self { index, is_older_form: has_older_form && dice.percent(OLDER_FORM) }
    }
}

impl Given {
    /// A name that was usual in the year of birth.
    pub(crate) fn draw(names: &Names, sex: Sex, birth: Date, dice: &mut Dice) -> Self {
        let year = birth.ymd().0;
        let era = names.era.iter().rposition(|era| era.from <= year).unwrap_or(0);
        let choices = names.era.get(era).map_or(0, |era| list(era, sex).len());
        let index = dice.below(u32::try_from(choices).unwrap_or(0)) as usize;
        Self { era, sex, index }
    }
}

fn list(era: &Era, sex: Sex) -> &[(String, String)] {
    match sex {
        Sex::Man => &era.men,
        Sex::Woman => &era.women,
    }
}

impl FullName {
    /// The name in kanji.
    pub(crate) fn kanji(self, names: &Names, form: NameForm, new_characters_only: bool) -> String {
        let surname = names.surnames.get(self.surname.index);
        let older = surname.and_then(|surname| surname.old.as_deref());
        let older = older.filter(|_| self.surname.is_older_form && !new_characters_only);
        let surname = older.or(surname.map(|surname| surname.name.as_str())).unwrap_or_default();
        let given = self.given(names).map_or("", |given| given.0.as_str());
        let space = match form {
            NameForm::Full => "　",
            NameForm::Half => " ",
            NameForm::Joined => "",
        };
        format!("{surname}{space}{given}")
    }

    /// The name in katakana.
    pub(crate) fn kana(self, names: &Names, form: KanaForm) -> String {
        let surname = names.surnames.get(self.surname.index).map_or("", |surname| surname.kana.as_str());
        let given = self.given(names).map_or("", |given| given.1.as_str());
        match form {
            KanaForm::Full => format!("{surname}　{given}"),
            KanaForm::Joined => format!("{surname}{given}"),
            KanaForm::Half => half_width_kana(&format!("{surname} {given}")),
        }
    }

    fn given(self, names: &Names) -> Option<&(String, String)> {
        list(names.era.get(self.given.era)?, self.given.sex).get(self.given.index)
    }
}

/// Katakana in half width: one byte in CP932, with the voicing marks apart.
pub(crate) fn half_width_kana(text: &str) -> String {
    const FULL: &str = "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワヲンァィゥェォャュョッー";
    const HALF: &str = "ｱｲｳｴｵｶｷｸｹｺｻｼｽｾｿﾀﾁﾂﾃﾄﾅﾆﾇﾈﾉﾊﾋﾌﾍﾎﾏﾐﾑﾒﾓﾔﾕﾖﾗﾘﾙﾚﾛﾜｦﾝｧｨｩｪｫｬｭｮｯｰ";
    const VOICED: &str = "ガギグゲゴザジズゼゾダヂヅデドバビブベボ";
    const UNVOICED: &str = "カキクケコサシスセソタチツテトハヒフヘホ";
    const HALF_VOICED: &str = "パピプペポ";
    let plain =
        |kana: char| FULL.chars().zip(HALF.chars()).find(|(full, _)| *full == kana).map(|(_, half)| half);
    let mut out = String::with_capacity(text.len());
    for kana in text.chars() {
        let voiced = VOICED.chars().zip(UNVOICED.chars()).find(|(voiced, _)| *voiced == kana);
        let half_voiced = HALF_VOICED.chars().zip("ハヒフヘホ".chars()).find(|(voiced, _)| *voiced == kana);
        let (base, mark) = match (voiced, half_voiced, kana) {
            (Some((_, base)), _, _) => (base, Some('ﾞ')),
            (_, Some((_, base)), _) => (base, Some('ﾟ')),
            (_, _, 'ヴ') => ('ウ', Some('ﾞ')),
            _ => (kana, None),
        };
        out.push(plain(base).unwrap_or(if base == '　' { ' ' } else { base }));
        out.extend(mark);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::half_width_kana;

    #[test]
    fn kana_become_half_width_with_their_marks_apart() {
        assert_eq!(half_width_kana("ヤマザキ　ショウタ"), "ﾔﾏｻﾞｷ ｼｮｳﾀ");
        assert_eq!(half_width_kana("ハットリ テッペイ"), "ﾊｯﾄﾘ ﾃｯﾍﾟｲ");
    }
}
