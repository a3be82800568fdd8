//! A grid of two keys, the value as a shade of green, with its number where there is room.

use super::WIDTH;
use super::bar::title;
use super::shapes::{Anchor, Area, Canvas, short, width};
use super::view::{Mark, View};

const TOP: f64 = 34.0;
const ROW: f64 = 24.0;
/// Shades from nothing to the largest value.
const SHADES: [&str; 9] =
    ["#eef3ec", "#dbe8dd", "#c3dac9", "#a7c9b3", "#86b49a", "#659d80", "#458367", "#2f6a52", "#1b4937"];

pub(super) fn draw(view: &View, canvas: &mut Canvas) {
    let letters = view.series.iter().map(|name| width(name).min(22)).max().unwrap_or(4);
    let left = f64::from(u32::try_from(letters).unwrap_or(22)).mul_add(6.6, 22.0);
    let columns = f64::from(u32::try_from(view.categories.len().max(1)).unwrap_or(1));
    let step = (WIDTH - left - 10.0) / columns;
    let (_, high) = view.extent();
    let place = |at: usize, of: f64, from: f64| of.mul_add(f64::from(u32::try_from(at).unwrap_or(0)), from);
    canvas.text(
        (4.0, TOP - 14.0),
        Anchor::Start,
        &format!("{} × {}: {}", view.series_name, view.category_name, view.value_name),
    );
    for (line, marks) in view.lines() {
        let y = place(line, ROW, TOP);
        let name = view.series.get(line).map(|name| short(name, 22)).unwrap_or_default();
        canvas.text((left - 8.0, y + 16.0), Anchor::End, &name);
        for (at, mark) in marks.iter().enumerate() {
            let area = Area { x: place(at, step, left), y, width: (step - 1.0).max(1.0), height: ROW - 1.0 };
            let title = title(view, line, at, mark);
            match mark {
                Mark::Number(value, text) => {
                    let shade = shade(*value, high);
                    canvas.rect(area, SHADES.get(shade).copied().unwrap_or_default(), &title);
                    if f64::from(u32::try_from(width(text)).unwrap_or(40)) * 6.4 < step - 4.0 {
                        let ink = if shade >= 5 { "#ffffff" } else { "#23261f" };
                        canvas.on_shade((area.x + area.width / 2.0, y + 16.0), ink, text);
                    }
                }
                Mark::Hidden => canvas.veil(area, &title),
                Mark::Nothing => {}
            }
        }
    }
    let rows = f64::from(u32::try_from(view.series.len().max(1)).unwrap_or(1));
    let base = ROW.mul_add(rows, TOP);
    canvas.categories(view, |at| place(at, step, left) + step / 2.0, base - 4.0);
    // The shades explain themselves by their numbers; only what is hidden needs words.
    canvas.legend(view, &[], left);
}

/// Which shade, from 0 to 8. A value below nothing has the palest.
fn shade(value: f64, high: f64) -> usize {
    if high <= 0.0 {
        return 0;
    }
    let share = (value / high).clamp(0.0, 1.0);
    [0.03, 0.1, 0.2, 0.32, 0.45, 0.6, 0.75, 0.9].iter().filter(|limit| share > **limit).count()
}
