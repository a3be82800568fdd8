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

/// The municipalities as they are, in force for as long as their areas.
fn municipalities<'t>(books: Books<'_>, forms: &'t Forms, month: Month) -> Result<Draft<'t>, SynthError> {
    let family = &forms.municipalities;
    let mut draft = Draft::new("municipality.csv".to_owned(), family.family());
    let template = family.record("row")?;
    draft.header.push(heading(template));
    for place in &books.world.municipalities {
        let mut line = Line::new(template);
        line.set("municipality", &place.code)?
            .set(
                "prefecture",
                books.world.prefecture(place.prefecture).map_or("", |place| place.code.as_str()),
            )?
            .set("name", &place.name)?
            .set("medical_area", &place.area)?
            .set("valid_from", &in_force_from(month))?
            .set("valid_to", "99999999")?;
        draft.groups.push(of_nobody(line)?);
    }
    Ok(draft)
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
            for (sex, bands) in [(Sex::Man, &pyramid.men), (Sex::Woman, &pyramid.women)] {
                for (band, share) in bands.iter().enumerate() {
                    let persons = whole(f64::from(place.inhabitants) * share / total);
                    let mut line = Line::new(template);
                    line.set("municipality", &place.code)?
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
    Ok(draft)
}

/// The areas as they are, in force since the fiscal year before the first month.
fn medical_areas<'t>(books: Books<'_>, forms: &'t Forms, month: Month) -> Result<Draft<'t>, SynthError> {
    let family = &forms.medical_areas;
    let mut draft = Draft::new("medical_area.csv".to_owned(), family.family());
    let template = family.record("row")?;
    draft.header.push(heading(template));
    for place in &books.world.municipalities {
        let prefecture = books.world.prefecture(place.prefecture);
        // The first municipality of an area gives it its name.
        let seat = books.world.municipalities.iter().find(|other| other.area == place.area);
        let name = seat.map_or_else(String::new, |seat| format!("{}医療圏", seat.name));
        let mut line = Line::new(template);
        line.set("municipality", &place.code)?
            .set("medical_area", &place.area)?
            .set("name", &name)?
            .set("prefecture", prefecture.map_or("", |place| place.code.as_str()))?
            .set("valid_from", &in_force_from(month))?
            .set("valid_to", "99999999")?;
        draft.groups.push(of_nobody(line)?);
    }
    Ok(draft)
}

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
