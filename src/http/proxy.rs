//! Which proxy a client uses: the one that the environment names, and none for this machine.
//!
//! Invariant: loopback is never asked for through a proxy, which would ask its own machine instead.
//! That is what Go's `http.ProxyFromEnvironment` does, and with it the other programs that people
//! configure by these variables; reqwest's own reading of them knows no such exception.
//!
//! Sources: the variables as curl's manual describes them (section "Environment").

use reqwest::{NoProxy, Proxy};

/// What names this machine, in the form of `NO_PROXY`.
const THIS_MACHINE: &str = "localhost,127.0.0.0/8,::1";

/// The proxies that `variable` names, the one for a scheme before the one for all. A value that is no
/// URL is left out.
pub(super) fn proxies(variable: impl Fn(&str) -> Option<String>) -> Vec<Proxy> {
    let value = |name: &str| {
        [name.to_ascii_uppercase(), name.to_owned()]
            .iter()
            .find_map(|name| variable(name).filter(|value| !value.trim().is_empty()))
    };
    let direct = match value("no_proxy") {
        Some(others) => format!("{others},{THIS_MACHINE}"),
        None => THIS_MACHINE.to_owned(),
    };
    // Programs behind CGI get a header of the request's as this variable (httpoxy.org).
    let is_cgi = variable("REQUEST_METHOD").is_some();
    ["https_proxy", "http_proxy", "all_proxy"]
        .into_iter()
        .filter(|name| !(is_cgi && *name == "http_proxy"))
        .filter_map(|name| match proxy(name, value(name)?) {
            Ok(proxy) => Some(proxy.no_proxy(NoProxy::from_string(&direct))),
            Err(_) => {
                // Not the value: it may hold a password.
                tracing::warn!("{name} is not the URL of a proxy and is left out");
                None
            }
        })
        .collect()
}

fn proxy(name: &str, url: String) -> reqwest::Result<Proxy> {
    match name {
        "https_proxy" => Proxy::https(url),
        "http_proxy" => Proxy::http(url),
        _ => Proxy::all(url),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many proxies come of these variables.
    fn count(variables: &[(&str, &str)]) -> usize {
        let variable = |name: &str| {
            let mut found = variables.iter().filter(|(known, _)| *known == name);
            found.next().map(|(_, value)| (*value).to_owned())
        };
        proxies(variable).len()
    }

    #[test]
    fn each_variable_counts_once_in_either_case() {
        let url = "http://proxy.example.com:3128";
        assert_eq!(count(&[]), 0);
        assert_eq!(count(&[("HTTP_PROXY", url), ("http_proxy", url)]), 1);
        let three = [
            ("https_proxy", url),
            ("HTTP_PROXY", "proxy:3128"),
            ("ALL_PROXY", url),
        ];
        assert_eq!(count(&three), 3);
        assert_eq!(count(&[("HTTPS_PROXY", " "), ("https_proxy", url)]), 1);
    }

    #[test]
    fn what_is_no_proxy_is_left_out() {
        assert_eq!(count(&[("HTTP_PROXY", "http://[")]), 0);
        let cgi = [("REQUEST_METHOD", "GET"), ("HTTP_PROXY", "http://proxy")];
        assert_eq!(count(&cgi), 0);
    }
}
