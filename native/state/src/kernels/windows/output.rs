//! Results of windows on their way out.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch};

use crate::accumulators::{Group, Results};
use crate::batch::{Leading, op};
use crate::error::Result;

use super::plan::Plan;

/// Start and end of a window, as they are given in `w0` and `w1`.
pub type Bounds = (i64, i64);

/// Whose result a row is, beside its key and window.
#[derive(Debug, Clone, Copy)]
pub struct Cause {
    pub partition: i32,
    pub seq: i64,
    pub time: i64,
}

/// Rows that come out, grown row by row; columns are made in bulk at the end.
pub struct Output<'a> {
    plan: &'a Plan,
    leading: Leading,
    key_bytes: Vec<u8>,
    key_ends: Vec<usize>,
    starts: Vec<i64>,
    ends: Vec<i64>,
    results: Results<'a>,
}

impl<'a> Output<'a> {
    pub fn new(plan: &'a Plan) -> Self {
        Self {
            plan,
            leading: Leading::default(),
            key_bytes: Vec::new(),
            key_ends: Vec::new(),
            starts: Vec::new(),
            ends: Vec::new(),
            results: plan.accumulators.results(),
        }
    }

    /// A window is there that was not given before.
    pub fn insert(&mut self, cause: Cause, key: &[u8], bounds: Bounds, group: &Group) {
        self.push(cause, op::INSERT, key, bounds, Some(group));
    }

    /// A window has changed. `before` is what was given last; it is needed for RETRACT changes alone.
    ///
    /// Without calls (DISTINCT) there is nothing to change.
    pub fn update(
        &mut self,
        cause: Cause,
        key: &[u8],
        bounds: Bounds,
        before: Option<&Group>,
        group: &Group,
    ) {
        if self.plan.is_distinct {
            return;
        }
        if let Some(before) = before.filter(|_| self.plan.retracts) {
            self.push(cause, op::UPDATE_BEFORE, key, bounds, Some(before));
        }
        self.push(cause, op::UPDATE_AFTER, key, bounds, Some(group));
    }

    /// A window is gone. `before` as for `update`.
    pub fn delete(&mut self, cause: Cause, key: &[u8], bounds: Bounds, before: Option<&Group>) {
        self.push(
            cause,
            op::DELETE,
            key,
            bounds,
            before.filter(|_| self.plan.retracts),
        );
    }

    fn push(&mut self, cause: Cause, op: i8, key: &[u8], bounds: Bounds, group: Option<&Group>) {
        self.leading
            .push(cause.partition, cause.seq, cause.time, op);
        self.key_bytes.extend_from_slice(key);
        self.key_ends.push(self.key_bytes.len());
        self.starts.push(bounds.0);
        self.ends.push(bounds.1);
        match group {
            Some(group) => self.results.push(group),
            None => self.results.push_null(),
        };
    }

    pub fn finish(self) -> Result<RecordBatch> {
        if self.leading.is_empty() {
            return Ok(RecordBatch::new_empty(Arc::clone(&self.plan.output)));
        }
        let mut begin = 0;
        let keys = self
            .key_ends
            .iter()
            .map(|end| &self.key_bytes[std::mem::replace(&mut begin, *end)..*end]);
        let mut columns = self.plan.keys.decode(keys)?;
        let bounds: [ArrayRef; 2] = [
            Arc::new(Int64Array::from(self.starts)),
            Arc::new(Int64Array::from(self.ends)),
        ];
        columns.extend(bounds);
        columns.extend(self.results.finish()?);
        self.leading.finish(&self.plan.output, columns)
    }
}
