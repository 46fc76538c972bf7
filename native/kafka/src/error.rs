//! What librdkafka says went wrong.

use std::ffi::c_int;
use std::fmt;

use crate::ffi::CError;
use crate::library::{Library, text};

pub type Result<T> = std::result::Result<T, Error>;

/// An error of librdkafka, or one that we found before asking it (`LOCAL`).
#[derive(Clone, Debug)]
pub struct Error {
    /// `rd_kafka_resp_err_t`: negative inside the client, positive from the broker, 0 for ours.
    pub code: i32,
    /// The name of the code, for example `_TRANSPORT`.
    pub name: String,
    pub message: String,
    pub fatal: bool,
    pub retriable: bool,
    /// The open transaction must be aborted.
    pub abortable: bool,
}

impl Error {
    pub(crate) fn local(message: impl Into<String>) -> Self {
        Self {
            code: code::LOCAL,
            name: "_LOCAL".into(),
            message: message.into(),
            fatal: false,
            retriable: false,
            abortable: false,
        }
    }

    pub(crate) fn new(library: &Library, code: c_int, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let (name, message) = unsafe {
            (
                text((library.error_name)(code)),
                text((library.error_text)(code)),
            )
        };
        Self {
            code,
            name,
            message: if detail.is_empty() { message } else { detail },
            fatal: code == code::FATAL,
            retriable: false,
            abortable: false,
        }
    }

    /// Ok for code 0.
    pub(crate) fn check(library: &Library, code: c_int) -> Result<()> {
        if code == 0 {
            Ok(())
        } else {
            Err(Self::new(library, code, ""))
        }
    }

    /// Take over an error object; Ok for null.
    ///
    /// # Safety
    /// `error` is null or was just returned by librdkafka, and nobody else owns it.
    pub(crate) unsafe fn take(library: &Library, error: *mut CError) -> Result<()> {
        if error.is_null() {
            return Ok(());
        }
        unsafe {
            let code = (library.c_error_code)(error);
            let taken = Self {
                fatal: (library.c_error_fatal)(error) != 0,
                retriable: (library.c_error_retriable)(error) != 0,
                abortable: (library.c_error_abortable)(error) != 0,
                ..Self::new(library, code, text((library.c_error_text)(error)))
            };
            (library.c_error_destroy)(error);
            Err(taken)
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({})", self.message, self.name)
    }
}

impl std::error::Error for Error {}

/// The codes that are told apart here.
pub(crate) mod code {
    use std::ffi::c_int;

    pub const LOCAL: c_int = 0;
    pub const UNKNOWN_PARTITION: c_int = -190;
    pub const UNKNOWN_TOPIC: c_int = -188;
    pub const ALL_BROKERS_DOWN: c_int = -187;
    pub const TIMED_OUT: c_int = -185;
    pub const STATE: c_int = -172;
    pub const QUEUE_FULL: c_int = -184;
    pub const SSL: c_int = -181;
    pub const PARTITION_EOF: c_int = -191;
    pub const ASSIGN_PARTITIONS: c_int = -175;
    pub const AUTHENTICATION: c_int = -169;
    pub const FATAL: c_int = -150;
    pub const AUTO_OFFSET_RESET: c_int = -140;
    pub const UNKNOWN_TOPIC_OR_PARTITION: c_int = 3;
    pub const MESSAGE_TIMED_OUT: c_int = -192;
    pub const MESSAGE_TOO_LARGE: c_int = 10;
    pub const TOPIC_AUTHORIZATION: c_int = 29;
    pub const GROUP_AUTHORIZATION: c_int = 30;
    pub const CLUSTER_AUTHORIZATION: c_int = 31;
    pub const UNSUPPORTED_VERSION: c_int = 35;
    pub const FENCED_INSTANCE: c_int = 82;
}
