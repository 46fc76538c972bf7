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
    words: Box<[u64]>,
    /// Most functions need none: then this is one pointer.
    #[allow(clippy::box_collection)]
    heaps: Option<Box<Vec<Heap>>>,
}

impl Group {
    pub(super) fn new(words: usize, heaps: &[Heap]) -> Self {
        let heaps = (!heaps.is_empty()).then(|| Box::new(heaps.to_vec()));
        Self {
            words: vec![0; words].into_boxed_slice(),
            heaps,
        }
    }

    /// Give the number of rows. It can be negative where changes come out of order.
    pub fn rows(&self) -> i64 {
        self.words[0].cast_signed()
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
        size_of_val(&*self.words) + ALLOCATION + heaps
    }

    #[inline]
    pub(super) fn parts(&self) -> (&[u64], &[Heap]) {
        (&self.words, self.heaps.as_ref().map_or(&[], |heaps| heaps))
    }

    #[inline]
    pub(super) fn parts_mut(&mut self) -> (&mut [u64], &mut [Heap]) {
        (
            &mut self.words,
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
