//! From the groups of some calls to those of others: what both have is taken over, what is new begins with nothing.

use std::ops::Range;

use super::heap::Heap;
use super::{Accumulators, From, Group};
use crate::error::{Error, Result};
use crate::table::Codec;

/// Turns groups of an earlier version of an aggregate into groups of a later one.
pub struct GroupMigration {
    old: Accumulators,
    new: Accumulators,
    /// Words that are the same, in the old and the new group.
    words: Vec<(usize, usize)>,
    /// As `words`.
    heaps: Vec<(usize, usize)>,
}

impl GroupMigration {
    /// Args:
    /// - `calls`: for each new call the number of the old one that is the same.
    ///
    /// # Errors
    /// Calls that are said to be the same are not kept in the same way.
    pub fn new(old: Accumulators, new: Accumulators, calls: &[Option<usize>]) -> Result<Self> {
        if calls.len() != new.outputs.len() {
            return Err(Error::spec("as many numbers as calls are needed"));
        }
        let (mut words, mut heaps) = (vec![(0, 0)], Vec::new());
        for (now, was) in calls.iter().enumerate() {
            let Some(was) = was else { continue };
            let was = old.outputs.get(*was).ok_or_else(differ)?;
            match (&was.from, &new.outputs[now].from) {
                (From::Rows, From::Rows) => {}
                (From::Tally(was), From::Tally(now)) => words.push((1 + was, 1 + now)),
                (From::Call(was), From::Call(now)) => {
                    let (was, now) = (&old.calls[*was], &new.calls[*now]);
                    words.push((1 + was.tally, 1 + now.tally));
                    words.extend(pairs(&was.words, &now.words)?);
                    heaps.extend(pairs(&was.heaps, &now.heaps)?);
                }
                _ => return Err(differ()),
            }
        }
        if words
            .iter()
            .any(|(was, now)| old.words[*was] != new.words[*now])
        {
            return Err(differ());
        }
        Ok(Self {
            old,
            new,
            words,
            heaps,
        })
    }

    /// Give the bytes of the new group for those of the old one; values that are members stay so.
    pub fn convert(&self, bytes: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let mut old = self.old.decode(bytes)?;
        self.new.encode(&self.group(&mut old), out);
        Ok(())
    }

    fn group(&self, old: &mut Group) -> Group {
        let mut group = self.new.group();
        let ((old_words, old_heaps), (words, heaps)) = (old.parts_mut(), group.parts_mut());
        for (was, now) in &self.words {
            words[*now] = old_words[*was];
        }
        for (was, now) in &self.heaps {
            // Moved, not copied: a copy of a set has no members.
            heaps[*now] = std::mem::replace(&mut old_heaps[*was], Heap::Bytes(Vec::new()));
        }
        group
    }

    /// Give what a member of an old group has behind the key of its entry in the new one; None if nobody asks for it any more.
    pub fn member(&self, suffix: &[u8]) -> Result<Option<Vec<u8>>> {
        let (number, rest) = suffix
            .split_first_chunk()
            .ok_or_else(super::bytes::damaged)?;
        let was = usize::from(u16::from_be_bytes(*number));
        let Some((_, now)) = self.heaps.iter().find(|(other, _)| *other == was) else {
            return Ok(None);
        };
        let now = u16::try_from(*now).map_err(|_| differ())?;
        Ok(Some([&now.to_be_bytes(), rest].concat()))
    }
}

fn pairs(was: &Range<usize>, now: &Range<usize>) -> Result<Vec<(usize, usize)>> {
    if was.len() == now.len() {
        Ok(was.clone().zip(now.clone()).collect())
    } else {
        Err(differ())
    }
}

fn differ() -> Error {
    Error::spec("aggregates that are said to be the same are not")
}
