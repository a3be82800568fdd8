//! The report on a period: who worked on what, what was asked, refused, released and hidden, and what it rests on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::checklist::{Scored, roll_up};
use super::document::{Document, Part, figure, noted};
use super::leaving::{Erased, Leaving};
use super::reviews::Reviews;
use super::{chart, leaving, words};
use crate::Language;
use crate::number::{count, share};

/// The figures of a period.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// The first day, as `2026-11-01`.
    pub from: String,
    /// The last day.
    pub to: String,
    /// Whether the environment is a demo.
    pub is_demo: bool,
    /// The latest snapshot.
    pub snapshot: Option<String>,
    /// Persons in it.
    pub persons: u64,
    /// Rows in it.
    pub rows: u64,
    /// Months of service that it covers.
    pub covers: Option<(String, String)>,
    /// People of the house.
    pub people: People,
    /// Projects with a permit, now or in the period.
    pub projects: Vec<Project>,
    /// Applications by state.
    pub applications: BTreeMap<String, u64>,
    /// What became of questions.
    pub outcomes: BTreeMap<String, u64>,
    /// Questions over time, by outcome: a day, or a month where the period is long.
    pub over_time: BTreeMap<String, BTreeMap<String, u64>>,
    /// Refusals by rule.
    pub refused: BTreeMap<String, u64>,
    /// Denials by policy.
    pub denied: BTreeMap<String, u64>,
    /// Withheld and stopped answers, and faults, by reason.
    pub withheld: BTreeMap<String, u64>,
    /// Released cells.
    pub cells: u64,
    /// Hidden values in released tables.
    pub hidden: u64,
    /// Hidden values by rule, in tables that were released for the first time.
    pub hidden_by: BTreeMap<String, u64>,
    /// Answers held back beside an earlier one, by project.
    pub near_cohorts: BTreeMap<String, u64>,
    /// Incidents and near misses by kind of move.
    pub incidents: BTreeMap<String, u64>,
    /// How long outputs wait for their reviewers.
    #[serde(default)]
    pub reviews: Reviews,
    /// Releases that were none of the tables that their application planned, by project.
    #[serde(default)]
    pub outside_plan: BTreeMap<String, u64>,
    /// Rows that left outside of releases.
    #[serde(default)]
    pub provisions: Vec<Leaving>,
    /// Data that were erased.
    #[serde(default)]
    pub erased: Vec<Erased>,
    /// Acts on keys by kind.
    pub key_acts: BTreeMap<String, u64>,
    /// Keys as they are.
    pub keys: Vec<Key>,
    /// Deliveries that count, by database.
    pub deliveries: Vec<Deliveries>,
    /// What happened to deliveries, snapshots and the environment, by kind of entry.
    pub events: BTreeMap<String, u64>,
    /// The linkage that the next snapshot would be made of.
    pub linkage: Option<Linkage>,
    /// Entries of the record in the period.
    pub entries: u64,
    /// Entries of the whole record, which verified.
    pub all_entries: u64,
    /// The checklist, line by line.
    pub checklist: Vec<Scored>,
}

/// People of the house.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct People {
    /// Who may act.
    pub active: u64,
    /// Who was shut out.
    pub shut_out: u64,
    /// Active people by role.
    pub roles: BTreeMap<String, u64>,
    /// Active people whose training has run out.
    pub untrained: u64,
    /// Users who asked something in the period.
    pub asked: u64,
}

/// What a project did in the period.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    /// The project.
    pub project: String,
    /// Its title in Japanese.
    pub ja: String,
    /// Its title in English.
    pub en: String,
    /// `active`, `expired`, `withdrawn`, `not-yet`.
    pub state: String,
    /// The last day of its permit.
    pub valid_until: String,
    /// Persons whom it names.
    pub named: u64,
    /// Questions by outcome.
    pub outcomes: BTreeMap<String, u64>,
    /// Milliseconds from the opening of its queries to their end.
    pub milliseconds: u64,
}

/// A key, as anybody may see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// What it is for.
    pub role: String,
    /// Its epoch.
    pub epoch: u32,
    /// `current`, `former`, `destroyed`.
    pub state: String,
}

/// Deliveries of a database and what became of their lines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deliveries {
    /// The database.
    pub database: String,
    /// Deliveries.
    pub deliveries: u64,
    /// Lines read.
    pub read: u64,
    /// Lines stored.
    pub stored: u64,
    /// Lines dropped by class.
    pub dropped: u64,
    /// Lines in quarantine.
    pub quarantined: u64,
}

/// What linking found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Linkage {
    /// Identities.
    pub mentions: u64,
    /// Persons.
    pub persons: u64,
    /// Joins by rule.
    pub rules: BTreeMap<String, u64>,
    /// Keys held apart, by kind.
    pub conflicts: BTreeMap<String, u64>,
}

impl Period {
    fn sum(&self, outcomes: &[&str]) -> u64 {
        outcomes.iter().filter_map(|word| self.outcomes.get(*word)).sum()
    }

    fn questions(&self) -> u64 {
        self.outcomes.values().sum()
    }

    /// The report in words.
    pub fn document(&self, language: Language) -> Document {
        let w = |ja, en| language.pick(ja, en);
        let mut document = Document::new(
            language,
            w("審査会への期間報告書", "Report to the review board"),
            self.period(language),
        );
        document.footer = w("misu 期間報告書", "misu period report").to_owned();
        self.facts(&mut document, language);
        document.section(w("概要", "At a glance"), self.glance(language));
        document.section(w("照会と開示", "Questions and releases"), self.asked(language));
        document.section(w("拒否・不許可・保留", "Refused, denied, withheld"), self.refusals(language));
        document.section(w("秘匿と警告", "What was hidden, and alerts"), self.protection(language));
        document.section(w("出力審査", "Output reviews"), self.reviews.parts(language));
        document.section(
            w("行データの提供とデータの消去", "Rows provided, data erased"),
            vec![leaving::provisions(&self.provisions, language), leaving::erasures(&self.erased, language)],
        );
        document.section(w("課題と利用者", "Projects and people"), self.projects(language));
        document.section(w("データと連結", "Data and linkage"), self.data(language));
        document.section(w("鍵と運用の記録", "Keys and operations"), self.operations(language));
        document.section(w("評価表", "Checklist"), super::checklist::parts(&self.checklist, language));
        document
    }

    fn period(&self, language: Language) -> String {
        format!("{} {} {}", self.from, language.pick("〜", "to"), self.to)
    }

    fn facts(&self, document: &mut Document, language: Language) {
        let w = |ja, en| language.pick(ja, en);
        if self.is_demo {
            document.fact(
                w("注意", "Note"),
                w(
                    "デモ環境である。鍵は種から導かれ、何も保護しない。データは架空である。",
                    "This is a demo: its keys protect nothing, its data are invented.",
                ),
            );
        }
        if let Some(snapshot) = &self.snapshot {
            document.fact(w("最新のスナップショット", "Latest snapshot"), snapshot.clone());
        }
        if let Some((from, to)) = &self.covers {
            document.fact(w("収載期間", "Months covered"), format!("{from} {} {to}", w("〜", "to")));
        }
        document.fact(
            w("監査記録", "Record"),
            match language {
                Language::Japanese => format!(
                    "全 {} 項を先頭から検証した。うち期間内 {} 項。",
                    count(self.all_entries),
                    count(self.entries)
                ),
                Language::English => format!(
                    "{} entries verified from the first to the last; {} of them in the period.",
                    count(self.all_entries),
                    count(self.entries)
                ),
            },
        );
    }

    fn glance(&self, language: Language) -> Vec<Part> {
        let w = |ja, en| language.pick(ja, en);
        let no = self.sum(&["refused", "denied"]);
        let values = self.cells.saturating_add(self.hidden);
        let alerts: u64 = self.near_cohorts.values().sum();
        let incidents: u64 = self.incidents.values().sum();
        let score = roll_up(&self.checklist);
        vec![Part::Figures(vec![
            figure(w("利用中の課題", "Projects in use"), count(self.in_use())),
            noted(
                w("照会", "Questions"),
                count(self.questions()),
                format!("{} {}", w("利用者", "by users:"), count(self.people.asked)),
            ),
            noted(
                w("開示", "Released"),
                count(self.sum(&["released"])),
                share(self.sum(&["released"]), self.questions()),
            ),
            noted(w("拒否・不許可", "Refused or denied"), count(no), share(no, self.questions())),
            noted(
                w("秘匿した値", "Values hidden"),
                count(self.hidden),
                format!("{} {}", w("開示表の値の", "of released values:"), share(self.hidden, values)),
            ),
            figure(w("近接集団の警告", "Near-cohort alerts"), count(alerts)),
            figure(w("事故・ヒヤリハットの記録", "Incident entries"), count(incidents)),
            noted(
                w("評価表の得点", "Checklist score"),
                format!("{} / {}", score.points, score.most),
                format!("{} {}", w("必須で未達", "mandatory lines not met:"), score.mandatory_unmet),
            ),
        ])]
    }

    fn in_use(&self) -> u64 {
        self.projects.iter().filter(|project| project.state == "active").count() as u64
    }

    fn asked(&self, language: Language) -> Vec<Part> {
        let w = |ja, en| language.pick(ja, en);
        let labels: Vec<&str> = self.over_time.keys().map(String::as_str).collect();
        let of = |words: &[&str]| -> Vec<u64> {
            let sum = |at: &BTreeMap<String, u64>| words.iter().filter_map(|word| at.get(*word)).sum();
            self.over_time.values().map(sum).collect()
        };
        let series = [
            chart::Series { name: w("開示", "released"), color: "#2b5d6b", values: of(&["released"]) },
            chart::Series { name: w("拒否", "refused"), color: "#c58b3b", values: of(&["refused"]) },
            chart::Series { name: w("不許可", "denied"), color: "#a9563f", values: of(&["denied"]) },
            chart::Series {
                name: w("保留・その他", "withheld and other"),
                color: "#8f9aa0",
                values: of(&["withheld", "stopped", "failed", "abandoned", "open"]),
            },
        ];
        let all = self.questions();
        let rows = self
            .outcomes
            .iter()
            .map(|(word, number)| vec![words::outcome(word, language), count(*number), share(*number, all)]);
        vec![
            Part::chart(
                chart::piles(&labels, &series),
                w("照会の数と結果の推移（日または月ごと）", "Questions and how they ended, by day or month"),
            ),
            Part::table(
                w("結果", "outcomes"),
                &[w("結果*", "outcome*"), w("件数#", "questions#"), w("割合#", "share#")],
                rows.collect(),
            ),
        ]
    }

    fn refusals(&self, language: Language) -> Vec<Part> {
        let w = |ja, en| language.pick(ja, en);
        let flat = |map: &BTreeMap<String, u64>| -> Vec<(String, u64)> {
            map.iter().map(|(name, number)| (name.clone(), *number)).collect()
        };
        let kinds = [
            (w("拒否の規則", "rule"), &self.refused),
            (w("不許可の方針", "policy"), &self.denied),
            (w("保留・停止・障害の理由", "reason"), &self.withheld),
        ];
        let rows = kinds.iter().flat_map(|(kind, map)| {
            map.iter().map(|(name, number)| vec![(*kind).to_owned(), name.clone(), count(*number)])
        });
        vec![
            Part::chart(
                chart::ranking(&flat(&self.refused), "#c58b3b"),
                w("拒否の件数（規則ごと）", "Refusals by rule"),
            ),
            Part::table(
                w("拒否と保留", "refusals"),
                &[w("種類", "kind"), w("規則・理由*", "rule or reason*"), w("件数#", "questions#")],
                rows.collect(),
            ),
        ]
    }

    fn protection(&self, language: Language) -> Vec<Part> {
        let w = |ja, en| language.pick(ja, en);
        let hidden: Vec<(String, u64)> =
            self.hidden_by.iter().map(|(rule, number)| (words::hiding(rule, language), *number)).collect();
        let by_project = |map: &BTreeMap<String, u64>| {
            map.iter().map(|(project, number)| vec![project.clone(), count(*number)]).collect()
        };
        vec![
            Part::chart(
                chart::ranking(&hidden, "#2b5d6b"),
                w("秘匿した値の数（規則ごと、初回の開示）", "Values hidden, by rule (first releases)"),
            ),
            Part::table(
                w("秘匿", "hidden"),
                &[w("規則*", "rule*"), w("値の数#", "values#")],
                hidden.iter().map(|(rule, number)| vec![rule.clone(), count(*number)]).collect(),
            ),
            Part::table(
                w("近接集団の警告", "near cohorts"),
                &[w("課題*", "project*"), w("警告#", "alerts#")],
                by_project(&self.near_cohorts),
            ),
            Part::table(
                w("申出の計画にない開示", "releases outside of the plan"),
                &[w("課題*", "project*"), w("開示#", "releases#")],
                by_project(&self.outside_plan),
            ),
        ]
    }

    fn projects(&self, language: Language) -> Vec<Part> {
        let w = |ja, en| language.pick(ja, en);
        let row = |project: &Project| {
            let of = |word: &str| count(project.outcomes.get(word).copied().unwrap_or(0));
            vec![
                project.project.clone(),
                language.pick(&project.ja, &project.en).to_owned(),
                words::state(&project.state, language),
                project.valid_until.clone(),
                count(project.named),
                of("released"),
                of("refused"),
                of("denied"),
                of("withheld"),
                seconds(project.milliseconds),
            ]
        };
        let roles = self.people.roles.iter().map(|(role, number)| vec![role.clone(), count(*number)]);
        let states = self
            .applications
            .iter()
            .map(|(state, number)| vec![words::state(state, language), count(*number)]);
        vec![
            Part::table(
                w("課題", "projects"),
                &[
                    w("課題", "project"),
                    w("題名*", "title*"),
                    w("状態", "state"),
                    w("期限", "until"),
                    w("記名者#", "people#"),
                    w("開示#", "released#"),
                    w("拒否#", "refused#"),
                    w("不許可#", "denied#"),
                    w("保留#", "withheld#"),
                    w("秒#", "seconds#"),
                ],
                self.projects.iter().map(row).collect(),
            ),
            Part::Figures(vec![
                figure(w("登録者", "People"), count(self.people.active)),
                figure(w("利用停止者", "Shut out"), count(self.people.shut_out)),
                figure(w("研修期限切れ", "Training run out"), count(self.people.untrained)),
            ]),
            Part::table(w("役割", "roles"), &[w("役割*", "role*"), w("人数#", "people#")], roles.collect()),
            Part::table(
                w("申出", "applications"),
                &[w("申出の状態*", "state of applications*"), w("件数#", "number#")],
                states.collect(),
            ),
        ]
    }

    fn data(&self, language: Language) -> Vec<Part> {
        let w = |ja, en| language.pick(ja, en);
        let row = |of: &Deliveries| {
            let numbers = [of.deliveries, of.read, of.stored, of.dropped, of.quarantined].map(count);
            let mut row = vec![words::database(&of.database, language)];
            row.extend(numbers);
            row.push(share(of.quarantined, of.read));
            row
        };
        let mut parts = vec![
            Part::Figures(vec![
                figure(w("連結された個人", "Linked persons"), count(self.persons)),
                figure(w("行", "Rows"), count(self.rows)),
            ]),
            Part::table(
                w("受領", "deliveries"),
                &[
                    w("データベース*", "database*"),
                    w("受領#", "deliveries#"),
                    w("読込行#", "lines read#"),
                    w("格納#", "stored#"),
                    w("除外#", "dropped#"),
                    w("隔離#", "quarantined#"),
                    w("隔離率#", "share#"),
                ],
                self.deliveries.iter().map(row).collect(),
            ),
        ];
        if let Some(linkage) = &self.linkage {
            parts.push(Part::Figures(vec![
                figure(w("識別の組", "Identities"), count(linkage.mentions)),
                figure(w("個人", "Persons"), count(linkage.persons)),
            ]));
            let joined = |(rule, number): (&String, &u64)| {
                vec![
                    w("結合した規則", "rule that joined").to_owned(),
                    words::joining(rule, language),
                    count(*number),
                ]
            };
            let apart = |(kind, number): (&String, &u64)| {
                vec![
                    w("分けたままの理由", "held apart").to_owned(),
                    words::apart(kind, language),
                    count(*number),
                ]
            };
            let rows: Vec<Vec<String>> =
                linkage.rules.iter().map(joined).chain(linkage.conflicts.iter().map(apart)).collect();
            parts.push(Part::table(
                w("連結", "linkage"),
                &[w("種類", "kind"), w("規則・理由*", "rule or reason*"), w("件数#", "number#")],
                rows,
            ));
        }
        parts
    }

    fn operations(&self, language: Language) -> Vec<Part> {
        let w = |ja, en| language.pick(ja, en);
        let keys = self.keys.iter().map(|key| {
            let state = match key.state.as_str() {
                "current" => w("現用", "current"),
                "former" => w("旧", "former"),
                _ => w("破棄済", "destroyed"),
            };
            vec![key.role.clone(), key.epoch.to_string(), state.to_owned()]
        });
        let acts = self.key_acts.iter().chain(&self.events).chain(&self.incidents);
        vec![
            Part::table(
                w("鍵", "keys"),
                &[w("用途*", "role*"), w("世代#", "epoch#"), w("状態", "state")],
                keys.collect(),
            ),
            Part::table(
                w("記録の種類", "entries"),
                &[w("記録の種類*", "kind of entry*"), w("件数#", "entries#")],
                acts.map(|(kind, number)| vec![kind.clone(), count(*number)]).collect(),
            ),
        ]
    }
}

fn seconds(milliseconds: u64) -> String {
    format!("{}.{}", count(milliseconds / 1000), milliseconds % 1000 / 100)
}
