//! How values are kept in a store: as the bytes of an entry, and of its members where there are any.

use std::ops::ControlFlow;

use crate::error::{Error, Result};
use crate::members::MemberWrites;
use crate::store::{Store, prefix_end};

/// How the values of a table are kept as bytes.
pub trait Codec {
    type Value;

    /// Append the bytes of a value. The same in the changelog and in the store; old ones must stay readable.
    fn encode(&self, value: &Self::Value, out: &mut Vec<u8>);

    /// # Errors
    /// [`crate::Error::Damaged`]: the bytes do not come from `encode`.
    fn decode(&self, bytes: &[u8]) -> Result<Self::Value>;

    /// How many bytes the value takes beside its own `size_of`.
    fn heap(&self, value: &Self::Value) -> usize;

    /// The timestamp in the changelog: the end of the window or the time of the row where the changelog is bound in time. Must
    /// follow from the key alone when the value is gone. None: now.
    fn timestamp(&self, _key: &[u8], _value: Option<&Self::Value>) -> Option<i64> {
        None
    }

    /// Choose which parts of the value are members from now on. Called before a commit asks for bytes and members.
    fn divide(&self, _value: &mut Self::Value) {}

    /// Whether parts of the value are members; right after `decode`, whether there are some in the store.
    fn has_members(&self, _value: &Self::Value) -> bool {
        false
    }

    /// Give the members that have changed since `settle`, or all that are there if the store has those of another value.
    fn members(&self, _value: &Self::Value, _writes: &mut MemberWrites) {}

    /// The store has all members.
    fn settle(&self, _value: &mut Self::Value) {}

    /// Take in a member that the store has, with what its key has behind that of the entry.
    fn admit(&self, _value: &mut Self::Value, _suffix: &[u8], _bytes: &[u8]) -> Result<()> {
        Err(Error::damaged("an entry in the store belongs to no other"))
    }
}

/// Values that are bytes already, for example rows.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bytes;

impl Codec for Bytes {
    type Value = Box<[u8]>;

    fn encode(&self, value: &Self::Value, out: &mut Vec<u8>) {
        out.extend_from_slice(value);
    }

    fn decode(&self, bytes: &[u8]) -> Result<Self::Value> {
        Ok(bytes.into())
    }

    fn heap(&self, value: &Self::Value) -> usize {
        value.len()
    }
}

/// Give what the keys of all members of an entry begin with.
pub fn members_of(prefix: &[u8], key: &[u8]) -> Vec<u8> {
    let mut members = [prefix, key].concat();
    members[0] = members[0].to_ascii_uppercase();
    members
}

/// Read the members of an entry from the store.
///
/// Args:
/// - `prefix`, `key`: of the table and in the table.
pub fn read_members<C: Codec>(
    codec: &C,
    store: &Store,
    prefix: &[u8],
    key: &[u8],
    value: &mut C::Value,
) -> Result<()> {
    let low = members_of(prefix, key);
    store.scan(&low, prefix_end(&low).as_deref(), |found, bytes| {
        codec.admit(value, &found[low.len()..], bytes)?;
        Ok(ControlFlow::Continue(()))
    })
}

/// Read an entry, and its members from the store.
///
/// Args:
/// - `(prefix, key)`: of the table and in the table.
/// - `bytes`: of the entry.
/// - `store`: only needed if there are members.
pub fn read<C: Codec>(
    codec: &C,
    (prefix, key): (&[u8], &[u8]),
    bytes: &[u8],
    store: Option<&Store>,
) -> Result<C::Value> {
    let mut value = codec.decode(bytes)?;
    if codec.has_members(&value) {
        let store =
            store.ok_or_else(|| Error::spec("an entry has members: give the store, too"))?;
        read_members(codec, store, prefix, key, &mut value)?;
    }
    Ok(value)
}
