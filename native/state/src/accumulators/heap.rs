//! The parts of a state that vary in size.

use super::bytes::{Reader, put_bytes};
use super::cardinality::Registers;
use super::exact::ExactSum;
use super::multiset::Multiset;
use super::quantile::Buckets;
use super::sequence::Sequence;
use crate::error::Result;

/// Which it is follows from the function; an accumulator only ever meets its own.
#[derive(Debug, Clone, PartialEq)]
pub enum Heap {
    Bytes(Vec<u8>),
    Sequence(Sequence),
    Multiset(Multiset),
    Registers(Registers),
    Buckets(Buckets),
    Exact(ExactSum),
}

macro_rules! access {
    ($variant:ident, $type:ty, $get:ident, $get_mut:ident) => {
        pub fn $get(&self) -> &$type {
            match self {
                Self::$variant(part) => part,
                other => unreachable!("a state has {other:?} in the place of another part"),
            }
        }

        pub fn $get_mut(&mut self) -> &mut $type {
            match self {
                Self::$variant(part) => part,
                other => unreachable!("a state has {other:?} in the place of another part"),
            }
        }
    };
}

impl Heap {
    access!(Bytes, Vec<u8>, bytes, bytes_mut);
    access!(Sequence, Sequence, sequence, sequence_mut);
    access!(Multiset, Multiset, multiset, multiset_mut);
    access!(Registers, Registers, registers, registers_mut);
    access!(Buckets, Buckets, buckets, buckets_mut);
    access!(Exact, ExactSum, exact, exact_mut);

    /// How many bytes it takes beside its own `size_of`.
    pub fn size(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.capacity(),
            Self::Sequence(part) => part.size(),
            Self::Multiset(part) => part.size(),
            Self::Registers(part) => part.size(),
            Self::Buckets(part) => part.size(),
            Self::Exact(part) => part.size(),
        }
    }

    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Bytes(bytes) => put_bytes(out, bytes),
            Self::Sequence(part) => part.encode(out),
            Self::Multiset(part) => part.encode(out),
            Self::Registers(part) => part.encode(out),
            Self::Buckets(part) => part.encode(out),
            Self::Exact(part) => part.encode(out),
        }
    }

    /// Read a part of the same kind as this one.
    pub fn decode(&self, reader: &mut Reader<'_>) -> Result<Self> {
        Ok(match self {
            Self::Bytes(_) => Self::Bytes(reader.bytes()?.to_vec()),
            Self::Sequence(_) => Self::Sequence(Sequence::decode(reader)?),
            Self::Multiset(_) => Self::Multiset(Multiset::decode(reader)?),
            Self::Registers(_) => Self::Registers(Registers::decode(reader)?),
            Self::Buckets(_) => Self::Buckets(Buckets::decode(reader)?),
            Self::Exact(_) => Self::Exact(ExactSum::decode(reader)?),
        })
    }
}
