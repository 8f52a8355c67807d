//! A policy in one line, as its keys are written.
//!
//! Invariant: every key that differs from its default is there, so that two policies with one line decide
//! alike; what is as it always is goes without saying.
//!
//! For people: the line is no YAML that can be read back.

use std::fmt;
use std::time::Duration;

use super::{Conditions, OnMissingTime, Parts, Policy, Prereleases, Span, Unordered, Variant};

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.order)?;
        if let Some(pattern) = &self.pattern {
            write!(f, ", match '{pattern}'")?;
            if let Some(key) = pattern.key() {
                write!(f, " with key '{key}'")?;
            }
        }
        list(f, "ignore", self.ignore.globs())?;
        match self.prereleases {
            Prereleases::FromRange => {}
            Prereleases::Allow => f.write_str(", prereleases true")?,
            Prereleases::Deny => f.write_str(", prereleases false")?,
        }
        if self.loose == Parts::Loose {
            f.write_str(", loose true")?;
        }
        if let Some(level) = self.level {
            write!(f, ", level {}", level.as_str())?;
        }
        match &self.variant {
            Variant::Keep => {}
            Variant::Any => f.write_str(", variant any")?,
            Variant::Named(name) => write!(f, ", variant \"{name}\"")?,
        }
        conditions(f, &self.conditions)?;
        match self.unordered {
            Unordered::Hold => Ok(()),
            Unordered::Replace => f.write_str(", unordered replace"),
        }
    }
}

fn conditions(f: &mut fmt::Formatter<'_>, conditions: &Conditions) -> fmt::Result {
    list(f, "platforms", &conditions.platforms)?;
    if let Some(age) = conditions.minimum_age {
        write!(f, ", minimumAge {age}")?;
        match conditions.on_missing_time {
            OnMissingTime::FirstSeen => {}
            OnMissingTime::Hold => f.write_str(", onMissingTime hold")?,
            OnMissingTime::Allow => f.write_str(", onMissingTime allow")?,
        }
    }
    match conditions.settle {
        Some(rest) => write!(f, ", settle {rest}"),
        None => Ok(()),
    }
}

/// `, NAME [ONE, OTHER]`, if there are any.
fn list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, name: &str, all: &[T]) -> fmt::Result {
    for (number, one) in all.iter().enumerate() {
        match number {
            0 => write!(f, ", {name} [{one}")?,
            _ => write!(f, ", {one}")?,
        }
    }
    match all.is_empty() {
        true => Ok(()),
        false => f.write_str("]"),
    }
}

/// In the largest unit that is exact, as in configuration.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 3] = [(86_400, "d"), (3_600, "h"), (60, "m")];
        let Span(span) = self;
        let seconds = span.as_secs();
        let exact = |unit: u64| seconds > 0 && seconds.is_multiple_of(unit);
        match UNITS.into_iter().find(|(unit, _)| exact(*unit)) {
            Some((unit, name)) if *span == Duration::from_secs(seconds) => {
                write!(f, "{}{name}", seconds / unit)
            }
            _ => write!(f, "{}s", span.as_secs_f64()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{End, Ignore, Level, Order, Pattern};

    #[test]
    fn what_is_not_as_always_is_said() {
        assert_eq!(Policy::default().to_string(), "semver \"*\"");
        let pattern: Pattern = "^v(?<a>.+)$".parse().unwrap();
        let span = |seconds| Some(Span(Duration::from_secs(seconds)));
        let mut policy = Policy {
            order: Order::Semver("^1".parse().unwrap()),
            pattern: Some(pattern.clone()),
            ignore: Ignore::new(&["*-debug", "1.2.*"]).unwrap(),
            prereleases: Prereleases::Deny,
            variant: Variant::Named(String::new()),
            loose: Parts::Loose,
            level: Some(Level::Minor),
            conditions: Conditions {
                platforms: vec![
                    "linux/amd64".parse().unwrap(),
                    "linux/arm64".parse().unwrap(),
                ],
                minimum_age: span(3 * 86_400),
                on_missing_time: OnMissingTime::Hold,
                settle: span(600),
            },
            unordered: Unordered::Replace,
        };
        assert_eq!(
            policy.to_string(),
            "semver \"^1\", match '^v(?<a>.+)$', ignore [*-debug, 1.2.*], prereleases false, loose true, \
             level minor, variant \"\", platforms [linux/amd64, linux/arm64], minimumAge 3d, \
             onMissingTime hold, settle 10m, unordered replace"
        );
        policy = Policy {
            order: Order::Numerical(End::Lowest),
            pattern: Some(pattern.with_key("x$a$$").unwrap()),
            ..Policy::default()
        };
        assert_eq!(
            policy.to_string(),
            "numerical lowest, match '^v(?<a>.+)$' with key 'x$a$$'"
        );
    }

    #[test]
    fn spans_are_written_in_the_largest_exact_unit() {
        for (seconds, expected) in [
            (0, "0s"),
            (1, "1s"),
            (90, "90s"),
            (60, "1m"),
            (5_400, "90m"),
            (7_200, "2h"),
            (86_400, "1d"),
            (90_000, "25h"),
        ] {
            let span = Span(Duration::from_secs(seconds));
            assert_eq!(span.to_string(), expected);
        }
        assert_eq!(Span(Duration::from_millis(1_500)).to_string(), "1.5s");
    }
}
