//! What stops the service's own changes to a stage: a person's hold of it, freezes of its name or in its app
//! file, holds in the service file and those given through the API.
//!
//! Invariant: every stop in force is told with who, why, until when and what ends it, and a plan is good only
//! until the next one begins or ends by the clock. Where the freezes can't be understood, nobody knows what
//! is to be stopped, so everything is; a decision what to deploy goes first all the same, as it would before
//! any freeze.

use std::fmt;

use jiff::Timestamp;

use super::case::Case;
use super::people::{quoted, signed};
use super::{Blocked, Open, Step};
use crate::config::{self, Hold};
use crate::decision::freeze::{self, Freezing};
use crate::diag::Position;
use crate::promotion::By;
use crate::reconcile::decided::{Decisions, Made};
use crate::reconcile::given::Given;

/// Something that stops the service's own changes to a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// What kind of stop it is.
    pub kind: StopKind,
    /// Who stopped it, and when, where that is known.
    pub by: Option<By>,
    /// Where it is written, if in the service file or an app file.
    pub place: Option<(String, Position)>,
    /// Why.
    pub reason: Option<String>,
    /// Until when; until somebody ends it without.
    pub until: Option<Timestamp>,
    /// What ends it, in words for a person.
    pub end: String,
}

/// A kind of stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopKind {
    /// An entry of the stage's decision file.
    Hold,
    /// An entry of the freezes file.
    Freeze,
    /// A freeze of the stage in its app file, or in defaults.
    App,
    /// An entry of the service file.
    Service,
    /// Given through the API, and not in Git yet.
    Api,
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            StopKind::Hold | StopKind::Service | StopKind::Api => "held",
            StopKind::Freeze | StopKind::App => "frozen",
        })?;
        if let Some(until) = self.until {
            write!(f, " until {until}")?;
        }
        match &self.place {
            Some((file, at)) => write!(f, " by {file}:{at}")?,
            None => write!(f, " by {}", signed(self.by.as_ref()))?,
        }
        if let Some(reason) = &self.reason {
            write!(f, ": {}", quoted(reason))?;
        }
        write!(f, "; {}", self.end)
    }
}

impl Case<'_> {
    /// What stops the stage now.
    pub(super) fn stops(&self) -> Vec<Stop> {
        let hold = self.in_force().0.map(|hold| Stop {
            kind: StopKind::Hold,
            by: self.made().get(hold.entry).and_then(|made| made.by.clone()),
            place: None,
            reason: Some(hold.reason.to_owned()),
            until: hold.until,
            end: format!("`tagwright release {}` ends it", self.names()),
        });
        let stage = self.stage_name();
        let frozen = freeze::in_force(self.freezings(), stage, self.facts.now);
        let frozen = frozen.into_iter().map(|frozen| Stop {
            kind: StopKind::Freeze,
            by: self
                .frozen()
                .get(frozen.entry)
                .and_then(|made| made.by.clone()),
            place: None,
            reason: frozen.reason.map(str::to_owned),
            until: frozen.until,
            end: format!("`tagwright release --all --stage {stage}` ends it"),
        });
        let now = self.facts.now;
        let own = self.freezes().iter().filter(|it| it.is_in_force(now));
        let own = own.map(|freeze| Stop {
            kind: StopKind::App,
            by: None,
            place: Some((freeze.file.clone(), freeze.position)),
            reason: freeze.reason.clone(),
            until: freeze.until,
            end: "taking it out of the file ends it".to_owned(),
        });
        let service = self.service_holds().map(|hold| Stop {
            kind: StopKind::Service,
            by: None,
            place: Some((hold.file.clone(), hold.position)),
            reason: Some(hold.reason.clone()),
            until: hold.until,
            end: "taking it out of the file ends it, once the service starts anew".to_owned(),
        });
        let given = self.given().map(|given| Stop {
            kind: StopKind::Api,
            by: Some(By {
                name: given.by.clone(),
                at: given.at,
                commit: String::new(),
            }),
            place: None,
            reason: Some(given.reason.clone()),
            until: given.until,
            end: format!("`DELETE /api/v1/holds/{}` ends it", given.id),
        });
        let people = hold.into_iter().chain(frozen);
        people.chain(own).chain(service).chain(given).collect()
    }

    /// When what stops the stage changes by the clock alone.
    pub(super) fn expires(&self) -> Option<Timestamp> {
        let hold = self.in_force().0.and_then(|hold| hold.until);
        let freezes = freeze::changes_at(self.freezings(), self.stage_name(), self.facts.now);
        let now = self.facts.now;
        let own = self.freezes().iter().filter_map(|it| it.changes_at(now));
        let service = self.service_holds().filter_map(|hold| hold.until);
        let given = self.given().filter_map(|given| given.until);
        let people = hold.into_iter().chain(freezes).chain(own);
        people.chain(service).chain(given).min()
    }

    /// Nothing is changed while the stage is stopped, and nothing needs to be known for it, unless others wait
    /// for what it would change; a tag that moved is told all the same.
    pub(super) fn unless_stopped(&self, step: Step, open: Open) -> (Step, Open) {
        if matches!(step, Step::Blocked(Blocked::Moved { .. })) {
            return (step, open);
        }
        let known = |open| match self.app.group {
            Some(_) => open,
            None => Open::default(),
        };
        let blocked = |blocked, open| (Step::Blocked(blocked), known(open));
        if let Some(Decisions::Broken(file)) = &self.facts.decided.freezes {
            return blocked(Blocked::Decisions(file.clone()), open);
        }
        let stops: Vec<String> = self.stops().iter().map(Stop::to_string).collect();
        match stops.is_empty() {
            true => (step, open),
            false => blocked(Blocked::Held(stops.join("; and ")), open),
        }
    }

    /// The holds of the service file that are in force for the stage.
    fn service_holds(&self) -> impl Iterator<Item = &Hold> {
        let (app, stage) = (self.app.name.as_str(), self.stage_name());
        let all = self.facts.holds.iter();
        all.filter(move |hold| hold.holds(app, stage, self.facts.now))
    }

    /// What is held through the API for the stage, and not in Git yet.
    fn given(&self) -> impl Iterator<Item = &Given> {
        let (app, stage) = (self.app.name.as_str(), self.stage_name());
        let all = self.facts.given.iter();
        all.filter(move |given| given.holds(app, stage, self.facts.now))
    }

    fn frozen(&self) -> &[Made<Freezing>] {
        match &self.facts.decided.freezes {
            Some(Decisions::Known(made)) => made,
            Some(Decisions::Broken(_)) | None => &[],
        }
    }

    fn freezings(&self) -> impl Iterator<Item = &Freezing> {
        self.frozen().iter().map(|made| &made.decision)
    }

    /// The freezes that the stage's app file says.
    fn freezes(&self) -> &[config::Freeze] {
        &self.app.stages[self.key.stage].freezes
    }

    fn stage_name(&self) -> &str {
        self.app.stages[self.key.stage].name.as_str()
    }
}
