//! Which addresses are read, how they print, and which are refused.

use super::*;

fn local(path: &str) -> Location {
    Location::Local(path.into())
}

fn ssh_url(user: Option<&str>, host: &str, port: Option<u16>, path: &str) -> Location {
    Location::Ssh(SshUrl {
        user: user.map(str::to_owned),
        host: host.to_owned(),
        port,
        path: path.to_owned(),
    })
}

#[test]
fn addresses_are_read_as_git_reads_them() {
    let git = Some("git");
    let table = [
        ("/srv/fleet.git", local("/srv/fleet.git"), "/srv/fleet.git"),
        ("./a:b", local("./a:b"), "./a:b"),
        ("../x", local("../x"), "../x"),
        ("file:///srv/a%20b", local("/srv/a b"), "/srv/a b"),
        ("file://localhost/srv/a", local("/srv/a"), "/srv/a"),
        (
            "git@h.io:acme/fleet.git",
            ssh_url(git, "h.io", None, "acme/fleet.git"),
            "ssh://git@h.io/acme/fleet.git",
        ),
        (
            "h.io:/acme/fleet",
            ssh_url(None, "h.io", None, "/acme/fleet"),
            "ssh://h.io/acme/fleet",
        ),
        (
            "git@[::1]:x",
            ssh_url(git, "::1", None, "x"),
            "ssh://git@[::1]/x",
        ),
        (
            "ssh://git@h/acme/fleet/",
            ssh_url(git, "h", None, "/acme/fleet"),
            "ssh://git@h/acme/fleet",
        ),
        (
            "ssh://h:2222/~me/x",
            ssh_url(None, "h", Some(2222), "~me/x"),
            "ssh://h:2222/~me/x",
        ),
        (
            "ssh://git@[::1]:22/x",
            ssh_url(git, "::1", Some(22), "/x"),
            "ssh://git@[::1]:22/x",
        ),
        (
            "ssh://h/it's%20%25",
            ssh_url(None, "h", None, "/it's %"),
            "ssh://h/it's %",
        ),
    ];
    for (text, location, shown) in table {
        let url: RemoteUrl = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(url.0, location, "{text}");
        assert_eq!(url.to_string(), shown, "{text}");
    }
}

#[test]
fn http_addresses_lose_their_final_slash_and_know_where_they_go() {
    let table = [
        (
            "https://h.io/acme/fleet.git/",
            "https://h.io/acme/fleet.git",
            false,
        ),
        ("https://H.io:8443/x", "https://h.io:8443/x", false),
        ("http://127.0.0.1:80/x", "http://127.0.0.1/x", false),
        ("http://[::1]:8080/x", "http://[::1]:8080/x", false),
        ("http://localhost/x", "http://localhost/x", false),
        (
            "http://localhost.example.com/x",
            "http://localhost.example.com/x",
            true,
        ),
        ("http://10.0.0.1/x", "http://10.0.0.1/x", true),
    ];
    for (text, shown, abroad) in table {
        let url: RemoteUrl = text.parse().unwrap();
        assert_eq!(url.to_string(), shown);
        assert_eq!(url.is_plain_abroad(), abroad, "{text}");
    }
}

#[test]
fn other_addresses_are_refused_without_echoing_them() {
    let table = [
        ("", UrlError::Bare),
        ("fleet", UrlError::Bare),
        ("github.com/acme/fleet", UrlError::Bare),
        ("a/b:c", UrlError::Bare),
        ("git://h/x", UrlError::Scheme),
        ("ext::sh -c x", UrlError::Scheme),
        ("ftp://h/x", UrlError::Scheme),
        ("https://me:hunter2@h/x", UrlError::Userinfo),
        ("https://hunter2@h/x", UrlError::Userinfo),
        ("ssh://me:hunter2@h/x", UrlError::Userinfo),
        ("ssh://me%3Ahunter2@h/x", UrlError::Userinfo),
        ("me:hunter2@h:x", UrlError::Userinfo),
        ("https://h/x?y=hunter2", UrlError::Query),
        ("https://h/x#y", UrlError::Query),
        ("https://h", UrlError::Path),
        ("https:///", UrlError::Host),
        ("https://h:99999/x", UrlError::Host),
        ("ssh://-oProxyCommand=x/y", UrlError::Host),
        ("-oProxyCommand=x:y", UrlError::Host),
        ("ssh://-l@h/x", UrlError::User),
        ("ssh://$(x)@h/x", UrlError::User),
        ("ssh://a b/x", UrlError::Host),
        ("ssh:///x", UrlError::Host),
        ("ssh://h", UrlError::Path),
        ("ssh://h/", UrlError::Path),
        ("h:", UrlError::Path),
        ("h:-x", UrlError::Path),
        ("ssh://h:0/x", UrlError::Port),
        ("ssh://h:ssh/x", UrlError::Port),
        ("ssh://h/%0a", UrlError::Path),
        ("ssh://h/%zz", UrlError::Path),
        ("ssh://h/%+1", UrlError::Path),
        ("ssh://h/%", UrlError::Path),
        ("ssh://h/%ff", UrlError::Path),
        ("/srv/\0", UrlError::Path),
        ("file://h/x", UrlError::Host),
    ];
    for (text, expected) in table {
        let error = text.parse::<RemoteUrl>().unwrap_err();
        assert_eq!(error, expected, "{text}");
        assert!(!error.to_string().contains("hunter2"));
    }
}

proptest::proptest! {
    #[test]
    fn nothing_that_parses_looks_like_an_option(text in "(ssh://|file://|https://|)[-a-z@:/%\\[\\]0-9.]{0,20}") {
        if let Ok(RemoteUrl(Location::Ssh(url))) = text.parse() {
            assert!(!url.host.starts_with('-') && !url.path.starts_with('-'));
            assert!(!url.user.is_some_and(|user| user.starts_with('-')));
        }
    }
}
