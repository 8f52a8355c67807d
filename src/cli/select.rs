//! `select`: tries a policy on tags from stdin, without any registry.

use std::collections::BTreeMap;

use clap::Args;
use serde::Serialize;

use crate::cli::output::{Exit, Output};
use crate::clock::Clock;
use crate::image::{Digest, Tag};
use crate::policy::{
    self, Conditions, Current, Datum, Evidence, Found, ManifestFact, Order, Outcome, Policy,
    Selection, Verdict,
};

mod arguments;
mod input;

use arguments::PolicyArguments;
use input::Input;

/// Tries a policy on tags from stdin, one per line
#[derive(Debug, Args)]
pub struct Select {
    #[command(flatten)]
    policy: PolicyArguments,
    /// The tag that runs now, or TAG@DIGEST; nothing lower is chosen
    #[arg(long, value_name = "TAG")]
    current: Option<String>,
}

#[derive(Serialize)]
struct Report {
    selected: Option<String>,
    reason: String,
    verdicts: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    tag: String,
    verdict: Verdict,
    reason: String,
}

/// Runs the command.
///
/// # Errors
/// When stdin or the file of the policy can't be read.
pub fn run(arguments: &Select, output: Output) -> anyhow::Result<Exit> {
    let Some(mut policy) = arguments.policy.policy(output)? else {
        return Ok(Exit::Invalid);
    };
    if policy.conditions != Conditions::default() {
        output.note("note: platforms, ages and rests are not looked at here");
        policy.conditions = Conditions::default();
    }
    let input = Input::read()?;
    let (tag, digest) = match &arguments.current {
        Some(text) => runs(text),
        None => (None, None),
    };
    let current = match (&arguments.current, &tag, &digest) {
        (_, Some(tag), Some(digest)) => Current::Pinned(tag, digest),
        (_, Some(tag), None) => Current::Tag(tag),
        (_, None, Some(digest)) => Current::Digest(digest),
        (Some(text), None, None) => Current::Unparsable(text),
        (None, None, None) => Current::Nothing,
    };
    let tags = input.tags();
    let pointed = pointed(&policy, &input);
    let mut evidence =
        Evidence::new(&tags, current, Clock::system().now()).with_times(&input.times);
    if let Some(pointed) = &pointed {
        evidence = evidence.with_manifests(pointed);
    }
    let selection = policy::select(&policy, &evidence);
    let report = report(&policy, &selection, &input);
    if output.is_json() {
        output.json(&report);
    } else {
        print(&report, output);
    }
    Ok(Exit::Done)
}

/// The tag and the digest that run, in `TAG`, `TAG@DIGEST` or `@DIGEST`; neither where it is none of these.
fn runs(text: &str) -> (Option<Tag>, Option<Digest>) {
    match text.split_once('@') {
        None => (text.parse().ok(), None),
        Some((tag, digest)) => match (tag, digest.parse()) {
            ("", Ok(digest)) => (None, Some(digest)),
            (tag, Ok(digest)) => match tag.parse() {
                Ok(tag) => (Some(tag), Some(digest)),
                Err(_) => (None, None),
            },
            (_, Err(_)) => (None, None),
        },
    }
}

/// What the tag that is followed points to, if one is and that was given.
fn pointed(policy: &Policy, input: &Input) -> Option<BTreeMap<Tag, ManifestFact>> {
    let Order::Digest(tag) = &policy.order else {
        return None;
    };
    let found = Found {
        // Nothing is known of its content, so another digest is another image.
        platforms: Datum::Absent,
        ..Found::from(input.digests.get(tag)?.clone())
    };
    Some([(tag.clone(), ManifestFact::Found(found))].into())
}

fn report(policy: &Policy, selection: &Selection, input: &Input) -> Report {
    let rank = policy.order.rank();
    let (selected, reason) = match &selection.outcome {
        Outcome::Selected(tag) => {
            let reason = match policy.order {
                Order::Digest(_) => "the tag that is followed".to_owned(),
                _ => format!("{} acceptable tag", rank.best()),
            };
            (Some(tag.to_string()), reason)
        }
        Outcome::UpToDate(tag) => {
            let reason = match policy.order {
                Order::Digest(_) => {
                    "the tag that is followed, and what it points to runs".to_owned()
                }
                _ => format!("runs, and nothing is {}", rank.better()),
            };
            (Some(tag.to_string()), reason)
        }
        Outcome::Nothing(why) => (None, why.to_string()),
        Outcome::Unordered(why) => (None, why.to_string()),
        // No more is asked of a manifest here than is given, so none can be needed.
        Outcome::Needs(_) => (None, "undecided".to_owned()),
    };
    let judged = selection.verdicts.iter().map(|verdict| Row {
        tag: verdict.tag.to_string(),
        verdict: verdict.verdict,
        reason: verdict.words(),
    });
    let strange = input.strangers.iter().map(|(line, reason)| Row {
        tag: line.clone(),
        verdict: Verdict::Rejected,
        reason: (*reason).to_owned(),
    });
    Report {
        selected,
        reason,
        verdicts: judged.chain(strange).collect(),
    }
}

fn print(report: &Report, output: Output) {
    match &report.selected {
        Some(tag) => output.line(output.paint("1;32", tag)),
        None => output.line(format!("nothing: {}", report.reason)),
    }
    if report.verdicts.is_empty() {
        return;
    }
    /// A column wider than this pushes the reasons off the screen.
    const MAX_WIDTH: usize = 40;
    let width = report
        .verdicts
        .iter()
        .map(|row| row.tag.chars().count())
        .max()
        .unwrap_or(0)
        .min(MAX_WIDTH);
    let mut text = String::from("\n");
    for row in &report.verdicts {
        let (word, style) = match row.verdict {
            Verdict::Selected => ("selected", "32"),
            Verdict::Acceptable => ("acceptable", "36"),
            Verdict::Rejected => ("rejected", "2"),
        };
        let word = output.paint(style, &format!("{word:<10}"));
        text.push_str(&format!("{word}  {:<width$}  {}\n", row.tag, row.reason));
    }
    output.raw(text);
}
