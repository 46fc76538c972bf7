//! Which partition a record goes to, where its sender does not say.

/// After so many records without a key the next partition has its turn: batches stay large.
const TURN: usize = 512;

/// As the default partitioner of Kafka's Java client: murmur2 of the key, without a key in turn.
#[derive(Debug, Default)]
pub(super) struct Partitioner {
    keyless: usize,
}

impl Partitioner {
    /// A number below `count`, which is not 0.
    pub(super) fn choose(&mut self, key: Option<&[u8]>, count: usize) -> usize {
        match key {
            Some(key) => (murmur2(key) & 0x7fff_ffff) as usize % count,
            None => {
                self.keyless = self.keyless.wrapping_add(1);
                self.keyless / TURN % count
            }
        }
    }

    /// What is sent next begins with another partition: senders of few records spread them too.
    pub(super) fn turn(&mut self) {
        self.keyless = (self.keyless / TURN).wrapping_add(1).wrapping_mul(TURN);
    }
}

/// 32 bits of MurmurHash2 with Kafka's seed (Austin Appleby's algorithm; seed as in `org.apache.kafka.common.utils.Utils`).
fn murmur2(key: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const FACTOR: u32 = 0x5bd1_e995;
    let mut hash = SEED ^ key.len() as u32;
    let (words, rest) = key.as_chunks::<4>();
    for word in words {
        let mut word = u32::from_le_bytes(*word).wrapping_mul(FACTOR);
        word ^= word >> 24;
        hash = hash.wrapping_mul(FACTOR) ^ word.wrapping_mul(FACTOR);
    }
    if !rest.is_empty() {
        for (index, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * index);
        }
        hash = hash.wrapping_mul(FACTOR);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(FACTOR);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_hash_as_in_java() {
        // Of the tests of Apache Kafka's client.
        for (key, hash) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            (
                "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
                -58_897_971,
            ),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()).cast_signed(), hash, "{key}");
        }
    }

    #[test]
    fn records_without_a_key_reach_every_partition() {
        let mut partitioner = Partitioner::default();
        let mut counts = [0; 3];
        for _ in 0..TURN * 6 {
            counts[partitioner.choose(None, 3)] += 1;
        }
        assert!(counts.iter().all(|count| *count >= TURN), "{counts:?}");
        let chosen: Vec<_> = (0..4)
            .map(|_| {
                partitioner.turn();
                partitioner.choose(None, 3)
            })
            .collect();
        assert!((0..3).all(|number| chosen.contains(&number)), "{chosen:?}");
    }
}
