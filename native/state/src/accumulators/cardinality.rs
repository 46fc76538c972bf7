//! APPROX_COUNT_DISTINCT: HyperLogLog with 16,384 registers (standard error 0.8 %). A small set is kept as a sorted list of the
//! registers that are not zero, so it takes four bytes a value, and is counted nearly exactly.

use super::bytes::{Reader, put_len};
use super::column::Column;
use super::values::{Scratch, Value};
use super::{Accumulator, At, Failure, Heap, Part, PartMut, Parts};
use crate::error::Result;

const PRECISION: u32 = 14;
const REGISTERS: usize = 1 << PRECISION;
/// From so many on the list would take as much room as the registers.
const MOST_LISTED: usize = REGISTERS / 4;
/// The largest rank: the bits that are not the index, all zero, and one.
const RANKS: usize = 64 - PRECISION as usize + 1;

#[derive(Debug, Clone, PartialEq)]
pub enum Registers {
    /// index * 64 + rank, ascending, one for each index.
    List(Vec<u32>),
    All(Box<[u8]>),
}

impl Default for Registers {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

impl Registers {
    #[allow(clippy::cast_possible_truncation)] // 14 and 6 bits
    fn add_hash(&mut self, hash: u64) {
        let index = (hash >> (64 - PRECISION)) as u32;
        let rank = ((hash << PRECISION) | (1 << (PRECISION - 1))).leading_zeros() + 1;
        self.raise(index, rank);
    }

    fn raise(&mut self, index: u32, rank: u32) {
        match self {
            Self::List(list) => {
                let place = list.partition_point(|entry| entry >> 6 < index);
                match list.get_mut(place) {
                    Some(entry) if *entry >> 6 == index => *entry = (*entry).max(index << 6 | rank),
                    _ => list.insert(place, index << 6 | rank),
                }
                if list.len() >= MOST_LISTED {
                    *self = Self::All(self.spread());
                }
            }
            Self::All(registers) => {
                let register = &mut registers[index as usize];
                *register = (*register).max(rank as u8);
            }
        }
    }

    fn spread(&self) -> Box<[u8]> {
        let mut registers = vec![0; REGISTERS].into_boxed_slice();
        self.each(|index, rank| registers[index as usize] = rank as u8);
        registers
    }

    /// Walk the registers that are not zero.
    fn each(&self, mut visit: impl FnMut(u32, u32)) {
        match self {
            Self::List(list) => list.iter().for_each(|entry| visit(entry >> 6, entry & 63)),
            Self::All(registers) => {
                for (index, rank) in registers.iter().enumerate().filter(|(_, rank)| **rank > 0) {
                    visit(index as u32, u32::from(*rank));
                }
            }
        }
    }

    fn merge(&mut self, other: &Self) {
        other.each(|index, rank| self.raise(index, rank));
    }

    /// Estimate how many different values there were, by the improved estimator of Otmar Ertl ("New cardinality estimation
    /// algorithms for HyperLogLog sketches", 2017), which needs neither tables nor ranges.
    fn estimate(&self) -> f64 {
        let mut counts = [0u32; RANKS + 1];
        let mut filled = 0;
        self.each(|_, rank| {
            counts[rank as usize] += 1;
            filled += 1;
        });
        counts[0] = REGISTERS as u32 - filled;
        let m = REGISTERS as f64;
        let mut z = m * tau(1.0 - f64::from(counts[RANKS]) / m);
        for rank in (1..RANKS).rev() {
            z = 0.5 * (z + f64::from(counts[rank]));
        }
        z += m * sigma(f64::from(counts[0]) / m);
        m * m / (2.0 * std::f64::consts::LN_2 * z)
    }

    pub fn size(&self) -> usize {
        match self {
            Self::List(list) => list.capacity() * 4,
            Self::All(registers) => registers.len(),
        }
    }

    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::List(list) => {
                put_len(out, list.len());
                list.iter()
                    .for_each(|entry| out.extend_from_slice(&entry.to_le_bytes()));
            }
            Self::All(registers) => {
                put_len(out, registers.len());
                out.extend_from_slice(registers);
            }
        }
    }

    pub fn decode(reader: &mut Reader<'_>) -> Result<Self> {
        let len = reader.len()?;
        if len == REGISTERS {
            return Ok(Self::All(reader.take(len)?.into()));
        }
        let mut list = Vec::with_capacity(len);
        for entry in reader.take(len * 4)?.chunks_exact(4) {
            list.push(u32::from_le_bytes([entry[0], entry[1], entry[2], entry[3]]));
        }
        Ok(Self::List(list))
    }
}

fn sigma(x: f64) -> f64 {
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let (mut x, mut y, mut z) = (x, 1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z <= before {
            return z;
        }
    }
}

fn tau(x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut x, mut y, mut z) = (x, 1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x).powi(2) * y;
        if z >= before {
            return z / 3.0;
        }
    }
}

/// Hash bytes to 64 bits that are as good as random. Kept state depends on it, so it must never change: eight bytes at a time
/// through a multiplication to 128 bits, the length and a last mixing at the end.
fn stable_hash(bytes: &[u8]) -> u64 {
    const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
    const FACTOR: u64 = 0xd6e8_feb8_6659_fd93;
    let fold = |a: u64, b: u64| {
        let product = u128::from(a) * u128::from(b);
        (product as u64) ^ (product >> 64) as u64
    };
    let mut hash = SEED ^ bytes.len() as u64;
    for chunk in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        // A word that makes a factor zero would wipe out all that came before it: hence the addition.
        hash = fold(hash ^ u64::from_le_bytes(word), FACTOR).wrapping_add(hash.rotate_left(23));
    }
    hash ^= hash >> 30;
    hash = hash.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash ^= hash >> 27;
    hash = hash.wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ hash >> 31
}

pub struct ApproxCount;

impl Accumulator for ApproxCount {
    fn parts(&self) -> Parts {
        Parts::heap(Heap::Registers(Registers::default()))
    }

    fn add(
        &self,
        _: At,
        value: Value<'_>,
        _: &mut [u64],
        heaps: &mut [Heap],
    ) -> std::result::Result<(), Failure> {
        let hash = stable_hash(value.canonical().sortable(&mut Scratch::default()));
        heaps[0].registers_mut().add_hash(hash);
        Ok(())
    }

    fn merge(&self, into: PartMut<'_>, from: Part<'_>) {
        into.2[0].registers_mut().merge(from.2[0].registers());
    }

    fn result(&self, _: i64, _: &[u64], heaps: &[Heap], out: &mut Column) {
        out.push(Value::Int(heaps[0].registers().estimate().round() as i64));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(range: std::ops::Range<u64>) -> Registers {
        let mut registers = Registers::default();
        range.for_each(|number| registers.add_hash(stable_hash(&number.to_be_bytes())));
        registers
    }

    #[test]
    fn estimates_are_within_three_percent() {
        for count in [0, 1, 10, 1_000, 4_000, 5_000, 40_000, 300_000] {
            let estimate = of(0..count).estimate();
            let expected = count as f64;
            assert!(
                (estimate - expected).abs() <= expected * 0.03 + 0.5,
                "{count}: {estimate}"
            );
        }
    }

    #[test]
    fn merged_is_as_if_added() {
        for (a, b, c) in [
            (0, 100, 200),
            (0, 3_000, 6_000),
            (0, 10_000, 20_000),
            (0, 50, 20_000),
        ] {
            let mut merged = of(a..b);
            merged.merge(&of(b..c));
            assert_eq!(merged.spread(), of(a..c).spread());
        }
    }

    #[test]
    fn bytes_and_back() {
        for registers in [of(0..0), of(0..50), of(0..20_000)] {
            let mut bytes = Vec::new();
            registers.encode(&mut bytes);
            assert_eq!(
                Registers::decode(&mut Reader::new(&bytes)).unwrap(),
                registers
            );
        }
    }

    #[test]
    fn the_hash_is_what_it_always_was() {
        assert_eq!(stable_hash(b""), 0xe220_a839_7b1d_cdaf);
        assert_eq!(stable_hash(b"headrace"), 0x5650_981a_d6db_cb84);
        assert_eq!(stable_hash(b"more than eight"), 0xb227_6e95_edd5_52dd);
    }
}
