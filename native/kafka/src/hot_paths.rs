//! What records cost on their way from and to a log, without a broker: for the guard of instructions, `headrace-python`'s example.

use arrow_array::RecordBatch;

use crate::batch::Batches;
use crate::columns::Columns;
use crate::direct::{fetch, produce};
use crate::error::{Error, Result};

/// Write rows as one batch of a log, uncompressed and in a transaction, as the producer does.
///
/// # Errors
/// They are no records.
pub fn write(records: &RecordBatch) -> Result<Vec<u8>> {
    let columns = Columns::of(records)?;
    Ok(produce::one_batch(&columns, records.num_rows()))
}

/// Read batches of a log, of which none is aborted, as the consumer does.
///
/// # Errors
/// They are no batches.
pub fn read(batches: Vec<u8>) -> Result<Vec<RecordBatch>> {
    let mut found = Batches::default();
    let slot = found.slot("topic");
    let mut failed = Ok(());
    let whole = fetch::read_back(batches, |record| {
        failed = found.append(slot, record);
        failed.is_ok()
    });
    failed?;
    if !whole {
        return Err(Error::local("not all of it is batches of a log"));
    }
    found.finish()
}
