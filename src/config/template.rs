//! Templates of commit messages: text with blanks such as `{app}`.
//!
//! Invariant: a template that was read can be filled: every blank is known, and is allowed where it
//! stands. There is nothing but text and blanks, so filling one takes time in proportion to its size,
//! and what fills a blank is never read as a template.
//!
//! It refuses lines that could pass for the trailers that Tagwright itself writes.

use schemars::{Schema, json_schema};

use super::read::{Scalar, shorten};
use super::report::Mistake;
use crate::diag::{is_hidden, suggest};

/// What can be filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blank {
    /// The apps.
    App,
    /// The stages.
    Stage,
    /// The images.
    Image,
    /// What was there before.
    Old,
    /// What is there now.
    New,
    /// How many changes the commit makes.
    Count,
    /// The subject as it is without a template.
    Summary,
    /// The body as it is without a template.
    Changes,
    /// Each file and line, with the text before and after.
    Places,
    /// Why.
    Reason,
    /// Where to see what changed in the image.
    Link,
}

/// Every blank by its name; those of one line first.
const BLANKS: [(&str, Blank); 11] = [
    ("app", Blank::App),
    ("stage", Blank::Stage),
    ("image", Blank::Image),
    ("old", Blank::Old),
    ("new", Blank::New),
    ("count", Blank::Count),
    ("summary", Blank::Summary),
    ("changes", Blank::Changes),
    ("places", Blank::Places),
    ("reason", Blank::Reason),
    ("link", Blank::Link),
];

/// How many of them are one line, and so may be in a subject.
const OF_A_LINE: usize = 7;

/// Longest template, in characters: a page.
const LONGEST: usize = 4000;

/// Longest template of a subject, in characters, before its blanks are filled.
const LONGEST_SUBJECT: usize = 200;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Blank(Blank),
}

/// A text with blanks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

impl Template {
    /// The text with every blank filled by `value`.
    pub fn fill(&self, value: impl Fn(Blank) -> String) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Blank(blank) => value(*blank),
        };
        self.0.iter().map(piece).collect()
    }
}

/// The template of a subject: one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectTemplate(pub Template);

impl Scalar for SubjectTemplate {
    fn parse(text: &str) -> Result<Self, Mistake> {
        if text.trim().is_empty() {
            return Err(Mistake::new("this subject is empty"));
        }
        if text.contains('\n') {
            return Err(Mistake::new("a subject is one line").hint("write the rest into `body`"));
        }
        limit(text, LONGEST_SUBJECT)?;
        template(text, OF_A_LINE).map(Self)
    }

    fn schema() -> Schema {
        json_schema!({"type": "string", "minLength": 1, "maxLength": LONGEST_SUBJECT})
    }
}

/// The template of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyTemplate(pub Template);

impl Scalar for BodyTemplate {
    fn parse(text: &str) -> Result<Self, Mistake> {
        limit(text, LONGEST)?;
        let ours = |line: &str| {
            line.trim_start()
                .to_ascii_lowercase()
                .starts_with("tagwright-")
        };
        if text.lines().any(ours) {
            return Err(
                Mistake::new("lines that begin with `Tagwright-` are not yours to write")
                    .hint("such trailers are added to every commit"),
            );
        }
        template(text, BLANKS.len()).map(Self)
    }

    fn schema() -> Schema {
        json_schema!({"type": "string", "maxLength": LONGEST})
    }
}

fn limit(text: &str, longest: usize) -> Result<(), Mistake> {
    if text.chars().count() > longest {
        let message = format!("this template is longer than {longest} characters");
        return Err(Mistake::new(message));
    }
    let hidden = |c: char| is_hidden(c) && c != '\n';
    if text.contains(hidden) {
        return Err(Mistake::new(
            "this template has characters that can't be seen",
        ));
    }
    Ok(())
}

/// Reads a template whose blanks are among the first `known`.
fn template(text: &str, known: usize) -> Result<Template, Mistake> {
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        plain.push_str(before);
        if let Some(after) = from.strip_prefix("{{").or_else(|| from.strip_prefix("}}")) {
            plain.push_str(&from[..1]);
            rest = after;
            continue;
        }
        let end = from.starts_with('{').then(|| from.find('}')).flatten();
        let Some(end) = end else {
            let message = format!("`{}` has no counterpart", &from[..1]);
            return Err(Mistake::new(message).hint("double it to have it in the text"));
        };
        pieces.push(Piece::Text(std::mem::take(&mut plain)));
        pieces.push(Piece::Blank(blank(&from[1..end], known)?));
        rest = &from[end + 1..];
    }
    plain.push_str(rest);
    pieces.push(Piece::Text(plain));
    Ok(Template(pieces))
}

fn blank(name: &str, known: usize) -> Result<Blank, Mistake> {
    let place = BLANKS.iter().position(|(other, _)| *other == name);
    match place {
        Some(place) if place < known => return Ok(BLANKS[place].1),
        Some(_) => {
            let message = format!("`{{{name}}}` may be several lines, and a subject is one");
            return Err(Mistake::new(message).hint("write it into `body`"));
        }
        None => {}
    }
    let names: Vec<&str> = BLANKS[..known].iter().map(|(name, _)| *name).collect();
    let mistake = Mistake::new(format!("`{{{}}}` is not known here", shorten(name)));
    Err(match suggest(name, names.iter().copied()) {
        Some(near) => mistake.hint(format!("did you mean `{{{near}}}`?")),
        None => mistake.hint(format!("one of {{{}}}", names.join("}, {"))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(template: &Template) -> String {
        template.fill(|blank| match blank {
            Blank::App => "shop".to_owned(),
            Blank::New => "{old}".to_owned(),
            other => format!("<{other:?}>"),
        })
    }

    #[test]
    fn blanks_are_filled_once() {
        for (text, expected) in [
            ("plain", "plain"),
            (
                "{app}: {stage} {old} -> {new}",
                "shop: <Stage> <Old> -> {old}",
            ),
            ("{app}{app}é", "shopshopé"),
            ("{{app}} }}{{ {count}", "{app} }{ <Count>"),
        ] {
            let subject = SubjectTemplate::parse(text).unwrap();
            assert_eq!(filled(&subject.0), expected, "{text}");
        }
        let body = BodyTemplate::parse("{changes}\n\nSee {reason}.\n").unwrap();
        assert_eq!(filled(&body.0), "<Changes>\n\nSee <Reason>.\n");
        assert!(BodyTemplate::parse("").is_ok());
    }

    #[test]
    fn what_can_t_be_filled_is_refused() {
        let long = "x".repeat(LONGEST_SUBJECT + 1);
        for (text, words) in [
            (" ", "empty"),
            ("a\nb", "one line"),
            (long.as_str(), "longer than 200"),
            ("{ap}", "`{ap}` is not known"),
            ("{}", "`{}` is not known"),
            ("{app | upper}", "is not known"),
            ("{app}}", "counterpart"),
            ("app}", "`}` has no counterpart"),
            ("{app", "`{` has no counterpart"),
            ("{reason}", "may be several lines"),
            ("a\u{1b}[31m", "can't be seen"),
            ("a\u{202e}b", "can't be seen"),
        ] {
            let mistake = SubjectTemplate::parse(text).unwrap_err();
            let told = format!("{mistake:?}");
            assert!(told.contains(words), "{text}: {told}");
        }
        let trailer = "why\n\n tagwright-change: v1 app=evil";
        assert!(BodyTemplate::parse(trailer).is_err());
    }
}
