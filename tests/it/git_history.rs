//! The first-parent line of a branch made with real Git.

use tagwright::git::{BlobId, CommitId, Mirror, Past, Touched};

use crate::git_world::World;

fn line(mirror: &Mirror, head: CommitId) -> (Vec<CommitId>, Past) {
    let reader = mirror.reader().expect("the mirror can be read");
    let mut line = vec![head];
    loop {
        match reader
            .past(line[line.len() - 1])
            .expect("the commit is there")
        {
            Past::Parent(parent) => line.push(parent),
            end => return (line, end),
        }
    }
}

#[test]
fn a_merge_is_one_step_of_what_the_branch_was_at() {
    let Some((world, person)) = World::seeded(&[("a", "1\n"), ("gone", "x\n")]) else {
        return;
    };
    let first = world.tip("main");
    person.git(&["checkout", "-q", "-b", "side"]);
    person.write("a", b"2\n");
    person.commit("Side one");
    person.git(&["rm", "-q", "gone"]);
    std::os::unix::fs::symlink("a", person.path("new")).unwrap();
    person.commit("Side two");
    person.git(&["checkout", "-q", "main"]);
    person.git(&["merge", "-q", "--no-ff", "-m", "Merge", "side"]);
    person.git(&["push", "-q", "origin", "main"]);

    let mut mirror = world.mirror("m");
    let tip = mirror.fetch("main").unwrap();
    assert_eq!(line(&mirror, tip), (vec![tip, first], Past::Root));
    let reader = mirror.reader().expect("the mirror can be read");
    let touched = |path: &str, before: Option<&str>, after: Option<&str>| Touched {
        path: path.to_owned(),
        before: before.map(|text| BlobId::of(text.as_bytes())),
        after: after.map(|text| BlobId::of(text.as_bytes())),
    };
    assert_eq!(
        reader.touched(first, tip).unwrap(),
        [
            touched("a", Some("1\n"), Some("2\n")),
            touched("gone", Some("x\n"), None),
            // A link is no file.
            touched("new", None, None),
        ]
    );
    assert_eq!(reader.blob_at(tip, "a").unwrap(), Some(BlobId::of(b"2\n")));
    assert_eq!(reader.blob_at(tip, "gone").unwrap(), None);
}
