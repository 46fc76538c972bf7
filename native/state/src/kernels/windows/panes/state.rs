//! What is kept of a pane, and what is remembered of it until the flush.

use std::sync::Arc;

use crate::accumulators::{Accumulators, Group};
use crate::error::{Error, Result};
use crate::members::MemberWrites;
use crate::spec::Emit;
use crate::table::{Codec, Slot};

use super::super::segments::SegmentCodec;

/// The rows of one key in one pane.
pub struct Pane {
    pub group: Group,
    /// EMIT FINAL: which of two was touched first (kept with the state). EMIT COMMIT: 1 + its place in `Panes::dirty`, 0 if
    /// nothing has changed since the flush.
    pub mark: u64,
}

#[derive(Clone)]
pub struct PaneCodec {
    pub accumulators: Arc<Accumulators>,
    pub emit: Emit,
    /// The end of the last window that the pane is part of.
    pub end: i64,
    pub size: i64,
}

impl Codec for PaneCodec {
    type Value = Pane;

    fn encode(&self, pane: &Pane, out: &mut Vec<u8>) {
        if self.emit == Emit::Final {
            out.extend_from_slice(&pane.mark.to_be_bytes());
        }
        self.accumulators.encode(&pane.group, out);
    }

    fn decode(&self, bytes: &[u8]) -> Result<Pane> {
        let (mark, bytes) = if self.emit == Emit::Final {
            let (mark, rest) = bytes
                .split_first_chunk()
                .ok_or_else(|| Error::damaged("a pane in the store is too short"))?;
            (u64::from_be_bytes(*mark), rest)
        } else {
            (0, bytes)
        };
        Ok(Pane {
            group: self.accumulators.decode(bytes)?,
            mark,
        })
    }

    fn heap(&self, pane: &Pane) -> usize {
        pane.group.heap_size()
    }

    fn timestamp(&self, _: &[u8], _: Option<&Pane>) -> Option<i64> {
        Some(self.end)
    }

    fn divide(&self, pane: &mut Pane) {
        self.accumulators.divide(&mut pane.group);
    }

    fn has_members(&self, pane: &Pane) -> bool {
        self.accumulators.has_members(&pane.group)
    }

    fn members(&self, pane: &Pane, writes: &mut MemberWrites) {
        self.accumulators.members(&pane.group, writes);
    }

    fn settle(&self, pane: &mut Pane) {
        self.accumulators.settle(&mut pane.group);
    }

    fn admit(&self, pane: &mut Pane, suffix: &[u8], bytes: &[u8]) -> Result<()> {
        self.accumulators.admit(&mut pane.group, suffix, bytes)
    }
}

impl SegmentCodec for PaneCodec {
    fn at(&self, pane: i64) -> Self {
        Self {
            end: pane.saturating_add(self.size),
            ..self.clone()
        }
    }
}

/// A pane that has changed since the flush.
pub struct Dirty {
    pub pane: i64,
    pub slot: Slot,
    /// Stream time when it changed first.
    pub since: i64,
    /// The largest time of the rows.
    pub time: i64,
    /// Whether it was there at the flush.
    pub existed: bool,
    /// Its rows at the flush, if old results are wanted.
    pub before: Option<Group>,
}

/// The result of a window that closed after it had changed, and before other rows came into its panes.
pub struct Frozen {
    pub time: i64,
    pub existed: bool,
    pub before: Option<Group>,
    pub group: Group,
}
