//! Whose consent a stage needs.
//!
//! Invariant: where consents are asked for it is certain how many, of whom, and how they are proven. A
//! decision to deploy needs what the stage asks for, unless the file says otherwise. What can't be read is a
//! mistake, never no condition.

use super::raw_app::RawStage;
use super::raw_app::approvals::RawApprovals;
use super::read::At;
use super::report::{Mistake, Report};
use crate::diag::Position;
use crate::promotion::approval::{Identity, Rules};

/// How it is known who consented, as far as the config repo has a say in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    /// What holds if nothing is said.
    pub default: Identity,
    /// Whether there is a forge that could attest it.
    pub forge: ForgeKnown,
}

/// Whether there is a forge that could attest who consented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForgeKnown {
    /// There is, or it is not known that there is none.
    MayBe,
    /// There is none.
    No,
}

impl Default for Proof {
    fn default() -> Self {
        Self {
            default: Identity::default(),
            forge: ForgeKnown::MayBe,
        }
    }
}

/// Whose consent is needed, and where that is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approvals {
    /// The rules.
    pub rules: Rules,
    /// The file that says it.
    pub file: String,
    /// Where it is there.
    pub position: Position,
}

/// Whose consent a stage needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Consents {
    /// To a change; nobody's without.
    pub changes: Option<Approvals>,
    /// To a decision to deploy; nobody's without.
    pub deploys: Option<Approvals>,
}

/// Whether nobody's consent may do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Least {
    One,
    None,
}

/// The consents that a stage needs, in a config repo of which `proof` is so; what is wrong is reported, and there
/// may be no value.
pub fn consents(raw: &mut RawStage, proof: Proof, report: &mut Report<'_>) -> Option<Consents> {
    let written = raw.approvals.is_written();
    let changes = match raw.approvals.take() {
        Some(raw) => Some(approvals(raw, Least::One, proof, report)),
        None => (written).then_some(None),
    };
    let fast = raw.fast_lane.is_written();
    let deploys = match raw.fast_lane.take() {
        Some(mut lane) => {
            let raw = lane.value.approvals.take()?;
            Some(approvals(raw, Least::None, proof, report))
        }
        None => fast.then_some(None),
    };
    let changes = changes.map_or(Some(None), |read| read.map(Some))?;
    let deploys = match deploys {
        Some(read) => Some(read?),
        None => changes.clone(),
    };
    Some(Consents { changes, deploys })
}

fn approvals(
    at: At<RawApprovals>,
    least: Least,
    proof: Proof,
    report: &mut Report<'_>,
) -> Option<Approvals> {
    let mut raw = at.value;
    let required = raw.required.take()?;
    if required.value.0 == 0 && least == Least::One {
        let hint = "leave `approvals` out where none is needed";
        let mistake = Mistake::new("`required: 0` is for a `fastLane` alone");
        report.error(required.spot, mistake.hint(hint));
        return None;
    }
    let from = match raw.from.take() {
        Some(from) => from.value.into_iter().map(|at| at.value).collect(),
        None if raw.from.is_written() => return None,
        None if required.value.0 == 0 => Vec::new(),
        None => {
            let mistake = Mistake::new("`from` is missing");
            report.error(
                at.key,
                mistake.hint("say who may approve, such as `from: [\"@platform\"]`"),
            );
            return None;
        }
    };
    let identity = match raw.identity.take() {
        Some(identity) if identity.value == Identity::Forge && proof.forge == ForgeKnown::No => {
            let message =
                "`identity: forge` goes by the forge that the config repo is on, and none is known";
            let hint = "add `forge` to the repository in the service file, with credentials for it, or write \
                        `identity: signed`";
            report.error(identity.spot, Mistake::new(message).hint(hint));
            return None;
        }
        Some(identity) => identity.value,
        None if raw.identity.is_written() => return None,
        None => proof.default,
    };
    let exclude_author = match raw.exclude_author.take() {
        Some(exclude) => exclude.value,
        None if raw.exclude_author.is_written() => return None,
        None => false,
    };
    let expires = match raw.expires.take() {
        Some(expires) => Some(expires.value.0),
        None if raw.expires.is_written() => return None,
        None => None,
    };
    Some(Approvals {
        rules: Rules {
            required: required.value.0,
            from,
            exclude_author,
            expires,
            identity,
        },
        file: report.file(at.key.source).to_owned(),
        position: at.key.at,
    })
}
