//! What the tasks of a windowed aggregate have in common.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, SchemaRef};

use crate::accumulators::{Accumulators, Failure, Group};
use crate::batch::{Input, LEADING, op};
use crate::error::{Error, Result};
use crate::rows::KeyCodec;
use crate::spec::{Changes, Emit, KernelSpec, Spec, Window};

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
    /// There are no calls: a window is only there or not.
    pub is_distinct: bool,
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
        let accumulators = Accumulators::new(
            &aggregate.calls,
            &inputs[0],
            spec.keys,
            &fields[results..],
            false,
        )?;
        Ok(Self {
            accumulators: Arc::new(accumulators),
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

    /// Merge groups whose rows come after one another; None where there are none.
    ///
    /// # Errors
    /// A sum does not fit any more.
    pub fn merged<'g>(
        &self,
        parts: impl IntoIterator<Item = &'g Group>,
    ) -> std::result::Result<Option<Group>, Failure> {
        let mut parts = parts.into_iter();
        let Some(mut merged) = parts.next().cloned() else {
            return Ok(None);
        };
        parts.try_for_each(|part| self.accumulators.merge(&mut merged, part))?;
        Ok(Some(merged))
    }

    /// As `merged`, where no row is to blame: each part by itself fits.
    pub fn merge<'g>(&self, parts: impl IntoIterator<Item = &'g Group>) -> Result<Option<Group>> {
        self.merged(parts).map_err(Self::over_window)
    }

    /// Merge the rows of another group in, which come after those of `into`.
    pub fn merge_into(&self, into: &mut Group, from: &Group) -> Result<()> {
        self.accumulators
            .merge(into, from)
            .map_err(Self::over_window)
    }

    pub fn over_window(failure: Failure) -> Error {
        Error::spec(format!("{} over a window", failure.0))
    }
}
