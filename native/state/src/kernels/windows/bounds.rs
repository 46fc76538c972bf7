//! Where windows begin and end, and when they close. Times are milliseconds of at least zero.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::spec::{Window, WindowKind};

/// Windows of lengths that are known beforehand: tumbling, hopping and cumulating ones.
///
/// A tumbling or hopping window is [start, start + size), a cumulating one [start, start + n * advance) up to the size: all
/// cumulating windows of one start grow from it. Starts are offset + a multiple of the advance (cumulating: of the size).
/// As several windows may have one start, each is named by its end less the size: that of the others is their start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fixed {
    pub size: i64,
    pub advance: i64,
    pub grace: i64,
    /// Length of the sub-windows that make up every window: each row is kept in one of them.
    pub pane: i64,
    /// Where the first window begins: at least zero.
    pub offset: i64,
    cumulates: bool,
}

impl Fixed {
    /// # Errors
    /// A size or advance that is not positive, or an advance that leaves gaps.
    pub fn new(window: &Window) -> Result<Self> {
        let advance = match window.kind {
            WindowKind::Hop | WindowKind::Cumulate => window.advance.unwrap_or(window.size),
            _ => window.size,
        };
        let cumulates = window.kind == WindowKind::Cumulate;
        if advance <= 0 || advance > window.size || window.grace < 0 {
            return Err(Error::spec(
                "a window needs a size above zero, an advance up to its size and a grace of at least zero",
            ));
        }
        if cumulates && window.size % advance != 0 {
            return Err(Error::spec(
                "the size of cumulating windows is a multiple of their step",
            ));
        }
        let Window { size, grace, .. } = *window;
        Ok(Self {
            size,
            advance,
            grace,
            pane: gcd(size, advance),
            offset: window
                .offset
                .rem_euclid(if cumulates { size } else { advance }),
            cumulates,
        })
    }

    /// Whether a pane is a window: tumbling.
    pub fn is_single(&self) -> bool {
        self.pane == self.size
    }

    pub fn pane_of(&self, time: i64) -> i64 {
        time - (time - self.offset).rem_euclid(self.pane)
    }

    /// Give where a window begins.
    pub fn start(&self, window: i64) -> i64 {
        if self.cumulates {
            self.cycle(self.end(window) - 1)
        } else {
            window
        }
    }

    pub fn end(&self, window: i64) -> i64 {
        window.saturating_add(self.size)
    }

    /// Give start and end of a window.
    pub fn bounds(&self, window: i64) -> (i64, i64) {
        (self.start(window), self.end(window))
    }

    /// Whether a pane is part of a window.
    pub fn has(&self, window: i64, pane: i64) -> bool {
        (self.start(window)..self.end(window)).contains(&pane)
    }

    /// Give the name of the first window that has not closed.
    pub fn first_open(&self, stream_time: i64) -> i64 {
        let first = self.offset
            + if self.cumulates {
                self.advance - self.size
            } else {
                0
            };
        let least = stream_time
            .max(0)
            .saturating_sub(self.size)
            .saturating_sub(self.grace)
            + 1;
        first.saturating_add(round_up((least - first).max(0), self.advance))
    }

    /// Give the first pane that is part of a window that has not closed.
    pub fn first_kept(&self, first_open: i64) -> i64 {
        if self.cumulates {
            self.offset
                .saturating_add(round_up((first_open - self.offset).max(0), self.size))
        } else {
            first_open
        }
    }

    /// Give the one multiple of the size (counted from the offset) that cuts a window in two; its start, if that is one.
    pub fn cut(&self, window: i64) -> i64 {
        let start = self.start(window) - self.offset;
        self.offset.saturating_add(round_up(start, self.size))
    }

    /// Give the names of the windows that a pane is part of, ascending.
    pub fn windows_of(&self, pane: i64) -> impl DoubleEndedIterator<Item = i64> + use<> {
        self.windows_between(self.first_window_of(pane), self.last_window_of(pane))
    }

    /// Give the names of all windows that panes are part of, of those from one name up to another; ascending.
    pub fn windows_of_all(
        &self,
        panes: impl Iterator<Item = i64>,
        names: Range<i64>,
    ) -> impl Iterator<Item = i64> {
        let mut next = names.start;
        panes.flat_map(move |pane| {
            let first = self.first_window_of(pane).max(next);
            let last = self.last_window_of(pane).min(names.end - self.advance);
            next = next.max(last.saturating_add(self.advance));
            self.windows_between(first, last)
        })
    }

    fn windows_between(
        &self,
        first: i64,
        last: i64,
    ) -> impl DoubleEndedIterator<Item = i64> + use<> {
        let advance = self.advance;
        let count = (last - first).div_euclid(advance) + 1;
        (0..count).map(move |number| first + number * advance)
    }

    pub fn first_window_of(&self, pane: i64) -> i64 {
        if self.cumulates {
            pane + self.advance - self.size
        } else {
            self.offset + round_up((pane - self.size + 1 - self.offset).max(0), self.advance)
        }
    }

    pub fn last_window_of(&self, pane: i64) -> i64 {
        if self.cumulates {
            self.cycle(pane)
        } else {
            pane - (pane - self.offset).rem_euclid(self.advance)
        }
    }

    /// Give the start of the cumulating windows that a time lies in.
    fn cycle(&self, time: i64) -> i64 {
        time - (time - self.offset).rem_euclid(self.size)
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

    fn fixed(kind: WindowKind, size: i64, advance: i64, grace: i64, offset: i64) -> Fixed {
        Fixed::new(&Window {
            kind,
            size,
            advance: Some(advance),
            grace,
            offset,
        })
        .unwrap()
    }

    fn hop(size: i64, advance: i64, grace: i64) -> Fixed {
        fixed(WindowKind::Hop, size, advance, grace, 0)
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
    fn an_offset_moves_all_windows() {
        for (size, advance, offset) in [(10, 10, 3), (10, 5, -1), (10, 4, 7), (7, 3, 2)] {
            let fixed = fixed(WindowKind::Hop, size, advance, 0, offset);
            for time in fixed.offset..60 {
                let expected: Vec<_> = (0..=time)
                    .filter(|start| (start - offset) % advance == 0 && time < start + size)
                    .collect();
                let found: Vec<_> = fixed.windows_of(fixed.pane_of(time)).collect();
                assert_eq!(found, expected, "{fixed:?} {time}");
            }
        }
    }

    #[test]
    fn cumulating_windows_grow_from_one_start() {
        for (size, step, offset) in [(15, 5, 0), (15, 5, 2), (4, 1, 3), (6, 6, 0)] {
            let fixed = fixed(WindowKind::Cumulate, size, step, 0, offset);
            for time in offset..60 {
                let start = time - (time - offset) % size;
                let expected: Vec<_> = (1..=size / step)
                    .map(|number| (start, start + number * step))
                    .filter(|(_, end)| time < *end)
                    .collect();
                let windows = fixed.windows_of(fixed.pane_of(time));
                let found: Vec<_> = windows.map(|window| fixed.bounds(window)).collect();
                assert_eq!(found, expected, "{fixed:?} {time}");
                let kept = fixed.first_kept(fixed.first_open(time));
                assert!(kept <= fixed.pane_of(time) && (kept - offset) % size == 0);
            }
        }
    }

    #[test]
    fn each_window_of_some_panes_is_named_once() {
        let panes = [0, 3, 6, 7, 40, 41, 90];
        let shapes = [
            hop(10, 4, 0),
            hop(7, 3, 0),
            fixed(WindowKind::Cumulate, 15, 5, 0, 0),
        ];
        for fixed in shapes {
            let (from, to) = (fixed.first_open(12), fixed.first_open(60));
            let panes: Vec<i64> = panes.iter().map(|time| fixed.pane_of(*time)).collect();
            let mut expected: Vec<i64> = panes
                .iter()
                .flat_map(|pane| fixed.windows_of(*pane))
                .filter(|window| (from..to).contains(window))
                .collect();
            expected.sort_unstable();
            expected.dedup();
            let found: Vec<i64> = fixed.windows_of_all(panes.into_iter(), from..to).collect();
            assert_eq!(found, expected, "{fixed:?}");
        }
    }

    #[test]
    fn a_window_is_cut_at_one_multiple_of_its_size() {
        let fixed = fixed(WindowKind::Hop, 10, 4, 0, 3);
        for window in (0..20).map(|number| 3 + 4 * number) {
            let cut = fixed.cut(window);
            assert!((window..window + 10).contains(&cut) && (cut - 3) % 10 == 0);
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
            offset: 0,
        };
        assert!(Fixed::new(&window).is_err());
    }
}
