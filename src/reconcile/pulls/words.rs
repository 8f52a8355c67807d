//! The title, text and note of a pull request.
//!
//! Invariant: they are a function of the changes and the configuration, so that an unchanged proposal is
//! never written again. Text from outside stands in code spans, where it can't mention anybody, link
//! anywhere or draw anything.
//!
//! The note is what the service reads back: what was proposed with which commit. Whoever can edit a pull
//! request can edit its note; that keeps a version from being proposed, and never causes a change.

use std::fmt::Write as _;

use super::Proposal;
use crate::forge::{Pull, body};
use crate::git::CommitId;
use crate::image::{Digest, Tag};
use crate::promotion::Held;
use crate::reconcile::message;
use crate::reconcile::prepare::{Edit, Prepared, PreparedChange};

/// Changes and places that a text names one by one; a reviewer of more looks at the diff. Azure DevOps
/// takes 4,000 characters.
const MAX_ROWS: usize = 20;

/// Changes that a note states with their digests; more of them would not fit on every forge.
const MAX_WITH_DIGEST: usize = 10;

/// Changes that are read of a note: more than fit into one.
const MAX_NOTED: usize = 10_000;

/// The form of the note.
const FORM: &str = "v1";

/// Says in a note that the service asked the forge to merge. It can't be a change, which has a slash.
const ASKED_FOR: &str = "merge=asked";

/// The note of a pull request that `owner` itself has closed.
pub fn closed(owner: &str) -> String {
    format!("{FORM} closed of={owner}")
}

/// What the note of a pull request says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The commit that its branch was at when the service wrote it.
    pub head: CommitId,
    /// The entry of the service's configuration that proposes it.
    pub owner: String,
    /// Tells what it says from others.
    pub text: String,
    /// What it proposes, by app and stage.
    pub changes: Vec<(String, String, Held)>,
}

/// All changes of some commits.
pub fn changes(commits: &[Prepared]) -> impl Iterator<Item = &PreparedChange> {
    commits.iter().flat_map(|commit| &commit.changes)
}

/// The text of a pull request, without its note.
pub fn body(commits: &[Prepared]) -> String {
    let mut text = String::from("| app | stage | image | from | to |\n|---|---|---|---|---|\n");
    for change in changes(commits).take(MAX_ROWS) {
        let (from, to) = message::from_to(&change.change);
        let cells = [
            &change.app,
            &change.stage,
            &change.image.to_string(),
            &from,
            &to,
        ];
        let cells = cells.map(|cell| code(cell).replace('|', "\\|"));
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    let more = changes(commits).count().saturating_sub(MAX_ROWS);
    if more > 0 {
        let _ = writeln!(text, "\nand {more} more; the commits name each of them.");
    }
    for change in changes(commits).take(MAX_ROWS) {
        let _ = write!(text, "\n{}", reason(change));
    }
    text.push_str(
        "\nClosing this pull request means \"not this version\": it is not proposed again, and something \
         newer is.\n",
    );
    text
}

/// Why a change is made, and where.
fn reason(change: &PreparedChange) -> String {
    let why = code(&message::clean(&change.change.reason));
    let mut text = format!("**{}**, {}: {why}\n\n", change.app, change.stage);
    if let Some(names) = message::approvers(change) {
        let _ = writeln!(text, "Approved by {}\n", code(&names));
    }
    if let Some(link) = &change.link {
        // Made of plain parts alone, so it needs no more than being a link.
        let _ = writeln!(text, "What changed: <{link}>\n");
    }
    for Edit {
        file,
        position,
        old,
        new,
    } in change.edits.iter().take(MAX_ROWS)
    {
        let (old, new) = (code(&message::clean(old)), code(&message::clean(new)));
        let place = code(&format!("{}:{}", message::clean(file), position.line));
        let _ = writeln!(text, "- {place}: {old} → {new}");
    }
    let more = change.edits.len().saturating_sub(MAX_ROWS);
    if more > 0 {
        let _ = writeln!(text, "- and {more} more places");
    }
    text
}

/// A code span (CommonMark section 6.1); a backtick in it, which nothing here needs, becomes a quote.
pub fn code(text: &str) -> String {
    match text.trim() {
        "" => "-".to_owned(),
        text => format!("`{}`", text.replace('`', "'")),
    }
}

/// What tells the title and the changes of one proposal from others; not why they are made, since that has
/// numbers that change with every tag that is pushed.
pub fn fingerprint(title: &str, commits: &[Prepared]) -> String {
    /// Enough to tell two texts apart.
    const SHORT: usize = 16;
    let mut text = format!("{title}\n");
    for PreparedChange {
        app,
        stage,
        image,
        change,
        ..
    } in changes(commits)
    {
        let (from, to) = message::from_to(change);
        let _ = writeln!(text, "{app} {stage} {image} {from} {to} {}", change.digest);
        for consent in &change.approved {
            let _ = writeln!(text, "{}", consent.person);
        }
    }
    let digest = Digest::of(text.as_bytes()).to_string();
    let hex = digest.rsplit(':').next().unwrap_or_default();
    hex.get(..SHORT).unwrap_or(hex).to_owned()
}

/// The note of a pull request of `owner` whose branch is at `head`, on a forge that takes texts of `room`
/// bytes.
pub fn note(owner: &str, proposal: &Proposal, head: CommitId, room: usize) -> String {
    let Proposal { title, commits, .. } = proposal;
    let text = fingerprint(title, commits);
    let mut note = format!("{FORM} head={head} of={owner} text={text}");
    let all = changes(commits).count();
    for PreparedChange {
        app, stage, change, ..
    } in changes(commits)
    {
        let mut word = format!(" {app}/{stage}={}", change.tag);
        if all <= MAX_WITH_DIGEST {
            let _ = write!(word, "@{}", change.digest);
        }
        if note.len() + word.len() > room / 2 {
            break;
        }
        note.push_str(&word);
    }
    note
}

/// A note that says that the forge was asked to merge the pull request.
pub fn asked_for(note: &str) -> String {
    match note.split(' ').any(|word| word == ASKED_FOR) {
        true => note.to_owned(),
        false => format!("{note} {ASKED_FOR}"),
    }
}

/// A note that doesn't say so.
pub fn not_asked_for(note: &str) -> String {
    let words = note.split(' ').filter(|word| *word != ASKED_FOR);
    words.collect::<Vec<_>>().join(" ")
}

/// Whether the note of a pull request says so.
pub fn is_asked_for(pull: &Pull) -> bool {
    let note = body::hidden(&pull.body);
    note.is_some_and(|note| note.split(' ').any(|word| word == ASKED_FOR))
}

/// The note of a pull request.
pub fn of(pull: &Pull) -> Option<Note> {
    read(&body::hidden(&pull.body)?)
}

/// Reads a note; `None` for what is none, and for that of a pull request that the service has closed.
fn read(note: &str) -> Option<Note> {
    let mut words = note.split(' ');
    if words.next() != Some(FORM) {
        return None;
    }
    let head = words.next()?.strip_prefix("head=")?.parse().ok()?;
    let owner = words.next()?.strip_prefix("of=")?.to_owned();
    let text = words.next()?.strip_prefix("text=")?.to_owned();
    let changes = words.take(MAX_NOTED).filter_map(change).collect();
    Some(Note {
        head,
        owner,
        text,
        changes,
    })
}

/// `APP/STAGE=TAG[@DIGEST]`.
fn change(word: &str) -> Option<(String, String, Held)> {
    let (names, version) = word.split_once('=')?;
    let (app, stage) = names.split_once('/')?;
    let (tag, digest) = match version.split_once('@') {
        Some((tag, digest)) => (tag, Some(digest.parse::<Digest>().ok()?)),
        None => (version, None),
    };
    let tag = tag.parse::<Tag>().ok()?;
    Some((app.to_owned(), stage.to_owned(), Held { tag, digest }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Position;
    use crate::policy::Write as What;
    use crate::reconcile::plan::Change;
    use crate::reconcile::running::{Running, RunningVersion};

    fn change(app: &str, reason: &str) -> PreparedChange {
        PreparedChange {
            app: app.to_owned(),
            stage: "staging".to_owned(),
            image: "ghcr.io/acme/shop".parse().unwrap(),
            policy: "abc".to_owned(),
            change: Change {
                from: Running::One(RunningVersion {
                    tag: "6.1.9".parse().unwrap(),
                    digest: None,
                }),
                tag: "6.2.0".parse().unwrap(),
                digest: Digest::of(b"x"),
                write: What::Tag,
                sites: Vec::new(),
                reason: reason.to_owned(),
                rejected: None,
                approved: Vec::new(),
                group: None,
            },
            link: None,
            edits: vec![Edit {
                file: "apps/a|b.yaml".to_owned(),
                position: Position { line: 7, column: 1 },
                old: "acme/shop:6.1.9".to_owned(),
                new: "acme/shop:6.2.0".to_owned(),
            }],
        }
    }

    fn proposal(changes: Vec<PreparedChange>) -> Vec<Prepared> {
        vec![Prepared {
            changes,
            message: String::new(),
            files: Vec::new(),
        }]
    }

    fn whole(changes: Vec<PreparedChange>) -> Proposal {
        Proposal {
            title: "T".to_owned(),
            body: "b".to_owned(),
            commits: proposal(changes),
        }
    }

    #[test]
    fn a_body_quotes_what_comes_from_outside() {
        let commits = proposal(vec![change(
            "shop",
            "`@ops` <img src=x>\n# see [this](http://e)",
        )]);
        let text = body(&commits);
        assert!(
            text.starts_with(
                "| app | stage | image | from | to |\n|---|---|---|---|---|\n\
                 | `shop` | `staging` | `ghcr.io/acme/shop` | `6.1.9` | `6.2.0` |\n\n\
                 **shop**, staging: `'@ops' <img src=x>"
            ),
            "{text}"
        );
        assert!(
            text.contains("\n- `apps/a|b.yaml:7`: `acme/shop:6.1.9` → `acme/shop:6.2.0`\n"),
            "{text}"
        );
        let reason = text
            .lines()
            .find(|line| line.starts_with("**shop**"))
            .unwrap();
        assert_eq!(reason.matches('`').count(), 2, "one code span: {reason}");
        assert!(!text.contains("\n# see"), "{text}");
    }

    #[test]
    fn a_long_body_is_cut_to_what_every_forge_takes() {
        let many = (0..200).map(|n| change(&format!("app-{n}"), &"long ".repeat(20)));
        let text = body(&proposal(many.collect()));
        assert!(text.contains("and 180 more"), "{text}");
    }

    #[test]
    fn a_note_is_read_back() {
        let head = CommitId::new([7; 20]);
        let few = whole(vec![change("shop", "r"), change("cart", "r")]);
        let note = read(&note("fleet", &few, head, 65_536)).unwrap();
        assert_eq!((note.head, note.owner.as_str()), (head, "fleet"));
        assert_eq!(note.text, fingerprint("T", &few.commits));
        let what = Held {
            tag: "6.2.0".parse().unwrap(),
            digest: Some(Digest::of(b"x")),
        };
        let named = |app: &str| (app.to_owned(), "staging".to_owned(), what.clone());
        assert_eq!(note.changes, [named("shop"), named("cart")]);
        let print = |title, changes| fingerprint(title, &proposal(changes));
        let one = print("T", vec![change("shop", "of 5 tags")]);
        assert_eq!(one, print("T", vec![change("shop", "of 6 tags")]));
        assert_ne!(one, print("U", vec![change("shop", "of 5 tags")]));
        assert_ne!(one, print("T", vec![change("cart", "of 5 tags")]));
    }

    #[test]
    fn a_note_says_whether_the_forge_was_asked_to_merge() {
        let head = CommitId::new([7; 20]);
        let few = whole(vec![change("shop", "r")]);
        let plain = note("fleet", &few, head, 65_536);
        let asked = asked_for(&plain);
        assert_ne!(asked, plain);
        assert_eq!(asked_for(&asked), asked);
        assert_eq!(not_asked_for(&asked), plain);
        assert_eq!(not_asked_for(&plain), plain);
        assert_eq!(read(&asked), read(&plain), "it says the same of the change");
    }

    #[test]
    fn a_note_of_many_changes_stays_short() {
        let many = (0..200).map(|n| change(&format!("app-{n}"), "r"));
        let many = whole(many.collect());
        for (room, expected) in [(4000, 80..100), (65_536, 200..201)] {
            let note = note("fleet", &many, CommitId::new([7; 20]), room);
            assert!(note.len() <= room / 2, "{}", note.len());
            let changes = read(&note).unwrap().changes;
            assert!(expected.contains(&changes.len()), "{}", changes.len());
            assert!(changes.iter().all(|(_, _, what)| what.digest.is_none()));
        }
    }

    #[test]
    fn what_is_no_note_says_nothing() {
        let head = "07".repeat(20);
        for text in [
            "",
            &closed("fleet"),
            "v2 head=1 text=2",
            "v1 head=x text=1 a/b=1",
            &format!("v1 head={head}"),
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        let odd = read(&format!(
            "v1 head={head} of=x text=1 a=1 a/b a/b=!? a/b=1@x a/b=2"
        ))
        .unwrap();
        assert_eq!(odd.changes.len(), 1, "{odd:?}");
    }
}
