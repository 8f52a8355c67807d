//! Looking at the past of a branch of which only a part is here.
//!
//! Invariant: what a part of the history can't tell is looked at again with more of it, until it tells or
//! all of it is here. What still can't be told after a few exchanges is left to the next pass, which goes on
//! from there.
//!
//! Blocking.

use crate::git::{self, CommitId, History, Mirror};

/// Exchanges with the remote for one question. Each brings several times what is here, so a branch of a
/// thousand commits is here after five, whatever was fetched at first.
const MAX_EXCHANGES: u32 = 6;

/// Has `look` look at the mirror, with more of the history of `head` as long as it `lacks` some.
pub(super) fn looking<T, E: From<git::Error>>(
    mirror: &mut Mirror,
    (branch, head): (&str, CommitId),
    mut look: impl FnMut(&Mirror) -> Result<T, E>,
    lacks: impl Fn(&T) -> bool,
) -> Result<T, E> {
    let mut seen = look(mirror)?;
    for _ in 0..MAX_EXCHANGES {
        if !lacks(&seen) || !mirror.is_cut(head)? {
            break;
        }
        tracing::info!(branch, %head, "fetching more of the branch's history");
        if mirror.deepen(branch, head)? == History::Stuck {
            break;
        }
        seen = look(mirror)?;
    }
    Ok(seen)
}
