//! What is kept of the windows of one key: pieces, each a session or the rows of one time. They are one entry of the state while
//! they take few bytes. Then each becomes a member of the entry, so that a change of one of many is one small write.

use std::collections::BTreeSet;
use std::marker::PhantomData;
use std::sync::Arc;

use super::encoding::{Reader, put_group};
use crate::accumulators::{Accumulators, Group};
use crate::error::{Error, Result};
use crate::members::MemberWrites;
use crate::table::Codec;

/// A session, or the rows of one time.
pub trait Piece: Sized {
    /// What is known of a key beside its pieces, and not kept.
    type Notes: Default;

    /// Tells it from the others of its key, in their order, and stays while it is there. At least zero.
    fn id(&self) -> i64;

    fn group(&self) -> &Group;

    fn group_mut(&mut self) -> &mut Group;

    /// Append what there is beside the id and the group.
    fn encode(&self, out: &mut Vec<u8>);

    fn decode(id: i64, reader: &mut Reader<'_>, accumulators: &Accumulators) -> Result<Self>;
}

/// The pieces of a key.
#[derive(Clone)]
pub struct OfKey<P: Piece> {
    /// When the timer of this key is due; there may be earlier ones that mean nothing.
    pub timer: i64,
    pub notes: P::Notes,
    /// In order of their ids.
    pieces: Vec<P>,
    members: Option<Box<Members>>,
}

/// What is known of the members of an entry.
#[derive(Clone)]
struct Members {
    /// The pieces are members, and not only values of large sets in them.
    divided: bool,
    /// What the store has is of another key's life: nothing of it counts.
    is_new: bool,
    /// Pieces that have changed since the commit, or are gone.
    changed: BTreeSet<i64>,
}

impl<P: Piece> OfKey<P> {
    pub fn new() -> Self {
        Self {
            timer: i64::MAX,
            notes: P::Notes::default(),
            pieces: Vec::with_capacity(1),
            members: None,
        }
    }

    pub fn pieces(&self) -> &[P] {
        &self.pieces
    }

    /// Give a piece to change.
    pub fn edit(&mut self, at: usize) -> &mut P {
        self.mark(self.pieces[at].id());
        &mut self.pieces[at]
    }

    /// Give the pieces, to change what is not kept of them.
    pub fn not_kept(&mut self) -> &mut [P] {
        &mut self.pieces
    }

    pub fn insert(&mut self, piece: P) {
        self.mark(piece.id());
        let at = self.place(piece.id()).unwrap_or_else(|at| at);
        self.pieces.insert(at, piece);
    }

    pub fn remove(&mut self, at: usize) -> P {
        self.mark(self.pieces[at].id());
        self.pieces.remove(at)
    }

    /// Take out the pieces for which something holds.
    pub fn remove_where(&mut self, holds: impl Fn(&P) -> bool) -> Vec<P> {
        let (gone, left): (Vec<P>, Vec<P>) = std::mem::take(&mut self.pieces)
            .into_iter()
            .partition(holds);
        gone.iter().for_each(|piece| self.mark(piece.id()));
        self.pieces = left;
        gone
    }

    /// Give where the piece of an id is, or would be.
    pub fn place(&self, id: i64) -> std::result::Result<usize, usize> {
        self.pieces.binary_search_by_key(&id, Piece::id)
    }

    fn mark(&mut self, id: i64) {
        if let Some(members) = &mut self.members {
            members.changed.insert(id);
        }
    }
}

/// How the pieces of a key are kept.
pub struct PieceCodec<P> {
    accumulators: Arc<Accumulators>,
    piece: PhantomData<fn() -> P>,
}

/// Byte behind the timer: whether there are members, and what they are.
const NONE: u8 = 0;
const OF_SETS: u8 = 1;
const DIVIDED: u8 = 2;
/// Byte behind the id of a piece in a member's key: the piece itself, or a value of one of its sets.
const ITSELF: u8 = 0;
const OF_SET: u8 = 1;

impl<P: Piece> PieceCodec<P> {
    pub fn new(accumulators: &Arc<Accumulators>) -> Self {
        Self {
            accumulators: Arc::clone(accumulators),
            piece: PhantomData,
        }
    }

    fn put(&self, piece: &P, out: &mut Vec<u8>) {
        piece.encode(out);
        put_group(&self.accumulators, piece.group(), out);
    }

    fn put_all(&self, value: &OfKey<P>, out: &mut Vec<u8>) {
        for piece in &value.pieces {
            out.extend_from_slice(&piece.id().to_be_bytes());
            self.put(piece, out);
        }
    }

    fn piece_members(&self, id: i64, value: &OfKey<P>, divided: bool, writes: &mut MemberWrites) {
        let id_bytes = id.to_be_bytes();
        let Ok(at) = value.place(id) else {
            return writes.clear(&id_bytes);
        };
        let piece = &value.pieces[at];
        if divided {
            let mut bytes = Vec::new();
            self.put(piece, &mut bytes);
            writes.put(&[&id_bytes[..], &[ITSELF]].concat(), Some(bytes));
        }
        writes.under(&[&id_bytes[..], &[OF_SET]].concat());
        self.accumulators.members(piece.group(), writes);
        writes.under(&[]);
    }
}

impl<P: Piece> Codec for PieceCodec<P> {
    type Value = OfKey<P>;

    fn encode(&self, value: &OfKey<P>, out: &mut Vec<u8>) {
        out.extend_from_slice(&value.timer.to_be_bytes());
        let divided = value.members.as_ref().map(|members| members.divided);
        out.push(match divided {
            None => NONE,
            Some(false) => OF_SETS,
            Some(true) => DIVIDED,
        });
        if divided != Some(true) {
            self.put_all(value, out);
        }
    }

    fn decode(&self, bytes: &[u8]) -> Result<OfKey<P>> {
        let mut reader = Reader::new(bytes);
        let mut value = OfKey::new();
        value.timer = reader.int()?;
        let divided = match reader.byte()? {
            NONE => None,
            OF_SETS => Some(false),
            DIVIDED => Some(true),
            _ => return Err(damaged()),
        };
        value.members = divided.map(|divided| {
            Box::new(Members {
                divided,
                is_new: false,
                changed: BTreeSet::new(),
            })
        });
        while !reader.is_at_end() {
            let piece = P::decode(reader.int()?, &mut reader, &self.accumulators)?;
            value.pieces.push(piece);
        }
        Ok(value)
    }

    fn heap(&self, value: &OfKey<P>) -> usize {
        let groups = value.pieces.iter().map(|piece| piece.group().heap_size());
        let members = value.members.as_ref().map_or(0, |_| size_of::<Members>());
        value.pieces.capacity() * size_of::<P>() + groups.sum::<usize>() + members
    }

    fn divide(&self, value: &mut OfKey<P>) {
        let limit = self.accumulators.inline_bytes();
        let mut has_sets = false;
        for piece in &mut value.pieces {
            self.accumulators.divide(piece.group_mut());
            has_sets |= self.accumulators.has_members(piece.group());
        }
        let is_divided = value
            .members
            .as_ref()
            .is_some_and(|members| members.divided);
        // One piece by itself would be as large as the entry is.
        let divides = !is_divided && value.pieces.len() > 1 && {
            let mut bytes = Vec::new();
            self.put_all(value, &mut bytes);
            bytes.len() > limit
        };
        if value.members.is_none() && (divides || has_sets) {
            value.members = Some(Box::new(Members {
                divided: divides,
                is_new: true,
                changed: BTreeSet::new(),
            }));
        } else if let Some(members) = &mut value.members
            && divides
        {
            members.divided = true;
            members.changed.extend(value.pieces.iter().map(Piece::id));
        }
    }

    fn has_members(&self, value: &OfKey<P>) -> bool {
        value.members.is_some()
    }

    fn members(&self, value: &OfKey<P>, writes: &mut MemberWrites) {
        let Some(members) = &value.members else {
            return writes.clear(&[]);
        };
        if members.is_new {
            writes.clear(&[]);
            for piece in &value.pieces {
                self.piece_members(piece.id(), value, members.divided, writes);
            }
        } else {
            for id in &members.changed {
                self.piece_members(*id, value, members.divided, writes);
            }
        }
    }

    fn settle(&self, value: &mut OfKey<P>) {
        if let Some(members) = &mut value.members {
            for piece in &mut value.pieces {
                if members.is_new || members.changed.contains(&piece.id()) {
                    self.accumulators.settle(piece.group_mut());
                }
            }
            members.is_new = false;
            members.changed.clear();
        }
    }

    fn admit(&self, value: &mut OfKey<P>, suffix: &[u8], bytes: &[u8]) -> Result<()> {
        let (id, rest) = suffix.split_first_chunk().ok_or_else(damaged)?;
        let id = i64::from_be_bytes(*id);
        match rest.split_first() {
            Some((&ITSELF, [])) => {
                let mut reader = Reader::new(bytes);
                let piece = P::decode(id, &mut reader, &self.accumulators)?;
                let Err(at) = value.place(id) else {
                    return Err(damaged());
                };
                value.pieces.insert(at, piece);
                Ok(())
            }
            Some((&OF_SET, rest)) => {
                let at = value.place(id).map_err(|_| damaged())?;
                let group = value.pieces[at].group_mut();
                self.accumulators.admit(group, rest, bytes)
            }
            _ => Err(damaged()),
        }
    }
}

fn damaged() -> Error {
    Error::damaged("the windows of a key in the store cannot be read")
}
