//! The tags on stdin, with the times after them.
//!
//! Invariant: every line that is not empty is a tag or a stranger with a reason; none is lost.

use std::collections::BTreeMap;
use std::io::Read as _;

use anyhow::Context as _;
use jiff::Timestamp;

use crate::image::Tag;
use crate::policy::{Datum, Time, TimeSource, Times};

/// Most bytes of tags read from stdin; the largest repositories known have some 200,000 tags.
const MAX_INPUT: u64 = 256 << 20;

/// What was read.
pub struct Input {
    /// The tags, each with the time that was given for it.
    pub times: BTreeMap<Tag, Times>,
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
            strangers: Vec::new(),
        };
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            match parse_line(line) {
                Ok((tag, times)) => {
                    input.times.insert(tag, times);
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

/// A tag, or a tag and a time.
fn parse_line(line: &str) -> Result<(Tag, Times), &'static str> {
    let (name, time) = match line.split_once(char::is_whitespace) {
        Some((name, time)) => (name, Some(time.trim())),
        None => (line, None),
    };
    let tag = name.parse().map_err(|_| "is not a valid tag")?;
    let time = match time {
        None => Datum::Absent,
        Some(time) if time.starts_with(|c: char| c.is_ascii_digit()) => {
            let at: Timestamp = time
                .parse()
                .map_err(|_| "is not a tag and a time such as 2026-04-01T10:00:00Z")?;
            let source = TimeSource::Given;
            Datum::Known(Time { at, source })
        }
        Some(_) => return Err("is not a valid tag"),
    };
    // Which of the two it is, the one who asks knows.
    let (pushed, created) = (time, time);
    Ok((tag, Times { pushed, created }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_tags_with_or_without_times() {
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
