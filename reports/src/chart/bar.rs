//! Bars side by side, one group for each category.

use super::WIDTH;
use super::scale::Scale;
use super::shapes::{Area, COLOURS, Canvas};
use super::view::{Mark, View};

const LEFT: f64 = 72.0;
const TOP: f64 = 30.0;
const BASE: f64 = 290.0;
/// The height of a hidden bar, which says nothing of its value.
const VEIL: f64 = 34.0;

pub(super) fn draw(view: &View, canvas: &mut Canvas) {
    let right = WIDTH - 10.0;
    let scale = Scale::round(view.extent(), BASE, TOP);
    canvas.grid(view, scale, (LEFT, right), TOP - 12.0);
    let number = |of: usize| f64::from(u32::try_from(of.max(1)).unwrap_or(u32::MAX));
    let step = (right - LEFT) / number(view.categories.len());
    let group = (step * 0.78).min(90.0);
    let bar = group / number(view.series.len());
    let middle = |at: usize| step.mul_add(f64::from(u32::try_from(at).unwrap_or(0)) + 0.5, LEFT);
    let zero = scale.at(0.0);
    for (line, marks) in view.lines() {
        let colour = COLOURS.get(line % COLOURS.len()).copied().unwrap_or_default();
        for (at, mark) in marks.iter().enumerate() {
            let offset = bar * f64::from(u32::try_from(line).unwrap_or(0));
            let x = middle(at) - group / 2.0 + offset;
            let width = (bar - 1.0).max(1.0);
            let title = title(view, line, at, mark);
            match mark {
                Mark::Number(value, _) => {
                    let y = scale.at(*value);
                    let area = Area { x, y: y.min(zero), width, height: (y - zero).abs().max(0.8) };
                    canvas.rect(area, colour, &title);
                }
                Mark::Hidden => canvas.veil(Area { x, y: zero - VEIL, width, height: VEIL }, &title),
                Mark::Nothing => {}
            }
        }
    }
    canvas.categories(view, middle, BASE);
    canvas.legend(view, &view.series, LEFT);
}

/// What a pointer on a mark reads.
pub(super) fn title(view: &View, line: usize, at: usize, mark: &Mark) -> String {
    let category = view.categories.get(at).map(String::as_str).unwrap_or_default();
    let series = view.series.get(line).map(|name| format!(", {name}")).unwrap_or_default();
    let value = match mark {
        Mark::Number(_, text) => text.as_str(),
        Mark::Hidden => view.language.pick("非表示", "hidden"),
        Mark::Nothing => "–",
    };
    format!("{category}{series}: {value}")
}
