//! The tags on stdin, with the times or digests after them.
//!
//! Invariant: every line that is not empty is a tag or a stranger with a reason; none is lost.

use std::collections::BTreeMap;
use std::io::Read as _;

use anyhow::Context as _;
use jiff::Timestamp;

use crate::image::{Digest, Tag};
use crate::policy::{Datum, Time, TimeSource, Times};

/// Most bytes of tags read from stdin; the largest repositories known have some 200,000 tags.
const MAX_INPUT: u64 = 256 << 20;

/// What was read.
pub struct Input {
    /// The tags, each with the time that was given for it.
    pub times: BTreeMap<Tag, Times>,
    /// What tags point to, where that was given.
    pub digests: BTreeMap<Tag, Digest>,
    /// The lines that are no tags, each with what is wrong with it.
    pub strangers: Vec<(String, &'static str)>,
}

impl Input {
    /// Reads stdin.
    pub fn read() -> anyhow::Result<Self> {
        let mut text = String::new();
        std::io::stdin()
            .lock()
            .take(MAX_INPUT)
            .read_to_string(&mut text)
            .context("the tags on stdin can't be read")?;
        Ok(Self::parse(&text))
    }

    fn parse(text: &str) -> Self {
        let mut input = Self {
            times: BTreeMap::new(),
            digests: BTreeMap::new(),
            strangers: Vec::new(),
        };
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            match parse_line(line) {
                Ok((tag, After::Time(time))) => {
                    // Which of the two it is, the one who asks knows.
                    let (pushed, created) = (time, time);
                    input.times.insert(tag, Times { pushed, created });
                }
                Ok((tag, After::Digest(digest))) => {
                    let (pushed, created) = (Datum::Absent, Datum::Absent);
                    input.times.insert(tag.clone(), Times { pushed, created });
                    input.digests.insert(tag, digest);
                }
                Err(reason) => input.strangers.push((line.to_owned(), reason)),
            }
        }
        input
    }

    /// The tags.
    pub fn tags(&self) -> Vec<Tag> {
        self.times.keys().cloned().collect()
    }
}

/// What stands after a tag, if anything.
enum After {
    Time(Datum<Time>),
    Digest(Digest),
}

/// A tag, or a tag and a time or digest.
fn parse_line(line: &str) -> Result<(Tag, After), &'static str> {
    let (name, after) = match line.split_once(char::is_whitespace) {
        Some((name, after)) => (name, Some(after.trim())),
        None => (line, None),
    };
    let tag = name.parse().map_err(|_| "is not a valid tag")?;
    let after = match after {
        None => After::Time(Datum::Absent),
        Some(digest) if digest.starts_with("sha") => {
            let digest = digest.parse();
            After::Digest(digest.map_err(|_| "is not a tag and a digest such as sha256:…")?)
        }
        Some(time) if time.starts_with(|c: char| c.is_ascii_digit()) => {
            let at: Timestamp = time
                .parse()
                .map_err(|_| "is not a tag and a time such as 2026-04-01T10:00:00Z")?;
            let source = TimeSource::Given;
            After::Time(Datum::Known(Time { at, source }))
        }
        Some(_) => return Err("is not a valid tag"),
    };
    Ok((tag, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_tags_with_or_without_times_and_digests() {
        let digest = Digest::of(b"a");
        let input = Input::parse(&format!("a\nb {digest}\nc sha256:0\n"));
        assert_eq!(input.tags(), ["a", "b"].map(|tag| tag.parse().unwrap()));
        assert_eq!(input.digests.into_values().collect::<Vec<_>>(), [digest]);
        assert_eq!(input.strangers.len(), 1);

        let input = Input::parse(
            "a\n  b 2026-04-01T10:00:00Z \n\nc\t2026-04-01T12:00:00+02:00\nd 2026\ne f\n-g\na\n",
        );
        let seconds = |times: &Times| match times.pushed {
            Datum::Known(time) => Some(time.at.to_string()),
            _ => None,
        };
        let read: Vec<(&str, Option<String>)> = input
            .times
            .iter()
            .map(|(tag, times)| (tag.as_str(), seconds(times)))
            .collect();
        let ten = Some("2026-04-01T10:00:00Z".to_owned());
        assert_eq!(read, [("a", None), ("b", ten.clone()), ("c", ten)]);
        let strange: Vec<&str> = input.strangers.iter().map(|(line, _)| &**line).collect();
        assert_eq!(strange, ["d 2026", "e f", "-g"]);
    }
}
