//! What can go wrong with state as a whole. What is wrong with one row is a [`crate::Failure`].

use std::fmt;

/// Why an operator or its state cannot go on. The text is meant for users and names no data of a record.
#[derive(Debug)]
pub enum Error {
    /// The specification of an operator, or a batch given to it, is not what it can work on: a fault of the planner.
    Spec(String),
    /// The local store cannot be read any more. It must be removed; the changelog holds the same.
    Damaged(String),
    /// Another process uses the local store.
    Locked(String),
    /// The disk refused, or there is no room.
    Io(String),
}

pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub fn spec(message: impl Into<String>) -> Self {
        Self::Spec(message.into())
    }

    pub fn damaged(message: impl Into<String>) -> Self {
        Self::Damaged(message.into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spec(message)
            | Self::Damaged(message)
            | Self::Locked(message)
            | Self::Io(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Error {}

/// An error of Arrow while batches of known types are put together: the schemas do not fit one another.
impl From<arrow_schema::ArrowError> for Error {
    fn from(error: arrow_schema::ArrowError) -> Self {
        Self::Spec(error.to_string())
    }
}
