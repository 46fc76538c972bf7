//! Aggregates over the rows before each row: AVG(x) OVER (PARTITION BY … ORDER BY … ROWS BETWEEN n PRECEDING AND CURRENT ROW).
//!
//! Each row comes out with the results over itself and the n rows before it in its part. Rows whose keys are null are a part like
//! others. There are four kinds of it, one module each:
//!
//! - [`recent`]: over facts, which come in their order; the arguments of the last n rows of each part are kept.
//! - [`running`]: over facts and all rows before, of which only what the functions know of them is kept.
//! - [`timed`]: over facts, with the rows of a stretch of time; they come out when all rows of their time have come.
//! - [`changing`]: over RETRACT changes, in an order of columns; all rows are kept, and one that comes or goes changes the results of
//!   the n rows behind it.
//!
//! Results over n rows are made anew of these rows each time, from the first to the last. So they do not depend on what was
//! before (the last bits of floating-point sums do not wander), nor on batches, and every function will do.

mod changing;
mod frames;
mod recent;
mod running;
mod sums;
mod timed;

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field, Schema, SchemaRef};

use crate::accumulators::{Accumulators, Rows};
use crate::batch::{Input, LEADING};
use crate::error::{Error, Result};
use crate::kernel::Kernel;
use crate::kernels::operator::{Running, check_output};
use crate::rows::{KeyCodec, Keys, RowCodec};
use crate::spec::{self, Changes, KernelSpec, Spec};

const PREFIX: &[u8] = b"o";
/// Bytes of the number at the end of a suffix.
const NUMBER: usize = 8;

/// Make the kernel from its specification and the schemas of its inputs and output.
pub fn make(spec: &Spec, inputs: Vec<SchemaRef>, output: SchemaRef) -> Result<Box<dyn Kernel>> {
    let KernelSpec::Over(over) = &spec.kernel else {
        return Err(Error::spec("this is no aggregate over rows"));
    };
    let shared = Shared::new(over, spec.keys, &inputs[0], output)?;
    if let Some(stretch) = over.stretch {
        if spec.inputs[0] != Changes::Append {
            return Err(Error::spec("a stretch of time is one of a stream"));
        }
        let timed = timed::Timed::new(shared, stretch)?;
        return Ok(Box::new(Running::new(timed, spec)));
    }
    match (spec.inputs[0], over.preceding) {
        (Changes::Append, Some(preceding)) => Ok(Box::new(Running::new(
            recent::Recent::new(shared, preceding)?,
            spec,
        ))),
        (Changes::Append, None) => Ok(Box::new(Running::new(running::Totals::new(shared), spec))),
        (Changes::Retract, Some(preceding)) => Ok(Box::new(Running::new(
            changing::Changing::new(shared, over, preceding)?,
            spec,
        ))),
        (Changes::Retract, None) => Err(Error::spec("over changes there is a number of rows")),
        (Changes::Upsert, _) => Err(Error::spec(
            "aggregates over rows take APPEND or RETRACT changes",
        )),
    }
}

/// What all kinds have.
struct Shared {
    /// Over batches of the four leading columns and the values.
    accumulators: Arc<Accumulators>,
    keys: KeyCodec,
    key_rows: RowCodec,
    value_rows: RowCodec,
    result_rows: RowCodec,
    /// So many values, the first ones, are arguments.
    arguments: usize,
    output: SchemaRef,
}

impl Shared {
    fn new(over: &spec::Over, keys: usize, input: &SchemaRef, output: SchemaRef) -> Result<Self> {
        let key_rows = RowCodec::of_keys(input, keys)?;
        let value_rows = RowCodec::of_values(input, keys)?;
        let first = LEADING + keys;
        let Some(results) = output.fields().get(first..first + over.calls.len()) else {
            return Err(Error::spec(
                "as many result columns as aggregates are needed",
            ));
        };
        let types: Vec<DataType> = results
            .iter()
            .map(|field| field.data_type().clone())
            .collect();
        check_output(&output, &[key_rows.types(), &types, value_rows.types()])?;
        if over.arguments > value_rows.types().len() {
            return Err(Error::spec("there are more arguments than columns"));
        }
        let arguments = frames::schema(&value_rows.types()[..over.arguments]);
        let accumulators = Accumulators::new(&over.calls, &arguments, 0, results, Rows::Come)?;
        Ok(Self {
            accumulators: Arc::new(accumulators),
            keys: KeyCodec::new(input, keys)?,
            key_rows,
            value_rows,
            result_rows: RowCodec::new(&types)?,
            arguments: over.arguments,
            output,
        })
    }

    fn encode_keys(&self, input: &Input<'_>) -> Result<Keys> {
        let mut keys = self.keys.encode(input.keys, input.rows())?;
        keys.keep_nulls();
        Ok(keys)
    }

    /// Give the schema of the state for people: the keys, and some of the other columns.
    fn columns(&self, others: std::ops::Range<usize>) -> SchemaRef {
        let own = &self.output.fields()[LEADING..];
        let keys = self.key_rows.types().len();
        let fields: Vec<Arc<Field>> = own[..keys].iter().chain(&own[others]).cloned().collect();
        Arc::new(Schema::new(fields))
    }

    /// Where the values are among the operator's own columns.
    fn first_value(&self) -> usize {
        self.key_rows.types().len() + self.result_rows.types().len()
    }
}

fn number_of(suffix: &[u8]) -> Result<u64> {
    match suffix.last_chunk::<NUMBER>() {
        Some(number) => Ok(u64::from_be_bytes(*number)),
        None => Err(Error::damaged("a row without its number")),
    }
}

/// Give a batch of so many rows, even where it has no columns.
fn batch_of(schema: SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(
        schema, columns, &options,
    )?)
}
