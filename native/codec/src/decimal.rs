//! Exact decimal numbers: from text, between scales, to text.

use crate::fault::{Fault, Result};

/// The largest number of digits that fit into an i128 for certain.
pub const MAX_PRECISION: u8 = 38;

const fn powers() -> [i128; 39] {
    let mut table = [1i128; 39];
    let mut index = 1;
    while index < 39 {
        table[index] = table[index - 1] * 10;
        index += 1;
    }
    table
}

/// 10 to the power of the index.
pub const POWERS: [i128; 39] = powers();

/// Read `-12.50e3` exactly as a decimal with this many digits, `scale` of them behind the point.
///
/// The text must follow the grammar of a number (an optional sign, digits, a fraction, an exponent). Digits that would be
/// lost are an error, never rounded away.
pub fn parse(text: &[u8], precision: u8, scale: i8) -> Result<i128> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let mut mantissa: i128 = 0;
    let mut behind_point: i64 = 0;
    let mut zeros: i64 = 0; // trailing zeros that are not yet in the mantissa
    let mut exponent: i64 = 0;
    let mut point = false;
    let mut any = false;
    let mut index = 0;
    while index < digits.len() {
        match digits[index] {
            byte @ b'0'..=b'9' => {
                any = true;
                behind_point += i64::from(point);
                if byte == b'0' {
                    zeros += i64::from(mantissa != 0);
                } else {
                    if mantissa != 0 {
                        let shift = usize::try_from(zeros + 1).unwrap_or(usize::MAX);
                        mantissa = POWERS
                            .get(shift)
                            .and_then(|power| mantissa.checked_mul(*power))
                            .ok_or_else(too_many_digits)?;
                    }
                    zeros = 0;
                    mantissa = mantissa
                        .checked_add(i128::from(byte - b'0'))
                        .ok_or_else(too_many_digits)?;
                }
            }
            b'.' if !point => point = true,
            b'e' | b'E' if any => {
                exponent = parse_exponent(&digits[index + 1..])?;
                break;
            }
            _ => return Err(Fault::new("not a decimal number")),
        }
        index += 1;
    }
    if !any {
        return Err(Fault::new("not a decimal number"));
    }
    if mantissa == 0 {
        return Ok(0);
    }
    let shift = exponent - behind_point + zeros + i64::from(scale);
    let value = shift_decimal(mantissa, shift)?;
    if value >= POWERS[usize::from(precision.min(MAX_PRECISION))] {
        return Err(Fault::new(format!(
            "number out of range of DECIMAL({precision},{scale})"
        )));
    }
    Ok(if negative { -value } else { value })
}

fn parse_exponent(text: &[u8]) -> Result<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if digits.is_empty() {
        return Err(Fault::new("not a decimal number"));
    }
    let mut value: i64 = 0;
    for byte in digits {
        if !byte.is_ascii_digit() {
            return Err(Fault::new("not a decimal number"));
        }
        // Saturates far outside of anything that can be held, so that a huge exponent costs nothing.
        value = (value * 10 + i64::from(byte - b'0')).min(1_000_000_000_000);
    }
    Ok(if negative { -value } else { value })
}

/// Multiply a number other than 0 by a power of ten, exactly.
fn shift_decimal(value: i128, shift: i64) -> Result<i128> {
    let size = usize::try_from(shift.unsigned_abs()).unwrap_or(usize::MAX);
    if shift >= 0 {
        POWERS
            .get(size)
            .and_then(|power| value.checked_mul(*power))
            .ok_or_else(|| Fault::new("number out of range"))
    } else {
        match POWERS.get(size) {
            Some(power) if value % power == 0 => Ok(value / power),
            _ => Err(Fault::new("number has more decimal places than its type")),
        }
    }
}

/// Bring a value from one scale to another, exactly, and check that it has no more than `precision` digits.
pub fn rescale(value: i128, from: i8, to: i8, precision: u8) -> Result<i128> {
    if value == 0 {
        return Ok(0);
    }
    let value = shift_decimal(value, i64::from(to) - i64::from(from))?;
    check(value, precision)?;
    Ok(value)
}

/// Check that a value has no more than `precision` digits.
pub fn check(value: i128, precision: u8) -> Result<()> {
    if value.unsigned_abs() >= POWERS[usize::from(precision.min(MAX_PRECISION))].unsigned_abs() {
        return Err(Fault::new(format!(
            "number has more than {precision} digits"
        )));
    }
    Ok(())
}

fn too_many_digits() -> Box<Fault> {
    Fault::new("number has more than 38 digits")
}

/// A big-endian two's complement number; more than 16 bytes only if they say nothing.
pub fn unscaled(bytes: &[u8]) -> Result<i128> {
    let negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
    let fill = if negative { 0xff } else { 0 };
    let (extra, last) = bytes.split_at(bytes.len().saturating_sub(16));
    let mut buffer = [fill; 16];
    buffer[16 - last.len()..].copy_from_slice(last);
    let value = i128::from_be_bytes(buffer);
    if extra.iter().any(|byte| *byte != fill) || (value < 0) != negative {
        return Err(Fault::new("a decimal has more than 38 digits"));
    }
    Ok(value)
}

/// Give the part of a big-endian two's complement number that says something.
pub fn shortest(bytes: &[u8; 16]) -> &[u8] {
    let fill = if bytes[0] & 0x80 == 0 { 0 } else { 0xff };
    let mut start = 0;
    while start < 15 && bytes[start] == fill && (bytes[start + 1] ^ fill) & 0x80 == 0 {
        start += 1;
    }
    &bytes[start..]
}

/// Write a decimal in plain notation, for example `-0.05`.
pub fn format(value: i128, scale: i8, out: &mut Vec<u8>) {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(value.unsigned_abs()).as_bytes();
    if value < 0 {
        out.push(b'-');
    }
    if scale <= 0 {
        out.extend_from_slice(digits);
        if value != 0 {
            out.extend(std::iter::repeat_n(b'0', usize::from(scale.unsigned_abs())));
        }
        return;
    }
    let scale = usize::from(scale.unsigned_abs());
    if digits.len() > scale {
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        out.extend_from_slice(whole);
        out.push(b'.');
        out.extend_from_slice(fraction);
    } else {
        out.extend_from_slice(b"0.");
        out.extend(std::iter::repeat_n(b'0', scale - digits.len()));
        out.extend_from_slice(digits);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: i128, scale: i8) -> String {
        let mut out = Vec::new();
        format(value, scale, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn text_is_read_exactly() {
        for (source, precision, scale, expected) in [
            ("0", 3, 2, 0),
            ("-1.5", 5, 2, -150),
            ("1.50", 3, 1, 15),
            ("15e-1", 3, 1, 15),
            ("1E3", 4, 0, 1000),
            (
                "0.000000000000000000000000000000000000000000000000e999",
                3,
                2,
                0,
            ),
            (
                "100000000000000000000000000000000000000000000000000e-50",
                3,
                2,
                100,
            ),
            (
                "99999999999999999999999999999999999999",
                38,
                0,
                POWERS[38] - 1,
            ),
        ] {
            assert_eq!(
                parse(source.as_bytes(), precision, scale),
                Ok(expected),
                "{source}"
            );
        }
    }

    #[test]
    fn what_would_be_lost_is_refused() {
        for (source, precision, scale) in [
            ("1.55", 5, 1),
            ("1000", 3, 0),
            ("1e400", 38, 0),
            ("1e-400", 38, 38),
            ("1e99999999999999999999", 38, 0),
            ("123456789012345678901234567890123456789", 38, 0),
            ("", 3, 0),
            ("-", 3, 0),
            (".", 3, 0),
            ("1e", 3, 0),
            ("1.2.3", 3, 0),
            ("0x1", 3, 0),
        ] {
            assert!(
                parse(source.as_bytes(), precision, scale).is_err(),
                "{source}"
            );
        }
    }

    #[test]
    fn plain_notation_comes_out() {
        assert_eq!(text(-5, 2), "-0.05");
        assert_eq!(text(12345, 2), "123.45");
        assert_eq!(text(7, 0), "7");
        assert_eq!(text(7, -2), "700");
        assert_eq!(text(0, 3), "0.000");
    }

    #[test]
    fn scales_change_without_loss() {
        assert_eq!(rescale(15, 1, 3, 10), Ok(1500));
        assert_eq!(rescale(1500, 3, 1, 10), Ok(15));
        assert!(rescale(1501, 3, 1, 10).is_err());
        assert!(rescale(999, 0, 1, 3).is_err());
    }

    #[test]
    fn twos_complement_is_read() {
        assert_eq!(unscaled(&[]), Ok(0));
        assert_eq!(unscaled(&[0xff]), Ok(-1));
        assert_eq!(unscaled(&[0, 0xff]), Ok(255));
        assert_eq!(unscaled(&[0xff; 40]), Ok(-1));
        let mut long = [0; 17];
        long[1] = 0x80;
        assert!(unscaled(&long).is_err());
        long[0] = 1;
        assert!(unscaled(&long).is_err());
    }
}
