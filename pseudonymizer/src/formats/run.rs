//! Runs of lines that share points, times and days (点数・回数算定単位).
//!
//! A receipt states the points of several lines once, on the last of them, and what kind of service they are
//! (診療識別) once, on the first line of a block. The number of the run keeps together what was charged together.

/// The part that a record type plays, as positions in its lines.
#[derive(Debug)]
pub(crate) struct RunRule {
    pub(crate) opens: Option<usize>,
    pub(crate) closes: Option<usize>,
    pub(crate) joins: bool,
    pub(crate) apart: Vec<Vec<u8>>,
}

/// The runs of the group that is being read.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    last: u32,
    is_open: bool,
    /// A line that belongs to no run, or that is in quarantine, stands between the last run and what joins.
    is_apart: bool,
    current: Option<u32>,
}

impl Runs {
    /// The number of the run that the present line belongs to.
    pub(crate) const fn current(&self) -> Option<u32> {
        self.current
    }

    /// Begins a new group.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Takes a line; `value` gives its fields.
    pub(crate) fn step<'l>(&mut self, rule: &RunRule, value: impl Fn(usize) -> &'l [u8]) {
        let opening = rule.opens.map(&value).unwrap_or_default();
        if rule.apart.iter().any(|apart| apart == opening) {
            return self.interrupt();
        }
        // A block never goes on into the next 診療識別, so its value begins a run even where the last one never ended.
        if !opening.is_empty() || !(self.is_open || rule.joins) {
            self.last += 1;
            self.is_open = true;
            self.is_apart = false;
        }
        self.current = (self.last > 0 && !self.is_apart).then_some(self.last);
        if rule.closes.is_some_and(|at| !value(at).is_empty()) {
            self.is_open = false;
        }
    }

    /// Takes a line that plays no part.
    pub(crate) fn pass(&mut self) {
        self.current = None;
    }

    /// Ends the open run: a line of it is in quarantine, so the points that follow are not those of the lines before.
    pub(crate) fn interrupt(&mut self) {
        self.is_open = false;
        self.is_apart = true;
        self.current = None;
    }
}

#[cfg(test)]
mod tests {
    use super::{RunRule, Runs};

    /// Numbers lines written as `SI:診療識別:点数` or `CO:診療識別`.
    fn numbers(lines: &[&str]) -> Vec<Option<u32>> {
        let line = RunRule { opens: Some(1), closes: Some(2), joins: false, apart: Vec::new() };
        let apart = vec![b"01".to_vec(), b"99".to_vec()];
        let comment = RunRule { opens: Some(1), closes: None, joins: true, apart };
        let mut runs = Runs::default();
        lines
            .iter()
            .map(|text| {
                let fields: Vec<&[u8]> = text.split(':').map(str::as_bytes).collect();
                match fields[0] {
                    b"bad" => runs.interrupt(),
                    b"SJ" => runs.pass(),
                    tag => runs.step(if tag == b"CO" { &comment } else { &line }, |at| fields[at]),
                }
                runs.current()
            })
            .collect()
    }

    #[test]
    fn a_run_ends_with_its_points() {
        assert_eq!(numbers(&["SI:12:73", "SI::52", "IY:21:", "IY::", "IY::4"]), [1, 2, 3, 3, 3].map(Some));
    }

    #[test]
    fn a_new_class_of_service_begins_a_run_even_where_the_last_has_no_points() {
        assert_eq!(numbers(&["IY:21:", "SI:40:", "TO::12"]), [1, 2, 2].map(Some));
    }

    #[test]
    fn comments_join_the_run_they_stand_in_before_or_behind() {
        let lines = ["CO:60", "SI::10", "CO:", "IY:21:", "CO:", "IY::4", "CO:80", "SI:80:5"];
        assert_eq!(numbers(&lines), [1, 1, 1, 2, 2, 2, 3, 4].map(Some));
        assert_eq!(numbers(&["CO:01", "CO:", "SI:12:1", "CO:99"]), [None, None, Some(1), None]);
    }

    #[test]
    fn a_line_in_quarantine_ends_its_run() {
        assert_eq!(
            numbers(&["IY:21:", "bad", "IY::4", "SJ", "SI::1"]),
            [Some(1), None, Some(2), None, Some(3)]
        );
        assert_eq!(numbers(&["SI:12:1", "bad", "CO:", "SI::1"]), [Some(1), None, None, Some(2)]);
    }
}
