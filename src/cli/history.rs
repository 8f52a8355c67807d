//! `history [APP]`: who or what changed which image when and why, and who decided what, from Git.
//!
//! Invariant: the text and the JSON say the same, the newest first. Where the history ends before it began
//! is said.

use std::path::Path;

use anyhow::Context as _;
use clap::Args;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::cli::output::{Exit, Output};
use crate::cli::service;
use crate::clock::Clock;
use crate::config::{self, Repository};
use crate::decision::Decision;
use crate::decision::freeze::{Freezing, Stages};
use crate::driver::{self, Entry};
use crate::reconcile::decided::Written;
use crate::reconcile::history::{End, Event, Hand, History, Question, What};
use crate::state::State;

/// Prints who or what changed which image when and why, and who decided what, from Git
#[derive(Debug, Args)]
pub struct Arguments {
    /// Only this app
    #[arg(value_name = "APP")]
    app: Option<String>,
    /// Only stages of this name
    #[arg(long, value_name = "STAGE")]
    stage: Option<String>,
    /// Nothing before: a time, a date, or how long ago, such as 7d
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// How much to print of each config repo, the newest; 0 for all
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
    /// The config repo, where the configuration has several
    #[arg(long, value_name = "NAME")]
    repository: Option<String>,
}

#[derive(Serialize)]
struct Histories {
    repositories: Vec<HistoryView>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HistoryView {
    repository: String,
    commit: String,
    events: Vec<EventView>,
    /// `beginning`, `asked` or `notFetched`.
    end: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EventView {
    at: Timestamp,
    #[serde(skip_serializing_if = "String::is_empty")]
    app: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    stage: String,
    /// The stages that a freeze names; every stage where it names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    stages: Option<Vec<String>>,
    /// `updated`, `changed`, `wentBack`, `began`, `decided` or `withdrawn`.
    what: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    begins: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
    from: Vec<String>,
    to: Vec<String>,
    by: String,
    commit: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    reason: String,
    /// Who approved it, where that was needed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    approved_by: Vec<String>,
}

/// Runs the command.
///
/// # Errors
/// When the configuration can't be read, or there is no such stage. A config repo that can't be read is
/// printed, and the others are told.
pub async fn run(
    arguments: &Arguments,
    config: Option<&Path>,
    output: Output,
) -> anyhow::Result<Exit> {
    let Some(service) = service::load(config, output)? else {
        return Ok(Exit::Invalid);
    };
    let clock = Clock::system();
    let question = Question {
        app: arguments.app.clone(),
        stage: arguments.stage.clone(),
        since: match &arguments.since {
            Some(text) => Some(since(text, clock.now())?),
            None => None,
        },
        most: (arguments.limit > 0).then_some(arguments.limit),
    };
    let state = service::cache(&service)?;
    let mut entries = driver::entries(&service, &state, &clock)?;
    if let Some(name) = &arguments.repository {
        entries.retain(|entry| entry.repository().name.as_str() == name);
        anyhow::ensure!(!entries.is_empty(), "no config repo is named `{name}`");
    }
    let asked = question.app.is_some() || question.stage.is_some();
    let mut told = Vec::new();
    let mut exit = Exit::Done;
    for entry in &entries {
        match history(entry, &state, &question).await {
            Ok(history) if history.stages > 0 || !asked => {
                told.push(HistoryView::of(entry.repository(), history));
            }
            Ok(_) => {}
            Err(error) => {
                output.note(format!("error: {error}"));
                exit = Exit::Failed;
            }
        }
    }
    anyhow::ensure!(
        !told.is_empty() || exit == Exit::Failed,
        "no config repo has a valid app with such a stage; `tagwright check` tells what is wrong with app files"
    );
    if output.is_json() {
        output.json(&Histories { repositories: told });
    } else {
        for view in &told {
            print(view, output);
        }
    }
    Ok(exit)
}

async fn history(entry: &Entry, state: &State, question: &Question) -> Result<History, String> {
    let opened = entry.open(state).map_err(|error| driver::words(&error));
    let history = opened?.history(question).await;
    history.map_err(|error| driver::words(&error))
}

/// A time that is written as one, as a day, or as how long ago it was.
fn since(text: &str, now: Timestamp) -> anyhow::Result<Timestamp> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    if let Ok(day) = text.parse::<jiff::civil::Date>() {
        return Ok(day.to_zoned(jiff::tz::TimeZone::UTC)?.timestamp());
    }
    let ago = config::duration(text).and_then(|ago| SignedDuration::try_from(ago).ok());
    let ago = ago.with_context(|| {
        format!("`{text}` is no time: write 2026-12-01T09:00:00Z, 2026-12-01 or 7d")
    })?;
    // What is longer ago than there are times is from the beginning.
    Ok(now.checked_sub(ago).unwrap_or(Timestamp::MIN))
}

impl HistoryView {
    fn of(repository: &Repository, history: History) -> Self {
        Self {
            repository: repository.name.to_string(),
            commit: history.head.to_string(),
            events: history.events.into_iter().map(EventView::of).collect(),
            end: match history.end {
                End::Beginning => "beginning",
                End::Asked => "asked",
                End::NotFetched => "notFetched",
            },
        }
    }
}

impl EventView {
    fn of(event: Event) -> Self {
        let mut view = Self {
            at: event.by.at,
            app: event.app,
            stage: event.stage,
            stages: None,
            what: "",
            decision: None,
            reference: None,
            begins: None,
            until: None,
            from: Vec::new(),
            to: Vec::new(),
            by: event.by.name,
            commit: event.by.commit,
            reason: event.why,
            approved_by: event.approved,
        };
        match event.what {
            What::Changed { from, to, hand } => {
                view.what = match hand {
                    Hand::Service => "updated",
                    Hand::Person => "changed",
                    Hand::Back => "wentBack",
                };
                (view.from, view.to) = (from, to);
            }
            What::Began(runs) => (view.what, view.to) = ("began", runs),
            What::Decided(decision) => view.decided("decided", &decision),
            What::Withdrawn(decision) => view.decided("withdrawn", &decision),
        }
        view
    }

    fn decided(&mut self, what: &'static str, written: &Written) {
        self.what = what;
        self.decision = Some(written.word());
        match written {
            Written::Decision(decision) => {
                self.reference = decision.what().map(ToString::to_string);
                if let Decision::Hold { until, .. } = decision {
                    self.until = *until;
                }
            }
            Written::Freezing(freezing) => {
                self.stages = Some(match freezing.stages() {
                    Stages::All => Vec::new(),
                    Stages::Named(names) => names.clone(),
                });
                if let Freezing::Freeze { from, until, .. } = freezing {
                    (self.begins, self.until) = (*from, *until);
                }
            }
        }
    }

    /// `APP/STAGE`, with a star for what is not one.
    fn name(&self) -> String {
        match self.stages.as_deref() {
            None => format!("{}/{}", self.app, self.stage),
            Some([]) => "*/*".to_owned(),
            Some(names) => format!("*/{}", names.join(",")),
        }
    }

    /// What happened, in a few words.
    fn words(&self) -> String {
        let list = |texts: &[String]| match texts {
            [] => "nothing".to_owned(),
            _ => {
                let short = texts.iter().map(|text| short(text));
                short.collect::<Vec<_>>().join(", ")
            }
        };
        let reference = self.reference.as_deref().map(|text| {
            let tag = text.rsplit_once('/').map_or(text, |(_, last)| last);
            format!(" {}", short(tag))
        });
        let reference = reference.unwrap_or_default();
        let from = self.begins.map(|from| format!(" from {from}"));
        let until = self.until.map(|until| format!(" until {until}"));
        let times = from.unwrap_or_default() + &until.unwrap_or_default();
        match (self.what, self.decision) {
            ("began", _) => format!("began at {}", list(&self.to)),
            ("withdrawn", Some(word)) => format!("took back {word}{reference}"),
            (_, Some(word)) => format!("{word}{reference}{times}"),
            _ => format!("{} -> {}", list(&self.from), list(&self.to)),
        }
    }
}

/// A text with no more of a digest than tells two apart.
fn short(text: &str) -> String {
    const SHORT: usize = 12;
    let Some((before, digest)) = text.split_once("sha256:") else {
        return text.to_owned();
    };
    format!("{before}{}", digest.get(..SHORT).unwrap_or(digest))
}

fn print(view: &HistoryView, output: Output) {
    /// A column wider than this pushes the reasons off the screen.
    const MAX_WIDTH: usize = 48;
    let commit = |id: &str| id.get(..12).unwrap_or(id).to_owned();
    output.note(format!("{} at {}", view.repository, commit(&view.commit)));
    let rows: Vec<[String; 3]> = view
        .events
        .iter()
        .map(|event| [event.name(), event.words(), event.by.clone()])
        .collect();
    let width = |column: usize| {
        let longest = rows.iter().map(|row| row[column].chars().count()).max();
        longest.unwrap_or(0).min(MAX_WIDTH)
    };
    let widths = [width(0), width(1), width(2)];
    for (event, [name, what, by]) in view.events.iter().zip(&rows) {
        let style = match event.what {
            "updated" => "32",
            "changed" | "wentBack" => "33",
            "decided" | "withdrawn" => "36",
            _ => "2",
        };
        let (pad, at) = (widths[1], event.at);
        let what = output.paint(style, &format!("{what:<pad$}"));
        let line = format!(
            "{at}  {name:<0$}  {what}  {by:<1$}  {2}  {3}",
            widths[0],
            widths[2],
            output.paint("2", &commit(&event.commit)),
            event.reason
        );
        output.line(line.trim_end());
    }
    match view.end {
        "notFetched" => output.note("what was before has not been fetched"),
        "asked" => output.note("and more before (--limit 0 and an earlier --since print it)"),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_a_time_a_day_or_how_long_ago() {
        let now = "2026-03-02T09:30:00Z".parse().unwrap();
        for (text, expected) in [
            ("2026-03-01T00:00:00Z", Some("2026-03-01T00:00:00Z")),
            ("2026-03-01", Some("2026-03-01T00:00:00Z")),
            ("7d", Some("2026-02-23T09:30:00Z")),
            ("90m", Some("2026-03-02T08:00:00Z")),
            ("yesterday", None),
            ("", None),
        ] {
            let found = since(text, now).ok().map(|time| time.to_string());
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn digests_are_shortened() {
        for (text, expected) in [
            ("1.0.0", "1.0.0"),
            ("1.0.0@sha256:0123456789abcdef", "1.0.0@0123456789ab"),
            ("sha256:01", "01"),
        ] {
            assert_eq!(short(text), expected);
        }
    }
}
