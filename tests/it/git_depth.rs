//! Mirrors that have a part of a history, over every transport, with real Git on the other side.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use tagwright::git::{
    Auth, CommitId, Error, History, Mirror, Past, PlainHttp, PushOutcome, Remote, RemoteUrl,
};

use crate::git_server::GitServer;
use crate::git_ssh::Sshd;
use crate::git_world::{Person, World, made};

/// A world, and how its remote is reached.
struct Place {
    world: World,
    person: Person,
    remote: Remote,
    /// Runs as long as it is here.
    _sshd: Option<Sshd>,
}

fn local() -> Option<Place> {
    let (world, person) = World::seeded(&[("a", "0\n")])?;
    let remote = Remote::anonymous(RemoteUrl::from(world.remote().as_path()));
    Some(Place {
        world,
        person,
        remote,
        _sshd: None,
    })
}

fn https() -> Option<Place> {
    let place = local()?;
    let world = &place.world;
    world.in_remote(&["config", "http.receivepack", "true"]);
    let server = GitServer::start(&world.path(""), true, None);
    let remote = Remote {
        url: server.url.parse().unwrap(),
        auth: Auth::None,
        ca_pem: Some(world.path("ca.pem")),
        plain: PlainHttp::LoopbackOnly,
        depth: None,
    };
    Some(Place { remote, ..place })
}

fn ssh() -> Option<Place> {
    let mut sshd = Sshd::start()?;
    let remote = sshd.remote();
    let world = std::mem::replace(&mut sshd.world, World::empty()?);
    Some(Place {
        person: world.person("ann-2"),
        world,
        remote,
        _sshd: Some(sshd),
    })
}

impl Place {
    fn mirror(&self, name: &str, depth: u32) -> Mirror {
        let mut remote = self.remote.clone();
        remote.depth = NonZeroU32::new(depth);
        Mirror::open(&self.world.path(name), remote).unwrap()
    }

    /// So many commits more on `branch`, each of one file.
    fn grow(&self, branch: &str, count: usize) {
        let tip = self.person.git(&["rev-parse", branch]);
        let mut script = String::new();
        for number in 0..count {
            let text = format!("{branch} {number} on {tip}\n");
            let from = match number {
                0 => format!("from {tip}\n"),
                _ => String::new(),
            };
            script += &format!(
                "commit refs/heads/grown\ncommitter Ann <ann@example.com> {} +0000\ndata 1\n.\n{from}\
                 M 100644 inline grown\ndata {}\n{text}\n",
                1_800_000_000 + number,
                text.len()
            );
        }
        let import = ["fast-import", "--quiet", "--force"];
        self.person.git_with(&import, script.as_bytes());
        let push = format!("+grown:{branch}");
        self.person.git(&["push", "-q", "origin", &push]);
        self.person.git(&["fetch", "-q", "origin"]);
        self.person.git(&["checkout", "-q", "-B", branch, "grown"]);
    }

    /// The commits of the branch itself, as Git tells them, the newest first.
    fn line_of(&self, branch: &str) -> Vec<CommitId> {
        let list = ["rev-list", "--first-parent", branch];
        let list = self.world.in_remote(&list);
        list.lines().map(|id| id.parse().unwrap()).collect()
    }

    /// Fails unless Git finds the mirror sound.
    fn assert_sound(&self, name: &str) {
        self.world
            .git(&["-C", name, "fsck", "--strict", "--no-dangling"]);
    }
}

/// What the mirror has of the line of `head`, and how it ends.
fn line(mirror: &Mirror, head: CommitId) -> (Vec<CommitId>, Past) {
    let reader = mirror.reader().unwrap();
    let mut line = vec![head];
    loop {
        match reader.past(line[line.len() - 1]).unwrap() {
            Past::Parent(parent) => line.push(parent),
            end => return (line, end),
        }
    }
}

fn length(mirror: &Mirror, head: CommitId) -> (usize, Past) {
    let (line, end) = line(mirror, head);
    (line.len(), end)
}

/// Deepens to the beginning, and says in how many steps.
fn deepen(mirror: &mut Mirror, branch: &str, head: CommitId) -> usize {
    for steps in 1..20 {
        match mirror.deepen(branch, head).unwrap() {
            History::Whole => return steps,
            History::Longer => assert!(mirror.is_cut(head).unwrap()),
            History::Stuck => panic!("stuck after {steps} steps"),
        }
    }
    panic!("no end");
}

/// Runs `case` over every transport that this machine can serve.
fn everywhere(case: impl Fn(&Place)) {
    for place in [local, https, ssh] {
        if let Some(place) = place() {
            case(&place);
        }
    }
}

#[test]
fn a_part_is_fetched_at_first_what_is_new_later_and_the_rest_when_asked_for() {
    everywhere(|place| {
        place.grow("main", 300);
        let mut mirror = place.mirror("m", 3);
        let head = mirror.fetch("main").unwrap();
        assert_eq!(length(&mirror, head), (3, Past::More));
        let theirs = place.person.push("b", "b\n");
        assert_eq!(mirror.fetch("main").unwrap(), theirs);
        assert_eq!(length(&mirror, theirs), (4, Past::More));
        let ours = made(&mut mirror, theirs, &[("a", "ours\n")], "Ours");
        let pushed = mirror.push("main", theirs, ours).unwrap();
        assert_eq!(pushed, PushOutcome::Pushed);
        assert_eq!(place.world.tip("main"), ours);
        place.world.assert_sound();
        assert_eq!(mirror.fetch("main").unwrap(), ours);

        // Readers see what came after they were made, and what they saw before does not mislead them.
        let reader = mirror.reader().unwrap();
        let oldest = line(&mirror, ours).0[4];
        assert_eq!(reader.past(oldest).unwrap(), Past::More);
        assert_eq!(mirror.deepen("main", ours).unwrap(), History::Longer);
        assert_eq!(length(&mirror, ours), (20, Past::More));
        assert!(matches!(reader.past(oldest).unwrap(), Past::Parent(_)));
        assert_eq!(mirror.deepen("main", ours).unwrap(), History::Longer);
        assert_eq!(length(&mirror, ours), (80, Past::More));
        // What is asked for once more starts from there, in a new process too.
        drop(mirror);
        let mut mirror = place.mirror("m", 3);
        assert_eq!(mirror.fetch("main").unwrap(), ours);
        assert_eq!(length(&mirror, ours), (80, Past::More));
        let more = made(&mut mirror, ours, &[("a", "more\n")], "More");
        let pushed = mirror.push("main", ours, more).unwrap();
        assert_eq!(pushed, PushOutcome::Pushed);
        let ours = more;
        let first = line(&mirror, ours).0.pop().unwrap();
        assert!(mirror.is_ancestor(first, ours).unwrap());
        assert_eq!(deepen(&mut mirror, "main", ours), 1);
        assert_eq!(line(&mirror, ours), (place.line_of("main"), Past::Root));
        assert!(!mirror.is_cut(ours).unwrap());
        place.assert_sound("m");
        // Whole once, it stays whole.
        let theirs = place.world.person("bob").push("b", "c\n");
        assert_eq!(mirror.fetch("main").unwrap(), theirs);
        assert_eq!(line(&mirror, theirs), (place.line_of("main"), Past::Root));
    });
}

#[test]
fn sides_of_merges_are_fetched_as_far_as_the_line() {
    everywhere(|place| {
        place.grow("main", 5);
        place
            .person
            .git(&["checkout", "-q", "-b", "side", "main~4"]);
        place.grow("side", 40);
        place.person.git(&["checkout", "-q", "main"]);
        place
            .person
            .git(&["merge", "-q", "-s", "ours", "-m", "Merge", "side"]);
        place.person.git(&["push", "-q", "origin", "main"]);
        let mut mirror = place.mirror("m", 1);
        let head = mirror.fetch("main").unwrap();
        let parents = mirror.commit_info(head).unwrap().parents;
        assert_eq!(parents.len(), 2, "they are told though they are not here");
        assert!(mirror.commit_info(parents[1]).is_err());
        // The line comes to its end long before the side does.
        assert_eq!(mirror.deepen("main", head).unwrap(), History::Longer);
        assert_eq!(mirror.deepen("main", head).unwrap(), History::Longer);
        assert_eq!(length(&mirror, head), (7, Past::Root));
        assert!(mirror.is_cut(head).unwrap());
        assert_eq!(mirror.deepen("main", head).unwrap(), History::Whole);
        let all = place.world.in_remote(&["rev-list", "--count", "main"]);
        let first = line(&mirror, head).0.pop().unwrap();
        let beyond = mirror.beyond(first, head, 1000).unwrap();
        assert_eq!((beyond.len() + 1).to_string(), all);
        place.assert_sound("m");
    });
}

#[test]
fn a_rewritten_branch_is_followed() {
    everywhere(|place| {
        place.grow("main", 60);
        let mut mirror = place.mirror("m", 3);
        let head = mirror.fetch("main").unwrap();
        // From below what is here, and then from within.
        for back in ["main~30", "main~1"] {
            place.person.git(&["reset", "-q", "--hard", back]);
            place.person.write("a", back.as_bytes());
            let new = place.person.commit("Rewritten");
            place
                .person
                .git(&["push", "-q", "--force", "origin", "main"]);
            assert_eq!(mirror.fetch("main").unwrap(), new);
            let (here, end) = line(&mirror, new);
            assert!(end != Past::Root || here == place.line_of("main"));
            deepen(&mut mirror, "main", new);
            assert_eq!(line(&mirror, new), (place.line_of("main"), Past::Root));
        }
        let log = mirror.commit_info(head).unwrap();
        assert_eq!(log.parents.len(), 1, "what was there is still here");
        place.assert_sound("m");
    });
}

#[test]
fn more_comes_though_the_branch_has_moved_meanwhile() {
    everywhere(|place| {
        place.grow("main", 30);
        let mut mirror = place.mirror("m", 1);
        let head = mirror.fetch("main").unwrap();
        place.grow("main", 20);
        assert_ne!(mirror.deepen("main", head).unwrap(), History::Stuck);
        assert!(length(&mirror, head).0 > 1);
        deepen(&mut mirror, "main", head);
        assert_eq!(length(&mirror, head), (31, Past::Root));
        // Moved to where it was never: what was asked for can't come any more.
        let mut mirror = place.mirror("m2", 1);
        let head = mirror.fetch("main").unwrap();
        place.person.git(&["checkout", "-q", "--orphan", "other"]);
        place.person.commit("Another beginning");
        place
            .person
            .git(&["push", "-q", "--force", "origin", "other:main"]);
        assert_eq!(mirror.deepen("main", head).unwrap(), History::Stuck);
        assert_eq!(length(&mirror, head), (1, Past::More));
        let new = mirror.fetch("main").unwrap();
        assert_eq!(length(&mirror, new), (1, Past::Root));
        assert_eq!(mirror.deepen("main", new).unwrap(), History::Whole);
        place.assert_sound("m2");
    });
}

#[test]
fn branches_of_one_mirror_do_not_cut_each_other() {
    everywhere(|place| {
        place.grow("main", 60);
        place.person.git(&["checkout", "-q", "-b", "b", "main~20"]);
        place.grow("b", 5);
        let mut mirror = place.mirror("m", 2);
        let main = mirror.fetch("main").unwrap();
        deepen(&mut mirror, "main", main);
        // Its end lies within what is here of the other one.
        let b = mirror.fetch("b").unwrap();
        assert_eq!(line(&mirror, main), (place.line_of("main"), Past::Root));
        deepen(&mut mirror, "b", b);
        assert_eq!(line(&mirror, b), (place.line_of("b"), Past::Root));
        deepen(&mut mirror, "main", main);
        let mut mirror = place.mirror("m2", 2);
        let (b, main) = (mirror.fetch("b").unwrap(), mirror.fetch("main").unwrap());
        assert_eq!(length(&mirror, b), (2, Past::More));
        assert_eq!(length(&mirror, main), (2, Past::More));
        deepen(&mut mirror, "main", main);
        assert_eq!(line(&mirror, main), (place.line_of("main"), Past::Root));
        deepen(&mut mirror, "b", b);
        assert_eq!(line(&mirror, b), (place.line_of("b"), Past::Root));
        place.assert_sound("m2");
    });
}

#[test]
fn own_branches_beside_a_part_of_a_history() {
    everywhere(|place| {
        place.grow("main", 30);
        let mut mirror = place.mirror("m", 2);
        let head = mirror.fetch("main").unwrap();
        let ours = made(&mut mirror, head, &[("a", "ours\n")], "Ours");
        let moved = mirror.move_beside("tw/new", None, Some(ours)).unwrap();
        assert_eq!(moved, PushOutcome::Pushed);
        place.world.assert_sound();
        place
            .person
            .git(&["push", "-q", "origin", "main~10:refs/heads/tw/old"]);
        let beside = mirror.fetch_beside("tw/").unwrap();
        let old = place.world.tip("tw/old");
        let expected = [("tw/new".to_owned(), ours), ("tw/old".to_owned(), old)];
        assert_eq!(beside, BTreeMap::from(expected));
        assert_eq!(mirror.beyond(head, ours, 10).unwrap(), [ours]);
        // What the base has below its end can't be told from what it lacks, and that is told.
        assert!(mirror.is_cut(head).unwrap());
        assert!(!mirror.beyond(head, old, 10).unwrap().is_empty());
        deepen(&mut mirror, "main", head);
        assert_eq!(mirror.beyond(head, old, 10).unwrap(), []);
        assert_eq!(mirror.beyond(head, ours, 10).unwrap(), [ours]);
        assert_eq!(mirror.fetch_beside("tw/").unwrap().len(), 2);
        place.assert_sound("m");
    });
}

#[test]
fn a_damaged_part_is_fetched_anew() {
    everywhere(|place| {
        place.grow("main", 30);
        let mut mirror = place.mirror("m", 2);
        let head = mirror.fetch("main").unwrap();
        mirror.deepen("main", head).unwrap();
        std::fs::remove_dir_all(place.world.path("m")).unwrap();
        assert_eq!(mirror.fetch("main").unwrap(), head);
        assert_eq!(length(&mirror, head), (2, Past::More));
        drop(mirror);
        // A process was killed after the objects of a first fetch came, and before the list of ends did.
        std::fs::remove_file(place.world.path("m").join("shallow")).unwrap();
        let mut mirror = place.mirror("m", 2);
        assert_eq!(mirror.fetch("main").unwrap(), head);
        let oldest = mirror.reader().unwrap().past(head).unwrap();
        let Past::Parent(oldest) = oldest else {
            panic!("{oldest:?}");
        };
        let error = mirror.reader().unwrap().past(oldest).unwrap_err();
        assert!(matches!(error, Error::Damaged { .. }), "{error:?}");
        assert_eq!(mirror.fetch("main").unwrap(), head);
        assert_eq!(length(&mirror, head), (2, Past::More));
        deepen(&mut mirror, "main", head);
        assert_eq!(line(&mirror, head), (place.line_of("main"), Past::Root));
        assert!(matches!(
            mirror.deepen("main", CommitId::new([7; 20])),
            Err(Error::NoSuchCommit { .. })
        ));
        place.assert_sound("m");
    });
}
