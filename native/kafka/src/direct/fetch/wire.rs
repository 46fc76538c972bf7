//! What is asked of a broker to read, and its answer: Fetch (version 11), older than the flexible ones and served from 2.3 on.

use std::ops::Range;

use crate::direct::wire::{Malformed, Reader, Request};

const FETCH: (i16, i16) = (1, 11);

/// What a consumer wants of each answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) wait_millis: i32,
    pub(super) min_bytes: i32,
    pub(super) max_bytes: i32,
    pub(super) partition_bytes: i32,
    pub(super) read_committed: bool,
}

/// Ask for what is behind these offsets; `wanted` is in the order of topics.
pub(super) fn fetch_request(client: &str, limits: Limits, wanted: &[(&str, i32, i64)]) -> Vec<u8> {
    let mut request = Request::new(FETCH, client);
    // No replica; no session, so each request says all.
    request
        .i32(-1)
        .i32(limits.wait_millis)
        .i32(limits.min_bytes)
        .i32(limits.max_bytes);
    request.byte(u8::from(limits.read_committed)).i32(0).i32(-1);
    let topics: Vec<_> = wanted.chunk_by(|left, right| left.0 == right.0).collect();
    request.count(topics.len());
    for partitions in topics {
        request.text(partitions[0].0).count(partitions.len());
        for (_, partition, offset) in partitions {
            request
                .i32(*partition)
                .i32(-1)
                .i64(*offset)
                .i64(-1)
                .i32(limits.partition_bytes);
        }
    }
    // Nothing to forget, no rack.
    request.i32(0).text("");
    request.finish()
}

/// What came for one partition.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) error: i16,
    pub(super) high_watermark: i64,
    /// Producer and first offset of aborted transactions.
    pub(super) aborted: Vec<(i64, i64)>,
    /// Where its record batches are in the answer.
    pub(super) records: Range<usize>,
}

#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) throttle_millis: i32,
    /// Not of a partition: the broker did not take the request.
    pub(super) error: i16,
    pub(super) partitions: Vec<Fetched>,
}

/// Read an answer, from behind its length.
pub(super) fn fetched(answer: &[u8]) -> Result<Answer, Malformed> {
    let mut reader = Reader::new(answer);
    let mut found = Answer::default();
    let _correlation = reader.i32()?;
    found.throttle_millis = reader.i32()?;
    found.error = reader.i16()?;
    let _session = reader.i32()?;
    for _ in 0..reader.count()? {
        let topic = reader.text()?;
        for _ in 0..reader.count()? {
            let (partition, error) = (reader.i32()?, reader.i16()?);
            let (high_watermark, _stable, _first) = (reader.i64()?, reader.i64()?, reader.i64()?);
            let mut aborted = Vec::new();
            for _ in 0..reader.count()? {
                aborted.push((reader.i64()?, reader.i64()?));
            }
            let _preferred = reader.i32()?;
            let length = reader.count()?;
            let begin = reader.position();
            reader.take(length)?;
            found.partitions.push(Fetched {
                topic: topic.clone(),
                partition,
                error,
                high_watermark,
                aborted,
                records: begin..begin + length,
            });
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::direct::wire::metadata;

    #[test]
    fn a_request_says_what_is_wanted() {
        let limits = Limits {
            wait_millis: 100,
            min_bytes: 1,
            max_bytes: 1000,
            partition_bytes: 500,
            read_committed: true,
        };
        let request = fetch_request("me", limits, &[("a", 0, 5), ("a", 3, 6), ("b", 1, 7)]);
        let mut reader = Reader::new(&request);
        let head = (reader.i32(), reader.i16(), reader.i16(), reader.i32());
        let Ok(length) = usize::try_from(head.0.expect("there")) else {
            panic!("the length is negative")
        };
        assert_eq!(length, request.len() - 4);
        assert_eq!((head.1.expect("there"), head.2.expect("there")), FETCH);
        assert_eq!(reader.text().expect("there"), "me");
        let sizes: Vec<_> = (0..4).map(|_| reader.i32().expect("there")).collect();
        assert_eq!(
            (sizes, reader.i8().expect("there")),
            (vec![-1, 100, 1, 1000], 1)
        );
        let (_session, _epoch) = (reader.i32(), reader.i32());
        let mut found = Vec::new();
        for _ in 0..reader.count().expect("there") {
            let topic = reader.text().expect("there");
            for _ in 0..reader.count().expect("there") {
                let partition = reader.i32().expect("there");
                let (_epoch, offset, _start) = (reader.i32(), reader.i64(), reader.i64());
                assert_eq!(reader.i32().expect("there"), 500);
                found.push((topic.clone(), partition, offset.expect("there")));
            }
        }
        let expected = [("a", 0, 5), ("a", 3, 6), ("b", 1, 7)];
        assert_eq!(
            found,
            expected.map(|(topic, partition, offset)| (topic.to_owned(), partition, offset))
        );
    }

    #[test]
    fn whatever_comes_is_read_or_refused() {
        let mut state = 1u64;
        for length in 0..2000 {
            let bytes: Vec<u8> = (0..length % 200)
                .map(|_| {
                    state = state
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1);
                    // Small numbers, so that counts and lengths are met that fit.
                    if state >> 62 == 0 {
                        (state >> 33) as u8
                    } else {
                        (state >> 60) as u8 & 1
                    }
                })
                .collect();
            let _ = metadata(&bytes);
            let _ = fetched(&bytes);
        }
    }
}
