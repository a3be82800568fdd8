//! Pictures of released tables as SVG: bars, lines, a heat map and a survival curve.
//!
//! A hidden value is drawn as a lowered blind, never as nothing and never as zero; nothing is added up here, because a
//! sum over protected values would be a figure that nobody protected. What a picture needs of a table is chosen by
//! [`Plan::guess`] and can be chosen by hand; the same [`svg`] serves page, download and notebook.
//!
//! No style sheet and no script is inside: colours are attributes, which a page may override by class.

mod bar;
mod heat;
mod line;
mod plan;
mod scale;
mod shapes;
mod view;

pub use plan::{ChartKind, Plan};

use engine_protocol::ReleasedTable;

use crate::Language;
use shapes::Canvas;
use view::View;

/// Width of every picture.
pub(crate) const WIDTH: f64 = 760.0;

/// The picture of a table; none where the plan does not fit the table.
pub fn svg(table: &ReleasedTable, plan: &Plan, language: Language) -> Option<String> {
    let view = View::of(table, plan, language)?;
    let mut canvas = Canvas::new();
    match plan.kind {
        ChartKind::Bar => bar::draw(&view, &mut canvas),
        ChartKind::Line => line::draw(&view, &mut canvas, line::Form::Straight),
        ChartKind::Survival => line::draw(&view, &mut canvas, line::Form::Steps),
        ChartKind::HeatMap => heat::draw(&view, &mut canvas),
    }
    Some(canvas.finish(&view.summary(plan.kind)))
}

/// The picture of a table in words, for those who hear it; none where the plan does not fit the table.
pub fn summary(table: &ReleasedTable, plan: &Plan, language: Language) -> Option<String> {
    View::of(table, plan, language).map(|view| view.summary(plan.kind))
}

#[cfg(test)]
mod tests;
