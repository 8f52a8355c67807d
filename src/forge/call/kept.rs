//! Answers that are kept, so that asking again costs a forge nothing where nothing changed.
//!
//! Invariant: at most [`MAX_ANSWERS`] answers and [`MAX_BYTES`] bytes are kept, the newest ones; an answer
//! is used only after the forge said that it still holds.
//!
//! Source: "Use conditional requests if appropriate" in "Best practices for using the REST API",
//! docs.github.com: an answer of 304 does not count against the limit.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use reqwest::header::HeaderValue;

use super::Reply;

/// Some for each of a few hundred open pull requests.
const MAX_ANSWERS: usize = 1000;

/// A few full pages and many small answers.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// The answers, oldest first.
#[derive(Default)]
pub(super) struct Kept(Mutex<VecDeque<Answer>>);

struct Answer {
    url: String,
    tag: HeaderValue,
    reply: Reply,
}

impl Kept {
    /// The answer that there was, with its tag.
    pub(super) fn find(&self, url: &str) -> Option<(HeaderValue, Reply)> {
        let answers = self.lock();
        let answer = answers.iter().find(|answer| answer.url == url)?;
        Some((answer.tag.clone(), answer.reply.clone()))
    }

    /// Keeps an answer, if it is not larger than all may be together.
    pub(super) fn keep(&self, url: &str, tag: HeaderValue, reply: &Reply) {
        let mut answers = self.lock();
        answers.retain(|answer| answer.url != url);
        answers.push_back(Answer {
            url: url.to_owned(),
            tag,
            reply: reply.clone(),
        });
        let size = |answer: &Answer| answer.reply.body.len();
        let mut bytes: usize = answers.iter().map(size).sum();
        while bytes > MAX_BYTES || answers.len() > MAX_ANSWERS {
            let Some(oldest) = answers.pop_front() else {
                break;
            };
            bytes -= size(&oldest);
        }
    }

    /// A poisoned lock still holds whole answers.
    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Answer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(bytes: usize) -> Reply {
        Reply {
            status: 200,
            headers: reqwest::header::HeaderMap::new(),
            body: vec![b' '; bytes].into(),
            host: String::new(),
            what: String::new(),
        }
    }

    #[test]
    fn the_newest_answers_are_kept() {
        let kept = Kept::default();
        let tag = HeaderValue::from_static("\"x\"");
        for n in 0..MAX_ANSWERS + 2 {
            kept.keep(&n.to_string(), tag.clone(), &reply(1));
        }
        kept.keep("5", tag.clone(), &reply(2));
        assert!(kept.find("1").is_none());
        assert!(kept.find("2").is_some());
        assert_eq!(kept.find("5").unwrap().1.body.len(), 2);
        kept.keep("half", tag.clone(), &reply(MAX_BYTES / 2));
        kept.keep("other half", tag.clone(), &reply(MAX_BYTES / 2));
        assert!(kept.find("5").is_none() && kept.find("half").is_some());
        kept.keep("huge", tag, &reply(MAX_BYTES + 1));
        assert!(kept.find("huge").is_none());
    }
}
