//! The state of a group, in memory and as bytes.

use std::sync::Arc;

use super::bytes::{Reader, damaged, put, put_float, put_wide};
use super::heap::Heap;
use super::values::{set_wide, wide};
use super::{Accumulators, Word};
use crate::error::Result;
use crate::table::Codec;

/// What is known of the rows of a group; see [`Accumulators`].
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    words: Words,
    /// Most functions need none: then this is one pointer.
    #[allow(clippy::box_collection)]
    heaps: Option<Box<Vec<Heap>>>,
}

/// So many words lie in the group itself, enough for COUNT(*), SUM and MAX of one column. To follow no pointer to them is
/// a third of the time of a row where groups are many.
const FEW: usize = 4;

#[derive(Debug, Clone, PartialEq)]
enum Words {
    Few([u64; FEW]),
    Many(Box<[u64]>),
}

impl Words {
    fn new(len: usize) -> Self {
        if len <= FEW {
            Self::Few([0; FEW])
        } else {
            Self::Many(vec![0; len].into_boxed_slice())
        }
    }

    #[inline]
    fn get(&self) -> &[u64] {
        match self {
            Self::Few(words) => words,
            Self::Many(words) => words,
        }
    }

    #[inline]
    fn get_mut(&mut self) -> &mut [u64] {
        match self {
            Self::Few(words) => words,
            Self::Many(words) => words,
        }
    }
}

impl Group {
    pub(super) fn new(words: usize, heaps: &[Heap]) -> Self {
        Self {
            words: Words::new(words),
            heaps: (!heaps.is_empty()).then(|| Box::new(heaps.to_vec())),
        }
    }

    /// Give the number of rows. It can be negative where changes come out of order.
    pub fn rows(&self) -> i64 {
        self.words.get()[0].cast_signed()
    }

    /// Whether there is any row, so that the group is part of the result.
    pub fn exists(&self) -> bool {
        self.rows() > 0
    }

    /// How many bytes it takes beside its own `size_of`.
    pub fn heap_size(&self) -> usize {
        /// What the allocator adds to each allocation, and rounding.
        const ALLOCATION: usize = 16;
        let heaps = self.heaps.as_ref().map_or(0, |heaps| {
            size_of::<Vec<Heap>>()
                + ALLOCATION
                + heaps
                    .iter()
                    .map(|heap| size_of::<Heap>() + heap.size())
                    .sum::<usize>()
        });
        let words = match &self.words {
            Words::Few(_) => 0,
            Words::Many(words) => size_of_val(&**words) + ALLOCATION,
        };
        words + heaps
    }

    #[inline]
    pub(super) fn parts(&self) -> (&[u64], &[Heap]) {
        (
            self.words.get(),
            self.heaps.as_ref().map_or(&[], |heaps| heaps),
        )
    }

    #[inline]
    pub(super) fn parts_mut(&mut self) -> (&mut [u64], &mut [Heap]) {
        (
            self.words.get_mut(),
            self.heaps.as_mut().map_or(&mut [], |heaps| heaps),
        )
    }
}

/// The first byte of a state.
const VERSION: u8 = 1;

impl Codec for Arc<Accumulators> {
    type Value = Group;

    fn encode(&self, group: &Group, out: &mut Vec<u8>) {
        self.as_ref().encode(group, out);
    }

    fn decode(&self, bytes: &[u8]) -> Result<Group> {
        self.as_ref().decode(bytes)
    }

    fn heap(&self, group: &Group) -> usize {
        group.heap_size()
    }
}

impl Codec for Accumulators {
    type Value = Group;

    fn encode(&self, group: &Group, out: &mut Vec<u8>) {
        let (words, heaps) = group.parts();
        out.push(VERSION);
        for (index, word) in self.words.iter().enumerate() {
            match word {
                Word::Int => put(out, words[index].cast_signed()),
                Word::Float => put_float(out, f64::from_bits(words[index])),
                Word::Wide => put_wide(out, wide(&words[index..])),
                Word::High => {}
            }
        }
        heaps.iter().for_each(|heap| heap.encode(out));
    }

    fn decode(&self, bytes: &[u8]) -> Result<Group> {
        let mut reader = Reader::new(bytes);
        if reader.byte()? != VERSION {
            return Err(damaged());
        }
        let mut group = self.group();
        let (words, heaps) = group.parts_mut();
        for (index, word) in self.words.iter().enumerate() {
            match word {
                Word::Int => words[index] = reader.int()?.cast_unsigned(),
                Word::Float => words[index] = reader.float()?.to_bits(),
                Word::Wide => set_wide(&mut words[index..], reader.wide()?),
                Word::High => {}
            }
        }
        for heap in heaps {
            *heap = heap.decode(&mut reader)?;
        }
        if reader.is_at_end() {
            Ok(group)
        } else {
            Err(damaged())
        }
    }

    fn heap(&self, group: &Group) -> usize {
        group.heap_size()
    }
}
