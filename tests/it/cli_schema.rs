//! `schema`, `completions`, `man` and help: what editors, shells and people read.

use crate::binary::{Place, files_below};

/// Every command.
const COMMANDS: [&str; 20] = [
    "approve",
    "check",
    "completions",
    "demo",
    "deploy",
    "explain",
    "history",
    "hold",
    "images",
    "init",
    "man",
    "plan",
    "reject",
    "release",
    "rollback",
    "schema",
    "select",
    "serve",
    "set",
    "sync",
];

#[test]
fn schemas_are_of_both_files() {
    let place = Place::new(&[]);
    let both = place.run(&["schema"]).exits(0).json();
    for (which, key) in [("service", "repositories"), ("app", "stages")] {
        let one = place.run(&["schema", which]).exits(0);
        let one: serde_json::Value = serde_json::from_str(&one.stdout).expect("it is JSON");
        assert_eq!(both[which], one);
        assert!(one["properties"][key].is_object(), "{which}");
        assert_eq!(one["additionalProperties"], false, "{which}");
    }
    place.run(&["schema", "else"]).exits(2);
}

#[test]
fn completions_know_every_command() {
    let place = Place::new(&[]);
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = place.run(&["completions", shell]).exits(0).stdout;
        for command in COMMANDS {
            assert!(script.contains(command), "{shell}: {command}");
        }
    }
    place.run(&["completions", "tcsh"]).exits(2);
}

#[test]
fn there_is_a_man_page_for_every_command() {
    let place = Place::new(&[]);
    let ran = place.run(&["man", "pages/here"]).exits(0);
    assert_eq!(ran.stdout, "");
    let pages = files_below(&place.path().join("pages/here"));
    let mut wanted: Vec<String> = COMMANDS
        .iter()
        .map(|command| format!("tagwright-{command}.1"))
        .collect();
    wanted.push("tagwright.1".to_owned());
    wanted.sort();
    assert_eq!(pages, wanted);
    assert!(
        place
            .read("pages/here/tagwright-set.1")
            .contains("IMAGE=REFERENCE")
    );
}

#[test]
fn help_and_usage_are_where_they_are_looked_for() {
    let place = Place::new(&[]);
    let help = place.run(&["--help"]).exits(0);
    for command in COMMANDS {
        assert!(
            help.stdout.contains(&format!("\n  {command} ")),
            "{command}\n{}",
            help.stdout
        );
        place.run(&[command, "--help"]).exits(0);
    }
    let version = place.run(&["--version"]).exits(0);
    assert_eq!(
        version.stdout,
        concat!("tagwright ", env!("CARGO_PKG_VERSION"), "\n")
    );
    let ran = place.run(&["plam"]).exits(2);
    assert!(
        ran.stdout.is_empty() && ran.stderr.contains("'plan'"),
        "{}",
        ran.stderr
    );
    place.run(&[]).exits(2);
}
