//! `select`: tries a policy on tags from stdin, without any registry.

use std::io::Read as _;
use std::str::FromStr;

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;

use crate::cli::output::{Exit, Output};
use crate::clock::Clock;
use crate::image::Tag;
use crate::policy::{
    self, Conditions, Current, Evidence, Ignore, Order, Outcome, Parts, Pattern, Policy,
    Prereleases, Range, Selection, Unordered, Variant, Verdict,
};

/// Most bytes of tags read from stdin; the largest repositories known have some 200,000 tags.
const MAX_INPUT: u64 = 256 << 20;

/// Tries a policy on tags from stdin, one per line
#[derive(Debug, Args)]
pub struct Select {
    /// The versions to accept, such as "^1" or ">=6.0.0 <7.0.0"
    #[arg(long, value_name = "RANGE", default_value = "*")]
    semver: String,
    /// What a tag must match: an unanchored regular expression; a group named `version` is what is
    /// ordered
    #[arg(long = "match", value_name = "REGEX")]
    pattern: Option<String>,
    /// Tags to ignore: a glob; may be given several times
    #[arg(long, value_name = "GLOB")]
    ignore: Vec<String>,
    /// Accept pre-releases everywhere (true) or nowhere (false); the default is what the range says
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    prereleases: Option<bool>,
    /// Admit versions of one and two parts
    #[arg(long)]
    loose: bool,
    /// The variant a tag must be of: keep, any, or a name such as alpine
    #[arg(long, value_name = "keep|any|NAME", default_value = "keep")]
    variant: String,
    /// The tag that runs now; nothing lower is chosen
    #[arg(long, value_name = "TAG")]
    current: Option<String>,
    /// Choose freely when the current tag can't be ordered
    #[arg(long, value_parser = ["replace"])]
    unordered: Option<String>,
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
/// When stdin can't be read.
pub fn run(arguments: &Select, output: Output) -> anyhow::Result<Exit> {
    let policy = match policy_of(arguments) {
        Ok(policy) => policy,
        Err(error) => {
            output.note(format!("error: {error:#}"));
            return Ok(Exit::Invalid);
        }
    };
    if let Order::Semver(range) = &policy.order {
        for lint in range.lints() {
            output.note(format!("warning: {lint}"));
        }
    }
    let (tags, strangers) = read_tags()?;
    let current = arguments
        .current
        .as_deref()
        .map(|text| (text, Tag::from_str(text)));
    let current = match &current {
        None => Current::Nothing,
        Some((_, Ok(tag))) => Current::Tag(tag),
        Some((text, Err(_))) => Current::Unparsable(text),
    };
    let now = Clock::system().now();
    let selection = policy::select(&policy, &Evidence::new(&tags, current, now));
    let report = report(&selection, &strangers);
    if output.is_json() {
        output.json(&report);
    } else {
        print(&report, output);
    }
    Ok(Exit::Done)
}

fn policy_of(arguments: &Select) -> anyhow::Result<Policy> {
    let range = Range::from_str(&arguments.semver).map_err(|error| {
        let (text, hint) = (&arguments.semver, error.hint());
        anyhow::anyhow!("`--semver {text}`: {error} ({hint})")
    })?;
    let pattern = arguments
        .pattern
        .as_deref()
        .map(|text| Pattern::from_str(text).with_context(|| format!("`--match {text}`")))
        .transpose()?;
    let ignore = Ignore::new(&arguments.ignore).context("`--ignore`")?;
    Ok(Policy {
        order: Order::Semver(range),
        pattern,
        ignore,
        prereleases: match arguments.prereleases {
            None => Prereleases::FromRange,
            Some(true) => Prereleases::Allow,
            Some(false) => Prereleases::Deny,
        },
        variant: match arguments.variant.as_str() {
            "keep" => Variant::Keep,
            "any" => Variant::Any,
            name => Variant::Named(name.to_owned()),
        },
        loose: if arguments.loose {
            Parts::Loose
        } else {
            Parts::Three
        },
        level: None,
        conditions: Conditions::default(),
        unordered: if arguments.unordered.is_some() {
            Unordered::Replace
        } else {
            Unordered::Hold
        },
    })
}

/// The tags on stdin, and the lines that are none.
fn read_tags() -> anyhow::Result<(Vec<Tag>, Vec<String>)> {
    let mut text = String::new();
    std::io::stdin()
        .lock()
        .take(MAX_INPUT)
        .read_to_string(&mut text)
        .context("the tags on stdin can't be read")?;
    let mut tags = Vec::new();
    let mut strangers = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        match Tag::from_str(line) {
            Ok(tag) => tags.push(tag),
            Err(_) => strangers.push(line.to_owned()),
        }
    }
    tags.sort();
    tags.dedup();
    Ok((tags, strangers))
}

fn report(selection: &Selection, strangers: &[String]) -> Report {
    let (selected, reason) = match &selection.outcome {
        Outcome::Selected(tag) => (Some(tag.to_string()), "highest acceptable tag".to_owned()),
        Outcome::UpToDate(tag) => (
            Some(tag.to_string()),
            "runs, and nothing is higher".to_owned(),
        ),
        Outcome::Nothing(why) => (None, why.to_string()),
        Outcome::Unordered(why) => (None, why.to_string()),
        // Manifests aren't consulted here, so none can be needed.
        Outcome::Needs(_) => (None, "undecided".to_owned()),
    };
    let judged = selection.verdicts.iter().map(|verdict| Row {
        tag: verdict.tag.to_string(),
        verdict: verdict.verdict,
        reason: verdict.words(),
    });
    let strange = strangers.iter().map(|line| Row {
        tag: line.clone(),
        verdict: Verdict::Rejected,
        reason: "is not a valid tag".to_owned(),
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
