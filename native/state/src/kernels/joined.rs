//! The rows that a kernel of kept rows gives: each a few pieces of row bytes, turned into columns all at once at the end.

use arrow_array::{ArrayRef, RecordBatch, new_null_array};
use arrow_schema::SchemaRef;

use crate::batch::{Input, Leading, op};
use crate::error::Result;
use crate::rows::RowCodec;

/// Row bytes one after another.
#[derive(Default)]
pub struct ByteRows {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl ByteRows {
    pub fn push(&mut self, row: &[u8]) {
        self.bytes.extend_from_slice(row);
        self.ends.push(self.bytes.len());
    }

    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts
            .zip(&self.ends)
            .map(|(start, end)| &self.bytes[start..*end])
    }
}

/// Give the bytes of a row that has only nulls: what stands for the side without a partner.
pub fn row_of_nulls(codec: &RowCodec) -> Result<Box<[u8]>> {
    let columns: Vec<ArrayRef> = codec
        .types()
        .iter()
        .map(|data_type| new_null_array(data_type, 1))
        .collect();
    Ok(codec.encode(&columns, 1)?.row(0).into())
}

/// Rows that come out, each of N pieces.
pub struct OutRows<const N: usize> {
    leading: Leading,
    pieces: [ByteRows; N],
}

impl<const N: usize> Default for OutRows<N> {
    fn default() -> Self {
        Self {
            leading: Leading::default(),
            pieces: std::array::from_fn(|_| ByteRows::default()),
        }
    }
}

/// Which row made a row come out, and when.
#[derive(Debug, Clone, Copy)]
pub struct Cause {
    pub partition: i32,
    pub seq: i64,
    pub time: i64,
}

impl Cause {
    pub fn of(input: &Input<'_>, row: usize) -> Self {
        Self {
            partition: input.partition[row],
            seq: input.seq[row],
            time: input.time[row],
        }
    }
}

impl<const N: usize> OutRows<N> {
    pub fn push(&mut self, cause: Cause, op: i8, pieces: [&[u8]; N]) {
        self.leading
            .push(cause.partition, cause.seq, cause.time, op);
        self.push_pieces(pieces);
    }

    /// Add a row without the first four columns.
    pub fn push_pieces(&mut self, pieces: [&[u8]; N]) {
        for (rows, piece) in self.pieces.iter_mut().zip(pieces) {
            rows.push(piece);
        }
    }

    /// Give what makes the old row the new one; nothing if they are the same.
    pub fn push_difference(
        &mut self,
        cause: Cause,
        old: Option<[&[u8]; N]>,
        new: Option<[&[u8]; N]>,
    ) {
        match (old, new) {
            (None, Some(new)) => self.push(cause, op::INSERT, new),
            (Some(old), None) => self.push(cause, op::DELETE, old),
            (Some(old), Some(new)) if old != new => {
                self.push(cause, op::UPDATE_BEFORE, old);
                self.push(cause, op::UPDATE_AFTER, new);
            }
            _ => {}
        }
    }

    /// Give the columns of all pieces.
    pub fn columns(&self, codecs: [&RowCodec; N]) -> Result<Vec<ArrayRef>> {
        let mut columns = Vec::new();
        for (rows, codec) in self.pieces.iter().zip(codecs) {
            columns.extend(codec.decode(rows.iter())?);
        }
        Ok(columns)
    }

    /// Give the rows of a kernel.
    pub fn finish(self, schema: &SchemaRef, codecs: [&RowCodec; N]) -> Result<RecordBatch> {
        self.finish_between(schema, codecs, Vec::new())
    }

    /// As `finish`, with more columns between those of the first piece and the others.
    pub fn finish_between(
        self,
        schema: &SchemaRef,
        codecs: [&RowCodec; N],
        more: Vec<ArrayRef>,
    ) -> Result<RecordBatch> {
        if self.leading.is_empty() {
            return Ok(RecordBatch::new_empty(schema.clone()));
        }
        let mut columns = self.columns(codecs)?;
        let place = codecs[0].types().len();
        columns.splice(place..place, more);
        self.leading.finish(schema, columns)
    }
}
