//! Where windows begin and end, and when they close. Times are milliseconds of at least zero.

use crate::error::{Error, Result};
use crate::spec::{Window, WindowKind};

/// Tumbling and hopping windows: [start, start + size), start a multiple of the advance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fixed {
    pub size: i64,
    pub advance: i64,
    pub grace: i64,
    /// Length of the sub-windows that make up every window: each row is kept in one of them.
    pub pane: i64,
}

impl Fixed {
    /// # Errors
    /// A size or advance that is not positive, or an advance that leaves gaps.
    pub fn new(window: &Window) -> Result<Self> {
        let advance = match window.kind {
            WindowKind::Hop => window.advance.unwrap_or(window.size),
            _ => window.size,
        };
        if advance <= 0 || advance > window.size || window.grace < 0 {
            return Err(Error::spec(
                "a window needs a size above zero, an advance up to its size and a grace of at least zero",
            ));
        }
        let Window { size, grace, .. } = *window;
        Ok(Self {
            size,
            advance,
            grace,
            pane: gcd(size, advance),
        })
    }

    /// Whether a pane is a window: tumbling.
    pub fn is_single(&self) -> bool {
        self.pane == self.size
    }

    pub fn pane_of(&self, time: i64) -> i64 {
        time - time.rem_euclid(self.pane)
    }

    pub fn end(&self, start: i64) -> i64 {
        start.saturating_add(self.size)
    }

    /// Give the start of the first window that has not closed.
    pub fn first_open(&self, stream_time: i64) -> i64 {
        let least = stream_time
            .max(0)
            .saturating_sub(self.size)
            .saturating_sub(self.grace)
            + 1;
        round_up(least.max(0), self.advance)
    }

    /// Give the starts of the windows that a pane is part of, ascending.
    pub fn windows_of(&self, pane: i64) -> impl DoubleEndedIterator<Item = i64> + use<> {
        let advance = self.advance;
        (self.first_window_of(pane) / advance..=pane / advance).map(move |number| number * advance)
    }

    pub fn first_window_of(&self, pane: i64) -> i64 {
        round_up((pane - self.size + 1).max(0), self.advance)
    }

    pub fn last_window_of(&self, pane: i64) -> i64 {
        pane - pane % self.advance
    }
}

/// Give the least multiple that is not below a number of at least zero.
fn round_up(number: i64, unit: i64) -> i64 {
    let below = number - number % unit;
    if below == number {
        number
    } else {
        below.saturating_add(unit)
    }
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop(size: i64, advance: i64, grace: i64) -> Fixed {
        Fixed::new(&Window {
            kind: WindowKind::Hop,
            size,
            advance: Some(advance),
            grace,
        })
        .unwrap()
    }

    fn is_closed(fixed: &Fixed, start: i64, stream_time: i64) -> bool {
        fixed.end(start) + fixed.grace <= stream_time
    }

    #[test]
    fn every_time_lies_in_the_windows_of_its_pane() {
        for (size, advance) in [(1, 1), (10, 10), (10, 5), (10, 4), (12, 9), (7, 3)] {
            let fixed = hop(size, advance, 0);
            for time in 0..60 {
                let expected: Vec<_> = (0..=time)
                    .filter(|start| start % advance == 0 && time < start + size)
                    .collect();
                assert_eq!(
                    fixed.windows_of(fixed.pane_of(time)).collect::<Vec<_>>(),
                    expected,
                    "{fixed:?} {time}"
                );
            }
        }
    }

    #[test]
    fn the_first_open_window_is_the_first_that_has_not_closed() {
        for (size, advance, grace) in [(10, 10, 0), (10, 4, 3), (7, 3, 20)] {
            let fixed = hop(size, advance, grace);
            for time in 0..100 {
                let open = fixed.first_open(time);
                assert!(!is_closed(&fixed, open, time) && open % advance == 0);
                assert!(open == 0 || is_closed(&fixed, open - advance, time));
            }
        }
    }

    #[test]
    fn before_anything_was_seen_every_window_is_open() {
        assert_eq!(hop(10, 5, 0).first_open(i64::MIN), 0);
    }

    #[test]
    fn windows_that_leave_gaps_are_refused() {
        let window = Window {
            kind: WindowKind::Hop,
            size: 5,
            advance: Some(6),
            grace: 0,
        };
        assert!(Fixed::new(&window).is_err());
    }
}
