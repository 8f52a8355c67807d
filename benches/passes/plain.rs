//! The same changes by `git` alone, as a script in a clone would make them, to compare with.

use std::path::Path;

use anyhow::Context as _;

use crate::fleet::{Fleet, TAGS, git};
use crate::measure::{Row, Samples, timed};

/// A commit for each of `apps` manifests, and one push. What to write is known before; nothing is looked
/// up, planned or searched for.
pub fn commits_and_push(fleet: &Fleet, folder: &Path, apps: usize) -> anyhow::Result<Row> {
    let bare = fleet.bare(folder)?;
    let bare = bare.to_str().context("the folder's name is not UTF-8")?;
    git(folder, &["clone", "--quiet", bare, "clone"])?;
    let clone = folder.join("clone");
    for (key, value) in [("user.name", "Ada"), ("user.email", "ada@example.com")] {
        git(&clone, &["config", key, value])?;
    }
    let old = format!(":1.{}.0", TAGS - 1);
    // Once: it takes minutes.
    let times = Samples::take(1, |run| {
        let new = format!(":1.{}.0", TAGS + run);
        let (made, time) = timed(|| {
            for app in 0..apps {
                let path = fleet.path(app);
                let text = fleet.manifest(app, 1).replace(&old, &new);
                std::fs::write(clone.join(&path), text)?;
                git(
                    &clone,
                    &[
                        "commit",
                        "--quiet",
                        "--message",
                        "Change an image",
                        "--",
                        &path,
                    ],
                )?;
            }
            git(&clone, &["push", "--quiet", "origin", "main"])
        });
        made?;
        Ok(time)
    })?;
    let what = format!("– the same by a script: `git commit` {apps} times, and `git push`");
    Ok(Row::new(what, times).note("CPU without Git's"))
}
