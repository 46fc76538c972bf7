//! Lists of partitions, owned on our side.

use std::ffi::CString;

use crate::error::{Error, Result};
use crate::ffi::TopicPartitionList;
use crate::library::{Library, text};

/// A partition with an offset, or with a logical one (-1 end, -2 beginning, -1000 committed, -1001 none).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
}

/// A C list that is destroyed with this.
pub(crate) struct List {
    library: &'static Library,
    pub(crate) pointer: *mut TopicPartitionList,
}

impl List {
    pub(crate) fn new(library: &'static Library, positions: &[Position]) -> Result<Self> {
        let capacity =
            i32::try_from(positions.len()).map_err(|_| Error::local("too many partitions"))?;
        let list = Self {
            library,
            pointer: unsafe { (library.list_new)(capacity) },
        };
        for position in positions {
            let name = c_string(&position.topic)?;
            // SAFETY: list_add copies the name and returns the new element.
            unsafe {
                let element = (library.list_add)(list.pointer, name.as_ptr(), position.partition);
                (*element).offset = position.offset;
            }
        }
        Ok(list)
    }

    /// # Safety
    /// `pointer` is a list that nobody else destroys.
    pub(crate) unsafe fn own(library: &'static Library, pointer: *mut TopicPartitionList) -> Self {
        Self { library, pointer }
    }

    /// Copy the elements out; the first element with an error gives the error.
    pub(crate) fn positions(&self) -> Result<Vec<Position>> {
        let list = unsafe { &*self.pointer };
        unsafe { first_error(self.library, list)? };
        Ok(unsafe { copy(list) })
    }
}

impl Drop for List {
    fn drop(&mut self) {
        unsafe { (self.library.list_destroy)(self.pointer) }
    }
}

/// Give the error of the first element that has one.
///
/// # Safety
/// `list` is a valid list of librdkafka.
pub(crate) unsafe fn first_error(library: &Library, list: &TopicPartitionList) -> Result<()> {
    for element in unsafe { elements(list) } {
        if element.err != 0 {
            let message = unsafe { text((library.error_text)(element.err)) };
            let topic = unsafe { text(element.topic) };
            let place = format!("{topic} [{}]: {message}", element.partition);
            return Err(Error::new(library, element.err, place));
        }
    }
    Ok(())
}

/// # Safety
/// `list` is a valid list of librdkafka.
pub(crate) unsafe fn copy(list: &TopicPartitionList) -> Vec<Position> {
    unsafe { elements(list) }
        .iter()
        .map(|element| Position {
            topic: unsafe { text(element.topic) },
            partition: element.partition,
            offset: element.offset,
        })
        .collect()
}

/// # Safety
/// `list` is a valid list of librdkafka.
pub(crate) unsafe fn elements(list: &TopicPartitionList) -> &[crate::ffi::TopicPartition] {
    match usize::try_from(list.count) {
        Ok(count) if count > 0 => unsafe { std::slice::from_raw_parts(list.elements, count) },
        _ => &[],
    }
}

pub(crate) fn c_string(value: &str) -> Result<CString> {
    CString::new(value).map_err(|_| {
        Error::local(format!(
            "`{}` holds a NUL character",
            value.escape_default()
        ))
    })
}
