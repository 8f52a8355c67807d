//! The policy that `select` tries: from its options, or from a file.
//!
//! Invariant: an option that means nothing to the order is refused, as its key is in a file.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Context as _;
use clap::{ArgGroup, Args, ValueEnum};

use crate::cli::output::Output;
use crate::config;
use crate::policy::{
    self, Format, Ignore, Level, Order, Parts, Pattern, Policy, Prereleases, Range, Setting,
    TimeOf, Unordered, Variant,
};

/// The policy's keys as options.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("order").multiple(false))]
pub struct PolicyArguments {
    /// The versions to accept, such as "^1" or ">=6.0.0 <7.0.0"; "*" if no order is given
    #[arg(long, value_name = "RANGE", group = "order")]
    semver: Option<String>,
    /// Calendar versions of this form, such as YYYY.MM.MICRO or "YYYYMMDD[.MICRO]"
    #[arg(long, value_name = "FORMAT", group = "order")]
    calver: Option<String>,
    /// Numbers: the highest, or the lowest with --numerical=lowest
    #[arg(long, value_name = "END", group = "order", num_args = 0..=1, require_equals = true, default_missing_value = "highest")]
    numerical: Option<End>,
    /// Texts, by their bytes: the highest, or the lowest with --alphabetical=lowest
    #[arg(long, value_name = "END", group = "order", num_args = 0..=1, require_equals = true, default_missing_value = "highest")]
    alphabetical: Option<End>,
    /// Times: a line is a tag and an RFC 3339 time, of its push, or of its build with
    /// --newest=created
    #[arg(long, value_name = "TIME", group = "order", num_args = 0..=1, require_equals = true, default_missing_value = "pushed")]
    newest: Option<Which>,
    /// One tag, followed by its digest: a line is a tag and a digest, and the digest that runs is in
    /// --current TAG@DIGEST
    #[arg(long, value_name = "TAG", group = "order")]
    digest: Option<String>,
    /// The policy of this app file, or of a file with the same keys
    #[arg(long, value_name = "FILE", group = "order", conflicts_with_all = ["pattern", "key", "ignore", "prereleases", "loose", "level", "variant", "unordered"])]
    policy: Option<PathBuf>,
    /// What a tag must match: an unanchored regular expression; a group named `version` is what is
    /// ordered
    #[arg(long = "match", value_name = "REGEX")]
    pattern: Option<String>,
    /// What is ordered, put together from groups of --match, such as "$year$month"
    #[arg(long, value_name = "TEMPLATE", requires = "pattern")]
    key: Option<String>,
    /// Tags to ignore: a glob; may be given several times
    #[arg(long, value_name = "GLOB")]
    ignore: Vec<String>,
    /// Accept pre-releases everywhere (true) or nowhere (false); the default is what the range says
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    prereleases: Option<bool>,
    /// Admit versions of one and two parts
    #[arg(long)]
    loose: bool,
    /// How far the choice may be from the current tag
    #[arg(long, value_name = "LEVEL")]
    level: Option<Step>,
    /// The variant a tag must be of: keep (the default), any, or a name such as alpine
    #[arg(long, value_name = "keep|any|NAME")]
    variant: Option<String>,
    /// Choose freely when the current tag can't be ordered
    #[arg(long, value_parser = ["replace"])]
    unordered: Option<String>,
}

/// An end of an order.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum End {
    Highest,
    Lowest,
}

/// A time of a tag.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Which {
    Pushed,
    Created,
}

/// A part of a version.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Step {
    Patch,
    Minor,
    Major,
}

impl From<End> for policy::End {
    fn from(end: End) -> Self {
        match end {
            End::Highest => Self::Highest,
            End::Lowest => Self::Lowest,
        }
    }
}

impl PolicyArguments {
    /// The policy. What is wrong with it has been printed if there is none.
    ///
    /// # Errors
    /// When its file can't be read.
    pub fn policy(&self, output: Output) -> anyhow::Result<Option<Policy>> {
        if let Some(file) = &self.policy {
            let text = std::fs::read_to_string(file)
                .with_context(|| format!("`{}` can't be read", file.display()))?;
            let loaded = config::policy(&file.display().to_string(), &text);
            output.diagnostics(&loaded.diagnostics);
            return Ok(loaded.value);
        }
        let policy = match self.options() {
            Ok(policy) => policy,
            Err(error) => {
                output.note(format!("error: {error:#}"));
                return Ok(None);
            }
        };
        if let Order::Semver(range) = &policy.order {
            for lint in range.lints() {
                output.note(format!("warning: {lint}"));
            }
        }
        Ok(Some(policy))
    }

    fn options(&self) -> anyhow::Result<Policy> {
        let order = self.order()?;
        for (given, setting) in self.settings() {
            let (option, name) = (setting.as_str(), order.as_str());
            anyhow::ensure!(
                !given || order.heeds(setting),
                "`--{option}` means nothing to `--{name}`"
            );
        }
        Ok(Policy {
            order,
            pattern: self.pattern()?,
            ignore: Ignore::new(&self.ignore).context("`--ignore`")?,
            prereleases: match self.prereleases {
                None => Prereleases::FromRange,
                Some(true) => Prereleases::Allow,
                Some(false) => Prereleases::Deny,
            },
            variant: match self.variant.as_deref() {
                None | Some("keep") => Variant::Keep,
                Some("any") => Variant::Any,
                Some(name) => Variant::Named(name.to_owned()),
            },
            loose: match self.loose {
                true => Parts::Loose,
                false => Parts::Three,
            },
            level: self.level.map(|level| match level {
                Step::Patch => Level::Patch,
                Step::Minor => Level::Minor,
                Step::Major => Level::Major,
            }),
            unordered: match self.unordered {
                Some(_) => Unordered::Replace,
                None => Unordered::Hold,
            },
            ..Policy::default()
        })
    }

    fn settings(&self) -> [(bool, Setting); 7] {
        [
            (self.pattern.is_some(), Setting::Match),
            (self.key.is_some(), Setting::Key),
            (!self.ignore.is_empty(), Setting::Ignore),
            (self.prereleases.is_some(), Setting::Prereleases),
            (self.loose, Setting::Loose),
            (self.level.is_some(), Setting::Level),
            (self.variant.is_some(), Setting::Variant),
        ]
    }

    fn order(&self) -> anyhow::Result<Order> {
        if let Some(text) = &self.calver {
            return Format::from_str(text)
                .map(Order::Calver)
                .map_err(|error| anyhow::anyhow!("`--calver {text}`: {error} ({})", error.hint()));
        }
        if let Some(end) = self.numerical {
            return Ok(Order::Numerical(end.into()));
        }
        if let Some(end) = self.alphabetical {
            return Ok(Order::Alphabetical(end.into()));
        }
        if let Some(which) = self.newest {
            return Ok(Order::Newest(match which {
                Which::Pushed => TimeOf::Pushed,
                Which::Created => TimeOf::Created,
            }));
        }
        if let Some(tag) = &self.digest {
            let tag = tag.parse().with_context(|| format!("`--digest {tag}`"))?;
            return Ok(Order::Digest(tag));
        }
        let text = self.semver.as_deref().unwrap_or("*");
        Range::from_str(text)
            .map(Order::Semver)
            .map_err(|error| anyhow::anyhow!("`--semver {text}`: {error} ({})", error.hint()))
    }

    fn pattern(&self) -> anyhow::Result<Option<Pattern>> {
        let Some(text) = &self.pattern else {
            return Ok(None);
        };
        let pattern = Pattern::from_str(text).with_context(|| format!("`--match {text}`"))?;
        Ok(Some(match &self.key {
            Some(key) => pattern
                .with_key(key)
                .with_context(|| format!("`--key {key}`"))?,
            None => pattern,
        }))
    }
}
