//! Values in an order of their own.

use super::bytes::{Reader, put_bytes, put_len};
use crate::error::Result;

/// A list of byte strings in two allocations.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sequence {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Sequence {
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn get(&self, index: usize) -> &[u8] {
        &self.bytes[self.start(index)..self.ends[index]]
    }

    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|index| self.get(index))
    }

    pub fn push(&mut self, value: &[u8]) {
        self.bytes.extend_from_slice(value);
        self.ends.push(self.bytes.len());
    }

    pub fn insert(&mut self, index: usize, value: &[u8]) {
        let start = self.start(index);
        self.bytes.splice(start..start, value.iter().copied());
        self.ends.insert(index, start);
        for end in &mut self.ends[index..] {
            *end += value.len();
        }
    }

    pub fn remove(&mut self, index: usize) {
        let (start, end) = (self.start(index), self.ends[index]);
        self.bytes.drain(start..end);
        self.ends.remove(index);
        for other in &mut self.ends[index..] {
            *other -= end - start;
        }
    }

    pub fn truncate(&mut self, len: usize) {
        self.ends.truncate(len);
        self.bytes.truncate(self.ends.last().copied().unwrap_or(0));
    }

    /// Find a place among values for which `is_before` holds up to that place and not from there on.
    pub fn partition_point(&self, is_before: impl Fn(&[u8]) -> bool) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            if is_before(self.get(middle)) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    pub fn size(&self) -> usize {
        self.bytes.capacity() + self.ends.capacity() * size_of::<usize>()
    }

    pub fn encode(&self, out: &mut Vec<u8>) {
        put_len(out, self.len());
        self.iter().for_each(|value| put_bytes(out, value));
    }

    pub fn decode(reader: &mut Reader<'_>) -> Result<Self> {
        let mut sequence = Self::default();
        for _ in 0..reader.len()? {
            sequence.push(reader.bytes()?);
        }
        Ok(sequence)
    }

    fn start(&self, index: usize) -> usize {
        if index == 0 { 0 } else { self.ends[index - 1] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_inserted_and_cut_off() {
        let mut sequence = Sequence::default();
        for value in [&b"d"[..], b"", b"ccc", b"bb"] {
            let place = sequence.partition_point(|other| other <= value);
            sequence.insert(place, value);
        }
        assert_eq!(
            sequence.iter().collect::<Vec<_>>(),
            [&b""[..], b"bb", b"ccc", b"d"]
        );
        sequence.remove(1);
        sequence.remove(1);
        assert_eq!(sequence.iter().collect::<Vec<_>>(), [&b""[..], b"d"]);
        sequence.insert(1, b"bb");
        sequence.insert(2, b"ccc");
        sequence.truncate(3);
        let mut bytes = Vec::new();
        sequence.encode(&mut bytes);
        assert_eq!(
            Sequence::decode(&mut Reader::new(&bytes)).unwrap(),
            sequence
        );
        assert_eq!(
            sequence.iter().collect::<Vec<_>>(),
            [&b""[..], b"bb", b"ccc"]
        );
    }
}
