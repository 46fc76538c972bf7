//! The binding of the native crates: conversions and error mapping, no logic.
use pyo3::prelude::*;

mod codec;
mod kafka;
mod state;

#[pymodule]
fn _native(m: &Bound<'_, PyModule>) -> PyResult<()> {
    kafka::register(m)?;
    codec::register(m)?;
    state::register(m)?;
    Ok(())
}
