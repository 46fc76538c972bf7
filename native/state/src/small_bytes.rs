//! Byte strings that are mostly short.

use std::borrow::Borrow;
use std::cmp::Ordering;

/// So many bytes take no allocation: a LONG, a timestamp and a LONG, a count and a sum.
const INLINE: usize = 22;

/// Bytes, in the value itself if they are few. Ordered as slices are.
#[derive(Debug, Clone)]
pub(crate) enum SmallBytes {
    Inline(u8, [u8; INLINE]),
    Heap(Box<[u8]>),
}

impl SmallBytes {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        if bytes.len() <= INLINE {
            let mut inline = [0; INLINE];
            inline[..bytes.len()].copy_from_slice(bytes);
            Self::Inline(bytes.len() as u8, inline)
        } else {
            Self::Heap(bytes.into())
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Inline(len, bytes) => &bytes[..usize::from(*len)],
            Self::Heap(bytes) => bytes,
        }
    }

    /// How many bytes they take beside their own `size_of`.
    pub(crate) fn heap(&self) -> usize {
        match self {
            Self::Inline(..) => 0,
            Self::Heap(bytes) => bytes.len(),
        }
    }
}

impl Borrow<[u8]> for SmallBytes {
    fn borrow(&self) -> &[u8] {
        self.bytes()
    }
}

impl PartialEq for SmallBytes {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }
}

impl Eq for SmallBytes {}

impl PartialOrd for SmallBytes {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for SmallBytes {
    fn cmp(&self, other: &Self) -> Ordering {
        self.bytes().cmp(other.bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_bytes_are_those_of_slices() {
        let strings: Vec<Vec<u8>> = (0..=2 * INLINE)
            .flat_map(|len| [vec![0; len], vec![0xff; len]])
            .collect();
        for left in &strings {
            let small = SmallBytes::new(left);
            assert_eq!(small.bytes(), left);
            assert_eq!(small.heap() > 0, left.len() > INLINE);
            for right in &strings {
                let other = SmallBytes::new(right);
                assert_eq!(small.cmp(&other), left.cmp(right));
                assert_eq!(small == other, left == right);
            }
        }
    }
}
