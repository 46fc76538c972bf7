//! Dates and times as ISO 8601 text.

use arrow_schema::TimeUnit;

use crate::column::per_second;
use crate::fault::{Fault, Result};

const DAY: i64 = 86_400;

/// Days from 1970-01-01 of a date in the proleptic Gregorian calendar.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

fn month_length(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn digits(&mut self, count: usize) -> Option<i64> {
        let part = self.text.get(self.at..self.at + count)?;
        let mut value = 0;
        for byte in part {
            if !byte.is_ascii_digit() {
                return None;
            }
            value = value * 10 + i64::from(byte - b'0');
        }
        self.at += count;
        Some(value)
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.text.get(self.at) == Some(&byte);
        self.at += usize::from(found);
        found
    }

    fn ended(&self) -> bool {
        self.at == self.text.len()
    }

    fn date(&mut self) -> Option<i64> {
        let year = self.digits(4)?;
        if !self.eat(b'-') {
            return None;
        }
        let month = self.digits(2)?;
        if !self.eat(b'-') {
            return None;
        }
        let day = self.digits(2)?;
        if !(1..=12).contains(&month) || day < 1 || day > month_length(year, month) {
            return None;
        }
        Some(days_from_civil(year, month, day))
    }

    /// Seconds and nanoseconds of the day.
    fn time(&mut self) -> Option<(i64, i64)> {
        let hour = self.digits(2)?;
        if !self.eat(b':') {
            return None;
        }
        let minute = self.digits(2)?;
        let mut second = 0;
        let mut nanos = 0;
        if self.eat(b':') {
            second = self.digits(2)?;
            if self.eat(b'.') || self.eat(b',') {
                let start = self.at;
                let mut unit = 100_000_000;
                while let Some(digit) = self.digits(1) {
                    nanos += digit * unit;
                    unit /= 10;
                }
                if self.at == start {
                    return None;
                }
            }
        }
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        Some((hour * 3600 + minute * 60 + second, nanos))
    }

    /// Seconds east of UTC; 0 without a zone.
    fn zone(&mut self) -> Option<i64> {
        if self.ended() {
            return Some(0);
        }
        if self.eat(b'Z') || self.eat(b'z') {
            return Some(0);
        }
        let sign = if self.eat(b'+') {
            1
        } else if self.eat(b'-') {
            -1
        } else {
            return None;
        };
        let hour = self.digits(2)?;
        let colon = self.eat(b':');
        let minute = if self.ended() && !colon {
            0
        } else {
            self.digits(2)?
        };
        if hour > 18 || minute > 59 {
            return None;
        }
        Some(sign * (hour * 3600 + minute * 60))
    }
}

/// Read `2018-05-10` as days since the epoch.
pub fn parse_date(text: &[u8]) -> Result<i32> {
    let mut cursor = Cursor { text, at: 0 };
    cursor
        .date()
        .filter(|_| cursor.ended())
        .map(|days| days as i32)
        .ok_or_else(|| Fault::new("not a date as in 2018-05-10"))
}

/// Read `12:34:56.789` as units since midnight.
pub fn parse_time(text: &[u8], unit: TimeUnit) -> Result<i64> {
    let mut cursor = Cursor { text, at: 0 };
    cursor
        .time()
        .filter(|_| cursor.ended())
        .map(|(seconds, nanos)| {
            let per = per_second(unit);
            seconds * per + nanos / (1_000_000_000 / per)
        })
        .ok_or_else(|| Fault::new("not a time as in 12:34:56.789"))
}

/// Read `2018-05-10T12:34:56.789+02:00` as units since the epoch; UTC without a zone. Finer digits than the unit are cut off.
pub fn parse_timestamp(text: &[u8], unit: TimeUnit) -> Result<i64> {
    let wrong = || Fault::new("not a timestamp as in 2018-05-10T12:34:56.789Z");
    let mut cursor = Cursor { text, at: 0 };
    let days = cursor.date().ok_or_else(wrong)?;
    let (mut seconds, mut nanos) = (days * DAY, 0);
    if !cursor.ended() {
        if !(cursor.eat(b'T') || cursor.eat(b' ') || cursor.eat(b't')) {
            return Err(wrong());
        }
        let (of_day, fraction) = cursor.time().ok_or_else(wrong)?;
        seconds += of_day - cursor.zone().ok_or_else(wrong)?;
        nanos = fraction;
        if !cursor.ended() {
            return Err(wrong());
        }
    }
    let per = per_second(unit);
    seconds
        .checked_mul(per)
        .and_then(|value| value.checked_add(nanos / (1_000_000_000 / per)))
        .ok_or_else(|| Fault::new("timestamp out of range"))
}

fn two(value: i64, out: &mut Vec<u8>) {
    out.push(b'0' + (value / 10 % 10) as u8);
    out.push(b'0' + (value % 10) as u8);
}

/// Give the days since the epoch of a date; None if there is no such day.
pub fn days_of(year: i64, month: i64, day: i64) -> Option<i32> {
    if !(1..=9999).contains(&year)
        || !(1..=12).contains(&month)
        || !(1..=month_length(year, month)).contains(&day)
    {
        return None;
    }
    i32::try_from(days_from_civil(year, month, day)).ok()
}

/// Give year, month and day of days since the epoch.
pub fn date_of(days: i32) -> (i64, i64, i64) {
    civil_from_days(i64::from(days))
}

/// Write days since the epoch as `2018-05-10`.
pub fn format_date(days: i32, out: &mut Vec<u8>) {
    let (year, month, day) = civil_from_days(i64::from(days));
    let mut buffer = itoa::Buffer::new();
    if (0..=9999).contains(&year) {
        two(year / 100, out);
        two(year, out);
    } else {
        if year > 0 {
            out.push(b'+');
        }
        out.extend_from_slice(buffer.format(year).as_bytes());
    }
    out.push(b'-');
    two(month, out);
    out.push(b'-');
    two(day, out);
}

/// Write units since midnight as `12:34:56` or `12:34:56.789`, with as many digits as the unit has unless they are all 0.
pub fn format_time(value: i64, unit: TimeUnit, out: &mut Vec<u8>) {
    let per = per_second(unit);
    let (seconds, fraction) = (value.div_euclid(per), value.rem_euclid(per));
    two(seconds / 3600, out);
    out.push(b':');
    two(seconds / 60 % 60, out);
    out.push(b':');
    two(seconds % 60, out);
    if fraction != 0 {
        out.push(b'.');
        let mut unit = per / 10;
        while unit > 0 {
            out.push(b'0' + (fraction / unit % 10) as u8);
            unit /= 10;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(text: &str) -> Result<i64> {
        parse_timestamp(text.as_bytes(), TimeUnit::Millisecond)
    }

    #[test]
    fn timestamps_are_read() {
        assert_eq!(millis("1970-01-01"), Ok(0));
        assert_eq!(millis("2018-05-10T12:34:56Z"), Ok(1_525_955_696_000));
        assert_eq!(millis("2018-05-10 12:34:56.7899"), Ok(1_525_955_696_789));
        assert_eq!(millis("2018-05-10T14:34:56+02:00"), Ok(1_525_955_696_000));
        assert_eq!(millis("2018-05-10T14:34:56+02"), Ok(1_525_955_696_000));
        assert_eq!(millis("1969-12-31T23:59:59.999Z"), Ok(-1));
        assert_eq!(millis("2000-02-29T00:00Z"), Ok(951_782_400_000));
    }

    #[test]
    fn other_text_is_refused() {
        for text in [
            "",
            "2018",
            "2018-13-01",
            "2018-02-29",
            "2018-05-10T",
            "2018-05-10T25:00",
            "2018-05-10T12:34:56.Z",
            "2018-05-10T12:34:56Zx",
            "2018-05-10T12:34:56+2",
            "2018-05-10x",
            "2018-05-10T12:34:56+02:",
        ] {
            assert!(millis(text).is_err(), "{text}");
        }
        assert!(parse_timestamp(b"9999-01-01", TimeUnit::Nanosecond).is_err());
    }

    #[test]
    fn dates_come_back() {
        for days in [
            -1_000_000,
            -719_468,
            -1,
            0,
            1,
            59,
            60,
            17_661,
            1_000_000,
            i32::MIN,
            i32::MAX,
        ] {
            let mut text = Vec::new();
            format_date(days, &mut text);
            if text.len() == 10 && text[0] != b'-' {
                assert_eq!(parse_date(&text), Ok(days));
            }
        }
    }

    #[test]
    fn times_come_back() {
        for (value, text) in [
            (0, "00:00:00"),
            (45_296_789, "12:34:56.789"),
            (86_399_001, "23:59:59.001"),
        ] {
            let mut out = Vec::new();
            format_time(value, TimeUnit::Millisecond, &mut out);
            assert_eq!(out, text.as_bytes());
            assert_eq!(parse_time(&out, TimeUnit::Millisecond), Ok(value));
        }
    }
}
