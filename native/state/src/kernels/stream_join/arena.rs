//! Row bytes, packed: one after another in segments, each of rows of one bucket, with their length before them.
//!
//! A bucket that is over goes as a whole. Of rows that go before that the bytes stay where they are until most of their
//! bucket's segments is worth nothing and the rows left are moved together.

use std::collections::{BTreeMap, BTreeSet};

/// Bytes of a segment; of a bucket's first ones fewer, of one with a long row more.
const MOST_SEGMENT: usize = 256 << 10;
const LEAST_SEGMENT: usize = 1 << 10;
/// Bytes of a row's length.
const LENGTH: usize = size_of::<u32>();
/// Rows are moved together where at least one part in so many of their bucket is worth nothing.
const SPARSE: usize = 8;

/// Where a row is; valid until its bucket is dropped or rows are moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowPlace {
    pub segment: u32,
    /// Below 2^31.
    pub offset: u32,
}

#[derive(Default)]
struct Bucket {
    segments: Vec<u32>,
    capacity: usize,
    /// Bytes of the rows that are still of use, with their lengths.
    live: usize,
    /// Bytes of rows that are still to be moved here.
    coming: usize,
}

#[derive(Default)]
pub struct Arena {
    segments: Vec<Vec<u8>>,
    /// Numbers of segments that are given again.
    free: Vec<u32>,
    buckets: BTreeMap<i64, Bucket>,
    capacity: usize,
    live: usize,
}

impl Arena {
    /// Bytes that are taken from the allocator.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Bytes of the rows that are still of use.
    pub fn live(&self) -> usize {
        self.live
    }

    pub fn push(&mut self, bucket: i64, row: &[u8]) -> RowPlace {
        let needed = LENGTH + row.len();
        let number = self.room(bucket, needed);
        let segment = &mut self.segments[number as usize];
        let offset = segment.len() as u32;
        segment.extend_from_slice(&(row.len() as u32).to_le_bytes());
        segment.extend_from_slice(row);
        RowPlace {
            segment: number,
            offset,
        }
    }

    /// Give a segment with so much room, and count the bytes as a row's.
    fn room(&mut self, bucket: i64, needed: usize) -> u32 {
        let found = self.buckets.entry(bucket).or_default();
        found.live += needed;
        self.live += needed;
        if let Some(last) = found.segments.last() {
            let segment = &self.segments[*last as usize];
            if segment.capacity() - segment.len() >= needed {
                return *last;
            }
        }
        let size = match found.coming {
            0 => found.capacity.clamp(LEAST_SEGMENT, MOST_SEGMENT),
            coming => coming.min(MOST_SEGMENT),
        };
        let size = size.max(needed);
        let segment = Vec::with_capacity(size);
        found.capacity += segment.capacity();
        self.capacity += segment.capacity();
        let number = match self.free.pop() {
            Some(number) => {
                self.segments[number as usize] = segment;
                number
            }
            None => {
                self.segments.push(segment);
                u32::try_from(self.segments.len() - 1).expect("segments are not that short")
            }
        };
        found.segments.push(number);
        number
    }

    pub fn get(&self, place: RowPlace) -> &[u8] {
        let rest = &self.segments[place.segment as usize][place.offset as usize..];
        let (length, rest) = rest
            .split_first_chunk()
            .expect("a row has its length before it");
        &rest[..u32::from_le_bytes(*length) as usize]
    }

    /// A row is of no use any more.
    pub fn release(&mut self, bucket: i64, place: RowPlace) {
        let bytes = LENGTH + self.get(place).len();
        self.live -= bytes;
        let Some(found) = self.buckets.get_mut(&bucket) else {
            return;
        };
        found.live -= bytes;
        if found.live == 0 {
            self.drop_bucket(bucket);
        }
    }

    /// Drop all rows of the buckets before one.
    pub fn drop_before(&mut self, first: i64) {
        while let Some((bucket, _)) = self.buckets.first_key_value()
            && *bucket < first
        {
            self.drop_bucket(*bucket);
        }
    }

    fn drop_bucket(&mut self, bucket: i64) {
        if let Some(found) = self.buckets.remove(&bucket) {
            self.live -= found.live;
            self.drop_segments(found);
        }
    }

    fn drop_segments(&mut self, bucket: Bucket) {
        self.capacity -= bucket.capacity;
        for number in bucket.segments {
            self.segments[number as usize] = Vec::new();
            self.free.push(number);
        }
    }

    /// Begin to move rows together: all that are of use in the buckets of the result are to be moved now.
    pub fn start_moving(&mut self) -> Moving {
        let sparse: Vec<i64> = self
            .buckets
            .iter()
            .filter(|(_, bucket)| (bucket.capacity - bucket.live) * SPARSE >= bucket.capacity)
            .map(|(bucket, _)| *bucket)
            .collect();
        let mut moving = Moving::default();
        for bucket in sparse {
            if let Some(found) = self.buckets.remove(&bucket) {
                self.live -= found.live;
                let fresh = Bucket {
                    coming: found.live,
                    ..Bucket::default()
                };
                self.buckets.insert(bucket, fresh);
                moving.left.push(found);
                moving.buckets.insert(bucket);
            }
        }
        moving
    }

    pub fn move_row(&mut self, bucket: i64, place: RowPlace) -> RowPlace {
        let needed = LENGTH + self.get(place).len();
        let number = self.room(bucket, needed);
        let from = std::mem::take(&mut self.segments[place.segment as usize]);
        let segment = &mut self.segments[number as usize];
        let offset = segment.len() as u32;
        segment.extend_from_slice(&from[place.offset as usize..][..needed]);
        self.segments[place.segment as usize] = from;
        if let Some(found) = self.buckets.get_mut(&bucket) {
            found.coming -= needed;
        }
        RowPlace {
            segment: number,
            offset,
        }
    }

    pub fn finish_moving(&mut self, moving: Moving) {
        for bucket in moving.left {
            self.drop_segments(bucket);
        }
    }
}

/// Buckets whose rows are being moved, and the segments that they leave.
#[derive(Default)]
pub struct Moving {
    buckets: BTreeSet<i64>,
    left: Vec<Bucket>,
}

impl Moving {
    pub fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    pub fn has(&self, bucket: i64) -> bool {
        self.buckets.contains(&bucket)
    }
}
