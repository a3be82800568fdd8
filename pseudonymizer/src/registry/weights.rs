//! How much an agreement says: Fellegi and Sunter's weights, estimated from the records themselves.
//!
//! How often a field agrees by chance (u) is counted over pairs drawn at random; how often it agrees between records of
//! one person (m), and how many such pairs there are, comes from expectation and maximisation over the pairs that were
//! compared. An equal value that is rare says more than a common one. The models are those of the literature
//! (Fellegi, Sunter 1969; Winkler 1988), without labels.

use std::collections::HashMap;

use super::declaration::Registry;
use super::tokens::{Level, Tokens};

const LEVELS: usize = 3;
const ROUNDS: usize = 40;
const DRAWN: u64 = 200_000;

/// The weights of one run.
#[derive(Debug)]
pub(super) struct Weights<'a> {
    records: &'a [Tokens],
    partners: Vec<Option<usize>>,
    m: Vec<[f64; LEVELS]>,
    u: Vec<[f64; LEVELS]>,
    /// Of all pairs, the share that are one person's.
    prior: f64,
    /// How many records carry a value, by field and hash.
    frequent: Vec<HashMap<u64, u32>>,
}

type Levels = Vec<Option<Level>>;

impl<'a> Weights<'a> {
    /// Estimates the weights from pairs that are worth comparing.
    pub(super) fn estimate(registry: &Registry, records: &'a [Tokens], pairs: &[(u32, u32)]) -> Self {
        let partners: Vec<Option<usize>> = registry
            .fields
            .iter()
            .map(|field| field.swaps_with.as_ref().and_then(|name| registry.field(name)))
            .collect();
        let fields = partners.len();
        let all = records.len() as f64 * (records.len() as f64 - 1.0) / 2.0;
        let mut weights = Self {
            records,
            partners,
            m: vec![[0.05, 0.1, 0.85]; fields],
            u: vec![[1.0; LEVELS]; fields],
            prior: (records.len() as f64 / 4.0 / all.max(1.0)).clamp(1e-12, 0.5),
            frequent: frequencies(records, fields),
        };
        weights.u = weights.by_chance();
        let levels: Vec<Levels> = pairs.iter().map(|(one, two)| weights.levels(*one, *two)).collect();
        for _ in 0..ROUNDS {
            weights.improve(&levels, all);
        }
        weights
    }

    fn levels(&self, one: u32, two: u32) -> Levels {
        let pair = self.records.get(one as usize).zip(self.records.get(two as usize));
        let level = |(at, partner): (usize, &Option<usize>)| pair.and_then(|(a, b)| a.level(b, at, *partner));
        self.partners.iter().enumerate().map(level).collect()
    }

    /// How often each level occurs between records drawn at random, by a fixed sequence.
    fn by_chance(&self) -> Vec<[f64; LEVELS]> {
        let mut counts = vec![[0.5; LEVELS]; self.partners.len()];
        let size = self.records.len() as u64;
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let mut draw = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            u32::try_from((state >> 33) % size.max(1)).unwrap_or(0)
        };
        for _ in 0..DRAWN.min(size * size) {
            let (one, two) = (draw(), draw());
            if one != two {
                count(&mut counts, &self.levels(one, two), 1.0);
            }
        }
        counts.into_iter().map(shares).collect()
    }

    /// One round: who may be one person by the present weights, then the weights by who may be.
    fn improve(&mut self, levels: &[Levels], all: f64) {
        let mut counts = vec![[0.1; LEVELS]; self.partners.len()];
        let mut ones = 0.0;
        for levels in levels {
            let odds = self.odds(levels).exp();
            let chance = if odds.is_finite() { odds / (1.0 + odds) } else { 1.0 };
            ones += chance;
            count(&mut counts, levels, chance);
        }
        self.m = counts.into_iter().map(shares).collect();
        self.prior = (ones / all.max(1.0)).clamp(1e-12, 0.5);
    }

    fn odds(&self, levels: &[Option<Level>]) -> f64 {
        let fields = levels.iter().zip(&self.m).zip(&self.u);
        let weight = |((level, m), u): ((&Option<Level>, &[f64; LEVELS]), &[f64; LEVELS])| {
            let at = (*level)? as usize;
            Some((m.get(at)? / u.get(at)?).ln())
        };
        (self.prior / (1.0 - self.prior)).ln() + fields.filter_map(weight).sum::<f64>()
    }

    /// The log-odds that two records are one person's.
    pub(super) fn log_odds(&self, one: u32, two: u32) -> f64 {
        let levels = self.levels(one, two);
        let size = self.records.len() as f64;
        let rarity = |(at, level): (usize, &Option<Level>)| {
            let level = (*level).filter(|level| *level == Level::Equal)?;
            let value = self.records.get(one as usize)?.0.get(at)?.whole;
            let carriers = f64::from(*self.frequent.get(at)?.get(&value)?);
            let chance = self.u.get(at)?.get(level as usize)?;
            // Two carriers are the least there can be, and no value is so rare that it decides alone.
            Some((chance / (carriers / size)).ln().clamp(-3.0, 3.0))
        };
        self.odds(&levels) + levels.iter().enumerate().filter_map(rarity).sum::<f64>()
    }
}

fn frequencies(records: &[Tokens], fields: usize) -> Vec<HashMap<u64, u32>> {
    let mut frequent = vec![HashMap::new(); fields];
    for record in records {
        for (token, frequent) in record.0.iter().zip(&mut frequent).filter(|(token, _)| token.whole != 0) {
            *frequent.entry(token.whole).or_default() += 1;
        }
    }
    frequent
}

fn count(counts: &mut [[f64; LEVELS]], levels: &[Option<Level>], weight: f64) {
    for (counts, level) in counts.iter_mut().zip(levels) {
        if let Some(slot) = level.and_then(|level| counts.get_mut(level as usize)) {
            *slot += weight;
        }
    }
}

fn shares(counts: [f64; LEVELS]) -> [f64; LEVELS] {
    let sum: f64 = counts.iter().sum();
    counts.map(|count| (count / sum).max(1e-7))
}
