//! What the tasks of a windowed aggregate have in common.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, SchemaRef};

use crate::accumulators::{Accumulators, Group, Rows};
use crate::batch::{Input, LEADING, op};
use crate::error::{Error, Result};
use crate::rows::KeyCodec;
use crate::spec::{Changes, Emit, KernelSpec, Spec, Window, WindowKind};

/// A windowed aggregate, compiled for the types of its columns.
pub struct Plan {
    pub accumulators: Arc<Accumulators>,
    pub keys: KeyCodec,
    pub key_columns: usize,
    pub output: SchemaRef,
    pub window: Window,
    pub emit: Emit,
    /// Give what goes whole.
    pub retracts: bool,
    /// Results depend on the order in which rows come, and groups are merged.
    pub numbers_rows: bool,
    /// There are no calls: a window is only there or not.
    pub is_distinct: bool,
}

/// Say what happens to the rows of the groups of a window.
pub fn rows_of(kind: WindowKind) -> Rows {
    match kind {
        WindowKind::Tumble => Rows::Come,
        _ => Rows::AreMerged,
    }
}

impl Plan {
    /// # Errors
    /// The input is no stream of facts, or the columns do not fit the calls.
    pub fn new(spec: &Spec, inputs: &[SchemaRef], output: SchemaRef) -> Result<Self> {
        let KernelSpec::Aggregate(aggregate) = &spec.kernel else {
            return Err(Error::spec("this is no aggregate"));
        };
        let Some(window) = aggregate.window.clone() else {
            return Err(Error::spec("this aggregate has no window"));
        };
        if spec.inputs[0] != Changes::Append {
            return Err(Error::spec("windows are of streams: their input is APPEND"));
        }
        let fields = output.fields();
        let results = LEADING + spec.keys + 2;
        let bounds = fields.get(results - 2..results).unwrap_or_default();
        if bounds.len() < 2
            || bounds
                .iter()
                .any(|field| field.data_type() != &DataType::Int64)
        {
            return Err(Error::spec(
                "the keys of a windowed aggregate are followed by two bounds of int64",
            ));
        }
        let rows = rows_of(window.kind);
        let accumulators = Accumulators::new(
            &aggregate.calls,
            &inputs[0],
            spec.keys,
            &fields[results..],
            rows,
        )?;
        Ok(Self {
            numbers_rows: rows == Rows::AreMerged && accumulators.need_arrivals(),
            accumulators: Arc::new(accumulators.divided_above(aggregate.inline_bytes)),
            keys: KeyCodec::new(&inputs[0], spec.keys)?,
            key_columns: spec.keys,
            window,
            emit: aggregate.emit,
            retracts: aggregate.retracts,
            is_distinct: aggregate.calls.is_empty(),
            output,
        })
    }

    /// Take a batch of the input apart.
    pub fn input<'a>(&self, batch: &'a RecordBatch) -> Result<Input<'a>> {
        let input = Input::new(batch, self.key_columns)?;
        if input.op.iter().any(|op| *op != op::INSERT) {
            return Err(Error::spec(
                "windows are of streams: rows are only inserted",
            ));
        }
        Ok(input)
    }

    /// Merge groups; None where there are none.
    pub fn merge<'g>(&self, parts: impl IntoIterator<Item = &'g Group>) -> Option<Group> {
        let mut parts = parts.into_iter();
        let mut merged = parts.next()?.clone();
        parts.for_each(|part| self.accumulators.merge(&mut merged, part));
        Some(merged)
    }
}
