//! Names to addresses, less those that only credential providers may reach.
//!
//! Invariant: no address of [`super::is_internal`] comes out, whatever a name resolves to, so that
//! nobody who can choose a name or answer for it can have the machine's credentials asked for.

use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The system's resolver, without internal addresses.
pub(super) struct Outside;

/// A name that leads to internal addresses alone.
#[derive(Debug, thiserror::Error)]
#[error("its name leads to a link-local or metadata address, which is not asked")]
struct Internal;

impl Resolve for Outside {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // The port is the connection's to choose.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(outside(found.collect())?)
        })
    }
}

fn outside(found: Vec<SocketAddr>) -> Result<Addrs, Internal> {
    let any = !found.is_empty();
    let kept: Vec<_> = found
        .into_iter()
        .filter(|address| !super::is_internal_address(address.ip()))
        .collect();
    if any && kept.is_empty() {
        return Err(Internal);
    }
    Ok(Box::new(kept.into_iter()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(addresses: &[&str]) -> Option<Vec<String>> {
        let found = addresses
            .iter()
            .map(|address| address.parse().unwrap())
            .collect();
        let kept = outside(found).ok()?;
        Some(kept.map(|address| address.to_string()).collect())
    }

    #[test]
    fn internal_addresses_are_left_out() {
        let both = kept(&["169.254.169.254:0", "192.0.2.1:0", "[fe80::1]:0"]);
        assert_eq!(both, Some(vec!["192.0.2.1:0".to_owned()]));
        assert_eq!(
            kept(&["169.254.170.23:0", "[::ffff:169.254.169.254]:0"]),
            None
        );
        assert_eq!(kept(&[]), Some(Vec::new()));
        assert_eq!(kept(&["127.0.0.1:0"]), Some(vec!["127.0.0.1:0".to_owned()]));
    }

    #[tokio::test]
    async fn names_of_this_machine_are_resolved() {
        let found = Outside.resolve("localhost".parse().unwrap()).await;
        assert!(found.is_ok_and(|mut found| found.all(|address| address.ip().is_loopback())));
    }
}
