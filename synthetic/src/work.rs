//! The work as a whole: let the population live, write its deliveries on every core, then the truth.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

use catalog_model::{Catalogue, Month, Period};

use crate::billing::Books;
use crate::files::{self, Counts, Database, DeliveryWriter, Forms};
use crate::model::Model;
use crate::people::{Population, Setting};
use crate::slips::{Errors, Slips};
use crate::truth::{Ledger, TruthFiles};
use crate::world::World;
use crate::{Options, Progress, Stage, Summary, SynthError};

const TRUTH_FILES: u64 = 5;

/// Writes everything below `out`.
pub(crate) fn write(
    catalogue: &Catalogue,
    options: &Options,
    slips: Option<&Slips>,
    out: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<Summary, SynthError> {
    let (deliveries, truth) = (out.join("deliveries"), out.join("truth"));
    if deliveries.exists() || truth.exists() {
        return Err(SynthError::Occupied(out.to_owned()));
    }
    let mut model = Model::load(catalogue)?;
    if let Some(slips) = slips {
        model.population.events.slow_down(slips.events_percent / 100.0);
    }
    let forms = Forms::new(catalogue)?;
    let world = World::new(&model, options.seed);
    let period = period(options);
    let total = u64::from(options.persons);
    progress(Progress { stage: Stage::Population, done: 0, total });
    let setting = Setting { model: &model, world: &world, period, seed: options.seed };
    let mut population = Population::live(setting, options.persons);
    let errors = slips.map(|slips| Errors::befall(slips, setting, &mut population));
    progress(Progress { stage: Stage::Population, done: total, total });
    let mut truth = TruthFiles::create(&truth)?;
    let books = Books {
        model: &model,
        world: &world,
        population: &population,
        seed: options.seed,
        errors: errors.as_ref(),
    };
    let press = Press { catalogue, forms: &forms, books, deliveries: &deliveries, options };
    let mut summary = press.run(&mut truth, progress)?;
    progress(Progress { stage: Stage::Truth, done: 0, total: TRUTH_FILES });
    truth.finish(&model, &population)?;
    progress(Progress { stage: Stage::Truth, done: TRUTH_FILES, total: TRUTH_FILES });
    summary.persons = population.persons.len() as u64;
    Ok(summary)
}

pub(crate) fn period(options: &Options) -> Period {
    let months = i32::try_from(options.months).unwrap_or(1);
    Period { from: options.first_month, to: options.first_month.plus(months - 1) }
}

struct Press<'a> {
    catalogue: &'a Catalogue,
    forms: &'a Forms,
    books: Books<'a>,
    deliveries: &'a Path,
    options: &'a Options,
}

type Written = Result<(Ledger, Counts), SynthError>;

impl Press<'_> {
    fn run(&self, truth: &mut TruthFiles, progress: &mut dyn FnMut(Progress)) -> Result<Summary, SynthError> {
        let jobs = self.jobs();
        let total = jobs.len() as u64;
        let (next, is_stopped) = (&AtomicUsize::new(0), &AtomicBool::new(false));
        let jobs = &jobs;
        let threads = std::thread::available_parallelism().map_or(1, |count| count.get()).min(8);
        std::thread::scope(|scope| {
            // A short queue: a thread does not run far ahead of the truth, which is written in order.
            let (sender, receiver) = mpsc::sync_channel::<(usize, Written)>(threads);
            for _ in 0..threads {
                let sender = sender.clone();
                scope.spawn(move || self.print(jobs, next, is_stopped, &sender));
            }
            drop(sender);
            let mut pile = Pile { truth, next: 0, waiting: BTreeMap::new(), summary: Summary::default() };
            for (job, written) in receiver {
                let result = written.and_then(|(ledger, counts)| pile.take(job, ledger, counts));
                if let Err(error) = result {
                    is_stopped.store(true, Ordering::Relaxed);
                    return Err(error);
                }
                progress(Progress { stage: Stage::Deliveries, done: pile.summary.deliveries, total });
            }
            if pile.summary.deliveries == total { Ok(pile.summary) } else { Err(SynthError::Thread) }
        })
    }

    /// The deliveries, month by month.
    fn jobs(&self) -> Vec<(Database, Month)> {
        let period = self.books.population.period;
        let monthly = period.months().flat_map(|month| {
            [Database::Ndb, Database::Dpc, Database::Care].map(|database| (database, month))
        });
        std::iter::once((Database::Public, period.from)).chain(monthly).collect()
    }

    fn print(
        &self,
        jobs: &[(Database, Month)],
        next: &AtomicUsize,
        is_stopped: &AtomicBool,
        sender: &mpsc::SyncSender<(usize, Written)>,
    ) {
        while !is_stopped.load(Ordering::Relaxed) {
            let job = next.fetch_add(1, Ordering::Relaxed);
            let Some((database, month)) = jobs.get(job) else { return };
            if sender.send((job, self.delivery(*database, *month))).is_err() {
                return;
            }
        }
    }

    fn delivery(&self, database: Database, month: Month) -> Written {
        let chance = (self.options.seed, self.options.fault_rate);
        let writer = DeliveryWriter::new(self.catalogue, self.deliveries, (database, month), chance)?;
        files::deliver(self.books, self.forms, writer, database, month)
    }
}

/// What the threads hand in, put back into the order of the deliveries.
struct Pile<'t> {
    truth: &'t mut TruthFiles,
    next: usize,
    waiting: BTreeMap<usize, Ledger>,
    summary: Summary,
}

impl Pile<'_> {
    fn take(&mut self, job: usize, ledger: Ledger, counts: Counts) -> Result<(), SynthError> {
        self.summary.deliveries += 1;
        self.summary.files += counts.files;
        self.summary.records += counts.records;
        self.summary.bytes += counts.bytes;
        self.summary.faults += counts.faults;
        self.waiting.insert(job, ledger);
        while let Some(ledger) = self.waiting.remove(&self.next) {
            self.truth.add(ledger)?;
            self.next += 1;
        }
        Ok(())
    }
}
