//! The members of an entry: parts of its value that are entries of the store themselves, so that a change of one of many is one
//! small write.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::error::Result;
use crate::store::{Store, prefix_end};

/// The key of a member, and its value; None if it goes.
pub type MemberWrite = (Vec<u8>, Option<Vec<u8>>);

/// What members of one entry become at a commit. Keys are what stands behind the key of the entry.
#[derive(Debug, Default)]
pub struct MemberWrites {
    /// Under these beginnings nothing is left but what is put.
    pub clears: Vec<Vec<u8>>,
    pub puts: Vec<MemberWrite>,
    /// What all keys begin with for now.
    prefix: Vec<u8>,
}

impl MemberWrites {
    /// Let nothing under a prefix count any more that the store has.
    pub fn clear(&mut self, prefix: &[u8]) {
        self.clears.push([&self.prefix, prefix].concat());
    }

    /// Write a member, or remove one that the store has.
    pub fn put(&mut self, suffix: &[u8], value: Option<Vec<u8>>) {
        self.puts.push(([&self.prefix, suffix].concat(), value));
    }

    /// Begin all that follows with this.
    pub fn under(&mut self, prefix: &[u8]) {
        self.prefix = prefix.to_vec();
    }

    /// Give what is to be written, each member once.
    ///
    /// Args:
    /// - `members`: what the keys of the members begin with in the store.
    /// - `store`: if it may have members.
    pub fn finish(self, members: &[u8], store: Option<&Store>) -> Result<Vec<MemberWrite>> {
        let Some(store) = store.filter(|_| !self.clears.is_empty()) else {
            return Ok(self.puts);
        };
        let mut puts: BTreeMap<_, _> = self.puts.into_iter().collect();
        for prefix in self.clears {
            let low = [members, &prefix].concat();
            store.scan(&low, prefix_end(&low).as_deref(), |key, _| {
                puts.entry(key[members.len()..].to_vec()).or_insert(None);
                Ok(ControlFlow::Continue(()))
            })?;
        }
        Ok(puts.into_iter().collect())
    }
}
