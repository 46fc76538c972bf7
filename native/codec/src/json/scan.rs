//! The tokens of JSON: strict, without allocation, over bytes that were checked to be UTF-8.

use crate::fault::{Fault, Result};

/// How deep objects and arrays may lie in one another.
pub const MAX_DEPTH: usize = 128;

pub struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// A number by its parts, so that most are read without looking at the text again.
pub struct Number<'a> {
    pub text: &'a [u8],
    pub negative: bool,
    /// All digits without the point, if `exact`.
    pub mantissa: u64,
    /// Whether the mantissa holds every digit.
    pub exact: bool,
    /// Digits behind the point.
    pub scale: usize,
    pub has_exponent: bool,
}

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

impl<'a> Scanner<'a> {
    pub fn new(bytes: &'a [u8]) -> Result<Self> {
        if std::str::from_utf8(bytes).is_err() {
            return Err(Fault::new("not UTF-8"));
        }
        Ok(Self { bytes, at: 0 })
    }

    #[inline]
    pub fn position(&self) -> usize {
        self.at
    }

    /// Go back (or on) to a position that this scanner gave.
    pub fn seek(&mut self, position: usize) {
        self.at = position;
    }

    pub fn since(&self, start: usize) -> &'a [u8] {
        &self.bytes[start..self.at]
    }

    /// The next byte that is not white space, not taken.
    #[inline]
    pub fn peek(&mut self) -> Result<u8> {
        while let Some(byte) = self.bytes.get(self.at) {
            match byte {
                b' ' | b'\t' | b'\n' | b'\r' => self.at += 1,
                byte => return Ok(*byte),
            }
        }
        Err(truncated())
    }

    #[inline]
    pub fn bump(&mut self) {
        self.at += 1;
    }

    #[inline]
    pub fn expect(&mut self, byte: u8, what: &'static str) -> Result<()> {
        if self.peek()? != byte {
            return Err(Fault::new(what));
        }
        self.at += 1;
        Ok(())
    }

    /// After a member or an item: true if another one follows.
    #[inline]
    pub fn more(&mut self, close: u8) -> Result<bool> {
        match self.peek()? {
            b',' => {
                self.at += 1;
                Ok(true)
            }
            byte if byte == close => {
                self.at += 1;
                Ok(false)
            }
            _ => Err(Fault::new("malformed JSON: expected a comma or an end")),
        }
    }

    pub fn end(&mut self) -> Result<()> {
        match self.peek() {
            Err(_) => Ok(()),
            Ok(_) => Err(Fault::new("malformed JSON: more text after the value")),
        }
    }

    pub fn literal(&mut self, word: &'static str) -> Result<()> {
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return Err(Fault::new("malformed JSON: unknown word"));
        }
        self.at += word.len();
        Ok(())
    }

    /// Take `name"` if the text of a string begins so. The name must need no escapes.
    #[inline]
    pub fn take_name(&mut self, name: &[u8]) -> bool {
        let rest = &self.bytes[self.at..];
        let found = rest.len() > name.len() && rest[name.len()] == b'"' && rest.starts_with(name);
        if found {
            self.at += name.len() + 1;
        }
        found
    }

    /// Find the next quote, backslash or control character of a string.
    #[inline]
    fn special(&mut self) -> Result<u8> {
        while let Some(chunk) = self.bytes.get(self.at..self.at + 8) {
            let word = u64::from_le_bytes(chunk.try_into().expect("eight bytes"));
            let quote = word ^ (LOW * b'"' as u64);
            let slash = word ^ (LOW * b'\\' as u64);
            let found = (quote.wrapping_sub(LOW) & !quote)
                | (slash.wrapping_sub(LOW) & !slash)
                | (word.wrapping_sub(LOW * 0x20) & !word);
            let found = found & HIGH;
            if found != 0 {
                self.at += found.trailing_zeros() as usize / 8;
                return Ok(self.bytes[self.at]);
            }
            self.at += 8;
        }
        while let Some(byte) = self.bytes.get(self.at) {
            if *byte < 0x20 || *byte == b'"' || *byte == b'\\' {
                return Ok(*byte);
            }
            self.at += 1;
        }
        Err(truncated())
    }

    /// Take the rest of a string whose opening quote is taken; None if it has escapes (then `scratch` holds the text).
    #[inline]
    pub fn string(&mut self, scratch: &mut Vec<u8>) -> Result<Option<&'a [u8]>> {
        let start = self.at;
        if self.special()? == b'"' {
            let text = &self.bytes[start..self.at];
            self.at += 1;
            return Ok(Some(text));
        }
        self.at = start;
        scratch.clear();
        self.string_into(scratch)?;
        Ok(None)
    }

    /// Append the rest of a string whose opening quote is taken.
    #[inline]
    pub fn string_into(&mut self, out: &mut Vec<u8>) -> Result<()> {
        loop {
            let start = self.at;
            let special = self.special()?;
            out.extend_from_slice(&self.bytes[start..self.at]);
            self.at += 1;
            match special {
                b'"' => return Ok(()),
                b'\\' => {
                    let decoded = self.escape()?;
                    let mut buffer = [0; 4];
                    out.extend_from_slice(decoded.encode_utf8(&mut buffer).as_bytes());
                }
                _ => return Err(Fault::new("malformed JSON: control character in a string")),
            }
        }
    }

    fn skip_string(&mut self) -> Result<()> {
        loop {
            let special = self.special()?;
            self.at += 1;
            match special {
                b'"' => return Ok(()),
                b'\\' => {
                    self.escape()?;
                }
                _ => return Err(Fault::new("malformed JSON: control character in a string")),
            }
        }
    }

    fn escape(&mut self) -> Result<char> {
        let byte = *self.bytes.get(self.at).ok_or_else(truncated)?;
        self.at += 1;
        Ok(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.hex4()?;
                let code = match first {
                    0xD800..=0xDBFF => {
                        if !self.bytes[self.at..].starts_with(b"\\u") {
                            return Err(lone_surrogate());
                        }
                        self.at += 2;
                        let second = self.hex4()?;
                        if !(0xDC00..=0xDFFF).contains(&second) {
                            return Err(lone_surrogate());
                        }
                        0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00)
                    }
                    code => code,
                };
                char::from_u32(code).ok_or_else(lone_surrogate)?
            }
            _ => return Err(Fault::new("malformed JSON: unknown escape")),
        })
    }

    fn hex4(&mut self) -> Result<u32> {
        let digits = self.bytes.get(self.at..self.at + 4).ok_or_else(truncated)?;
        self.at += 4;
        digits.iter().try_fold(0, |value, digit| {
            char::from(*digit)
                .to_digit(16)
                .map(|digit| value * 16 + digit)
                .ok_or_else(|| Fault::new("malformed JSON: unknown escape"))
        })
    }

    /// Take a number whose first byte is next.
    #[inline]
    pub fn number(&mut self) -> Result<Number<'a>> {
        let start = self.at;
        let negative = self.bytes[self.at] == b'-';
        self.at += usize::from(negative);
        let mut mantissa: u64 = 0;
        let first = self.at;
        self.digits(&mut mantissa);
        let whole = self.at - first;
        if whole == 0 || (whole > 1 && self.bytes[first] == b'0') {
            return Err(malformed_number());
        }
        let mut scale = 0;
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            let first = self.at;
            self.digits(&mut mantissa);
            scale = self.at - first;
            if scale == 0 {
                return Err(malformed_number());
            }
        }
        let mut has_exponent = false;
        if let Some(b'e' | b'E') = self.bytes.get(self.at) {
            has_exponent = true;
            self.at += 1;
            if let Some(b'+' | b'-') = self.bytes.get(self.at) {
                self.at += 1;
            }
            let first = self.at;
            self.digits(&mut 0);
            if self.at == first {
                return Err(malformed_number());
            }
        }
        Ok(Number {
            text: &self.bytes[start..self.at],
            negative,
            mantissa,
            // 19 digits always fit into 64 bits.
            exact: whole + scale <= 19,
            scale,
            has_exponent,
        })
    }

    #[inline]
    fn digits(&mut self, value: &mut u64) {
        while let Some(byte @ b'0'..=b'9') = self.bytes.get(self.at) {
            *value = value.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
            self.at += 1;
        }
    }

    /// Pass over any value; it is checked as strictly as one that is read.
    pub fn skip(&mut self, depth: usize) -> Result<()> {
        match self.peek()? {
            b'"' => {
                self.at += 1;
                self.skip_string()
            }
            b'{' => {
                check_depth(depth)?;
                self.at += 1;
                if self.peek()? == b'}' {
                    self.at += 1;
                    return Ok(());
                }
                loop {
                    self.expect(b'"', NO_NAME)?;
                    self.skip_string()?;
                    self.expect(b':', NO_COLON)?;
                    self.skip(depth + 1)?;
                    if !self.more(b'}')? {
                        return Ok(());
                    }
                }
            }
            b'[' => {
                check_depth(depth)?;
                self.at += 1;
                if self.peek()? == b']' {
                    self.at += 1;
                    return Ok(());
                }
                loop {
                    self.skip(depth + 1)?;
                    if !self.more(b']')? {
                        return Ok(());
                    }
                }
            }
            b't' => self.literal("true"),
            b'f' => self.literal("false"),
            b'n' => self.literal("null"),
            b'-' | b'0'..=b'9' => self.number().map(|_| ()),
            _ => Err(malformed_value()),
        }
    }
}

pub const NO_NAME: &str = "malformed JSON: expected a field name";
pub const NO_COLON: &str = "malformed JSON: expected a colon";

pub fn check_depth(depth: usize) -> Result<()> {
    if depth >= MAX_DEPTH {
        return Err(Fault::new(format!(
            "JSON is nested deeper than {MAX_DEPTH} levels"
        )));
    }
    Ok(())
}

pub fn malformed_value() -> Box<Fault> {
    Fault::new("malformed JSON: expected a value")
}

fn malformed_number() -> Box<Fault> {
    Fault::new("malformed JSON: malformed number")
}

fn lone_surrogate() -> Box<Fault> {
    Fault::new("malformed JSON: lone surrogate in a string")
}

fn truncated() -> Box<Fault> {
    Fault::new("malformed JSON: the text ends too early")
}
