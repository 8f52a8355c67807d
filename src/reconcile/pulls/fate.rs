//! What becomes of the pull request of one group: a pure function of what is wanted and what is there.
//!
//! Invariant: a branch on which anybody else has committed is left to them, and what has been approved is
//! not changed under its approvers, unless the configuration says that reviews are dismissed.
//!
//! It refuses to act on doubt: while it is not known what a group should propose, its pull request stays
//! as it is.

use crate::git::CommitId;

/// The branch of a group on the remote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Branch {
    /// It isn't there.
    Absent,
    /// All that it has beyond the base is the service's.
    Ours {
        /// The commit it is at.
        tip: CommitId,
        /// Whether it holds what is wanted.
        content: Content,
    },
    /// Others have committed to it.
    Theirs {
        /// The commit it is at.
        tip: CommitId,
    },
}

impl Branch {
    /// The commit it is at.
    pub fn tip(self) -> Option<CommitId> {
        match self {
            Self::Absent => None,
            Self::Ours { tip, .. } | Self::Theirs { tip } => Some(tip),
        }
    }
}

/// Whether a branch holds what is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Merging it gives just what is wanted.
    Wanted,
    /// Something else is wanted by now, or the base has changed below it.
    Outdated,
}

/// What a group should propose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish<'a> {
    /// Its changes.
    Changes,
    /// Nothing, for this reason.
    Nothing(&'a str),
    /// That can't be told now, for this reason.
    Unsure(&'a str),
}

/// The open pull request of a group, as far as its fate depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Open<'a> {
    /// Whether its title and text are as they should be.
    pub words: Words,
    /// Who has approved it, or that it will be merged by itself.
    pub frozen: Option<&'a str>,
}

/// Whether the title and text of a pull request are as they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Words {
    /// They are, or a person has edited them since.
    Right,
    /// They are about something else.
    Outdated,
}

/// Whether one more pull request may be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// It may.
    Enough,
    /// As many are open as may be.
    None,
}

/// All that a group's fate depends on.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// What it should propose.
    pub wish: Wish<'a>,
    /// Its branch.
    pub branch: Branch,
    /// Its open pull request.
    pub open: Option<Open<'a>>,
    /// Whether something newer takes the place of what has been approved.
    pub supersede: bool,
    /// Whether one more may be opened.
    pub room: Room,
}

/// What becomes of a pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// There is none, and none is wanted.
    None,
    /// It is as it should be.
    Kept,
    /// Its branch is made and it is opened.
    Open,
    /// Its branch is made anew, and its words.
    Update,
    /// The same, after its reviews were dismissed.
    Supersede,
    /// Its words are made anew.
    Reword,
    /// It is left as it is though something else is wanted, for this reason.
    Left(String),
    /// It is closed and its branch removed, for this reason.
    Close(String),
    /// A branch that nobody needs any more is removed.
    Sweep,
}

/// What becomes of a group's pull request.
pub fn fate(situation: &Situation<'_>) -> Fate {
    match situation.open {
        Some(open) => of_open(situation, open),
        None => of_none(situation),
    }
}

fn of_open(situation: &Situation<'_>, open: Open<'_>) -> Fate {
    if let Branch::Theirs { .. } = situation.branch {
        return Fate::Left("others have committed to its branch, so it is left to them".to_owned());
    }
    match situation.wish {
        Wish::Unsure(why) => Fate::Left(why.to_owned()),
        Wish::Nothing(why) => Fate::Close(why.to_owned()),
        Wish::Changes => match (situation.branch, open.frozen) {
            (
                Branch::Ours {
                    content: Content::Wanted,
                    ..
                },
                _,
            ) => match open.words {
                Words::Right => Fate::Kept,
                Words::Outdated => Fate::Reword,
            },
            (_, None) => Fate::Update,
            (_, Some(_)) if situation.supersede => Fate::Supersede,
            (_, Some(why)) => Fate::Left(format!(
                "{why}, so something newer waits until it is merged or closed"
            )),
        },
    }
}

fn of_none(situation: &Situation<'_>) -> Fate {
    match (situation.wish, situation.branch, situation.room) {
        (Wish::Changes, Branch::Theirs { .. }, _) => Fate::Left(
            "others have committed to the branch that it would come from; remove the branch to have a \
             pull request opened"
                .to_owned(),
        ),
        (Wish::Changes, _, Room::None) => Fate::Left(
            "as many pull requests are open as `push.openPullRequests` allows; it is opened once one of \
             them is merged or closed"
                .to_owned(),
        ),
        (Wish::Changes, _, Room::Enough) => Fate::Open,
        (Wish::Nothing(_), Branch::Ours { .. }, _) => Fate::Sweep,
        (Wish::Nothing(_) | Wish::Unsure(_), _, _) => Fate::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIP: CommitId = CommitId::new([1; 20]);
    const FRESH: Branch = Branch::Ours {
        tip: TIP,
        content: Content::Wanted,
    };
    const OLD: Branch = Branch::Ours {
        tip: TIP,
        content: Content::Outdated,
    };
    const THEIRS: Branch = Branch::Theirs { tip: TIP };
    const PLAIN: Option<Open<'_>> = Some(Open {
        words: Words::Right,
        frozen: None,
    });
    const STALE: Option<Open<'_>> = Some(Open {
        words: Words::Outdated,
        frozen: None,
    });
    const APPROVED: Option<Open<'_>> = Some(Open {
        words: Words::Right,
        frozen: Some("ada has approved it"),
    });
    const CHANGES: Wish<'_> = Wish::Changes;
    const NOTHING: Wish<'_> = Wish::Nothing("it runs by now");
    const UNSURE: Wish<'_> = Wish::Unsure("the registry is down");

    fn told(wish: Wish<'_>, branch: Branch, open: Option<Open<'_>>) -> String {
        let mut words = Vec::new();
        for (supersede, room) in [
            (false, Room::Enough),
            (true, Room::Enough),
            (false, Room::None),
        ] {
            let situation = Situation {
                wish,
                branch,
                open,
                supersede,
                room,
            };
            words.push(match fate(&situation) {
                Fate::Left(why) => format!("left: {}", why.split(',').next().unwrap()),
                other => format!("{other:?}"),
            });
        }
        words.dedup();
        words.join(" / ")
    }

    #[test]
    fn every_situation_has_one_fate() {
        for (wish, branch, open, expected) in [
            (
                CHANGES,
                Branch::Absent,
                None,
                "Open / left: as many pull requests are open as `push.openPullRequests` allows; it is opened once one of them is merged or closed",
            ),
            (
                CHANGES,
                FRESH,
                None,
                "Open / left: as many pull requests are open as `push.openPullRequests` allows; it is opened once one of them is merged or closed",
            ),
            (
                CHANGES,
                THEIRS,
                None,
                "left: others have committed to the branch that it would come from; remove the branch to have a pull request opened",
            ),
            (NOTHING, Branch::Absent, None, "None"),
            (NOTHING, OLD, None, "Sweep"),
            (NOTHING, THEIRS, None, "None"),
            (UNSURE, OLD, None, "None"),
            (UNSURE, Branch::Absent, None, "None"),
            (CHANGES, FRESH, PLAIN, "Kept"),
            (CHANGES, FRESH, APPROVED, "Kept"),
            (CHANGES, FRESH, STALE, "Reword"),
            (CHANGES, OLD, PLAIN, "Update"),
            (CHANGES, Branch::Absent, PLAIN, "Update"),
            (
                CHANGES,
                OLD,
                APPROVED,
                "left: ada has approved it / Supersede / left: ada has approved it",
            ),
            (
                CHANGES,
                THEIRS,
                PLAIN,
                "left: others have committed to its branch",
            ),
            (NOTHING, FRESH, PLAIN, "Close(\"it runs by now\")"),
            (NOTHING, OLD, APPROVED, "Close(\"it runs by now\")"),
            (
                NOTHING,
                THEIRS,
                PLAIN,
                "left: others have committed to its branch",
            ),
            (UNSURE, OLD, PLAIN, "left: the registry is down"),
            (
                UNSURE,
                THEIRS,
                APPROVED,
                "left: others have committed to its branch",
            ),
        ] {
            assert_eq!(
                told(wish, branch, open),
                expected,
                "{wish:?} {branch:?} {open:?}"
            );
        }
    }
}
