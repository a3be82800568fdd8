//! Public facts: municipalities, their inhabitants, and the secondary medical areas that they belong to.
//!
//! The invented persons are a sample of these inhabitants.

use catalog_model::Month;

use super::Forms;
use super::delivery::{Counts, DeliveryWriter};
use super::draft::{Draft, DraftLine, Group};
use crate::SynthError;
use crate::billing::Books;
use crate::dice::whole;
use crate::people::Sex;
use crate::truth::Ledger;
use crate::world::Municipality;
use crate::writer::{Line, WriteError};

/// Writes the tables, once for all.
pub(super) fn write(
    books: Books<'_>,
    forms: &Forms,
    mut writer: DeliveryWriter<'_>,
    month: Month,
) -> Result<(Ledger, Counts), SynthError> {
    let draft = municipalities(books, forms, month)?;
    writer.plain_file(draft)?;
    let draft = inhabitants(books, forms, month)?;
    writer.plain_file(draft)?;
    let draft = medical_areas(books, forms, month)?;
    writer.plain_file(draft)?;
    writer.close()
}

/// A municipality's code and name in the time in which it had them.
struct Held<'b> {
    code: &'b str,
    name: &'b str,
    place: &'b Municipality,
    from: String,
    to: String,
    successor: &'b str,
}

/// The municipalities as they are, in force for as long as their areas, and as they were before the merger.
fn held(books: Books<'_>, month: Month) -> Vec<Held<'_>> {
    let merged = &books.model.places.merged;
    let always = || (in_force_from(month), OPEN.to_owned());
    let before = || (in_force_from(month), format!("{}0930", month.year()));
    let mut all = Vec::new();
    for place in &books.world.municipalities {
        let mut add = |(code, name), (from, to), successor| {
            all.push(Held { code, name, place, from, to, successor });
        };
        let (code, name) = (place.code.as_str(), place.name.as_str());
        if place.code == merged.into {
            add((code, merged.former.as_str()), before(), "");
            add((code, name), (format!("{}1001", month.year()), OPEN.to_owned()), "");
            add((merged.code.as_str(), merged.name.as_str()), before(), code);
        } else {
            add((code, name), always(), "");
        }
    }
    all
}

fn municipalities<'t>(books: Books<'_>, forms: &'t Forms, month: Month) -> Result<Draft<'t>, SynthError> {
    let family = &forms.municipalities;
    let mut draft = Draft::new("municipality.csv".to_owned(), family.family());
    let template = family.record("row")?;
    draft.header.push(heading(template));
    for held in held(books, month) {
        let mut line = Line::new(template);
        let prefecture = books.world.prefecture(held.place.prefecture);
        line.set("municipality", held.code)?
            .set("prefecture", prefecture.map_or("", |place| place.code.as_str()))?
            .set("name", held.name)?
            .set("medical_area", &held.place.area)?
            .set("valid_from", &held.from)?
            .set("valid_to", &held.to)?
            .set("successor", held.successor)?;
        draft.groups.push(of_nobody(line)?);
    }
    Ok(draft)
}

/// The codes under which a municipality's inhabitants were counted at the beginning of a year, with how many.
fn counted<'b>(books: Books<'b>, place: &'b Municipality, is_merged: bool) -> Vec<(&'b str, u32)> {
    let merged = &books.model.places.merged;
    if is_merged || place.code != merged.into {
        return vec![(place.code.as_str(), place.inhabitants)];
    }
    let own = place.inhabitants.saturating_sub(merged.inhabitants);
    vec![(place.code.as_str(), own), (merged.code.as_str(), merged.inhabitants)]
}

fn inhabitants<'t>(books: Books<'_>, forms: &'t Forms, month: Month) -> Result<Draft<'t>, SynthError> {
    let family = &forms.inhabitants;
    let mut draft = Draft::new("population.csv".to_owned(), family.family());
    let template = family.record("row")?;
    draft.header.push(heading(template));
    let pyramid = &books.model.population.pyramid;
    let total: f64 = pyramid.men.iter().chain(&pyramid.women).sum();
    let last = books.population.period.to.year();
    for place in &books.world.municipalities {
        for year in month.year()..=last {
            for (code, inhabitants) in counted(books, place, year > month.year()) {
                for (sex, bands) in [(Sex::Man, &pyramid.men), (Sex::Woman, &pyramid.women)] {
                    for (band, share) in bands.iter().enumerate() {
                        let persons = whole(f64::from(inhabitants) * share / total);
                        let mut line = Line::new(template);
                        line.set("municipality", code)?
                            .set("year", &year.to_string())?
                            .set("sex", sex.code())?
                            .set("age_band", &age_band(band))?
                            .number("persons", persons)?
                            .set("counted_on", &format!("{year}0101"))?;
                        draft.groups.push(of_nobody(line)?);
                    }
                }
            }
        }
    }
    Ok(draft)
}

/// The areas as they are, in force since the fiscal year before the first month; a merged municipality was in its
/// successor's.
fn medical_areas<'t>(books: Books<'_>, forms: &'t Forms, month: Month) -> Result<Draft<'t>, SynthError> {
    let family = &forms.medical_areas;
    let mut draft = Draft::new("medical_area.csv".to_owned(), family.family());
    let template = family.record("row")?;
    draft.header.push(heading(template));
    for held in held(books, month) {
        let prefecture = books.world.prefecture(held.place.prefecture);
        // The first municipality of an area gives it its name.
        let seat = books.world.municipalities.iter().find(|other| other.area == held.place.area);
        let name = seat.map_or_else(String::new, |seat| format!("{}医療圏", seat.name));
        let mut line = Line::new(template);
        line.set("municipality", held.code)?
            .set("medical_area", &held.place.area)?
            .set("name", &name)?
            .set("prefecture", prefecture.map_or("", |place| place.code.as_str()))?
            .set("valid_from", &held.from)?
            .set("valid_to", &held.to)?;
        draft.groups.push(of_nobody(line)?);
    }
    Ok(draft)
}

/// The last day of what is in force.
const OPEN: &str = "99999999";

fn in_force_from(month: Month) -> String {
    format!("{}0401", month.fiscal_year() - 1)
}

fn age_band(band: usize) -> String {
    if band >= 19 { "95+".to_owned() } else { format!("{}-{}", band * 5, band * 5 + 4) }
}

/// The names of the fields, as the files' first line.
fn heading(template: &crate::writer::Template) -> DraftLine<'_> {
    let names: Vec<&str> = template.slots().iter().map(|slot| slot.key.as_str()).collect();
    DraftLine { template, bytes: names.join(",").into_bytes(), fault: None }
}

fn of_nobody(line: Line<'_>) -> Result<Group<'_>, WriteError> {
    Ok(Group { person: None, points: 0, lines: vec![DraftLine::of(line)?] })
}
