//! Codecs for Python: batches cross by the Arrow C interface, the work is done without the GIL.

use std::collections::HashMap;

use arrow_array::{Array, BinaryArray, make_array};
use arrow_data::ArrayData;
use arrow_pyarrow::{FromPyArrowUnchecked, PyArrowType};
use arrow_schema::DataType;
use headrace_codec::primitive::Primitive;
use headrace_codec::rows::Rows;
use headrace_codec::{Decoded, Encoded, Path, Unsupported, avro, csv, json, protobuf, xml};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

type PyDecoded = (Vec<PyArrowType<ArrayData>>, Vec<(usize, String)>);
type PyEncoded = (PyArrowType<ArrayData>, Vec<(usize, String)>);

fn refused(error: Unsupported) -> PyErr {
    PyValueError::new_err(error.0)
}

fn import(array: &Bound<'_, PyAny>, expected: &DataType) -> PyResult<ArrayData> {
    // SAFETY: the object hands out an Arrow C array; its buffers are checked against its type below. The contents of
    // text are not checked again: they are only ever copied as bytes.
    let data = unsafe { ArrayData::from_pyarrow_bound_unchecked(array)? };
    if !fits(data.data_type(), expected) {
        return Err(PyTypeError::new_err(format!(
            "an array of type {} where {expected} is expected",
            data.data_type()
        )));
    }
    data.validate()
        .map_err(|error| PyValueError::new_err(error.to_string()))?;
    Ok(data)
}

/// Whether two types have the same values in memory; names and nullability of parts do not count.
pub fn fits(found: &DataType, expected: &DataType) -> bool {
    match (found, expected) {
        (DataType::List(found), DataType::List(expected))
        | (DataType::Map(found, _), DataType::Map(expected, _)) => {
            fits(found.data_type(), expected.data_type())
        }
        (DataType::Struct(found), DataType::Struct(expected)) => {
            found.len() == expected.len()
                && found
                    .iter()
                    .zip(expected)
                    .all(|(found, expected)| fits(found.data_type(), expected.data_type()))
        }
        (DataType::Timestamp(found, _), DataType::Timestamp(expected, _)) => found == expected,
        _ => found == expected,
    }
}

/// Give the same values under a type of the same layout, whose parts may have other names.
pub fn retyped(data: &ArrayData, data_type: &DataType) -> PyResult<ArrayData> {
    let parts: Vec<&DataType> = match data_type {
        DataType::List(field) | DataType::Map(field, _) => vec![field.data_type()],
        DataType::Struct(fields) => fields.iter().map(|field| field.data_type()).collect(),
        _ => Vec::new(),
    };
    let children = data
        .child_data()
        .iter()
        .zip(parts)
        .map(|(child, part)| retyped(child, part))
        .collect::<PyResult<Vec<_>>>()?;
    data.clone()
        .into_builder()
        .data_type(data_type.clone())
        .child_data(children)
        .build()
        .map_err(|error| PyValueError::new_err(error.to_string()))
}

pub fn import_bytes(array: &Bound<'_, PyAny>) -> PyResult<BinaryArray> {
    Ok(BinaryArray::from(import(array, &DataType::Binary)?))
}

fn export_decoded(decoded: Decoded) -> PyDecoded {
    (
        decoded.columns.into_iter().map(PyArrowType).collect(),
        reasons(decoded.errors),
    )
}

fn export_encoded(encoded: Encoded) -> PyEncoded {
    (
        PyArrowType(encoded.data.into_data()),
        reasons(encoded.errors),
    )
}

fn reasons(errors: Vec<(usize, headrace_codec::Fault)>) -> Vec<(usize, String)> {
    errors
        .into_iter()
        .map(|(row, fault)| (row, fault.to_string()))
        .collect()
}

#[pyclass(module = "headrace._native")]
struct JsonDecoder(json::Decoder);

#[pymethods]
impl JsonDecoder {
    #[new]
    fn new(r#type: PyArrowType<DataType>, paths: Vec<Path>) -> PyResult<Self> {
        json::Decoder::new(&r#type.0, &paths)
            .map(Self)
            .map_err(refused)
    }

    fn decode(&mut self, py: Python<'_>, data: &Bound<'_, PyAny>) -> PyResult<PyDecoded> {
        let data = import_bytes(data)?;
        Ok(export_decoded(py.detach(|| self.0.decode(&data))))
    }
}

#[pyclass(module = "headrace._native")]
struct JsonEncoder {
    encoder: json::Encoder,
    data_type: DataType,
}

#[pymethods]
impl JsonEncoder {
    #[new]
    fn new(r#type: PyArrowType<DataType>) -> PyResult<Self> {
        Ok(Self {
            encoder: json::Encoder::new(&r#type.0).map_err(refused)?,
            data_type: r#type.0,
        })
    }

    fn encode(&mut self, py: Python<'_>, values: &Bound<'_, PyAny>) -> PyResult<PyEncoded> {
        let array = make_array(import(values, &self.data_type)?);
        Ok(export_encoded(
            py.detach(|| self.encoder.encode(array.as_ref())),
        ))
    }
}

#[pyclass(module = "headrace._native")]
struct AvroDecoder(avro::Decoder);

#[pymethods]
impl AvroDecoder {
    #[new]
    fn new(schema: &str, r#type: PyArrowType<DataType>, paths: Vec<Path>) -> PyResult<Self> {
        avro::Decoder::new(schema, &r#type.0, &paths)
            .map(Self)
            .map_err(refused)
    }

    fn add_writer(&mut self, id: u32, schema: &str) -> PyResult<()> {
        self.0.add_writer(id, schema).map_err(refused)
    }

    fn unknown(&self, py: Python<'_>, data: &Bound<'_, PyAny>) -> PyResult<Vec<u32>> {
        let data = import_bytes(data)?;
        Ok(py.detach(|| self.0.unknown(&data)))
    }

    fn decode(
        &self,
        py: Python<'_>,
        data: &Bound<'_, PyAny>,
        refused: HashMap<u32, String>,
    ) -> PyResult<PyDecoded> {
        let data = import_bytes(data)?;
        Ok(export_decoded(py.detach(|| self.0.decode(&data, &refused))))
    }
}

#[pyclass(module = "headrace._native")]
struct AvroEncoder {
    encoder: avro::Encoder,
    data_type: DataType,
}

#[pymethods]
impl AvroEncoder {
    #[new]
    fn new(schema: &str, id: u32, r#type: PyArrowType<DataType>) -> PyResult<Self> {
        Ok(Self {
            encoder: avro::Encoder::new(schema, id, &r#type.0).map_err(refused)?,
            data_type: r#type.0,
        })
    }

    fn encode(&mut self, py: Python<'_>, values: &Bound<'_, PyAny>) -> PyResult<PyEncoded> {
        let array = make_array(import(values, &self.data_type)?);
        py.detach(|| self.encoder.encode(array.as_ref()))
            .map(export_encoded)
            .map_err(refused)
    }
}

#[pyclass(module = "headrace._native")]
struct ProtobufDecoder(protobuf::Decoder);

#[pymethods]
impl ProtobufDecoder {
    #[new]
    fn new(
        schema: &str,
        message: &str,
        r#type: PyArrowType<DataType>,
        paths: Vec<Path>,
    ) -> PyResult<Self> {
        protobuf::Decoder::new(schema, message, &r#type.0, &paths)
            .map(Self)
            .map_err(refused)
    }

    fn add_writer(&mut self, id: u32, schema: &str) -> PyResult<()> {
        self.0.add_writer(id, schema).map_err(refused)
    }

    fn unknown(&self, py: Python<'_>, data: &Bound<'_, PyAny>) -> PyResult<Vec<u32>> {
        let data = import_bytes(data)?;
        Ok(py.detach(|| self.0.unknown(&data)))
    }

    fn decode(
        &self,
        py: Python<'_>,
        data: &Bound<'_, PyAny>,
        refused: HashMap<u32, String>,
    ) -> PyResult<PyDecoded> {
        let data = import_bytes(data)?;
        Ok(export_decoded(py.detach(|| self.0.decode(&data, &refused))))
    }
}

#[pyclass(module = "headrace._native")]
struct ProtobufEncoder {
    encoder: protobuf::Encoder,
    data_type: DataType,
}

#[pymethods]
impl ProtobufEncoder {
    #[new]
    fn new(schema: &str, message: &str, id: u32, r#type: PyArrowType<DataType>) -> PyResult<Self> {
        Ok(Self {
            encoder: protobuf::Encoder::new(schema, message, id, &r#type.0).map_err(refused)?,
            data_type: r#type.0,
        })
    }

    fn encode(&mut self, py: Python<'_>, values: &Bound<'_, PyAny>) -> PyResult<PyEncoded> {
        let array = make_array(import(values, &self.data_type)?);
        py.detach(|| self.encoder.encode(array.as_ref()))
            .map(export_encoded)
            .map_err(refused)
    }
}

#[pyclass(module = "headrace._native", frozen)]
struct ProtobufSchema(protobuf::Schema);

#[pymethods]
impl ProtobufSchema {
    #[new]
    fn new(text: &str) -> PyResult<Self> {
        protobuf::Schema::parse(text).map(Self).map_err(refused)
    }

    fn describe(&self) -> String {
        self.0.describe()
    }

    fn r#type(&self, message: &str) -> PyResult<PyArrowType<DataType>> {
        self.0.data_type(message).map(PyArrowType).map_err(refused)
    }
}

#[pyclass(module = "headrace._native")]
struct CsvDecoder(csv::Decoder);

#[pymethods]
impl CsvDecoder {
    #[new]
    fn new(r#type: PyArrowType<DataType>, paths: Vec<Path>, delimiter: &str) -> PyResult<Self> {
        let [delimiter] = delimiter.as_bytes() else {
            return Err(PyValueError::new_err(
                "the delimiter of CSV must be one ASCII character",
            ));
        };
        csv::Decoder::new(&r#type.0, &paths, *delimiter)
            .map(Self)
            .map_err(refused)
    }

    fn decode(&mut self, py: Python<'_>, data: &Bound<'_, PyAny>) -> PyResult<PyDecoded> {
        let data = import_bytes(data)?;
        Ok(export_decoded(py.detach(|| self.0.decode(&data))))
    }
}

#[pyclass(module = "headrace._native", frozen)]
struct XmlDecoder(xml::Decoder);

#[pymethods]
impl XmlDecoder {
    #[new]
    fn new(r#type: PyArrowType<DataType>, paths: Vec<Path>) -> PyResult<Self> {
        xml::Decoder::new(&r#type.0, &paths)
            .map(Self)
            .map_err(refused)
    }

    fn decode(&self, py: Python<'_>, data: &Bound<'_, PyAny>) -> PyResult<PyDecoded> {
        let data = import_bytes(data)?;
        Ok(export_decoded(py.detach(|| self.0.decode(&data))))
    }
}

#[pyclass(module = "headrace._native", frozen)]
struct PrimitiveCodec(Primitive);

#[pymethods]
impl PrimitiveCodec {
    #[new]
    fn new(format: &str) -> PyResult<Self> {
        Primitive::named(format).map(Self).map_err(refused)
    }

    fn decode(
        &self,
        py: Python<'_>,
        data: &Bound<'_, PyAny>,
        paths: Vec<Path>,
    ) -> PyResult<PyDecoded> {
        let data = import_bytes(data)?;
        py.detach(|| self.0.decode(&data, &paths))
            .map(export_decoded)
            .map_err(refused)
    }

    fn encode(&self, py: Python<'_>, values: &Bound<'_, PyAny>) -> PyResult<PyEncoded> {
        let array = make_array(import(values, &self.0.data_type())?);
        Ok(export_encoded(py.detach(|| self.0.encode(array.as_ref()))))
    }
}

#[pyclass(module = "headrace._native", frozen)]
struct RowsCodec(Rows);

#[pymethods]
impl RowsCodec {
    #[new]
    fn new(r#type: PyArrowType<DataType>) -> PyResult<Self> {
        Rows::new(&r#type.0).map(Self).map_err(refused)
    }

    fn decode(
        &self,
        py: Python<'_>,
        data: &Bound<'_, PyAny>,
        paths: Vec<Path>,
    ) -> PyResult<PyDecoded> {
        let data = import_bytes(data)?;
        py.detach(|| self.0.decode(&data, &paths))
            .map(export_decoded)
            .map_err(refused)
    }

    fn encode(&self, py: Python<'_>, values: &Bound<'_, PyAny>) -> PyResult<PyEncoded> {
        let array = make_array(retyped(
            &import(values, self.0.data_type())?,
            self.0.data_type(),
        )?);
        Ok(export_encoded(py.detach(|| self.0.encode(&array))))
    }
}

pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<JsonDecoder>()?;
    m.add_class::<JsonEncoder>()?;
    m.add_class::<AvroDecoder>()?;
    m.add_class::<AvroEncoder>()?;
    m.add_class::<ProtobufDecoder>()?;
    m.add_class::<ProtobufEncoder>()?;
    m.add_class::<ProtobufSchema>()?;
    m.add_class::<CsvDecoder>()?;
    m.add_class::<XmlDecoder>()?;
    m.add_class::<PrimitiveCodec>()?;
    m.add_class::<RowsCodec>()?;
    Ok(())
}
