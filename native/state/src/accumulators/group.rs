//! The state of a group, in memory and as bytes.

use std::sync::Arc;

use super::bytes::{Reader, damaged, put, put_float, put_wide};
use super::heap::Heap;
use super::multiset::Multiset;
use super::values::{set_wide, wide};
use super::{Accumulators, Word};
use crate::error::Result;
use crate::members::MemberWrites;
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
const FEW: usize = 5;

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

    /// Become as another group of the same accumulators, without a new allocation if they are flat.
    pub fn copy_from(&mut self, other: &Self) {
        self.words.get_mut().copy_from_slice(other.words.get());
        self.heaps.clone_from(&other.heaps);
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

    /// Give the sets with the numbers of their heaps.
    fn sets(&self) -> impl Iterator<Item = (u16, &Multiset)> {
        let heaps = self.heaps.iter().flat_map(|heaps| heaps.iter());
        (0..).zip(heaps).filter_map(|(number, heap)| match heap {
            Heap::Multiset(set) => Some((number, set)),
            _ => None,
        })
    }

    fn sets_mut(&mut self) -> impl Iterator<Item = &mut Multiset> {
        let heaps = self.heaps.iter_mut().flat_map(|heaps| heaps.iter_mut());
        heaps.filter_map(|heap| match heap {
            Heap::Multiset(set) => Some(set),
            _ => None,
        })
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

/// The first byte of a state. Other bytes are of a layout that nobody can read any more: the fingerprint of the store keeps them
/// from being read.
const VERSION: u8 = 3;

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

    fn divide(&self, group: &mut Group) {
        self.as_ref().divide(group);
    }

    fn has_members(&self, group: &Group) -> bool {
        self.as_ref().has_members(group)
    }

    fn members(&self, group: &Group, writes: &mut MemberWrites) {
        self.as_ref().members(group, writes);
    }

    fn settle(&self, group: &mut Group) {
        self.as_ref().settle(group);
    }

    fn admit(&self, group: &mut Group, suffix: &[u8], bytes: &[u8]) -> Result<()> {
        self.as_ref().admit(group, suffix, bytes)
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

    fn divide(&self, group: &mut Group) {
        for set in group.sets_mut() {
            set.divide(self.inline_bytes);
        }
    }

    fn has_members(&self, group: &Group) -> bool {
        group.sets().any(|(_, set)| set.is_divided())
    }

    /// The members are the values of divided sets: two bytes for the number of the heap, then what the set says.
    fn members(&self, group: &Group, writes: &mut MemberWrites) {
        for (number, set) in group.sets() {
            set.members(&number.to_be_bytes(), writes);
        }
    }

    fn settle(&self, group: &mut Group) {
        group.sets_mut().for_each(Multiset::settle);
    }

    fn admit(&self, group: &mut Group, suffix: &[u8], bytes: &[u8]) -> Result<()> {
        let (number, rest) = suffix.split_first_chunk().ok_or_else(damaged)?;
        let (_, heaps) = group.parts_mut();
        match heaps.get_mut(usize::from(u16::from_be_bytes(*number))) {
            Some(Heap::Multiset(set)) => set.admit(rest, bytes),
            _ => Err(damaged()),
        }
    }
}
