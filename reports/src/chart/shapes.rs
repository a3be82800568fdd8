//! The shapes of a picture, written as SVG text. Every text from outside is escaped here and nowhere else.

use std::fmt::Write as _;

use super::WIDTH;
use super::scale::Scale;
use super::view::View;

/// The colours of series, told apart also by those who see fewer.
pub(super) const COLOURS: [&str; 8] =
    ["#245c49", "#b98a2f", "#9c3325", "#3b5b92", "#4d9a92", "#7d4a78", "#77766a", "#d2794f"];
/// The dashes of lines, so that colour is not the only sign.
pub(super) const DASHES: [&str; 8] = ["", "7 4", "2 4", "10 3 2 3", "", "7 4", "2 4", "10 3 2 3"];
const INK: &str = "#23261f";
const SOFT: &str = "#585c50";

/// A picture that is being drawn.
#[derive(Debug)]
pub(super) struct Canvas {
    body: String,
    height: f64,
}

/// Where a text stands from its point.
#[derive(Clone, Copy, Debug)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A rectangle.
#[derive(Clone, Copy, Debug)]
pub(super) struct Area {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Canvas {
    pub(super) const fn new() -> Self {
        Self { body: String::new(), height: 0.0 }
    }

    /// Makes room down to `y`.
    pub(super) fn reach(&mut self, y: f64) {
        self.height = self.height.max(y);
    }

    pub(super) fn rect(&mut self, area: Area, fill: &str, title: &str) {
        let Area { x, y, width, height } = area;
        let title = escape(title);
        self.push(format_args!(
            r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" fill="{fill}"><title>{title}</title></rect>"#
        ));
        self.reach(y + height);
    }

    /// A hidden value: the blind is down.
    pub(super) fn veil(&mut self, area: Area, title: &str) {
        let Area { x, y, width, height } = area;
        let title = escape(title);
        self.push(format_args!(
            r##"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" fill="url(#misu-veil)" stroke="#a08a52" stroke-width="0.6"><title>{title}</title></rect>"##
        ));
        self.reach(y + height);
    }

    pub(super) fn text(&mut self, (x, y): (f64, f64), anchor: Anchor, text: &str) {
        self.lettering((x, y), anchor, "ink", INK, "", text);
    }

    pub(super) fn quiet(&mut self, (x, y): (f64, f64), anchor: Anchor, text: &str) {
        self.lettering((x, y), anchor, "soft", SOFT, "", text);
    }

    /// A text of a given colour, as on a shade.
    pub(super) fn on_shade(&mut self, (x, y): (f64, f64), fill: &str, text: &str) {
        self.lettering((x, y), Anchor::Middle, "shade", fill, "", text);
    }

    /// A text that leans, so that long ones find room beside each other.
    pub(super) fn leaning(&mut self, (x, y): (f64, f64), text: &str) {
        let lean = format!(r#" transform="rotate(-38 {x:.1} {y:.1})""#);
        self.lettering((x, y), Anchor::End, "soft", SOFT, &lean, text);
    }

    fn lettering(
        &mut self,
        (x, y): (f64, f64),
        anchor: Anchor,
        class: &str,
        fill: &str,
        more: &str,
        text: &str,
    ) {
        let (anchor, text) = (anchor.as_str(), escape(text));
        self.push(format_args!(
            r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" class="{class}" fill="{fill}"{more}>{text}</text>"#
        ));
        self.reach(y + 4.0);
    }

    pub(super) fn rule(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        self.push(format_args!(
            r##"<line x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}" class="rule" stroke="#dcd6c5"/>"##
        ));
    }

    /// A line through points.
    pub(super) fn path(&mut self, points: &str, number: usize) {
        let colour = COLOURS.get(number % COLOURS.len()).copied().unwrap_or(INK);
        let dash = DASHES.get(number % DASHES.len()).copied().unwrap_or_default();
        self.push(format_args!(
            r#"<path d="{points}" fill="none" stroke="{colour}" stroke-width="2.2" stroke-linejoin="round" stroke-dasharray="{dash}" class="series s{number}"/>"#
        ));
    }

    pub(super) fn dot(&mut self, (x, y): (f64, f64), fill: &str, title: &str) {
        let title = escape(title);
        self.push(format_args!(
            r#"<circle cx="{x:.1}" cy="{y:.1}" r="3.4" fill="{fill}"><title>{title}</title></circle>"#
        ));
    }

    /// Horizontal lines with their numbers, and the name of the value above them.
    pub(super) fn grid(&mut self, view: &View, scale: Scale, (left, right): (f64, f64), top: f64) {
        for (value, text) in scale.ticks() {
            let y = scale.at(value);
            self.rule((left, y), (right, y));
            self.quiet((left - 8.0, y + 4.0), Anchor::End, &text);
        }
        self.text((left - 60.0_f64.min(left - 4.0), top), Anchor::Start, &view.value_name);
    }

    /// Names below the picture, as many as find room.
    pub(super) fn categories(&mut self, view: &View, middle: impl Fn(usize) -> f64, base: f64) {
        let letters = view.categories.iter().map(|name| width(name)).max().unwrap_or_default();
        let room = (WIDTH - 90.0) / f64::from(u32::try_from(view.categories.len().max(1)).unwrap_or(1));
        let is_leaning = f64::from(u32::try_from(letters).unwrap_or(40)) * 6.4 > room;
        let each = if room < 13.0 { 2 } else { 1 };
        for (at, name) in view.categories.iter().enumerate().filter(|(at, _)| at % each == 0) {
            if is_leaning {
                self.leaning((middle(at) + 4.0, base + 16.0), &short(name, 18));
            } else {
                self.quiet((middle(at), base + 18.0), Anchor::Middle, name);
            }
        }
        let depth = f64::from(u32::try_from(letters.min(18)).unwrap_or(18));
        self.reach(if is_leaning { base + 24.0 + depth * 4.2 } else { base + 26.0 });
    }

    /// The series with their colours, what hidden means, and what the picture holds still.
    pub(super) fn legend(&mut self, view: &View, names: &[String], left: f64) {
        let (mut x, mut y) = (left, self.height + 16.0);
        let mut room = |of: &str, x: &mut f64| {
            let needed = f64::from(u32::try_from(width(of)).unwrap_or(40)).mul_add(6.6, 34.0);
            if *x + needed > WIDTH && *x > left {
                *x = left;
                y += 20.0;
            }
            let place = (*x, y);
            *x += needed;
            place
        };
        let mut placed: Vec<((f64, f64), Option<usize>, String)> = Vec::new();
        for (number, name) in names.iter().enumerate() {
            let name = short(name, 24);
            placed.push((room(&name, &mut x), Some(number), name));
        }
        if view.has_hidden() {
            let words = view.language.pick(
                "非表示（人数が少ない、または導けてしまう値）",
                "hidden: too few persons, or derivable",
            );
            placed.push((room(words, &mut x), None, words.to_owned()));
        }
        for ((x, y), number, name) in placed {
            let area = Area { x, y: y - 9.0, width: 14.0, height: 10.0 };
            match number.and_then(|number| COLOURS.get(number % COLOURS.len())) {
                Some(colour) => self.rect(area, colour, &name),
                None => self.veil(area, &name),
            }
            self.text((x + 20.0, y), Anchor::Start, &name);
        }
        if !view.fixed.is_empty() {
            let y = self.height + 18.0;
            self.quiet((left, y), Anchor::Start, &view.fixed.join(", "));
        }
    }

    /// The whole picture.
    pub(super) fn finish(self, summary: &str) -> String {
        let (height, summary, body) = (self.height + 12.0, escape(summary), self.body);
        format!(
            concat!(
                r##"<svg xmlns="http://www.w3.org/2000/svg" class="chart" viewBox="0 0 {w} {h:.0}" width="{w}" height="{h:.0}" role="img" aria-label="{s}" font-family="'Hiragino Sans','Noto Sans CJK JP','Noto Sans JP',sans-serif" font-size="12">"##,
                r##"<defs><pattern id="misu-veil" width="4" height="5" patternUnits="userSpaceOnUse"><rect width="4" height="5" fill="#f1ead7"/><rect y="3.6" width="4" height="1.4" fill="#b49b63"/></pattern></defs>"##,
                r##"<rect class="ground" width="{w}" height="{h:.0}" fill="#fffefb"/>{b}</svg>"##
            ),
            w = WIDTH,
            h = height,
            s = summary,
            b = body
        )
    }

    fn push(&mut self, shape: std::fmt::Arguments<'_>) {
        // Writing into a text does not fail.
        let _ = self.body.write_fmt(shape);
    }
}

impl Anchor {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Middle => "middle",
            Self::End => "end",
        }
    }
}

/// The width of a text in halves of a full letter.
pub(super) fn width(text: &str) -> usize {
    text.chars().map(|letter| if letter.is_ascii() { 1 } else { 2 }).sum()
}

pub(super) fn short(text: &str, most: usize) -> String {
    if width(text) <= most {
        return text.to_owned();
    }
    let mut used = 0;
    let kept = text.chars().take_while(|letter| {
        used += if letter.is_ascii() { 1 } else { 2 };
        used < most
    });
    kept.collect::<String>() + "…"
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            letter if letter.is_control() => out.push(' '),
            letter => out.push(letter),
        }
    }
    out
}
