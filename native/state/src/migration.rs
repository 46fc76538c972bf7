//! From the entries of an aggregate to those of a later version of it, which has other calls.

use arrow_array::builder::BinaryBuilder;
use arrow_array::{Array, BinaryArray};
use arrow_schema::{DataType, SchemaRef};

use crate::accumulators::migration::GroupMigration;
use crate::accumulators::{Accumulators, Rows};
use crate::batch::LEADING;
use crate::error::{Error, Result};
use crate::kernels;
use crate::row_length::{has_row_length, row_length};
use crate::spec::{Aggregate, Changes, Emit, KernelSpec, Spec, WindowKind};

/// How the entries of an aggregate lie in the store.
struct Layout {
    /// First byte of the keys of groups; members have it as a capital.
    prefix: u8,
    /// Bytes between that and the key: the time of a pane.
    before_key: usize,
    value: ValueLayout,
}

/// What is in the value of an entry.
#[derive(Clone, Copy)]
enum ValueLayout {
    /// So many bytes, then the group.
    Group(usize),
    /// The windows of a key: a timer, a byte, then pieces: an id, so many bytes, and the group with its length before it. Or
    /// pieces are members; in their keys an id and a byte stand before what is theirs.
    Pieces(usize),
}

/// Bytes of a timer, an id, a length.
const NUMBER: usize = 8;
const LENGTH: usize = 4;
/// Behind the id in a member's key: a piece, and not a value of one of its sets.
const PIECE: u8 = 0;

/// One version of an aggregate.
pub struct Version {
    pub spec: Spec,
    pub input: SchemaRef,
    pub output: SchemaRef,
}

/// Turns entries of one version into those of another.
pub struct Migration {
    groups: GroupMigration,
    layout: Layout,
    keys: Vec<DataType>,
}

impl Migration {
    /// Args:
    /// - `calls`: for each call of `new` the number of the same call of `old`, None for a new one.
    ///
    /// # Errors
    /// The versions differ in more than their calls, or keep their groups in a way that cannot be migrated.
    pub fn new(old: &Version, new: &Version, calls: &[Option<usize>]) -> Result<Self> {
        let (was, now) = (aggregate(old)?, aggregate(new)?);
        let keys = key_types(new);
        let shape = |of: &Aggregate| {
            let window = of.window.as_ref();
            window.map(|window| (window.kind, window.size, window.advance, window.offset))
        };
        if shape(was) != shape(now)
            || (was.emit == Emit::Final) != (now.emit == Emit::Final)
            || old.spec.inputs != new.spec.inputs
            || key_types(old) != keys
        {
            return Err(Error::spec(
                "the versions of an aggregate differ in more than calls",
            ));
        }
        if !keys.iter().all(has_row_length) {
            return Err(Error::spec(
                "entries with keys of this type cannot be migrated",
            ));
        }
        Ok(Self {
            groups: GroupMigration::new(accumulators(old, was)?, accumulators(new, now)?, calls)?,
            layout: layout(now),
            keys,
        })
    }

    /// Give the entries of the new version. A value that is null is an entry that is gone, and stays so.
    pub fn convert(
        &self,
        keys: &BinaryArray,
        values: &BinaryArray,
    ) -> Result<(BinaryArray, BinaryArray)> {
        let (mut new_keys, mut new_values) = (BinaryBuilder::new(), BinaryBuilder::new());
        for row in 0..keys.len() {
            let key = keys.value(row);
            let value = values.is_valid(row).then(|| values.value(row));
            match key.first() {
                Some(first) if *first == self.layout.prefix => {
                    new_keys.append_value(key);
                    let value = value.map(|value| self.entry(value)).transpose()?;
                    new_values.append_option(value);
                }
                Some(first) if *first == self.layout.prefix.to_ascii_uppercase() => {
                    if let Some((key, value)) = self.member(key, value)? {
                        new_keys.append_value(key);
                        new_values.append_option(value);
                    }
                }
                _ => {
                    new_keys.append_value(key);
                    new_values.append_option(value);
                }
            }
        }
        Ok((new_keys.finish(), new_values.finish()))
    }

    fn entry(&self, value: &[u8]) -> Result<Vec<u8>> {
        let mut out = Vec::with_capacity(value.len());
        match self.layout.value {
            ValueLayout::Group(head) => {
                let (head, group) = value.split_at_checked(head).ok_or_else(damaged)?;
                out.extend_from_slice(head);
                self.groups.convert(group, &mut out)?;
            }
            ValueLayout::Pieces(head) => {
                let (start, mut rest) = value.split_at_checked(NUMBER + 1).ok_or_else(damaged)?;
                out.extend_from_slice(start);
                while !rest.is_empty() {
                    rest = self.piece(NUMBER + head, rest, &mut out)?;
                }
            }
        }
        Ok(out)
    }

    /// Convert so many bytes and a group with its length; give what follows.
    fn piece<'a>(&self, head: usize, bytes: &'a [u8], out: &mut Vec<u8>) -> Result<&'a [u8]> {
        let (head, rest) = bytes.split_at_checked(head).ok_or_else(damaged)?;
        let (length, rest) = rest.split_first_chunk::<LENGTH>().ok_or_else(damaged)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| damaged())?;
        let (group, rest) = rest.split_at_checked(length).ok_or_else(damaged)?;
        out.extend_from_slice(head);
        let begin = out.len();
        out.extend_from_slice(&[0; LENGTH]);
        self.groups.convert(group, out)?;
        let length = u32::try_from(out.len() - begin - LENGTH).map_err(|_| damaged())?;
        out[begin..begin + LENGTH].copy_from_slice(&length.to_be_bytes());
        Ok(rest)
    }

    /// Give a member's key and value; None if the new version has no use for it.
    fn member(&self, key: &[u8], value: Option<&[u8]>) -> Result<Option<Entry>> {
        let start = 1 + self.layout.before_key;
        let rest = key.get(start..).ok_or_else(damaged)?;
        let mut head = start + row_length(&self.keys, rest)?;
        if let ValueLayout::Pieces(before_group) = self.layout.value {
            let kind = *key.get(head + NUMBER).ok_or_else(damaged)?;
            if kind == PIECE {
                let convert = |value: &[u8]| {
                    let mut out = Vec::with_capacity(value.len());
                    self.piece(before_group, value, &mut out)?;
                    Ok::<_, Error>(out)
                };
                return Ok(Some((key.to_vec(), value.map(convert).transpose()?)));
            }
            head += NUMBER + 1;
        }
        let suffix = self.groups.member(&key[head..])?;
        Ok(suffix.map(|suffix| ([&key[..head], &suffix].concat(), value.map(<[u8]>::to_vec))))
    }
}

type Entry = (Vec<u8>, Option<Vec<u8>>);

fn aggregate(version: &Version) -> Result<&Aggregate> {
    match &version.spec.kernel {
        KernelSpec::Aggregate(aggregate) => Ok(aggregate),
        _ => Err(Error::spec("only aggregates can be migrated")),
    }
}

fn key_types(version: &Version) -> Vec<DataType> {
    let fields = version.input.fields().iter().skip(LEADING);
    fields
        .take(version.spec.keys)
        .map(|field| field.data_type().clone())
        .collect()
}

fn accumulators(version: &Version, aggregate: &Aggregate) -> Result<Accumulators> {
    let bounds = if aggregate.window.is_some() { 2 } else { 0 };
    let results = version
        .output
        .fields()
        .get(LEADING + version.spec.keys + bounds..)
        .ok_or_else(|| Error::spec("the output has fewer columns than the key"))?;
    let rows = match (&aggregate.window, version.spec.inputs[0]) {
        (Some(window), _) => kernels::windows::rows_of(window.kind),
        (None, Changes::Append) => Rows::Come,
        (None, _) => Rows::ComeAndGo,
    };
    Accumulators::new(
        &aggregate.calls,
        &version.input,
        version.spec.keys,
        results,
        rows,
    )
}

fn layout(aggregate: &Aggregate) -> Layout {
    let (prefix, before_key, value) = match aggregate.window.as_ref().map(|window| window.kind) {
        None => (b'g', 0, ValueLayout::Group(0)),
        Some(WindowKind::Tumble | WindowKind::Hop | WindowKind::Cumulate) => {
            let order = if aggregate.emit == Emit::Final {
                NUMBER
            } else {
                0
            };
            (b'p', NUMBER, ValueLayout::Group(order))
        }
        // Both ends, and when it was touched first.
        Some(WindowKind::Session) => (b's', 0, ValueLayout::Pieces(3 * NUMBER)),
        Some(WindowKind::Slide) => (b's', 0, ValueLayout::Pieces(NUMBER)),
    };
    Layout {
        prefix,
        before_key,
        value,
    }
}

fn damaged() -> Error {
    Error::damaged("an entry of the state of an aggregate cannot be read")
}
