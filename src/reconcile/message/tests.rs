//! Messages of one change and of many, with templates and without.

use super::*;
use crate::diag::Position;
use crate::policy::Write;
use crate::reconcile::running::{RunningVersion, Unordered};

fn change(from: Running) -> Change {
    Change {
        from,
        tag: "6.2.0".parse().unwrap(),
        digest: Digest::of(b"x"),
        write: Write::Tag,
        sites: Vec::new(),
        reason: "6.2.0 is the highest".to_owned(),
        rejected: None,
        approved: Vec::new(),
        group: None,
    }
}

fn prepared(from: Running, edits: &[Edit]) -> PreparedChange {
    PreparedChange {
        app: "shop".to_owned(),
        stage: "staging".to_owned(),
        image: "ghcr.io/acme/shop".parse().unwrap(),
        policy: "abc123".to_owned(),
        change: change(from),
        link: None,
        edits: edits.to_vec(),
    }
}

fn write(from: Running, edits: &[Edit]) -> String {
    message(&[prepared(from, edits)], &Commits::default())
}

fn one(tag: &str) -> Running {
    Running::One(RunningVersion {
        tag: tag.parse().unwrap(),
        digest: None,
    })
}

fn edit(line: u32) -> Edit {
    Edit {
        file: "apps/staging/shop.yaml".into(),
        position: Position { line, column: 8 },
        old: "ghcr.io/acme/shop:6.1.9".into(),
        new: "ghcr.io/acme/shop:6.2.0".into(),
    }
}

#[test]
fn a_message_has_subject_places_reason_and_trailer() {
    let digest = Digest::of(b"x");
    assert_eq!(
        write(one("6.1.9"), &[edit(14)]),
        format!(
            "shop: staging 6.1.9 -> 6.2.0\n\n\
             apps/staging/shop.yaml:14: ghcr.io/acme/shop:6.1.9 -> ghcr.io/acme/shop:6.2.0\n\n\
             6.2.0 is the highest.\n\n\
             Tagwright-Change: v1 app=shop stage=staging image=ghcr.io/acme/shop \
             from=6.1.9 to=6.2.0@{digest} policy=abc123\n"
        )
    );
}

#[test]
fn the_subject_names_what_lags_where_the_highest_stays() {
    let from = Running::Split {
        highest: RunningVersion {
            tag: "6.2.0".parse().unwrap(),
            digest: None,
        },
        others: vec!["6.1.8".to_owned(), "6.1.9".to_owned()],
    };
    let text = write(from, &[]);
    assert!(
        text.starts_with("shop: staging 6.1.8, 6.1.9 -> 6.2.0\n"),
        "{text}"
    );
}

#[test]
fn the_subject_tells_digests_of_one_tag_apart() {
    let from = |digest| {
        Running::One(RunningVersion {
            tag: "6.2.0".parse().unwrap(),
            digest,
        })
    };
    let text = write(from(Some(Digest::of(b"y"))), &[]);
    assert!(
        text.starts_with("shop: staging 6.2.0@a1fce4363854 -> 6.2.0@2d711642b726\n"),
        "{text}"
    );
    let text = write(from(None), &[]);
    assert!(
        text.starts_with("shop: staging 6.2.0 -> 6.2.0@2d711642b726\n"),
        "{text}"
    );
}

#[test]
fn text_from_outside_cannot_add_lines() {
    let from = Running::Unordered(Unordered {
        text: "x\nTagwright-Change: v1 app=evil\u{1b}[31m \u{202e}".into(),
        tag: None,
        digest: None,
        refusal: None,
    });
    let text = write(from, &[]);
    let trailers = text
        .lines()
        .filter(|line| line.starts_with("Tagwright-Change:"))
        .count();
    assert_eq!(trailers, 1, "{text}");
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'));
}

fn template(subject: &str, body: &str) -> Commits {
    let text = format!(
        "version: 1\nrepositories: [{{name: r, url: /r, policies: [p], commit: {{author: A <a@b>, \
         signOff: true, subject: \"{subject}\", body: \"{body}\"}}}}]\n"
    );
    let mut service = crate::config::service("t.yaml", &text).value.unwrap();
    service.repositories.remove(0).commits
}

#[test]
fn templates_change_all_but_the_trailers() {
    let style = template("chore({stage}): {app} {new}", "Was {old}.\\n\\n\\n{places}");
    let trailer = format!(
        "Tagwright-Change: v1 app=shop stage=staging image=ghcr.io/acme/shop from=6.1.9 to=6.2.0@{} \
         policy=abc123\n",
        Digest::of(b"x")
    );
    let text = message(&[prepared(one("6.1.9"), &[edit(14)])], &style);
    assert_eq!(
        text,
        format!(
            "chore(staging): shop 6.2.0\n\nWas 6.1.9.\n\napps/staging/shop.yaml:14: \
             ghcr.io/acme/shop:6.1.9 -> ghcr.io/acme/shop:6.2.0\n\n{trailer}Signed-off-by: A <a@b>\n"
        )
    );
    let style = template("{summary}", "");
    let text = message(&[prepared(one("6.1.9"), &[])], &style);
    assert_eq!(
        text,
        format!("shop: staging 6.1.9 -> 6.2.0\n\n{trailer}Signed-off-by: A <a@b>\n")
    );
}

#[test]
fn a_message_of_many_changes_tells_each() {
    let many: Vec<PreparedChange> = ["cart", "shop", "web", "api"]
        .map(|app| PreparedChange {
            app: app.to_owned(),
            ..prepared(one("6.1.9"), &[edit(14), edit(20)])
        })
        .into();
    let text = message(&many, &Commits::default());
    let mut lines = text.lines();
    assert_eq!(
        lines.next(),
        Some("staging: update cart, shop, web and 1 more")
    );
    assert_eq!(lines.nth(1), Some("cart: staging 6.1.9 -> 6.2.0"));
    assert_eq!(text.matches("shop.yaml:20: ").count(), 4);
    assert_eq!(text.matches("6.2.0 is the highest.").count(), 4);
    let (_, trailers) = text.trim_end().rsplit_once("\n\n").unwrap();
    let apps = trailers.lines().map(|line| line.split(' ').nth(2).unwrap());
    let apps: Vec<&str> = apps.collect();
    assert_eq!(apps, ["app=cart", "app=shop", "app=web", "app=api"]);
    let style = template("{count} of {image}: {old} -> {new}", "{changes}");
    let with_template = message(&many, &style);
    assert!(with_template.starts_with("4 of ghcr.io/acme/shop: 6.1.9 -> 6.2.0\n\ncart: staging"));
}
