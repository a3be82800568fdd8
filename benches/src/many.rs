//! Many askers at once: how many questions are answered in a second, and how long a short one waits among long ones.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::asked::Asked;
use crate::service::{Asker, Service};
use crate::{Failure, anew};

/// The short question.
const SHORT: &str = "SELECT sex, count(DISTINCT person_id) AS persons FROM person GROUP BY sex";

/// What one number of askers got.
#[derive(Serialize)]
pub(crate) struct Measured {
    seconds: f64,
    /// How long each answer took, in seconds.
    took: Vec<f64>,
    /// The same of the short question, where one of the askers repeats it.
    short: Vec<f64>,
}

/// Asks the questions for `time` by so many askers, each of which begins with another question; one of them may repeat
/// the short question instead.
pub(crate) fn measure(
    env: &Path,
    asked: &[Asked],
    askers: (usize, bool),
    time: Duration,
) -> Result<Measured, Failure> {
    let service = Service::start(env)?;
    let asking = AtomicU64::new(0);
    for question in asked {
        service.another()?.ask(&anew(asking.fetch_add(1, Ordering::Relaxed), &question.sql)?)?;
    }
    at_once(&service, asked, askers, (time, &asking))
}

fn at_once(
    service: &Service,
    asked: &[Asked],
    (askers, with_short): (usize, bool),
    (time, asking): (Duration, &AtomicU64),
) -> Result<Measured, Failure> {
    let begun = Instant::now();
    let ask = |mut asker: Asker, questions: Vec<&str>| -> Result<Vec<f64>, String> {
        let mut took = Vec::new();
        for sql in questions.into_iter().cycle() {
            let asked = Instant::now();
            if begun.elapsed() >= time {
                break;
            }
            let anew = anew(asking.fetch_add(1, Ordering::Relaxed), sql);
            anew.and_then(|anew| asker.ask(&anew)).map_err(|error| error.to_string())?;
            took.push(asked.elapsed().as_secs_f64());
        }
        Ok(took)
    };
    let (mut took, mut short) = (Vec::new(), Vec::new());
    std::thread::scope(|scope| -> Result<(), Failure> {
        let mut threads = Vec::new();
        for number in 0..askers {
            let is_short = with_short && number == 0;
            let turned = asked.iter().cycle().skip(number).take(asked.len()).map(|asked| asked.sql.as_str());
            let questions = if is_short { vec![SHORT] } else { turned.collect() };
            let asker = service.another()?;
            threads.push((is_short, scope.spawn(move || ask(asker, questions))));
        }
        for (is_short, thread) in threads {
            let seconds = thread.join().map_err(|_| "an asker ended")??;
            (if is_short { &mut short } else { &mut took }).extend(seconds);
        }
        Ok(())
    })?;
    Ok(Measured { seconds: begun.elapsed().as_secs_f64(), took, short })
}
