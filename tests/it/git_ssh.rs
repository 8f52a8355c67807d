//! Mirrors over SSH, with a real sshd on the other side.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::path::Path;
use std::process::Command;

use tagwright::git::{Auth, Error, Identity, Mirror, PlainHttp, PushOutcome, Remote};
use tagwright::secret::Secret;

use crate::git_world::{World, made, run};
use crate::parts::{Server, free_port, need, wait_until};

/// A running sshd with its keys.
pub struct Sshd {
    /// The remote, and the keys beside it: `user` and `known hosts`.
    pub world: World,
    port: u16,
    user: String,
    _server: Server,
}

impl Sshd {
    /// A server with a remote of one commit; `None` where a program is missing.
    pub fn start() -> Option<Self> {
        let (sshd, _) = (need("sshd")?, need("ssh")?);
        let keygen = need("ssh-keygen")?;
        let (world, _) = World::seeded(&[("a", "1\n")])?;
        for name in ["host", "other-host", "user", "other-user"] {
            let mut command = Command::new(&keygen);
            run(command
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(world.path(name)));
        }
        std::fs::copy(world.path("user.pub"), world.path("authorized_keys")).unwrap();
        let port = free_port();
        let config = config(&world.path(""), port);
        std::fs::write(world.path("sshd_config"), config).unwrap();
        // Where Debian's sshd, started by root, wants an empty folder.
        let _ = std::fs::create_dir_all("/run/sshd");
        let server = Server::start(
            Command::new(sshd)
                .args(["-D", "-f"])
                .arg(world.path("sshd_config"))
                .arg("-E")
                .arg(world.path("sshd.log")),
        );
        wait_until("sshd listens", || {
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        let user = run(Command::new("id").arg("-un"));
        let sshd = Self {
            world,
            port,
            user,
            _server: server,
        };
        sshd.trust("host");
        Some(sshd)
    }

    /// Writes the known hosts file with this host key alone.
    fn trust(&self, host: &str) {
        let key = std::fs::read_to_string(self.world.path(&format!("{host}.pub"))).unwrap();
        let line = format!("[127.0.0.1]:{} {key}", self.port);
        std::fs::write(self.world.path("known hosts"), line).unwrap();
    }

    /// Has clients come to the port that stands `before` the server's.
    pub fn put_behind(&mut self, before: impl FnOnce(u16) -> u16) {
        self.port = before(self.port);
        self.trust("host");
    }

    /// The URL of a repository of this machine.
    pub fn url(&self, repository: &Path) -> String {
        let (user, port) = (&self.user, self.port);
        format!("ssh://{user}@127.0.0.1:{port}{}", repository.display())
    }

    fn mirror(&self, name: &str, key: Secret, repository: &Path) -> Mirror {
        let passphrase = None;
        self.mirror_as(name, Identity::Key { key, passphrase }, repository)
    }

    fn mirror_as(&self, name: &str, identity: Identity, repository: &Path) -> Mirror {
        let remote = self.remote_as(identity, repository);
        Mirror::open(&self.world.path(name), remote).unwrap()
    }

    /// The remote of one commit, for the user who may write to it.
    pub fn remote(&self) -> Remote {
        let (key, passphrase) = (self.key("user"), None);
        self.remote_as(Identity::Key { key, passphrase }, &self.world.remote())
    }

    fn remote_as(&self, identity: Identity, repository: &Path) -> Remote {
        Remote {
            url: self.url(repository).parse().unwrap(),
            auth: Auth::Ssh {
                identity,
                known_hosts: self.world.path("known hosts"),
            },
            ca_pem: None,
            plain: PlainHttp::LoopbackOnly,
            depth: None,
        }
    }

    fn key(&self, name: &str) -> Secret {
        Secret::File(self.world.path(name))
    }

    fn fetch_error(&self, key: Secret) -> Error {
        self.mirror("m", key, &self.world.remote())
            .fetch("main")
            .unwrap_err()
    }
}

fn config(folder: &Path, port: u16) -> String {
    let folder = folder.display();
    format!(
        "ListenAddress 127.0.0.1\nPort {port}\nHostKey {folder}/host\nPidFile none\n\
         AuthorizedKeysFile {folder}/authorized_keys\nPasswordAuthentication no\n\
         KbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\nUsePAM no\n\
         StrictModes no\nLogLevel ERROR\n"
    )
}

#[test]
fn fetch_and_push_over_ssh() {
    let Some(sshd) = Sshd::start() else { return };
    let world = &sshd.world;
    let mut mirror = sshd.mirror("m", sshd.key("user"), &world.remote());
    let parent = mirror.fetch("main").unwrap();
    let id = made(&mut mirror, parent, &[("a", "2\n")], "m");
    assert_eq!(
        mirror.push("main", parent, id).unwrap(),
        PushOutcome::Pushed
    );
    assert_eq!(world.tip("main"), id);
    let theirs = world.person("bob").push("b", "b\n");
    let ours = made(&mut mirror, id, &[("a", "3\n")], "m");
    assert_eq!(mirror.push("main", id, ours).unwrap(), PushOutcome::Moved);
    assert_eq!(mirror.fetch("main").unwrap(), theirs);

    world.hook("pre-receive", "echo 'no, thanks' >&2; exit 1");
    let ours = made(&mut mirror, theirs, &[("a", "3\n")], "m");
    let outcome = mirror.push("main", theirs, ours).unwrap();
    let expected = "pre-receive hook declined: no, thanks";
    assert_eq!(outcome, PushOutcome::Refused(expected.into()));
    world.assert_sound();
}

#[test]
fn a_key_that_others_may_read_is_used_through_a_copy() {
    use std::os::unix::fs::PermissionsExt;
    let Some(sshd) = Sshd::start() else { return };
    let path = sshd.world.path("user");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
    let mut mirror = sshd.mirror("m", sshd.key("user"), &sshd.world.remote());
    assert_eq!(mirror.fetch("main").unwrap(), sshd.world.tip("main"));
}

/// Locks the user's key with `passphrase`, and returns the file that holds that.
fn lock(sshd: &Sshd, passphrase: &str) -> Secret {
    let key = sshd.world.path("user");
    run(Command::new("ssh-keygen")
        .args(["-q", "-p", "-P", "", "-N", passphrase, "-f"])
        .arg(&key));
    let file = sshd.world.path("passphrase");
    std::fs::write(&file, passphrase).unwrap();
    Secret::File(file)
}

#[test]
fn a_locked_key_is_unlocked_here() {
    let Some(sshd) = Sshd::start() else { return };
    let passphrase = lock(&sshd, "open sesame");
    let key = sshd.key("user");
    let locked = |passphrase| Identity::Key {
        key: key.clone(),
        passphrase,
    };
    let remote = sshd.world.remote();
    let mut mirror = sshd.mirror_as("m", locked(Some(passphrase)), &remote);
    assert_eq!(mirror.fetch("main").unwrap(), sshd.world.tip("main"));
    let error = |passphrase| {
        let mut mirror = sshd.mirror_as("m2", locked(passphrase), &remote);
        mirror.fetch("main").unwrap_err()
    };
    let missing = error(None);
    assert!(matches!(missing, Error::Auth { .. }), "{missing}");
    std::fs::write(sshd.world.path("wrong"), "wrong").unwrap();
    let wrong = error(Some(sshd.key("wrong")));
    assert!(
        wrong.to_string().contains("the passphrase does not unlock"),
        "{wrong}"
    );
}

#[test]
fn the_keys_of_an_agent_are_used_where_it_is_named() {
    let (Some(agent), Some(add)) = (need("ssh-agent"), need("ssh-add")) else {
        return;
    };
    let Some(sshd) = Sshd::start() else { return };
    let socket = sshd.world.path("agent.sock");
    let _agent = Server::start(Command::new(agent).args(["-D", "-a"]).arg(&socket));
    wait_until("the agent listens", || socket.exists());
    let identity = Identity::Agent(socket.clone());
    let mut mirror = sshd.mirror_as("m", identity, &sshd.world.remote());
    let error = mirror.fetch("main").unwrap_err();
    assert!(matches!(error, Error::Auth { .. }), "no key yet: {error}");
    let add_key = |name: &str| {
        run(Command::new(&add)
            .env("SSH_AUTH_SOCK", &socket)
            .arg("-q")
            .arg(sshd.world.path(name)))
    };
    add_key("other-user");
    add_key("user");
    assert_eq!(mirror.fetch("main").unwrap(), sshd.world.tip("main"));
    sshd.trust("other-host");
    let error = mirror.fetch("main").unwrap_err();
    assert!(matches!(error, Error::HostKey { .. }), "{error}");
}

#[test]
fn a_path_reaches_the_server_as_it_is() {
    let Some(sshd) = Sshd::start() else { return };
    let odd = sshd.world.path("it's; touch x! $(y)");
    std::fs::rename(sshd.world.remote(), &odd).unwrap();
    let mut mirror = sshd.mirror("m", sshd.key("user"), &odd);
    mirror.fetch("main").unwrap();
}

#[test]
fn wrong_keys_and_hosts_are_refused_and_named() {
    let Some(sshd) = Sshd::start() else { return };
    let error = sshd.fetch_error(sshd.key("other-user"));
    assert!(matches!(error, Error::Auth { .. }), "{error}");
    assert!(
        error.to_string().contains("Permission denied (publickey)"),
        "{error}"
    );
    std::fs::write(sshd.world.path("nonsense"), "not a key\n").unwrap();
    let error = sshd.fetch_error(sshd.key("nonsense"));
    assert!(matches!(error, Error::Auth { .. }), "{error}");
    let error = sshd.fetch_error(sshd.key("missing"));
    assert!(matches!(error, Error::Secret { .. }), "{error}");

    sshd.trust("other-host");
    let error = sshd.fetch_error(sshd.key("user"));
    assert!(matches!(error, Error::HostKey { .. }), "{error}");
    assert!(error.hint().unwrap().contains("ssh-keyscan"));
    let known_hosts = sshd.world.path("known hosts");
    std::fs::write(&known_hosts, "").unwrap();
    let error = sshd.fetch_error(sshd.key("user"));
    assert!(matches!(error, Error::HostKey { .. }), "{error}");
    assert_eq!(
        std::fs::read(&known_hosts).unwrap(),
        b"",
        "nothing is learnt"
    );
    std::fs::remove_file(&known_hosts).unwrap();
    let error = sshd.fetch_error(sshd.key("user"));
    assert!(matches!(error, Error::HostKey { .. }), "{error}");

    sshd.trust("host");
    let missing = sshd.world.path("missing.git");
    let error = sshd
        .mirror("m", sshd.key("user"), &missing)
        .fetch("main")
        .unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
}

#[test]
fn a_server_that_is_down_is_unreachable() {
    let Some(mut sshd) = Sshd::start() else {
        return;
    };
    sshd.port = free_port();
    let error = sshd.fetch_error(sshd.key("user"));
    assert!(
        matches!(error, Error::Unreachable { .. }) && error.is_retryable(),
        "{error}"
    );
    assert!(error.to_string().contains("Connection refused"), "{error}");
}
