//! Metadata: named values in file order, read through accessors that say what they expected.
//!
//! A pair is the key as a string, the value type as u32, and the value. One quantity may be stored
//! in different widths by different writers, so integers of any width answer to [`Metadata::u64`]
//! and floats of either width to [`Metadata::f64`]. Keys nobody asks for are kept and ignored.
//!
//! Arrays of arrays are refused: no model needs them, and they would make the depth of the parser
//! a choice of the file.

use std::collections::HashMap;

use crate::cursor::Cursor;
use crate::{Error, Result};

/// Longest key accepted, as the GGUF specification says.
pub(crate) const MAX_KEY_BYTES: u64 = 65_535;

/// One metadata value.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the variants are the value types of GGUF, named like Rust's")]
pub enum Value {
    U8(u8),
    I8(i8),
    U16(u16),
    I16(i16),
    U32(u32),
    I32(i32),
    F32(f32),
    Bool(bool),
    String(String),
    Array(Array),
    U64(u64),
    I64(i64),
    F64(f64),
}

/// An array of values of one type.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the variants are the value types of GGUF, named like Rust's")]
pub enum Array {
    U8(Vec<u8>),
    I8(Vec<i8>),
    U16(Vec<u16>),
    I16(Vec<i16>),
    U32(Vec<u32>),
    I32(Vec<i32>),
    F32(Vec<f32>),
    Bool(Vec<bool>),
    String(Vec<String>),
    U64(Vec<u64>),
    I64(Vec<i64>),
    F64(Vec<f64>),
}

/// The numbers of the value types in a file.
pub(crate) mod type_id {
    pub(crate) const U8: u32 = 0;
    pub(crate) const I8: u32 = 1;
    pub(crate) const U16: u32 = 2;
    pub(crate) const I16: u32 = 3;
    pub(crate) const U32: u32 = 4;
    pub(crate) const I32: u32 = 5;
    pub(crate) const F32: u32 = 6;
    pub(crate) const BOOL: u32 = 7;
    pub(crate) const STRING: u32 = 8;
    pub(crate) const ARRAY: u32 = 9;
    pub(crate) const U64: u32 = 10;
    pub(crate) const I64: u32 = 11;
    pub(crate) const F64: u32 = 12;
}

/// The metadata of a file, in file order.
#[derive(Debug, Clone, Default)]
pub struct Metadata {
    pairs: Vec<(String, Value)>,
    by_key: HashMap<String, usize>,
}

impl Metadata {
    /// Bytes of the shortest pair: a key of one byte and a value of one byte.
    pub(crate) const MIN_PAIR_BYTES: u64 = 8 + 1 + 4 + 1;

    pub(crate) fn parse(cursor: &mut Cursor<'_>, n_pairs: u64) -> Result<Self> {
        let mut metadata = Self::default();
        for _ in 0..n_pairs {
            let offset = cursor.offset();
            let key = cursor.name("metadata key", MAX_KEY_BYTES)?;
            let value = parse_value(cursor, key)?;
            metadata.insert(key.to_owned(), value, offset)?;
        }
        Ok(metadata)
    }

    /// Adds a pair at the end. `offset` is only reported.
    pub(crate) fn insert(&mut self, key: String, value: Value, offset: u64) -> Result<()> {
        if self.by_key.contains_key(&key) {
            return Err(Error::DuplicateKey { key, offset });
        }
        self.by_key.insert(key.clone(), self.pairs.len());
        self.pairs.push((key, value));
        Ok(())
    }

    /// Number of pairs.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether there are no pairs.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// All pairs, in file order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.pairs.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// The value of a key, whatever its type.
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.by_key.get(key).map(|&index| &self.pairs[index].1)
    }

    /// The value of a key that holds an integer of any width, not negative.
    ///
    /// # Errors
    /// If the key is missing or its value is something else.
    pub fn u64(&self, key: &str) -> Result<u64> {
        required(key, self.optional_u64(key)?)
    }

    /// Like [`u64`](Self::u64), for a key that may be absent.
    ///
    /// # Errors
    /// If the key is present and its value is something else.
    pub fn optional_u64(&self, key: &str) -> Result<Option<u64>> {
        self.read(key, "an integer that is not negative", |value| {
            value.as_i128().and_then(|integer| u64::try_from(integer).ok())
        })
    }

    /// The value of a key that holds a float of either width. An f32 is widened, not re-rounded.
    ///
    /// # Errors
    /// If the key is missing or its value is something else.
    pub fn f64(&self, key: &str) -> Result<f64> {
        required(key, self.optional_f64(key)?)
    }

    /// Like [`f64`](Self::f64), for a key that may be absent.
    ///
    /// # Errors
    /// If the key is present and its value is something else.
    pub fn optional_f64(&self, key: &str) -> Result<Option<f64>> {
        self.read(key, "a float", |value| match value {
            Value::F32(float) => Some(f64::from(*float)),
            Value::F64(float) => Some(*float),
            _ => None,
        })
    }

    /// The value of a key that holds a boolean.
    ///
    /// # Errors
    /// If the key is missing or its value is something else.
    pub fn bool(&self, key: &str) -> Result<bool> {
        required(key, self.optional_bool(key)?)
    }

    /// Like [`bool`](Self::bool), for a key that may be absent.
    ///
    /// # Errors
    /// If the key is present and its value is something else.
    pub fn optional_bool(&self, key: &str) -> Result<Option<bool>> {
        self.read(key, "a boolean", |value| match value {
            Value::Bool(bool) => Some(*bool),
            _ => None,
        })
    }

    /// The value of a key that holds a string.
    ///
    /// # Errors
    /// If the key is missing or its value is something else.
    pub fn string(&self, key: &str) -> Result<&str> {
        required(key, self.optional_string(key)?)
    }

    /// Like [`string`](Self::string), for a key that may be absent.
    ///
    /// # Errors
    /// If the key is present and its value is something else.
    pub fn optional_string(&self, key: &str) -> Result<Option<&str>> {
        self.read(key, "a string", |value| match value {
            Value::String(string) => Some(string.as_str()),
            _ => None,
        })
    }

    /// The value of a key that holds an array of strings.
    ///
    /// # Errors
    /// If the key is missing or its value is something else.
    pub fn strings(&self, key: &str) -> Result<&[String]> {
        required(key, self.optional_strings(key)?)
    }

    /// Like [`strings`](Self::strings), for a key that may be absent.
    ///
    /// # Errors
    /// If the key is present and its value is something else.
    pub fn optional_strings(&self, key: &str) -> Result<Option<&[String]>> {
        self.read(key, "an array of strings", |value| match value {
            Value::Array(Array::String(strings)) => Some(strings.as_slice()),
            _ => None,
        })
    }

    /// The value of a key that holds an array of integers of any width.
    ///
    /// # Errors
    /// If the key is missing, its value is something else, or an integer does not fit `i64`.
    pub fn integers(&self, key: &str) -> Result<Vec<i64>> {
        required(key, self.optional_integers(key)?)
    }

    /// Like [`integers`](Self::integers), for a key that may be absent.
    ///
    /// # Errors
    /// If the key is present and its value is something else, or an integer does not fit `i64`.
    pub fn optional_integers(&self, key: &str) -> Result<Option<Vec<i64>>> {
        self.read(key, "an array of integers", |value| match value {
            Value::Array(array) => array.to_integers(),
            _ => None,
        })
    }

    /// The value of a key that holds an array of floats of either width.
    ///
    /// # Errors
    /// If the key is missing or its value is something else.
    pub fn floats(&self, key: &str) -> Result<Vec<f64>> {
        required(key, self.optional_floats(key)?)
    }

    /// Like [`floats`](Self::floats), for a key that may be absent.
    ///
    /// # Errors
    /// If the key is present and its value is something else.
    pub fn optional_floats(&self, key: &str) -> Result<Option<Vec<f64>>> {
        self.read(key, "an array of floats", |value| match value {
            Value::Array(Array::F32(floats)) => {
                Some(floats.iter().copied().map(f64::from).collect())
            }
            Value::Array(Array::F64(floats)) => Some(floats.clone()),
            _ => None,
        })
    }

    fn read<'a, T>(
        &'a self,
        key: &str,
        expected: &'static str,
        convert: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(value) = self.value(key) else { return Ok(None) };
        match convert(value) {
            Some(converted) => Ok(Some(converted)),
            None => Err(Error::KeyType { key: key.to_owned(), expected, found: value.describe() }),
        }
    }
}

fn required<T>(key: &str, value: Option<T>) -> Result<T> {
    value.ok_or_else(|| Error::MissingKey { key: key.to_owned() })
}

impl Value {
    fn as_i128(&self) -> Option<i128> {
        match *self {
            Self::U8(integer) => Some(integer.into()),
            Self::I8(integer) => Some(integer.into()),
            Self::U16(integer) => Some(integer.into()),
            Self::I16(integer) => Some(integer.into()),
            Self::U32(integer) => Some(integer.into()),
            Self::I32(integer) => Some(integer.into()),
            Self::U64(integer) => Some(integer.into()),
            Self::I64(integer) => Some(integer.into()),
            _ => None,
        }
    }

    /// What a message says was found: the value where it is short, else its type.
    fn describe(&self) -> String {
        match self {
            Self::F32(float) => format!("the f32 {float}"),
            Self::F64(float) => format!("the f64 {float}"),
            Self::Bool(bool) => format!("the boolean {bool}"),
            Self::String(_) => "a string".to_owned(),
            Self::Array(array) => format!("an array of {} {}", array.len(), array.element_type()),
            integer => integer
                .as_i128()
                .map_or_else(String::new, |integer| format!("the integer {integer}")),
        }
    }
}

/// Evaluates an expression on the vector inside an array, whatever its type.
macro_rules! on_items {
    ($array:expr, $items:ident => $body:expr) => {
        match $array {
            Array::U8($items) => $body,
            Array::I8($items) => $body,
            Array::U16($items) => $body,
            Array::I16($items) => $body,
            Array::U32($items) => $body,
            Array::I32($items) => $body,
            Array::F32($items) => $body,
            Array::Bool($items) => $body,
            Array::String($items) => $body,
            Array::U64($items) => $body,
            Array::I64($items) => $body,
            Array::F64($items) => $body,
        }
    };
}

impl Array {
    /// Number of items.
    pub fn len(&self) -> usize {
        on_items!(self, items => items.len())
    }

    /// Whether there are no items.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The items' type as it reads in a sentence, such as `u32` or `strings`.
    pub const fn element_type(&self) -> &'static str {
        match self {
            Self::U8(_) => "u8",
            Self::I8(_) => "i8",
            Self::U16(_) => "u16",
            Self::I16(_) => "i16",
            Self::U32(_) => "u32",
            Self::I32(_) => "i32",
            Self::F32(_) => "f32",
            Self::Bool(_) => "booleans",
            Self::String(_) => "strings",
            Self::U64(_) => "u64",
            Self::I64(_) => "i64",
            Self::F64(_) => "f64",
        }
    }

    /// The items widened to i64; `None` if they are no integers or one does not fit.
    fn to_integers(&self) -> Option<Vec<i64>> {
        fn widen<T: Copy + TryInto<i64>>(items: &[T]) -> Option<Vec<i64>> {
            items.iter().map(|&item| item.try_into().ok()).collect()
        }
        match self {
            Self::U8(items) => widen(items),
            Self::I8(items) => widen(items),
            Self::U16(items) => widen(items),
            Self::I16(items) => widen(items),
            Self::U32(items) => widen(items),
            Self::I32(items) => widen(items),
            Self::U64(items) => widen(items),
            Self::I64(items) => widen(items),
            Self::F32(_) | Self::F64(_) | Self::Bool(_) | Self::String(_) => None,
        }
    }
}

fn parse_value(cursor: &mut Cursor<'_>, key: &str) -> Result<Value> {
    let offset = cursor.offset();
    let what = format_args!("value of metadata key {key:?}");
    Ok(match cursor.u32(&format_args!("value type of metadata key {key:?}"))? {
        type_id::U8 => Value::U8(cursor.array(&what).map(u8::from_le_bytes)?),
        type_id::I8 => Value::I8(cursor.array(&what).map(i8::from_le_bytes)?),
        type_id::U16 => Value::U16(cursor.array(&what).map(u16::from_le_bytes)?),
        type_id::I16 => Value::I16(cursor.array(&what).map(i16::from_le_bytes)?),
        type_id::U32 => Value::U32(cursor.array(&what).map(u32::from_le_bytes)?),
        type_id::I32 => Value::I32(cursor.array(&what).map(i32::from_le_bytes)?),
        type_id::F32 => Value::F32(cursor.array(&what).map(f32::from_le_bytes)?),
        type_id::BOOL => Value::Bool(parse_bool(cursor, key)?),
        type_id::STRING => Value::String(cursor.string(&what)?.to_owned()),
        type_id::ARRAY => Value::Array(parse_array(cursor, key)?),
        type_id::U64 => Value::U64(cursor.array(&what).map(u64::from_le_bytes)?),
        type_id::I64 => Value::I64(cursor.array(&what).map(i64::from_le_bytes)?),
        type_id::F64 => Value::F64(cursor.array(&what).map(f64::from_le_bytes)?),
        id => return Err(Error::ValueType { key: key.to_owned(), offset, id }),
    })
}

fn parse_bool(cursor: &mut Cursor<'_>, key: &str) -> Result<bool> {
    let offset = cursor.offset();
    match cursor.array(&format_args!("value of metadata key {key:?}"))? {
        [0] => Ok(false),
        [1] => Ok(true),
        [found] => Err(Error::Bool { key: key.to_owned(), offset, found }),
    }
}

fn parse_array(cursor: &mut Cursor<'_>, key: &str) -> Result<Array> {
    let offset = cursor.offset();
    let id = cursor.u32(&format_args!("element type of metadata key {key:?}"))?;
    let n_items = cursor.u64(&format_args!("array length of metadata key {key:?}"))?;
    Ok(match id {
        type_id::U8 => Array::U8(numbers(cursor, key, n_items, u8::from_le_bytes)?),
        type_id::I8 => Array::I8(numbers(cursor, key, n_items, i8::from_le_bytes)?),
        type_id::U16 => Array::U16(numbers(cursor, key, n_items, u16::from_le_bytes)?),
        type_id::I16 => Array::I16(numbers(cursor, key, n_items, i16::from_le_bytes)?),
        type_id::U32 => Array::U32(numbers(cursor, key, n_items, u32::from_le_bytes)?),
        type_id::I32 => Array::I32(numbers(cursor, key, n_items, i32::from_le_bytes)?),
        type_id::F32 => Array::F32(numbers(cursor, key, n_items, f32::from_le_bytes)?),
        type_id::BOOL => Array::Bool(items(n_items, || parse_bool(cursor, key))?),
        type_id::STRING => {
            let what = format_args!("array item of metadata key {key:?}");
            Array::String(items(n_items, || cursor.string(&what).map(str::to_owned))?)
        }
        type_id::ARRAY => return Err(Error::NestedArray { key: key.to_owned(), offset }),
        type_id::U64 => Array::U64(numbers(cursor, key, n_items, u64::from_le_bytes)?),
        type_id::I64 => Array::I64(numbers(cursor, key, n_items, i64::from_le_bytes)?),
        type_id::F64 => Array::F64(numbers(cursor, key, n_items, f64::from_le_bytes)?),
        id => return Err(Error::ValueType { key: key.to_owned(), offset, id }),
    })
}

/// Takes all bytes of a numeric array before anything is allocated for it.
fn numbers<T, const N: usize>(
    cursor: &mut Cursor<'_>,
    key: &str,
    n_items: u64,
    from_le_bytes: fn([u8; N]) -> T,
) -> Result<Vec<T>> {
    // A length that overflows u64 is as far beyond the file as u64::MAX.
    let n_bytes = n_items.saturating_mul(N as u64);
    let bytes = cursor.take(n_bytes, &format_args!("array of metadata key {key:?}"))?;
    Ok(bytes.as_chunks().0.iter().map(|&item| from_le_bytes(item)).collect())
}

/// Reads items that differ in size one by one; the vector grows only as items are found.
fn items<T>(n_items: u64, mut parse: impl FnMut() -> Result<T>) -> Result<Vec<T>> {
    let mut items = Vec::new();
    for _ in 0..n_items {
        items.push(parse()?);
    }
    Ok(items)
}

macro_rules! value_from {
    ($($from:ty => $variant:ident),+ $(,)?) => {$(
        impl From<$from> for Value {
            fn from(value: $from) -> Self {
                Self::$variant(value.into())
            }
        }

        impl From<Vec<$from>> for Value {
            fn from(values: Vec<$from>) -> Self {
                Self::Array(Array::$variant(values.into_iter().map(Into::into).collect()))
            }
        }
    )+};
}

value_from! {
    u8 => U8, i8 => I8, u16 => U16, i16 => I16, u32 => U32, i32 => I32, u64 => U64, i64 => I64,
    f32 => F32, f64 => F64, bool => Bool, &str => String, String => String,
}
