//! JSON text into columns, directed by the type that is wanted.

use arrow_array::BinaryArray;
use arrow_schema::DataType;
use hashbrown::HashMap;

use super::scan::{NO_COLON, NO_NAME, Number, Scanner, check_depth, malformed_value};
use crate::batch::{Decoded, Target};
use crate::column::{Column, Values};
use crate::decimal;
use crate::fault::{Fault, Result, Unsupported};
use crate::projection::Path;
use crate::text::{self, Scalar};

/// Decodes JSON values of one type.
pub struct Decoder {
    target: Target,
    node: Node,
    scratch: Vec<u8>,
}

enum Node {
    Null,
    Scalar(Scalar),
    List(Box<Node>),
    Map(Box<Node>),
    Struct(Members),
}

/// The fields of an object that are wanted.
struct Members {
    names: Vec<String>,
    nodes: Vec<Node>,
    /// Whether the name looks in JSON as it is, so that it can be compared with the text.
    plain: Vec<bool>,
    /// By name, if there are many.
    index: Option<HashMap<Vec<u8>, usize>>,
}

impl Decoder {
    pub fn new(data_type: &DataType, paths: &[Path]) -> std::result::Result<Self, Unsupported> {
        let target = Target::new(data_type, paths)?;
        let node = Node::of(target.data_type())?;
        Ok(Self {
            target,
            node,
            scratch: Vec::new(),
        })
    }

    pub fn decode(&mut self, data: &BinaryArray) -> Decoded {
        let (node, scratch) = (&self.node, &mut self.scratch);
        self.target.decode(data, |bytes, column| {
            let mut reader = Reader {
                scan: Scanner::new(bytes)?,
                scratch,
            };
            reader.value(node, column, 0)?;
            reader.scan.end()
        })
    }
}

impl Node {
    fn of(data_type: &DataType) -> std::result::Result<Self, Unsupported> {
        if let Some(scalar) = Scalar::of(data_type) {
            return Ok(Self::Scalar(scalar));
        }
        match data_type {
            DataType::Null => Ok(Self::Null),
            DataType::List(item) => Ok(Self::List(Box::new(Self::of(item.data_type())?))),
            DataType::Map(entries, _) => {
                let DataType::Struct(parts) = entries.data_type() else {
                    unreachable!("a map's entries are a struct");
                };
                if parts[0].data_type() != &DataType::Utf8 {
                    return Err(Unsupported::new("JSON has only maps with text as keys"));
                }
                Ok(Self::Map(Box::new(Self::of(parts[1].data_type())?)))
            }
            DataType::Struct(fields) => {
                let names: Vec<String> = fields.iter().map(|field| field.name().clone()).collect();
                let nodes = fields
                    .iter()
                    .map(|field| Self::of(field.data_type()))
                    .collect::<std::result::Result<_, _>>()?;
                let plain = names
                    .iter()
                    .map(|name| !name.bytes().any(|b| b < 0x20 || b == b'"' || b == b'\\'))
                    .collect();
                let index = (names.len() > 8).then(|| {
                    names
                        .iter()
                        .enumerate()
                        .map(|(index, name)| (name.clone().into_bytes(), index))
                        .collect()
                });
                Ok(Self::Struct(Members {
                    names,
                    nodes,
                    plain,
                    index,
                }))
            }
            other => Err(Unsupported::new(format!("JSON has no type {other}"))),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Scalar(scalar) => scalar.name(),
            Self::List(_) => "an array",
            Self::Map(_) | Self::Struct(_) => "an object",
        }
    }
}

impl Members {
    fn find(&self, name: &[u8]) -> Option<usize> {
        match &self.index {
            Some(index) => index.get(name).copied(),
            None => self
                .names
                .iter()
                .position(|candidate| candidate.as_bytes() == name),
        }
    }
}

struct Reader<'a, 's> {
    scan: Scanner<'a>,
    scratch: &'s mut Vec<u8>,
}

impl Reader<'_, '_> {
    /// Append one value to the column, or fail after appending anything.
    #[inline]
    fn value(&mut self, node: &Node, column: &mut Column, depth: usize) -> Result<()> {
        let first = self.scan.peek()?;
        if first == b'n' {
            self.scan.literal("null")?;
            column.push_null();
            return Ok(());
        }
        match (node, first) {
            (Node::Scalar(scalar), _) => self.scalar(*scalar, first, column, depth),
            (Node::Struct(members), b'{') => {
                let row = column.len();
                let Values::Struct(children) = &mut column.values else {
                    unreachable!("the program fits the column");
                };
                self.object(members, children, row, depth)?;
                column.present();
                Ok(())
            }
            (Node::List(item), b'[') => self.list(item, column, depth),
            (Node::Map(value), b'{') => self.map(value, column, depth),
            _ => Err(mismatch(first, node.name())),
        }
    }

    fn object(
        &mut self,
        members: &Members,
        children: &mut [Column],
        row: usize,
        depth: usize,
    ) -> Result<()> {
        check_depth(depth)?;
        self.scan.bump();
        if self.scan.peek()? == b'}' {
            self.scan.bump();
        } else {
            // Records of a topic mostly have their fields in one order.
            let mut guess = 0;
            loop {
                self.scan.expect(b'"', NO_NAME)?;
                let found = if guess < members.names.len()
                    && members.plain[guess]
                    && self.scan.take_name(members.names[guess].as_bytes())
                {
                    Some(guess)
                } else {
                    match self.scan.string(self.scratch)? {
                        Some(name) => members.find(name),
                        None => members.find(self.scratch),
                    }
                };
                self.scan.expect(b':', NO_COLON)?;
                match found {
                    None => self.scan.skip(depth + 1)?,
                    Some(index) => {
                        let child = &mut children[index];
                        if child.len() > row {
                            // The name came before in this object: the last one counts.
                            child.truncate(row);
                        }
                        self.value(&members.nodes[index], child, depth + 1)
                            .map_err(|fault| fault.within(&members.names[index]))?;
                        guess = index + 1;
                    }
                }
                if !self.scan.more(b'}')? {
                    break;
                }
            }
        }
        for child in children {
            if child.len() == row {
                child.push_null();
            }
        }
        Ok(())
    }

    fn list(&mut self, node: &Node, column: &mut Column, depth: usize) -> Result<()> {
        check_depth(depth)?;
        self.scan.bump();
        if self.scan.peek()? == b']' {
            self.scan.bump();
            return column.end_list();
        }
        let Values::List { item, .. } = &mut column.values else {
            unreachable!("the program fits the column");
        };
        loop {
            self.value(node, item, depth + 1)?;
            if !self.scan.more(b']')? {
                break;
            }
        }
        column.end_list()
    }

    fn map(&mut self, node: &Node, column: &mut Column, depth: usize) -> Result<()> {
        check_depth(depth)?;
        self.scan.bump();
        if self.scan.peek()? == b'}' {
            self.scan.bump();
            return column.end_list();
        }
        // Where each entry's value stands; of equal keys the last one counts.
        let mut entries: Vec<(Vec<u8>, usize)> = Vec::new();
        let mut latest: HashMap<Vec<u8>, usize> = HashMap::new();
        loop {
            self.scan.expect(b'"', NO_NAME)?;
            let key = match self.scan.string(self.scratch)? {
                Some(key) => key.to_vec(),
                None => self.scratch.clone(),
            };
            self.scan.expect(b':', NO_COLON)?;
            let place = self.scan.position();
            self.scan.skip(depth + 1)?;
            latest.insert(key.clone(), place);
            entries.push((key, place));
            if !self.scan.more(b'}')? {
                break;
            }
        }
        let end = self.scan.position();
        let Values::List { item, .. } = &mut column.values else {
            unreachable!("the program fits the column");
        };
        for (key, place) in entries {
            if latest[&key] != place {
                continue;
            }
            let Values::Struct(parts) = &mut item.values else {
                unreachable!("a map's entries are a struct");
            };
            parts[0].push_bytes(&key)?;
            self.scan.seek(place);
            self.value(node, &mut parts[1], depth + 1)?;
            item.present();
        }
        self.scan.seek(end);
        column.end_list()
    }

    #[inline]
    fn scalar(
        &mut self,
        scalar: Scalar,
        first: u8,
        column: &mut Column,
        depth: usize,
    ) -> Result<()> {
        let numeric = first == b'-' || first.is_ascii_digit();
        match scalar {
            Scalar::Text if first == b'"' => {
                self.scan.bump();
                let Values::Bytes { data, .. } = &mut column.values else {
                    unreachable!("the program fits the column");
                };
                self.scan.string_into(data)?;
                column.end_bytes()
            }
            // Fields of mixed types are read as text: what is no string comes as its JSON.
            Scalar::Text => {
                let start = self.scan.position();
                self.scan.skip(depth)?;
                column.push_bytes(self.scan.since(start))
            }
            Scalar::Float if numeric => push_float(column, &self.scan.number()?),
            Scalar::Integer if numeric => {
                let value = integer(&self.scan.number()?)?;
                text::push_integer(column, value)
            }
            Scalar::Bool if first == b't' => {
                self.scan.literal("true")?;
                text::push_bool(column, true);
                Ok(())
            }
            Scalar::Bool if first == b'f' => {
                self.scan.literal("false")?;
                text::push_bool(column, false);
                Ok(())
            }
            Scalar::Decimal(precision, scale) if numeric => {
                let value = decimal::parse(self.scan.number()?.text, precision, scale)?;
                text::push_decimal(column, value);
                Ok(())
            }
            Scalar::Date | Scalar::Time(_) | Scalar::Timestamp(_) if numeric => {
                let value = integer(&self.scan.number()?)?;
                text::push_temporal_integer(column, scalar, value)
            }
            Scalar::Date
            | Scalar::Time(_)
            | Scalar::Timestamp(_)
            | Scalar::Decimal(_, _)
            | Scalar::Binary
                if first == b'"' =>
            {
                self.scan.bump();
                match self.scan.string(self.scratch)? {
                    Some(text) => text::push_quoted(column, scalar, text),
                    None => text::push_quoted(column, scalar, self.scratch),
                }
            }
            _ => Err(mismatch(first, scalar.name())),
        }
    }
}

/// The value of a number without a fraction; `1.0` and `1e3` are such.
#[inline]
fn integer(number: &Number<'_>) -> Result<i128> {
    if number.exact && number.scale == 0 && !number.has_exponent {
        let value = i128::from(number.mantissa);
        return Ok(if number.negative { -value } else { value });
    }
    decimal::parse(number.text, decimal::MAX_PRECISION, 0)
        .map_err(|_| Fault::new("not an integer, or out of range"))
}

const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

#[inline]
fn push_float(column: &mut Column, number: &Number<'_>) -> Result<()> {
    // Both parts are exact as doubles, so their quotient is rounded once and hence correctly (Clinger's fast path).
    if let Values::F64(values) = &mut column.values
        && number.exact
        && !number.has_exponent
        && number.mantissa <= 1 << 53
        && number.scale < POWERS.len()
    {
        let value = number.mantissa as f64 / POWERS[number.scale];
        values.push(if number.negative { -value } else { value });
        column.present();
        return Ok(());
    }
    text::push_float_text(column, number.text)
}

fn mismatch(first: u8, expected: &'static str) -> Box<Fault> {
    let found = match first {
        b'"' => "text",
        b'{' => "an object",
        b'[' => "an array",
        b't' | b'f' => "a boolean",
        b'-' | b'0'..=b'9' => "a number",
        _ => return malformed_value(),
    };
    Fault::new(format!("{found} where {expected} is expected"))
}
