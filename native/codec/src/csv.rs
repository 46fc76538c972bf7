//! CSV, one record a value, for reading: fields by position, quotes as in RFC 4180.

use arrow_array::BinaryArray;
use arrow_schema::DataType;

use crate::batch::{Decoded, Target};
use crate::column::{Column, Values};
use crate::decimal;
use crate::fault::{Fault, Result, Unsupported};
use crate::projection::Path;
use crate::text::{self, Scalar};

/// Decodes values of one struct type; the fields of the struct stand in the order of the columns.
pub struct Decoder {
    target: Target,
    delimiter: u8,
    names: Vec<String>,
    /// For each column of the text: which child takes it, and as what.
    columns: Vec<Option<(usize, Scalar)>>,
    scratch: Vec<u8>,
}

impl Decoder {
    pub fn new(
        data_type: &DataType,
        paths: &[Path],
        delimiter: u8,
    ) -> std::result::Result<Self, Unsupported> {
        let DataType::Struct(fields) = data_type else {
            return Err(Unsupported::new("CSV holds records, not single values"));
        };
        if !delimiter.is_ascii() || matches!(delimiter, b'"' | b'\r' | b'\n') {
            return Err(Unsupported::new(
                "the delimiter of CSV must be one ASCII character and neither a quote nor a line end",
            ));
        }
        let target = Target::new(data_type, paths)?;
        let DataType::Struct(wanted) = target.data_type() else {
            unreachable!("pruning keeps a struct");
        };
        let mut columns = Vec::with_capacity(fields.len());
        for field in fields {
            let scalar = Scalar::of(field.data_type()).ok_or_else(|| {
                Unsupported::new(format!(
                    "field `{}`: CSV has no type {}",
                    field.name(),
                    field.data_type()
                ))
            })?;
            columns.push(wanted.find(field.name()).map(|(index, _)| (index, scalar)));
        }
        Ok(Self {
            names: fields.iter().map(|field| field.name().clone()).collect(),
            target,
            delimiter,
            columns,
            scratch: Vec::new(),
        })
    }

    pub fn decode(&mut self, data: &BinaryArray) -> Decoded {
        let Self {
            target,
            delimiter,
            names,
            columns,
            scratch,
        } = self;
        target.decode(data, |bytes, column| {
            if std::str::from_utf8(bytes).is_err() {
                return Err(Fault::new("not UTF-8"));
            }
            let mut line = Line {
                bytes: strip_line_end(bytes),
                at: 0,
                delimiter: *delimiter,
            };
            let row = column.len();
            let Values::Struct(children) = &mut column.values else {
                unreachable!("the program fits the column");
            };
            for (place, name) in columns.iter().zip(names.iter()) {
                let Some(quoted) = line.field(scratch)? else {
                    // Columns that are missing at the end are null.
                    break;
                };
                let Some((child, scalar)) = place else {
                    continue;
                };
                push(&mut children[*child], *scalar, scratch, quoted)
                    .map_err(|fault| fault.within(name))?;
            }
            if line.at <= line.bytes.len() && !(names.is_empty() && line.bytes.is_empty()) {
                return Err(Fault::new("more columns than the type has fields"));
            }
            for child in children {
                if child.len() == row {
                    child.push_null();
                }
            }
            column.present();
            Ok(())
        })
    }
}

fn strip_line_end(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}

struct Line<'a> {
    bytes: &'a [u8],
    /// One past the end when the last column has been taken.
    at: usize,
    delimiter: u8,
}

impl Line<'_> {
    /// Take the next column into `out`; None if there is none. Gives whether it was quoted.
    fn field(&mut self, out: &mut Vec<u8>) -> Result<Option<bool>> {
        out.clear();
        if self.at > self.bytes.len() {
            return Ok(None);
        }
        let quoted = self.bytes.get(self.at) == Some(&b'"');
        if quoted {
            self.at += 1;
            loop {
                match self.bytes.get(self.at) {
                    None => return Err(Fault::new("malformed CSV: a quote is not closed")),
                    Some(b'"') if self.bytes.get(self.at + 1) == Some(&b'"') => {
                        out.push(b'"');
                        self.at += 2;
                    }
                    Some(b'"') => {
                        self.at += 1;
                        break;
                    }
                    Some(byte) => {
                        out.push(*byte);
                        self.at += 1;
                    }
                }
            }
            if !self.ends_column() {
                return Err(Fault::new("malformed CSV: text after a closing quote"));
            }
        } else {
            while let Some(byte) = self.bytes.get(self.at) {
                match byte {
                    byte if *byte == self.delimiter => break,
                    b'"' => return Err(Fault::new("malformed CSV: a quote inside a column")),
                    b'\n' | b'\r' => return Err(Fault::new("malformed CSV: more than one line")),
                    byte => out.push(*byte),
                }
                self.at += 1;
            }
        }
        self.at += 1;
        Ok(Some(quoted))
    }

    fn ends_column(&self) -> bool {
        self.bytes
            .get(self.at)
            .is_none_or(|byte| *byte == self.delimiter)
    }
}

/// Append a column's text; empty text without quotes is null.
pub fn push(column: &mut Column, scalar: Scalar, value: &[u8], quoted: bool) -> Result<()> {
    if value.is_empty() && !quoted {
        column.push_null();
        return Ok(());
    }
    match scalar {
        Scalar::Text => column.push_bytes(value),
        Scalar::Bool => {
            let value = match value.to_ascii_lowercase().as_slice() {
                b"true" | b"t" | b"1" | b"yes" => true,
                b"false" | b"f" | b"0" | b"no" => false,
                _ => return Err(Fault::new("not a boolean")),
            };
            text::push_bool(column, value);
            Ok(())
        }
        Scalar::Integer => {
            let value = integer(value)?;
            text::push_integer(column, value)
        }
        Scalar::Float => text::push_float_text(column, value.trim_ascii()),
        Scalar::Date | Scalar::Time(_) | Scalar::Timestamp(_)
            if value.iter().all(u8::is_ascii_digit) =>
        {
            text::push_temporal_integer(column, scalar, integer(value)?)
        }
        Scalar::Date | Scalar::Time(_) | Scalar::Timestamp(_) | Scalar::Decimal(_, _) => {
            text::push_quoted(column, scalar, value.trim_ascii())
        }
        Scalar::Binary => text::push_quoted(column, scalar, value),
    }
}

fn integer(value: &[u8]) -> Result<i128> {
    decimal::parse(value.trim_ascii(), decimal::MAX_PRECISION, 0)
        .map_err(|_| Fault::new("not an integer, or out of range"))
}
