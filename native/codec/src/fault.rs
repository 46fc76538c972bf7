//! What can be wrong with one value, and with a type.

use std::borrow::Cow;
use std::fmt;

/// Why one value could not be decoded or encoded. Names fields of the schema, never data of the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Field names, innermost first: they are added while the error goes up.
    path: Vec<String>,
    message: Cow<'static, str>,
}

pub type Result<T> = std::result::Result<T, Box<Fault>>;

impl Fault {
    pub fn new(message: impl Into<Cow<'static, str>>) -> Box<Self> {
        Box::new(Self {
            path: Vec::new(),
            message: message.into(),
        })
    }

    /// Say in which field it happened.
    pub fn within(mut self: Box<Self>, field: &str) -> Box<Self> {
        self.path.push(field.to_owned());
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            f.write_str("field `")?;
            for (level, name) in self.path.iter().rev().enumerate() {
                if level > 0 {
                    f.write_str(".")?;
                }
                f.write_str(name)?;
            }
            f.write_str("`: ")?;
        }
        f.write_str(&self.message)
    }
}

/// A type or schema that a format cannot hold, or a pair of schemas that do not fit. The text is meant for users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsupported(pub String);

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unsupported {}

impl Unsupported {
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}
