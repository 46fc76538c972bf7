//! Who reads which partition: the direct path, or librdkafka while it cannot (docs/adr/0018).

use std::ffi::c_void;
use std::time::{Duration, Instant};

use super::Consumer;
use crate::batch::Batches;
use crate::direct::fetch::{Direct, Shared, Trouble};
use crate::error::Result;
use crate::ffi::*;
use crate::partitions::Position;

/// After how long a partition that was handed back to librdkafka is read directly again; doubled each time, up to the most.
const HOLD_OFF: Duration = Duration::from_secs(1);
const MOST_HOLD_OFF: Duration = Duration::from_secs(60);
/// It only tells librdkafka's own thread.
const SEEK_WAIT: Duration = Duration::from_secs(1);

pub(super) type Place = (String, i32);

/// A partition that librdkafka reads.
pub(super) struct Lent {
    /// From when on it may be read directly again; None for never.
    until: Option<Instant>,
    /// Where it was to go on; this is its position until librdkafka has met something.
    from: i64,
}

impl Consumer {
    /// What was read directly; or what librdkafka has read, of partitions that are lent to it. They take turns.
    pub(super) fn poll_both(
        &mut self,
        max_records: usize,
        max_bytes: usize,
        timeout: Duration,
        linger: Duration,
    ) -> Result<Batches> {
        let deadline = Instant::now() + timeout;
        loop {
            self.hand_back()?;
            let mut batches = Batches::default();
            self.direct_first = !self.direct_first;
            if self.direct_first
                && self.take_directly(max_records, max_bytes, linger, &mut batches)?
            {
                return Ok(batches);
            }
            // Serves the group as well, and keeps librdkafka from taking us for dead.
            let taken = self.take(max_records, Duration::ZERO, &mut batches)?;
            if taken.records + taken.ends > 0 {
                self.take_back()?;
            }
            if taken.records > 0 || self.fault.is_some() || self.rebalance().is_some() {
                return Ok(batches);
            }
            if self.take_directly(max_records, max_bytes, linger, &mut batches)?
                || Instant::now() >= deadline
            {
                return Ok(batches);
            }
            if let Some(direct) = &self.direct {
                direct.wait(deadline);
            }
        }
    }

    /// Whether anything was there.
    fn take_directly(
        &mut self,
        most: usize,
        most_bytes: usize,
        linger: Duration,
        batches: &mut Batches,
    ) -> Result<bool> {
        let Some(direct) = &self.direct else {
            return Ok(false);
        };
        let mut taken = direct.take(most, most_bytes, batches)?;
        if taken == 0 {
            return Ok(false);
        }
        let end = Instant::now() + linger;
        while taken < most
            && batches.bytes() < most_bytes
            && Instant::now() < end
            && self.rebalance().is_none()
            && direct.wait(end)
        {
            let more = direct.take(most - taken, most_bytes, batches)?;
            taken += more;
        }
        Ok(true)
    }

    pub(super) fn has_direct(&self) -> bool {
        let reads = self
            .direct
            .as_ref()
            .is_some_and(|direct| !direct.is_empty());
        reads || !self.lent.is_empty() || !self.returning.is_empty()
    }

    /// Read partitions directly that librdkafka was just given, from these offsets.
    ///
    /// `met` says that something was met before these offsets already.
    pub(super) fn read_directly(&mut self, positions: &[Position], met: bool) -> Result<()> {
        let Some(direct) = &self.direct else {
            return Ok(());
        };
        let (ours, rest): (Vec<_>, Vec<_>) = positions
            .iter()
            .cloned()
            .partition(|position| position.offset >= 0);
        for position in rest {
            // It has to find out first where that is.
            let (until, from) = (Some(Instant::now()), OFFSET_INVALID);
            self.lent.insert(key(&position), Lent { until, from });
        }
        if ours.is_empty() {
            return Ok(());
        }
        let list = self.list(&ours)?;
        self.check(unsafe { (self.library().pause)(self.client.handle, list.pointer) })?;
        direct.add(&ours, met, |position| self.paused.contains(&key(position)));
        Ok(())
    }

    /// Let librdkafka read what cannot be read directly now.
    fn hand_back(&mut self) -> Result<()> {
        let Some(direct) = &self.direct else {
            return Ok(());
        };
        self.returning.extend(direct.troubled());
        if self.returning.is_empty() {
            return Ok(());
        }
        for (position, trouble) in std::mem::take(&mut self.returning) {
            let one = std::slice::from_ref(&position);
            if self.seek_queue(one, SEEK_WAIT).is_err() {
                // It was assigned a moment ago, and is taken at the next try.
                self.returning.push((position, trouble));
                continue;
            }
            if !self.paused.contains(&key(&position)) {
                self.set_paused(one, false)?;
            }
            let before = self.hold_offs.get(&key(&position));
            let hold_off = before.map_or(HOLD_OFF, |before| (*before * 2).min(MOST_HOLD_OFF));
            self.hold_offs.insert(key(&position), hold_off);
            let until = (trouble == Trouble::Passing).then(|| Instant::now() + hold_off);
            let from = position.offset;
            self.lent.insert(key(&position), Lent { until, from });
        }
        Ok(())
    }

    /// Read directly again what librdkafka was lent, if it reads well there.
    fn take_back(&mut self) -> Result<()> {
        let now = Instant::now();
        let due: Vec<Position> = self
            .lent
            .iter()
            .filter(|(place, lent)| {
                lent.until.is_some_and(|until| until <= now) && !self.paused.contains(*place)
            })
            .map(|((topic, partition), _)| Position {
                topic: topic.clone(),
                partition: *partition,
                offset: OFFSET_INVALID,
            })
            .collect();
        if due.is_empty() {
            return Ok(());
        }
        let mut met = self.queue_positions(&due)?;
        met.retain(|position| {
            let lent = self.lent.get(&key(position));
            position.offset >= lent.map_or(0, |lent| lent.from.max(0))
        });
        for position in &met {
            self.lent.remove(&key(position));
        }
        self.forget_ends(&met);
        self.read_directly(&met, true)
    }

    /// The caller goes on elsewhere with what librdkafka reads, or soon will.
    pub(super) fn move_lent(&mut self, position: &Position) {
        if let Some(lent) = self.lent.get_mut(&key(position)) {
            lent.from = position.offset;
        }
        for (one, _) in &mut self.returning {
            if key(one) == key(position) {
                one.offset = position.offset;
            }
        }
    }

    pub(super) fn forget(&mut self, positions: &[Position]) {
        for position in positions {
            self.lent.remove(&key(position));
            self.hold_offs.remove(&key(position));
            self.paused.remove(&key(position));
        }
        self.returning
            .retain(|(one, _)| !positions.iter().any(|other| key(other) == key(one)));
        if let Some(direct) = &self.direct {
            direct.remove(positions);
        }
    }

    pub(super) fn forget_all(&mut self) {
        self.lent.clear();
        self.hold_offs.clear();
        self.returning.clear();
        if let Some(direct) = &self.direct {
            direct.clear();
        }
    }

    fn set_paused(&self, partitions: &[Position], paused: bool) -> Result<()> {
        let list = self.list(partitions)?;
        let call = if paused {
            self.library().pause
        } else {
            self.library().resume
        };
        // SAFETY: the list outlives the call.
        self.check(unsafe { call(self.client.handle, list.pointer) })?;
        list.positions().map(drop)
    }

    /// Pause or resume: what is read directly there, the rest at librdkafka.
    pub(super) fn hold(&mut self, partitions: &[Position], paused: bool) -> Result<()> {
        let mut rest = Vec::new();
        for position in partitions {
            if paused {
                self.paused.insert(key(position));
            } else {
                self.paused.remove(&key(position));
            }
            match &self.direct {
                Some(direct) if direct.holds(position) => direct.pause(position, paused),
                // It goes back as it should be by then.
                _ if self.is_returning(position) => {}
                _ => rest.push(position.clone()),
            }
        }
        if rest.is_empty() {
            Ok(())
        } else {
            self.set_paused(&rest, paused)
        }
    }

    fn is_returning(&self, position: &Position) -> bool {
        self.returning
            .iter()
            .any(|(one, _)| key(one) == key(position))
    }

    /// The position of a partition of which librdkafka knows none, or an old one.
    pub(super) fn position_around(&self, place: &Position) -> Option<i64> {
        if let Some((one, _)) = self
            .returning
            .iter()
            .find(|(one, _)| key(one) == key(place))
        {
            return Some(one.offset);
        }
        match (&self.direct, self.lent.get(&key(place))) {
            (_, Some(lent)) => Some(place.offset.max(lent.from)),
            (Some(direct), None) if direct.holds(place) => {
                Some(direct.position(place).unwrap_or(OFFSET_INVALID))
            }
            _ => None,
        }
    }

    /// How many partitions are read straight from their brokers.
    pub fn read_around(&self) -> usize {
        self.direct.as_ref().map_or(0, Direct::len)
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        if self.direct.is_some() {
            // SAFETY: the queue is there until the fields are dropped; after this nobody calls back.
            unsafe {
                (self.library().queue_event_callback)(
                    self.queue.pointer,
                    None,
                    std::ptr::null_mut(),
                );
            }
        }
    }
}

pub(super) fn key(position: &Position) -> Place {
    (position.topic.clone(), position.partition)
}

/// # Safety
/// `shared` is that of a `Direct` that is still there.
pub(super) unsafe extern "C" fn on_event(_: *mut Handle, shared: *mut c_void) {
    unsafe { (*shared.cast::<Shared>()).wake() }
}
