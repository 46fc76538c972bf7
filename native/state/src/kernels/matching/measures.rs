//! The columns of a match, made of its rows in bulk.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, ListArray, RecordBatch, UInt32Array};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Field, SchemaRef};
use arrow_select::take::take;

use crate::batch::{LEADING, Leading, op};
use crate::error::{Error, Result};
use crate::kernels::joined::{ByteRows, Cause};
use crate::kernels::operator::check_output;
use crate::rows::RowCodec;

use super::kept::Partition;
use super::spec::{Measure, Take};

/// What measures give, and from which rows.
pub struct Measures {
    measures: Vec<Measure>,
    pub key_rows: RowCodec,
    pub value_rows: RowCodec,
    pub output: SchemaRef,
}

/// Of one column, for all matches: numbers of rows among those that are needed.
enum Chosen {
    One(Vec<Option<u32>>),
    Many { rows: Vec<u32>, ends: Vec<usize> },
    Counts(Vec<i64>),
}

/// Matches on their way out.
pub struct Matches {
    leading: Leading,
    keys: ByteRows,
    rows: ByteRows,
    count: u32,
    columns: Vec<Chosen>,
}

impl Measures {
    pub fn new(
        measures: &[Measure],
        key_rows: RowCodec,
        value_rows: RowCodec,
        output: SchemaRef,
    ) -> Result<Self> {
        let mut types = Vec::new();
        for (number, measure) in measures.iter().enumerate() {
            let column = match measure.column {
                None if measure.take == Take::Count => None,
                None => return Err(Error::spec("a measure has a column, unless it counts rows")),
                Some(column) => Some(
                    (value_rows.types().get(column))
                        .ok_or_else(|| Error::spec("there is no such column to measure"))?,
                ),
            };
            types.push(match (measure.take, column) {
                (Take::Count, _) | (_, None) => DataType::Int64,
                (Take::First | Take::Last, Some(column)) => column.clone(),
                (Take::All, Some(column)) => {
                    let place = LEADING + key_rows.types().len() + number;
                    let found = output.fields().get(place).map(|field| field.data_type());
                    match found {
                        Some(DataType::List(field)) if field.data_type() == column => {
                            DataType::List(Arc::clone(field))
                        }
                        _ => DataType::List(Arc::new(Field::new("item", column.clone(), true))),
                    }
                }
            });
        }
        check_output(&output, &[key_rows.types(), &types])?;
        Ok(Self {
            measures: measures.to_vec(),
            key_rows,
            value_rows,
            output,
        })
    }

    pub fn matches(&self) -> Matches {
        let column = |measure: &Measure| match measure.take {
            Take::First | Take::Last => Chosen::One(Vec::new()),
            Take::All => Chosen::Many {
                rows: Vec::new(),
                ends: vec![0],
            },
            Take::Count => Chosen::Counts(Vec::new()),
        };
        Matches {
            leading: Leading::default(),
            keys: ByteRows::default(),
            rows: ByteRows::default(),
            count: 0,
            columns: self.measures.iter().map(column).collect(),
        }
    }

    /// Give a match out.
    ///
    /// Args:
    /// - `found`: its rows and their variables.
    pub fn push(
        &self,
        matches: &mut Matches,
        cause: Cause,
        key: &[u8],
        partition: &Partition,
        found: &[(u64, usize)],
    ) {
        let Matches {
            leading,
            keys,
            rows,
            count,
            columns,
        } = matches;
        let last = found.last().and_then(|(row, _)| partition.get(*row));
        let time = last.map_or(cause.time, |row| row.time);
        leading.push(cause.partition, cause.seq, time, op::INSERT);
        keys.push(key);
        let mut places: HashMap<u64, u32> = HashMap::new();
        let mut place = |number: u64| {
            *places.entry(number).or_insert_with(|| {
                rows.push(partition.get(number).map_or(&[], |row| &row.row));
                *count += 1;
                *count - 1
            })
        };
        for (measure, column) in self.measures.iter().zip(columns) {
            let mut own = found
                .iter()
                .filter(|(_, variable)| measure.variable.is_none_or(|own| own == *variable))
                .map(|(row, _)| *row);
            match column {
                Chosen::One(chosen) if measure.take == Take::First => {
                    chosen.push(own.nth(measure.offset).map(&mut place));
                }
                Chosen::One(chosen) => {
                    chosen.push(own.rev().nth(measure.offset).map(&mut place));
                }
                Chosen::Many { rows, ends } => {
                    rows.extend(own.map(&mut place));
                    ends.push(rows.len());
                }
                Chosen::Counts(counts) => counts.push(own.count() as i64),
            }
        }
    }

    pub fn finish(&self, matches: Matches) -> Result<RecordBatch> {
        if matches.leading.is_empty() {
            return Ok(RecordBatch::new_empty(self.output.clone()));
        }
        let values = self.value_rows.decode(matches.rows.iter())?;
        let mut columns = self.key_rows.decode(matches.keys.iter())?;
        let fields = &self.output.fields()[LEADING + columns.len()..];
        for ((measure, chosen), field) in self.measures.iter().zip(matches.columns).zip(fields) {
            let column = measure.column.map(|column| &values[column]);
            columns.push(made(chosen, column, field)?);
        }
        matches.leading.finish(&self.output, columns)
    }
}

fn made(chosen: Chosen, column: Option<&ArrayRef>, field: &Field) -> Result<ArrayRef> {
    let column = || column.ok_or_else(|| Error::spec("a measure without a column"));
    Ok(match chosen {
        Chosen::Counts(counts) => Arc::new(Int64Array::from(counts)),
        Chosen::One(rows) => take(column()?, &UInt32Array::from(rows), None)?,
        Chosen::Many { rows, ends } => {
            let values = take(column()?, &UInt32Array::from(rows), None)?;
            let DataType::List(item) = field.data_type() else {
                return Err(Error::spec("all values of a match are a list"));
            };
            let ends: Result<Vec<i32>> = ends
                .into_iter()
                .map(|end| i32::try_from(end).map_err(|_| Error::spec("over 2^31 rows of matches")))
                .collect();
            let offsets = OffsetBuffer::new(ends?.into());
            Arc::new(ListArray::try_new(Arc::clone(item), offsets, values, None)?)
        }
    })
}
