//! Lines over an order, and the steps of a survival curve. A hidden or missing value breaks the line: what lies
//! between two points is nobody's guess.

use std::fmt::Write as _;

use super::WIDTH;
use super::bar::title;
use super::scale::Scale;
use super::shapes::{Area, COLOURS, Canvas};
use super::view::{Mark, View};

const LEFT: f64 = 72.0;
const TOP: f64 = 30.0;
const BASE: f64 = 290.0;

/// How points are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Straight,
    Steps,
}

pub(super) fn draw(view: &View, canvas: &mut Canvas, form: Form) {
    let right = WIDTH - 14.0;
    let scale = match form {
        Form::Straight => Scale::round(view.extent(), BASE, TOP),
        Form::Steps => Scale::share(BASE, TOP),
    };
    canvas.grid(view, scale, (LEFT, right), TOP - 12.0);
    let last = f64::from(u32::try_from(view.categories.len().saturating_sub(1).max(1)).unwrap_or(1));
    let step = (right - LEFT - 24.0) / last;
    let place = |at: usize| step.mul_add(f64::from(u32::try_from(at).unwrap_or(0)), LEFT + 12.0);
    for (line, marks) in view.lines() {
        canvas.path(&path(marks, &place, scale, form), line);
        let colour = COLOURS.get(line % COLOURS.len()).copied().unwrap_or_default();
        for (at, mark) in marks.iter().enumerate() {
            let title = title(view, line, at, mark);
            match mark {
                Mark::Number(value, _) => canvas.dot((place(at), scale.at(*value)), colour, &title),
                Mark::Hidden => {
                    // Side by side on the base line, so that series do not cover each other.
                    let x = place(at) - 4.0 + 3.0 * f64::from(u32::try_from(line).unwrap_or(0));
                    canvas.veil(Area { x, y: BASE - 22.0, width: 8.0, height: 22.0 }, &title);
                }
                Mark::Nothing => {}
            }
        }
    }
    canvas.categories(view, place, BASE);
    canvas.legend(view, &view.series, LEFT);
}

fn path(marks: &[Mark], place: &impl Fn(usize) -> f64, scale: Scale, form: Form) -> String {
    let mut path = String::new();
    let mut is_joined = false;
    for (at, mark) in marks.iter().enumerate() {
        let Mark::Number(value, _) = mark else {
            is_joined = false;
            continue;
        };
        let (x, y) = (place(at), scale.at(*value));
        // Writing into a text does not fail.
        let _ = match (is_joined, form) {
            (false, _) => write!(path, "M{x:.1} {y:.1}"),
            (true, Form::Straight) => write!(path, "L{x:.1} {y:.1}"),
            (true, Form::Steps) => write!(path, "H{x:.1}V{y:.1}"),
        };
        is_joined = true;
    }
    path
}
