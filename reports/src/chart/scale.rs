//! A scale with round ticks.

/// From a range of values to a range of places.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
    step: f64,
}

impl Scale {
    /// A scale on which `low..high` lies, widened to round ends, drawn from `from` to `to`.
    pub(super) fn round((low, high): (f64, f64), from: f64, to: f64) -> Self {
        let width = if high > low { high - low } else { 1.0 };
        let rough = width / 5.0;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().map(|of| of * power).find(|step| *step >= rough);
        let step = step.unwrap_or(power * 10.0);
        let high = if high > low { high } else { low + 1.0 };
        Self { low: (low / step).floor() * step, high: (high / step).ceil() * step, from, to, step }
    }

    /// A scale from 0 to 1.
    pub(super) const fn share(from: f64, to: f64) -> Self {
        Self { low: 0.0, high: 1.0, from, to, step: 0.25 }
    }

    /// The place of a value.
    pub(super) fn at(self, value: f64) -> f64 {
        let share = (value - self.low) / (self.high - self.low);
        self.from + share.clamp(0.0, 1.0) * (self.to - self.from)
    }

    /// The ticks with their texts.
    pub(super) fn ticks(self) -> impl Iterator<Item = (f64, String)> {
        let decimals = if self.step >= 1.0 && self.step.fract() == 0.0 { 0 } else { 2 };
        (0_u8..=12)
            .map(move |at| f64::from(at).mul_add(self.step, self.low))
            .filter(move |value| *value <= self.high + self.step / 100.0)
            .map(move |value| {
                let text = format!("{value:.decimals$}");
                let text = if decimals > 0 {
                    text.trim_end_matches('0').trim_end_matches('.').to_owned()
                } else {
                    text
                };
                (value, crate::number::grouped(&text))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::Scale;

    #[test]
    fn every_range_gets_a_few_round_ticks_that_hold_it() {
        for (low, high) in [(0.0, 7.0), (0.0, 12_345.0), (0.0, 0.0), (-3.0, 4.5), (0.0, 0.03), (0.0, 1e15)] {
            let scale = Scale::round((low, high), 300.0, 0.0);
            let ticks: Vec<f64> = scale.ticks().map(|(value, _)| value).collect();
            assert!((2..=13).contains(&ticks.len()), "{low} {high}: {ticks:?}");
            assert!(ticks[0] <= low && ticks[ticks.len() - 1] >= high - 1e-9, "{low} {high}: {ticks:?}");
            assert!(scale.at(low) <= 300.0 && scale.at(high) >= 0.0);
        }
    }
}
